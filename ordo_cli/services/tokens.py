"""Tokens: made for somebody who works over HTTP, recognised at every request, and ended at once."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from ordo_cli.desk import Desk
from ordo_cli.domain.accounts import EVERYONE, Target, check_name, choose
from ordo_cli.domain.errors import Invalid
from ordo_cli.domain.patterns import later
from ordo_cli.domain.tokens import Rights, Token, TokenScope, TokenState
from ordo_cli.domain.values import dataclass, field

ID_LENGTH = 12
SECRET_LENGTH = 52  # 260 bits
SHAPE = later(rf"ordo_([0-9a-hjkmnp-tv-z]{{{ID_LENGTH}}})_[0-9a-hjkmnp-tv-z]{{{SECRET_LENGTH}}}")
NOBODY = bytes(32)  # no text is known that hashes to it


@dataclass(frozen=True, slots=True)
class Made:
    """A new token and the only sight of its text there will ever be."""

    token: Token
    text: str = field(repr=False)


async def create(
    desk: Desk,
    name: str,
    scopes: Iterable[TokenScope],
    targets: Sequence[Target] = (),
    max_value: Decimal | None = None,
    lifetime: timedelta | None = None,
) -> Made:
    """Make a token; without targets it is for every account. Raises Invalid, or NotFound for a target nobody has."""
    desk.rights.require_all_of_it()
    check_name(name, "token")
    rights = Rights(frozenset(scopes), await _accounts(desk, targets), max_value)
    if not rights.scopes:
        raise Invalid("a token without a scope may do nothing", hint="--scope " + ", --scope ".join(TokenScope))
    if max_value is not None and max_value <= 0:
        raise Invalid(f"a fan-out of up to {max_value} rupees is none", hint="write it like --max-value 50000")
    now = desk.clock.now()
    token_id = desk.chance.token(ID_LENGTH)
    text = f"ordo_{token_id}_{desk.chance.token(SECRET_LENGTH)}"
    token = Token(token_id, name, _digest(text), rights, now, None if lifetime is None else now + lifetime)
    await desk.store.tokens.add(token)
    return Made(token, text)


async def everyone(desk: Desk) -> list[tuple[Token, TokenState]]:
    """Every token, those that are over or revoked too, oldest first."""
    desk.rights.require_all_of_it()
    now = desk.clock.now()
    return [(token, token.state(now)) for token in await desk.store.tokens.all()]


async def revoke(desk: Desk, id_or_name: str) -> Token:
    """End a token by its id or its name. What it is doing is finished; its next request is nobody's."""
    desk.rights.require_all_of_it()
    return await desk.store.tokens.revoke(id_or_name)


async def authenticate(desk: Desk, text: str) -> Token | None:
    """Whose token this text is, or None when it is nobody's, or of one that is over or revoked.

    Looked up each time, so that a revoked one is dead in every process; and told apart from a wrong one by a
    comparison that takes as long whatever is wrong.
    """
    shape = SHAPE.fullmatch(text)
    if shape is None:
        return None
    now = desk.clock.now()
    found = _opened_by(text, await desk.store.tokens.find(shape[1]), now)
    if found is not None:
        desk.store.tokens.touch(found, now)
    return found


def remembered(desk: Desk, text: str) -> Token | None:
    """Whose token this text is by what this process last read, if it may press; for a press that has no database.

    A token revoked elsewhere since then still counts here, until a look at the database shows it: so its holder can
    stop sending, which is the safe side, and nothing else. Whatever more is asked for waits for `authenticate`.
    """
    shape = SHAPE.fullmatch(text)
    return None if shape is None else _opened_by(text, desk.store.tokens.last_known(shape[1]), desk.clock.now())


async def learn(desk: Desk) -> None:
    """Read once which tokens may press, so that `remembered` knows those too that have not been used here yet."""
    await desk.store.tokens.all()


def _opened_by(text: str, found: Token | None, now: datetime) -> Token | None:
    """The token, if this is its text and it still counts; compared in a time that does not tell what is wrong."""
    known = hmac.compare_digest(_digest(text), found.digest if found is not None else NOBODY)
    return found if found is not None and known and found.state(now) is TokenState.LIVE else None


async def _accounts(desk: Desk, targets: Sequence[Target]) -> tuple[Target, ...] | None:
    if any(target.quantity is not None for target in targets):
        raise Invalid("a token is for accounts, not for quantities", hint="--accounts alice, or --max-value V")
    if not targets:
        return None
    choose(await desk.store.accounts.all(), targets, even_disabled=True)
    return None if Target(EVERYONE) in targets else tuple(dict.fromkeys(targets))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
