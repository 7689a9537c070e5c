"""The journal in PostgreSQL. Nothing outside imports this before a URL asks for it: asyncpg alone costs 80 ms."""
