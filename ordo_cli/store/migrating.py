"""Runs Alembic from inside the package: imported only when a database is older than this ordo, for it costs 350 ms."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, event, pool
from sqlalchemy.engine import URL


def upgrade(path: str, to: str = "head") -> None:
    """Run the migrations that are missing, all of them or none."""
    with _begun(path) as connection:
        command.upgrade(_config(connection), to)


def revisions() -> tuple[str, ...]:
    """Every migration, oldest first."""
    scripts = ScriptDirectory.from_config(_config(None))
    return tuple(each.revision for each in reversed(list(scripts.walk_revisions())))


@contextmanager
def _begun(path: str) -> Iterator[Connection]:
    engine = create_engine(URL.create("sqlite", database=path), poolclass=pool.NullPool)
    event.listen(engine, "connect", _leave_transactions_to_us)
    event.listen(engine, "begin", _take_the_write_lock)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def _leave_transactions_to_us(connection: Any, record: object) -> None:
    # The driver would otherwise commit before each CREATE TABLE, and half a migration could stay behind.
    connection.isolation_level = None
    connection.execute("PRAGMA synchronous=FULL")


def _take_the_write_lock(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _config(connection: Connection | None) -> Config:
    config = Config()
    config.set_main_option("script_location", "ordo_cli.store:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
