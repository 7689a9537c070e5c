"""Opens the store: the file made or brought up to date, and what it remembers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from ordo_cli.domain.journal import Install, Owner
from ordo_cli.domain.seams import Chance, Clock, Disk
from ordo_cli.domain.values import dataclass, replace
from ordo_cli.store.accounts import Accounts
from ordo_cli.store.audit import Audit, telling
from ordo_cli.store.chain import Origin, Tell
from ordo_cli.store.driver import BUSY_SECONDS, Ask, Body
from ordo_cli.store.journal import Changed, Journal, unheard
from ordo_cli.store.opening import open_url
from ordo_cli.store.rows import micros
from ordo_cli.store.schema import HEAD, Became
from ordo_cli.store.sessions import Sessions
from ordo_cli.store.switches import Switches
from ordo_cli.store.tokens import Tokens

if TYPE_CHECKING:
    from ordo_cli.store.base import Database
    from ordo_cli.store.postgres.hosts import AccountLocks

type Sign = Callable[[str, str | None], Callable[[], Origin]]
"""Makes what signs audit rows, for an actor and the request that they came by."""


@dataclass(frozen=True, slots=True)
class Store:
    """What ordo remembers, behind questions and changes in ordo's words."""

    where: str  # the file, or the URL without its password
    became: Became  # what opening it made of the database
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
    account_locks: AccountLocks | None = None  # what keeps other hosts from an account, where there can be any
    turns: asyncio.Semaphore | None = None  # claims that may be under way at once, where each is slow to judge

    def acting_as(self, actor: str, request_id: str | None = None) -> Store:
        """The same store for somebody else: what they do stands under their name and request in the audit."""
        origin = self.signed(actor, request_id)
        return replace(
            self,
            accounts=Accounts(self.database, origin),
            journal=Journal(self.database, origin, self.owner, self.changed),
            switches=Switches(self.database, origin),
            audit=Audit(self.database, origin),
            tokens=Tokens(self.database, origin, self.tokens.known),
            sessions=Sessions(self.database, origin),
        )

    async def described(self) -> str:
        """Which database this is and how far its commits can be trusted, in one line."""
        return await self.database.described()

    async def health(self) -> str | None:
        """What is wrong with the database or its promise of durability, or None."""
        return await self.database.health()

    async def faults(self) -> list[str]:
        """Everything that is wrong with it: damage, dangling rows, missing guards, another schema."""
        return await self.database.faults()

    async def backup(self, path: str) -> None:
        """A consistent copy of the whole, made while others go on. Raises StoreFailed; the file must not exist."""
        await self.database.backup(path)


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
    changed: Changed = unheard,
    **more: Any,
) -> AsyncIterator[Store]:
    """Open the journal, making or upgrading its database first. Raises StoreFailed with a sentence for the user."""

    def signed(actor: str, request: str | None = None) -> Callable[[], Origin]:
        host, boot, pid = (owner.host, owner.boot_id, owner.pid) if owner is not None else ("", "", 0)

        def origin() -> Origin:
            at, elapsed = micros(clock.now()), clock.elapsed()
            return Origin(actor, at, host=host, boot=boot, pid=pid, elapsed=elapsed, request=request)

        return origin

    origin = signed(actor)

    stamp = f"{clock.now():%Y%m%dT%H%M%S}-{chance.token(4)}"
    async with open_url(path_or_url, stamp, busy_seconds=busy_seconds, **more) as opened:
        database = opened.database
        install = await database.read(_installed)
        if install is None:
            fresh = Install(chance.token(26), chance.token(52).encode())
            install = await database.run(_installing, fresh, origin())
        if opened.became == "upgraded":
            await database.run(telling, Tell(origin(), "migration", after="upgraded", data={"schema": HEAD}))
        yield Store(
            opened.where,
            opened.became,
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
            opened.account_locks,
            opened.turns,
        )


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
