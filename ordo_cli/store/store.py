"""Opens the store: the file made or brought up to date, and what it remembers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from ordo_cli.domain.errors import Invalid
from ordo_cli.domain.journal import Install, Owner
from ordo_cli.domain.seams import Chance, Clock, Disk
from ordo_cli.domain.values import dataclass, replace
from ordo_cli.store.accounts import Accounts
from ordo_cli.store.audit import Audit, telling
from ordo_cli.store.chain import Origin, Tell
from ordo_cli.store.copies import copy_to
from ordo_cli.store.database import Database, open_database
from ordo_cli.store.driver import BUSY_SECONDS, Ask, Body, Connector, connect
from ordo_cli.store.faults import faults_of, trouble_of
from ordo_cli.store.filesystem import make_private, refuse_network
from ordo_cli.store.journal import Changed, Journal, unheard
from ordo_cli.store.rows import micros
from ordo_cli.store.schema import HEAD, Became, make_ready
from ordo_cli.store.sessions import Sessions
from ordo_cli.store.switches import Switches
from ordo_cli.store.tokens import Tokens

SQLITE_URL = "sqlite:///"

type Sign = Callable[[str, str | None], Callable[[], Origin]]
"""Makes what signs audit rows, for an actor and the request that they came by."""


@dataclass(frozen=True, slots=True)
class Store:
    """What ordo remembers, behind questions and changes in ordo's words."""

    path: str
    became: Became  # what opening it made of the file
    install: Install
    accounts: Accounts
    journal: Journal
    switches: Switches
    audit: Audit
    tokens: Tokens
    sessions: Sessions
    database: Database
    owner: Owner | None
    signed: Sign
    changed: Changed

    def acting_as(self, actor: str, request_id: str | None = None) -> Store:
        """The same store for somebody else: what they do stands under their name and request in the audit."""
        origin = self.signed(actor, request_id)
        return replace(
            self,
            accounts=Accounts(self.database, origin),
            journal=Journal(self.database, origin, self.owner, self.changed),
            switches=Switches(self.database, origin),
            audit=Audit(self.database, origin),
            tokens=Tokens(self.database, origin),
            sessions=Sessions(self.database, origin),
        )

    async def health(self) -> str | None:
        """What is wrong with the file or its promise of durability, or None."""
        return await self.database.call(trouble_of)

    async def faults(self) -> list[str]:
        """Everything that is wrong with the file: damage, dangling rows, missing guards, another schema."""
        return await self.database.call(faults_of)

    async def backup(self, path: str) -> None:
        """A consistent copy of the whole, made while others go on. Raises StoreFailed; the file must not exist."""
        await self.database.call(lambda connection: copy_to(connection, path))


@asynccontextmanager
async def open_store(
    path_or_url: str,
    *,
    clock: Clock,
    chance: Chance,
    disk: Disk,
    actor: str,
    owner: Owner | None = None,
    busy_seconds: float = BUSY_SECONDS,
    connector: Connector = connect,
    changed: Changed = unheard,
) -> AsyncIterator[Store]:
    """Open the journal, making or upgrading the file first. Raises StoreFailed with a sentence for the user."""
    path = path_of(path_or_url)
    refuse_network(path)
    make_private(path)

    def signed(actor: str, request: str | None = None) -> Callable[[], Origin]:
        host, boot, pid = (owner.host, owner.boot_id, owner.pid) if owner is not None else ("", "", 0)

        def origin() -> Origin:
            at, elapsed = micros(clock.now()), clock.elapsed()
            return Origin(actor, at, host=host, boot=boot, pid=pid, elapsed=elapsed, request=request)

        return origin

    origin = signed(actor)

    async with open_database(path, busy_seconds=busy_seconds, connector=connector) as database:
        stamp = f"{clock.now():%Y%m%dT%H%M%S}-{chance.token(4)}"
        became = await database.call(lambda connection: make_ready(connection, path, stamp))
        install = await database.read(_installed)
        if install is None:
            fresh = Install(chance.token(26), chance.token(52).encode())
            install = await database.run(_installing, fresh, origin())
        if became == "upgraded":
            await database.run(telling, Tell(origin(), "migration", after="upgraded", data={"schema": HEAD}))
        yield Store(
            path,
            became,
            install,
            Accounts(database, origin),
            Journal(database, origin, owner, changed),
            Switches(database, origin),
            Audit(database, origin),
            Tokens(database, origin),
            Sessions(database, origin),
            database,
            owner,
            signed,
            changed,
        )


def path_of(path_or_url: str) -> str:
    """The database file. Raises Invalid for a database that is none."""
    if path_or_url.startswith(SQLITE_URL):
        return path_or_url.removeprefix(SQLITE_URL)
    scheme, colon, _ = path_or_url.partition("://")
    if colon:
        raise Invalid(
            f"this ordo keeps its journal in SQLite and cannot use {scheme}",
            hint="database.url is empty or sqlite:///FILE; ordo config path says which file to edit",
        )
    return path_or_url


def _installed() -> Body[Install | None]:
    rows = yield Ask("install")
    return Install(rows[0][0], bytes(rows[0][1])) if rows else None


def _installing(fresh: Install, origin: Origin) -> Body[Install]:
    # Looked up once more inside the writing transaction: of two first starts at once, one wins.
    there = yield from _installed()
    if there is not None:
        return there
    yield Ask("add_install", (fresh.id, fresh.tag_key, origin.at))
    yield Tell(origin, "migration", after="created", data={"schema": HEAD, "install": fresh.id})
    return fresh
