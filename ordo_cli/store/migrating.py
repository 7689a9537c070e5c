"""Runs Alembic from inside the package: imported only when a database is older than this ordo, for it costs 350 ms."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, event, pool
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from ordo_cli.domain.errors import StoreFailed
from ordo_cli.store.schema import HEAD

if TYPE_CHECKING:
    from ordo_cli.store.postgres.connecting import Place

PATIENCE = 60.0  # seconds that an upgrade waits for whoever is writing


def upgrade(path: str, to: str = "head") -> None:
    """Run the migrations that are missing, all of them or none."""
    with _begun(path) as connection:
        command.upgrade(_config(connection), to)


async def upgrade_postgresql(place: Place, to: str = "head") -> bool:
    """Run the migrations that are missing on PostgreSQL, all or none, while nobody else may write. False: none were.

    Raises StoreFailed when the database is held or cannot be reached.
    """

    from ordo_cli.store.postgres import connecting, driver  # asyncpg: not everybody has it

    async def connected() -> Any:
        return await connecting.connect(place, PATIENCE, patient=True)

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connected, poolclass=pool.NullPool)
    try:
        async with engine.begin() as connection:
            await connection.exec_driver_sql(driver.WRITE_LOCK)
            return await connection.run_sync(_upgrade, to)
    except DBAPIError as error:  # its words hold the statement too; the database's own are enough
        raise StoreFailed(f"the schema could not be upgraded: {_words(error)}", code="STORE") from error
    finally:
        await engine.dispose()


def _upgrade(connection: Connection, to: str) -> bool:
    before = MigrationContext.configure(connection).get_current_revision()
    if to == "head" and before == HEAD:  # another ordo was faster, and more of them wait for the lock
        return False
    command.upgrade(_config(connection), to)
    return MigrationContext.configure(connection).get_current_revision() != before


def _words(error: DBAPIError) -> str:
    return (str(error.orig).splitlines() or ["it failed"])[0].rpartition(": ")[2]


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
