"""Public JSON back into what operations came to: previews, cancels, reconciliations, sweeps, the switch, the status."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, cast

from ordo_cli.cli.remote.decoding import (
    Json,
    amount,
    leg,
    maybe,
    moment,
    number,
    problem,
    real,
    rows,
    some_moment,
    some_number,
    some_problem,
    text,
    texts,
    truth,
)
from ordo_cli.domain.accounts import Account, AccountId, BrokerName
from ordo_cli.domain.breaker import State
from ordo_cli.domain.checks import Objection
from ordo_cli.domain.errors import OrdoError
from ordo_cli.domain.fanouts import Mode
from ordo_cli.domain.instruments import parse_instrument
from ordo_cli.domain.journal import DayLimits
from ordo_cli.domain.kill import Level, Switch, parse_scope
from ordo_cli.domain.legs import FanOutId, Leg, LegId
from ordo_cli.domain.money import money
from ordo_cli.domain.orders import BrokerOrderId, OrderState, Side
from ordo_cli.domain.sessions import Standing
from ordo_cli.domain.values import dataclass
from ordo_cli.services.cancelling import Cancelled
from ordo_cli.services.kill import AccountState, KillState, ScopeState
from ordo_cli.services.masters import Age
from ordo_cli.services.planning import Preview, Proposal
from ordo_cli.services.reconcile import Advice, Failure, Reconciled
from ordo_cli.services.status import AccountStatus, Doubt, Status
from ordo_cli.services.sweep import AccountSweep, Closed, SweepReport

if TYPE_CHECKING:
    from ordo_cli.domain.orders import OrderReport
    from ordo_cli.services.planning import PlaceRequest

LEVELS = {level.name.lower(): level for level in Level}
UNTOLD = DayLimits(0, Decimal(0), 0, lambda _: None)  # a preview does not tell the limits that it was judged by
BY_ITS_ROW = "engaged"  # how `why` begins where the database row says so


@dataclass(frozen=True, slots=True)
class Seen:
    """What a cancel tells of an order in a book: enough of an OrderReport for a row of a table."""

    order_id: BrokerOrderId
    state: OrderState
    filled_quantity: int


def preview(request: PlaceRequest, body: Json) -> Preview:
    legs = rows(_proposal, body["legs"])
    return Preview(
        request=request,
        mode=Mode(text(body, "mode")),
        proposals=legs,
        rest=number(body, "unallocated"),
        without=tuple(map(AccountId, texts(body, "without"))),
        refusal=some_problem(body),
        day=date.min,
    )


def _proposal(body: Json) -> Proposal:
    against = some_problem(body)
    return Proposal(
        account=Account(AccountId(text(body, "account")), BrokerName(text(body, "broker"))),
        quantity=number(body, "quantity"),
        value=maybe(money, body, "value"),
        limits=UNTOLD,
        stamps=None,
        objections=() if against is None else (Objection(against),),
    )


def cancelled(body: Json) -> Cancelled:
    """What became of one cancel. Without a report its state is the leg's."""
    state, order_id = text(body, "state"), BrokerOrderId(text(body, "broker_order_id"))
    filled, leg_id = some_number(body, "filled_quantity"), maybe(LegId, body, "leg")
    seen = None if filled is None else Seen(order_id, OrderState(state), filled)
    return Cancelled(
        account=AccountId(text(body, "account")),
        order_id=order_id,
        leg=None if leg_id is None else _bare_leg(leg_id, body),
        report=cast("OrderReport | None", seen),
        problem=some_problem(body),
    )


def _bare_leg(leg_id: LegId, body: Json) -> Leg:
    """The leg of a cancel: what is told of it, and nothing of what is not."""
    untold = dict.fromkeys(("evidence", "average_price", "latency_ms", "sent_at", "answered_at"))
    none = {"broker": "", "tag": "", "quantity": 0, "cancel": "none", "attempt": 0}
    return leg({**untold, **none, **body, "id": leg_id, "filled_quantity": 0})


def reconciled(body: Json) -> Reconciled:
    return Reconciled(
        moved=rows(leg, body["moved"]),
        unknown=rows(
            lambda each: Advice(leg(each["leg"]), real(each, "seconds"), text(each, "message")), body["unknown"]
        ),
        orphans=rows(leg, body["orphans"]),
        failures=rows(
            lambda each: Failure(AccountId(text(each, "account")), problem(each["problem"])), body["failures"]
        ),
    )


def sweep(listed: object) -> SweepReport:
    """The accounts of a sweep."""
    return SweepReport(rows(_account_sweep, listed))


def swept(body: Json) -> SweepReport:
    """The sweep of a press. Raises OrdoError for one that could not run: nothing that was swept is no clean account."""
    if not body["accounts"] and body["problem"] is not None:
        raise OrdoError(str(body["problem"]).removeprefix("the clean-up could not run: "))
    return sweep(body["accounts"])


def _account_sweep(body: Json) -> AccountSweep:
    return AccountSweep(
        account=AccountId(text(body, "account")),
        cancelled=tuple(map(BrokerOrderId, texts(body, "cancelled"))),
        closed=rows(
            lambda each: Closed(
                parse_instrument(text(each, "instrument")), number(each, "quantity"), text(each, "leg")
            ),
            body["closed"],
        ),
        kept=tuple(map(BrokerOrderId, texts(body, "kept"))),
        left=texts(body, "left"),
        problems=rows(problem, body["problems"]),
    )


def kill_state(body: Json) -> KillState:
    accounts = rows(
        lambda each: AccountState(
            AccountId(text(each, "account")), tuple(map(parse_scope, texts(each, "by"))), _level(each)
        ),
        body["accounts"],
    )
    return KillState(rows(_scope, body["scopes"]), accounts, texts(body, "unwritten"), 0)


def _scope(body: Json) -> ScopeState:
    why, armed = text(body, "state"), truth(body, "armed")
    row = None
    if body["epoch"] is not None:
        by_its_row = why.startswith(BY_ITS_ROW)
        row = Switch(
            scope=parse_scope(text(body, "scope")),
            engaged=by_its_row,
            level=_level(body) if by_its_row else None,
            epoch=number(body, "epoch"),
            reason=maybe(str, body, "reason"),
            actor=maybe(str, body, "actor"),
            changed_at=some_moment(body, "changed_at"),
        )
    return ScopeState(parse_scope(text(body, "scope")), armed, None if armed else why, row)


def _level(body: Json) -> Level | None:
    return maybe(LEVELS.__getitem__, body, "level")


def switch(body: Json) -> Switch:
    """The record of a scope after its release."""
    return Switch(
        scope=parse_scope(text(body, "scope")),
        engaged=False,
        level=None,
        epoch=number(body, "epoch"),
        reason=maybe(str, body, "reason"),
        actor=maybe(str, body, "actor"),
        changed_at=some_moment(body, "changed_at"),
    )


def status(body: Json) -> Status:
    standing = body["kill"]
    scopes = tuple(ScopeState(parse_scope(name), False, None, None) for name in texts(standing, "scopes"))
    return Status(
        at=moment(body, "at"),
        day=date.fromisoformat(text(body, "trading_day")),
        kill=KillState(scopes, (), texts(standing, "unwritten"), 0),
        accounts=rows(_account_status, body["accounts"]),
        doubts=rows(_doubt, body["unknown_legs"]),
        lists=rows(_age, body.get("instrument_lists", [])),
        waiting=number(body, "waiting_legs"),
    )


def _age(body: Json) -> Age:
    return Age(
        name=text(body, "list"),
        broker=BrokerName(text(body, "broker")),
        accounts=texts(body, "accounts"),
        day=None if (day := maybe(str, body, "day")) is None else date.fromisoformat(day),
        stale=truth(body, "stale"),
    )


def _account_status(body: Json) -> AccountStatus:
    return AccountStatus(
        account=AccountId(text(body, "account")),
        broker=BrokerName(text(body, "broker")),
        mode=Mode(text(body, "mode")),
        enabled=truth(body, "enabled"),
        session=Standing(text(body, "session")),
        session_until=some_moment(body, "session_until"),
        stopped_by=tuple(map(parse_scope, texts(body, "stopped_by"))),
        level=_level(body),
        last_call=some_moment(body, "last_call"),
        orders_today=number(body, "orders_today"),
        value_today=amount(body, "value_today"),
        open_orders=number(body, "open_orders"),
        unknown=number(body, "unknown"),
        breaker=State(body.get("breaker", State.CLOSED)),  # an older server does not tell
    )


def _doubt(body: Json) -> Doubt:
    return Doubt(
        leg=LegId(text(body, "leg")),
        fan_out=FanOutId(text(body, "fanout")),
        account=AccountId(text(body, "account")),
        side=Side(text(body, "side")),
        instrument=parse_instrument(text(body, "instrument")),
        quantity=number(body, "quantity"),
        state=text(body, "state"),
        since=moment(body, "since"),
        age=real(body, "age_seconds"),
    )
