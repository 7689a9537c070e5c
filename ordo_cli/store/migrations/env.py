"""Alembic's environment: it runs on the connection that ordo hands it, inside that connection's one transaction."""

from __future__ import annotations

from alembic import context
from sqlmodel import SQLModel

from ordo_cli.store import models

REGISTERED = models.__name__  # importing them is what fills the metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    transactional_ddl=True,  # SQLite can undo CREATE TABLE; Alembic assumes that it cannot
    render_as_batch=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
