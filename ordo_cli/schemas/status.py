"""How everything stands, in public."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from ordo_cli.schemas.base import Moment, Money, Out
from ordo_cli.schemas.instruments import InstrumentList

if TYPE_CHECKING:
    from ordo_cli.services import status as status_service


class KillSummary(Out):
    engaged: bool
    scopes: tuple[str, ...]
    unwritten: tuple[str, ...]  # presses in force that are not yet in the database


class AccountStatus(Out):
    account: str
    broker: str
    mode: str
    enabled: bool
    session: str
    session_until: Moment | None
    stopped_by: tuple[str, ...]
    level: str | None
    last_call: Moment | None
    orders_today: int
    value_today: Money
    open_orders: int
    unknown: int
    breaker: str = "closed"  # an older server does not tell


class Doubt(Out):
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
    trading_day: date
    kill: KillSummary
    accounts: tuple[AccountStatus, ...]
    unknown_legs: tuple[Doubt, ...]
    entries_paused: tuple[Paused, ...]
    waiting_legs: int
    instrument_lists: tuple[InstrumentList, ...]


def status(found: status_service.Status) -> dict[str, Any]:
    """Kill switch, accounts, unknown legs and what waits."""
    whole = Status(
        at=found.at,
        trading_day=found.day,
        kill=KillSummary(
            engaged=found.kill.engaged,
            scopes=tuple(str(each.scope) for each in found.kill.scopes if each.engaged),
            unwritten=tuple(found.kill.unwritten),
        ),
        accounts=tuple(_account(each) for each in found.accounts),
        unknown_legs=tuple(_doubt(each) for each in found.doubts),
        entries_paused=tuple(Paused(account=account, instrument=str(name)) for account, name in found.paused),
        waiting_legs=found.waiting,
        instrument_lists=tuple(map(InstrumentList.of, found.lists)),
    )
    return whole.model_dump(mode="json")


def _account(each: status_service.AccountStatus) -> AccountStatus:
    return AccountStatus(
        account=each.account,
        broker=each.broker,
        mode=each.mode,
        enabled=each.enabled,
        session=each.session,
        session_until=each.session_until,
        stopped_by=tuple(str(scope) for scope in each.stopped_by),
        level=None if each.level is None else each.level.name.lower(),
        last_call=each.last_call,
        orders_today=each.orders_today,
        value_today=each.value_today,
        open_orders=each.open_orders,
        unknown=each.unknown,
        breaker=each.breaker,
    )


def _doubt(each: status_service.Doubt) -> Doubt:
    return Doubt(
        leg=each.leg,
        fanout=each.fan_out,
        account=each.account,
        side=each.side,
        instrument=str(each.instrument),
        quantity=each.quantity,
        state=each.state,
        since=each.since,
        age_seconds=round(each.age, 1),
    )
