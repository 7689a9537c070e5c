"""The tokens of the HTTP API: made, looked up at every request, revoked, and never deleted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ordo_cli.domain.accounts import Target
from ordo_cli.domain.errors import Invalid, NotFound, StoreFailed
from ordo_cli.domain.moments import moment_text
from ordo_cli.domain.tokens import Rights, Token, TokenScope
from ordo_cli.store.chain import Origin, Tell
from ordo_cli.store.driver import Ask, Body
from ordo_cli.store.rows import micros, price_text, time_of

if TYPE_CHECKING:
    from ordo_cli.store.base import Database

TOUCH_EVERY = 60_000_000  # microseconds in which a token's use is written down once, for it costs a durable commit

MOST_KNOWN = 1000  # tokens remembered for a database that cannot be read

NOBODY = ("", "", b"", '["read"]', '["all"]', "1", 0, 0, 0, 0)

Known = dict[str, Token | None]
"""Tokens that may press, as they were last read; None for one that was seen revoked, which is for good."""


class Tokens:
    def __init__(self, database: Database, origin: Callable[[], Origin], known: Known | None = None) -> None:
        self._database = database
        self._origin = origin
        self.known: Known = {} if known is None else known
        self._touched: dict[str, int] = {}
        self._touching: set[asyncio.Task[None]] = set()

    async def all(self) -> list[Token]:
        """Every token there ever was, oldest first."""
        found = await self._database.read(_all)
        for gone in self.known.keys() - {token.id for token in found}:
            self.known.pop(gone, None)  # the database was replaced by another
        for token in found:
            self._remember(token)
        return found

    async def find(self, token: str) -> Token | None:
        """One token by its id, as the database has it now."""
        found = await self._database.glance(_find, token)
        if found is not None:
            self._remember(found)
        return found

    def last_known(self, token: str) -> Token | None:
        """One that may press, as this process last read it, unless it was revoked then: when it cannot be read now."""
        return self.known.get(token)

    async def add(self, token: Token) -> None:
        """Take a new token. Raises Invalid while its name belongs to another."""
        await self._database.run(_adding, token, self._origin())

    async def revoke(self, id_or_name: str) -> Token:
        """End a token, in every process from its next request on. Raises NotFound; revoking twice changes nothing."""
        revoked = await self._database.run(_revoking, id_or_name, self._origin())
        self._remember(revoked)
        return revoked

    def touch(self, token: Token, at: datetime) -> None:
        """Note that it was used, at most once a minute and without keeping anybody waiting."""
        now = micros(at)
        before = self._touched.get(token.id, micros(token.last_used_at) if token.last_used_at else 0)
        if 0 <= now - before < TOUCH_EVERY:
            return
        self._touched[token.id] = now
        touching = asyncio.create_task(self._touch(token.id, now))
        self._touching.add(touching)
        touching.add_done_callback(self._touching.discard)

    def _remember(self, token: Token) -> None:
        if not token.rights.allows(TokenScope.KILL_ENGAGE):
            return
        # Looks may end in another order than they began: one that is older than a revocation brings nothing back.
        over = token.revoked_at is not None or self.known.get(token.id, token) is None
        self.known.pop(token.id, None)
        self.known[token.id] = None if over else token
        if len(self.known) > MOST_KNOWN:
            del self.known[next(iter(self.known))]

    async def _touch(self, token: str, at: int) -> None:
        try:
            await self._database.run(_touching, token, at)
        except StoreFailed:
            return  # it is for people to look at, and nothing waits for it


def _all() -> Body[list[Token]]:
    return [token_of(row) for row in (yield Ask("tokens"))]


def _find(token: str) -> Body[Token | None]:
    rows = yield Ask("token", {"id": token})
    found = token_of(rows[0] if rows else NOBODY)  # read either way: how long it takes tells nobody which ids there are
    return found if rows else None


def _adding(token: Token, origin: Origin) -> Body[None]:
    if any(known.name == token.name and known.revoked_at is None for known in (yield from _all())):
        raise Invalid(
            f"there is a token {token.name} already", hint=f"choose another name, or: ordo token revoke {token.name}"
        )
    yield Ask("add_token", _row(token))
    yield _tell(origin, token, None, "created", _facts(token))


def _revoking(id_or_name: str, origin: Origin) -> Body[Token]:
    known = yield from _all()
    named = [token for token in known if token.name == id_or_name and token.revoked_at is None]
    meant = [token for token in known if token.id == id_or_name] or named
    if not meant:
        raise NotFound(f"there is no token {id_or_name!r}", hint="see: ordo token list")
    token = meant[0]
    if token.revoked_at is None:
        yield Ask("revoke_token", {"id": token.id, "revoked_at": origin.at})
        yield _tell(origin, token, "known", "revoked", {"name": token.name})
    found = yield Ask("token", {"id": token.id})
    return token_of(found[0])


def _touching(token: str, at: int) -> Body[None]:
    found = yield from _find(token)
    if found is None or (found.last_used_at is not None and abs(at - micros(found.last_used_at)) < TOUCH_EVERY):
        return  # another process has just done it
    yield Ask("touch_token", {"id": token, "last_used_at": at})


def _tell(origin: Origin, token: Token, before: str | None, after: str, data: dict[str, object]) -> Tell:
    return Tell(origin, "token", ids={"token": token.id}, before=before, after=after, data=data)


def _facts(token: Token) -> dict[str, object]:
    """What the audit shows of a new token: all but what its secret hashes to."""
    rights = token.rights
    return {
        "name": token.name,
        "scopes": sorted(rights.scopes),
        "accounts": None if rights.accounts is None else [str(target) for target in rights.accounts],
        "max_value": price_text(rights.max_value),
        "expires_at": None if token.expires_at is None else moment_text(token.expires_at),
    }


def _row(token: Token) -> tuple[Any, ...]:
    rights = token.rights
    return (
        token.id,
        token.name,
        token.digest,
        json.dumps(sorted(rights.scopes)),
        None if rights.accounts is None else json.dumps([str(target) for target in rights.accounts]),
        price_text(rights.max_value),
        micros(token.created_at),
        _at(token.expires_at),
        _at(token.last_used_at),
        _at(token.revoked_at),
    )


def token_of(row: Sequence[Any]) -> Token:
    token, name, digest, scopes, accounts, max_value, created_at, expires_at, last_used_at, revoked_at = row
    return Token(
        token,
        name,
        bytes(digest),
        _rights(scopes, accounts, max_value),
        time_of(created_at),
        _time(expires_at),
        _time(last_used_at),
        _time(revoked_at),
    )


@lru_cache(maxsize=256)  # read with every request
def _rights(scopes: str, accounts: str | None, max_value: str | None) -> Rights:
    return Rights(
        frozenset(TokenScope(scope) for scope in json.loads(scopes)),
        None if accounts is None else tuple(Target(word) for word in json.loads(accounts)),
        None if max_value is None else Decimal(max_value),
    )


def _at(time: datetime | None) -> int | None:
    return None if time is None else micros(time)


def _time(at: int | None) -> datetime | None:
    return None if at is None else time_of(at)
