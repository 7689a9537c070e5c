"""Status: everything about this installation that a trader must know before the next order, without asking a broker."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from ordo_cli.domain import market
from ordo_cli.domain.accounts import Account, AccountId, BrokerName
from ordo_cli.domain.breaker import State
from ordo_cli.domain.fanouts import FanOut, Mode
from ordo_cli.domain.instruments import InstrumentId
from ordo_cli.domain.journal import DayUse
from ordo_cli.domain.kill import Level, Scope
from ordo_cli.domain.legs import FanOutId, Leg, LegId, Submission
from ordo_cli.domain.orders import Side
from ordo_cli.domain.sessions import LoginState, Standing
from ordo_cli.domain.tokens import TokenScope
from ordo_cli.domain.values import dataclass
from ordo_cli.services import breaker, covered, kill, masters, sessions
from ordo_cli.services.kill import KillState
from ordo_cli.services.masters import Age

if TYPE_CHECKING:
    from ordo_cli.desk import Desk

DOUBT = frozenset({Submission.UNKNOWN, Submission.DISPUTED})
ON_THE_WIRE = frozenset({Submission.PLANNED, Submission.SENDING, Submission.NOT_SENT})
UNUSED = DayUse(0, Decimal(0), 0)
EXPIRED = Standing.EXPIRED


@dataclass(frozen=True, slots=True)
class Doubt:
    """A leg of which nobody can say what became. New entries in its account and instrument wait for the answer."""

    leg: LegId
    fan_out: FanOutId
    account: AccountId
    side: Side
    instrument: InstrumentId
    quantity: int
    state: str
    since: datetime
    age: float  # seconds


@dataclass(frozen=True, slots=True)
class AccountStatus:
    """One account: whether it may send, what it did today, and what of it is open or unknown."""

    account: AccountId
    broker: BrokerName
    mode: Mode
    enabled: bool
    session: Standing
    session_until: datetime | None
    stopped_by: tuple[Scope, ...]
    level: Level | None
    last_call: datetime | None
    orders_today: int
    value_today: Decimal
    open_orders: int
    unknown: int
    breaker: State  # open while its broker does not answer: entries wait, all else goes on


@dataclass(frozen=True, slots=True)
class Status:
    at: datetime
    day: date  # the trading day that "today" means
    kill: KillState
    accounts: tuple[AccountStatus, ...]
    doubts: tuple[Doubt, ...]
    waiting: int  # legs that are planned or on the wire at this moment, or were left there by a dead process
    lists: tuple[Age, ...] = ()  # of instruments, with how old they are

    @property
    def paused(self) -> tuple[tuple[AccountId, InstrumentId], ...]:
        """Where new entries are refused until an unknown leg is settled."""
        return tuple(dict.fromkeys((doubt.account, doubt.instrument) for doubt in self.doubts))


async def status(desk: Desk) -> Status:
    """How everything stands, from the journal and the arming files alone."""
    desk.rights.require(TokenScope.READ)
    now = desk.clock.now()
    day = market.trading_day(now)
    accounts = await covered.accounts(desk)
    unsettled = await covered.unsettled(desk)
    doubts = tuple(_doubt(fan_out, leg, now) for fan_out, leg in unsettled if leg.submission in DOUBT)
    uses = await desk.store.journal.day_uses(day)
    calls = await desk.store.journal.last_operations()
    standing = await kill.state(desk)
    logins = {each.account: each for each in await sessions.standings(desk, accounts)}
    stops = {each.account: each for each in standing.accounts}
    rows = tuple(
        AccountStatus(
            account=account.id,
            broker=account.broker,
            mode=desk.spec(account).mode,
            enabled=account.enabled,
            session=_session(account, logins[account.id]),
            session_until=logins[account.id].until,
            stopped_by=stops[account.id].by if account.id in stops else (),
            level=stops[account.id].level if account.id in stops else None,
            last_call=calls.get(account.id),
            orders_today=uses.get(account.id, UNUSED).orders,
            value_today=uses.get(account.id, UNUSED).value,
            open_orders=uses.get(account.id, UNUSED).open_orders,
            unknown=sum(doubt.account == account.id for doubt in doubts),
            breaker=breaker.standing(desk, account.id),
        )
        for account in accounts
    )
    waiting = sum(leg.submission in ON_THE_WIRE for _, leg in unsettled)
    return Status(now, day, standing, rows, doubts, waiting, tuple(masters.ages(desk, accounts)))


def _doubt(fan_out: FanOut, leg: Leg, now: datetime) -> Doubt:
    since = leg.sent_at or fan_out.created_at
    return Doubt(
        leg=leg.id,
        fan_out=fan_out.id,
        account=leg.account,
        side=fan_out.intent.side,
        instrument=fan_out.intent.instrument,
        quantity=leg.quantity,
        state=leg.state,
        since=since,
        age=max(0.0, (now - since).total_seconds()),
    )


def _session(account: Account, login: LoginState) -> Standing:
    """By what is stored of it; a paper account can rehearse one that is over."""
    return EXPIRED if EXPIRED in account.behaviours else login.standing
