"""The schema's history, run by Alembic. A migration that has shipped is never edited."""
