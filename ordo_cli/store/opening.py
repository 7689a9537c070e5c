"""Opens the database that a URL names, with its schema ready: a file of this machine, or a PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from ordo_cli.domain.errors import Invalid
from ordo_cli.domain.urls import SQLITE, is_postgresql
from ordo_cli.store.filesystem import make_private, refuse_network
from ordo_cli.store.schema import Became, make_ready

if TYPE_CHECKING:
    from ordo_cli.store.base import Database
    from ordo_cli.store.postgres.hosts import AccountLocks


class Opened:
    """A database that is ready: what opening made of it, how to name it, and the locks it has between hosts, if any."""

    __slots__ = ("account_locks", "became", "database", "turns", "where")

    def __init__(
        self,
        where: str,
        became: Became,
        database: Database,
        locks: AccountLocks | None = None,
        turns: asyncio.Semaphore | None = None,
    ) -> None:
        self.where = where
        self.became = became
        self.database = database
        self.account_locks = locks
        self.turns = turns


@asynccontextmanager
async def open_url(path_or_url: str, stamp: str, **more: Any) -> AsyncIterator[Opened]:
    """Open it, making or upgrading it first; `stamp` names a backup, if one is due. Raises StoreFailed or Invalid."""
    opener = _postgresql(path_or_url, **more) if is_postgresql(path_or_url) else _file(path_or_url, stamp, **more)
    async with opener as opened:
        yield opened


@asynccontextmanager
async def _file(path_or_url: str, stamp: str, **more: Any) -> AsyncIterator[Opened]:
    from ordo_cli.store.database import open_database

    path = path_of(path_or_url)
    refuse_network(path)
    make_private(path)
    async with open_database(path, **more) as database:
        became = await database.call(lambda connection: make_ready(connection, path, stamp))
        yield Opened(path, became, database)


@asynccontextmanager
async def _postgresql(url: str, **more: Any) -> AsyncIterator[Opened]:
    from ordo_cli.store.postgres.connecting import Place  # with asyncpg, 80 ms that a file does not need
    from ordo_cli.store.postgres.database import MOST_TOGETHER, open_database
    from ordo_cli.store.postgres.schema import make_ready

    place = Place(url)
    async with open_database(place, **more) as database:
        became = await database.call(lambda line: make_ready(line, place))
        yield Opened(place.url, became, database, database.account_locks, asyncio.Semaphore(MOST_TOGETHER))


def path_of(path_or_url: str) -> str:
    """The database file. Raises Invalid for a database that is none."""
    if path_or_url.startswith(SQLITE):
        return path_or_url.removeprefix(SQLITE)
    scheme, colon, _ = path_or_url.partition("://")
    if colon:
        raise Invalid(
            f"{scheme} is not a database file",
            hint="database.url is empty, sqlite:///FILE or postgresql+asyncpg://…; ordo config path says where it is",
        )
    return path_or_url
