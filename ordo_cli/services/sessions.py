"""Sessions as planning and status see them: by what is stored, and never by asking a broker."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ordo_cli.domain import market
from ordo_cli.domain.accounts import Account, AccountId
from ordo_cli.domain.instruments import Exchange
from ordo_cli.domain.legs import Block, Problem
from ordo_cli.domain.sessions import KeptChallenge, KeptSession, LoginState, Standing
from ordo_cli.domain.values import replace

if TYPE_CHECKING:
    from ordo_cli.desk import Desk

CLOSES = Exchange.NSE  # whose close a session should outlive


async def missing(desk: Desk, accounts: Iterable[Account]) -> dict[AccountId, Problem]:
    """What keeps accounts from sending that have to log in first."""
    needing = _needing(desk, accounts)
    kept = await desk.store.sessions.all() if needing else {}
    now, problems = desk.clock.now(), {}
    for account in needing:
        session = kept.get(account.id)
        if session is None or session.expires_at <= now:
            sentence = f"{account.id} is not logged in" if session is None else f"the session of {account.id} is over"
            problems[account.id] = Problem(Block.SESSION, sentence, f"ordo login {account.id}")
    return problems


async def standings(desk: Desk, accounts: Sequence[Account]) -> list[LoginState]:
    """How each account stands with its broker's login."""
    needed = bool(_needing(desk, accounts))
    sessions = await desk.store.sessions.all() if needed else {}
    challenges = await desk.store.sessions.challenges() if needed else {}
    return [standing_of(desk, each, sessions.get(each.id), challenges.get(each.id)) for each in accounts]


def standing_of(
    desk: Desk, account: Account, session: KeptSession | None, challenge: KeptChallenge | None = None
) -> LoginState:
    """How an account stands by what is stored of it."""
    now = desk.clock.now()
    if desk.spec(account).login(account) is None:
        return LoginState(account.id, account.broker, Standing.NOT_NEEDED)
    told = LoginState(account.id, account.broker, Standing.LOGGED_OUT)
    told = replace(told, closes_at=market.closes_at(CLOSES, market.trading_day(now)))
    if session is not None and now < session.expires_at:
        return replace(told, standing=Standing.LIVE, until=session.expires_at)
    until = session.expires_at if session is not None else None
    if challenge is not None and challenge.is_open(now):
        return replace(told, standing=Standing.WAITING, until=until, challenge=challenge)
    return replace(told, standing=Standing.EXPIRED, until=until) if session is not None else told


def _needing(desk: Desk, accounts: Iterable[Account]) -> list[Account]:
    return [account for account in accounts if desk.spec(account).login(account) is not None]
