"""The public models that a client hands out: those of `schemas`, and the few that only lists and events have."""

from __future__ import annotations

from typing import Any

from ordo_cli.client.events import Event
from ordo_cli.client.following import END
from ordo_cli.domain.values import dataclass
from ordo_cli.schemas.base import Failure, Moment, Money, Out, Problem
from ordo_cli.schemas.fanouts import FanOut, Leg, Order
from ordo_cli.schemas.operations import AccountSweep, CancelledOut, Preview, Reconciled
from ordo_cli.schemas.portfolio import FundsRow, HoldingRow, OrderRow, PositionRow, Quote, TradeRow
from ordo_cli.schemas.setup import Account

__all__ = [
    "Account",
    "AllFunds",
    "AuditRow",
    "Books",
    "CancelledOut",
    "Change",
    "FanOut",
    "Holdings",
    "KillState",
    "Leg",
    "ListOfAccounts",
    "ListOfCancelled",
    "ListOfFanOuts",
    "Order",
    "Positions",
    "Pressed",
    "Preview",
    "Problem",
    "Quote",
    "Reconciled",
    "Released",
    "Status",
    "Trades",
    "change",
]

ListOfFanOuts = list[FanOut]
ListOfCancelled = list[CancelledOut]
ListOfAccounts = list[Account]


class Positions(Out):
    rows: tuple[PositionRow, ...]
    failures: tuple[Failure, ...]


class Holdings(Out):
    rows: tuple[HoldingRow, ...]
    failures: tuple[Failure, ...]


class AllFunds(Out):
    rows: tuple[FundsRow, ...]
    failures: tuple[Failure, ...]


class Books(Out):
    rows: tuple[OrderRow, ...]
    failures: tuple[Failure, ...]


class Trades(Out):
    rows: tuple[TradeRow, ...]
    failures: tuple[Failure, ...]


class Pressed(Out):
    """What one press did. `quiet` says that no sender is between its last check and its first byte."""

    scope: str
    level: str
    reason: str | None
    engaged: bool
    quiet: bool
    quiet_ms: float
    recorded: bool
    problem: str | None
    accounts: tuple[AccountSweep, ...]


class Released(Out):
    scope: str
    epoch: int
    reason: str | None
    actor: str | None
    changed_at: Moment | None


class ScopeState(Out):
    scope: str
    engaged: bool
    armed: bool
    state: str
    level: str | None
    epoch: int | None
    reason: str | None
    actor: str | None
    changed_at: Moment | None


class AccountState(Out):
    account: str
    engaged: bool
    level: str | None
    by: tuple[str, ...]


class KillState(Out):
    engaged: bool
    scopes: tuple[ScopeState, ...]
    accounts: tuple[AccountState, ...]
    unwritten: tuple[str, ...]


class EngagedScopes(Out):
    engaged: bool
    scopes: tuple[str, ...]
    unwritten: tuple[str, ...]


class AccountStatus(Out):
    account: str
    broker: str
    mode: str
    enabled: bool
    session: str
    stopped_by: tuple[str, ...]
    level: str | None
    last_call: Moment | None
    orders_today: int
    value_today: Money
    open_orders: int
    unknown: int


class UnknownLeg(Out):
    leg: str
    fanout: str
    account: str
    side: str
    instrument: str
    quantity: int
    state: str
    since: Moment
    age_seconds: float


class Paused(Out):
    account: str
    instrument: str


class Status(Out):
    at: Moment
    trading_day: str
    kill: EngagedScopes
    accounts: tuple[AccountStatus, ...]
    unknown_legs: tuple[UnknownLeg, ...]
    entries_paused: tuple[Paused, ...]
    waiting_legs: int


class AuditRow(Out):
    seq: int
    at: Moment
    type: str
    actor: str
    ids: dict[str, Any]
    data: dict[str, Any]
    evidence: str | None
    host: str
    pid: int
    boot: str


@dataclass(frozen=True, slots=True)
class Change:
    """One event of a fan-out: a leg that changed, or with `kind` `outcome` the whole of it at its end."""

    id: str | None
    kind: str
    data: Leg | FanOut


def change(event: Event) -> Change:
    """The event as models. Raises ValueError for one that is none of ordo's."""
    from ordo_cli.client.models import parse

    kind: type[FanOut] | type[Leg] = FanOut if event.kind == END else Leg
    return Change(event.id, event.kind, parse(kind, event.data))
