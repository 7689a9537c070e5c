"""The public JSON: what `--json` prints and HTTP returns. Money is a string, quantity an integer, time is UTC."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, PlainSerializer

from ordo_cli.domain import accounts, fanouts, instruments, legs, orders, portfolio
from ordo_cli.domain.moments import moment_text
from ordo_cli.domain.money import text_of
from ordo_cli.domain.text import clean

if TYPE_CHECKING:
    from ordo_cli.services import cancelling, planning, reconcile
    from ordo_cli.services import sweep as sweep_service
    from ordo_cli.services.portfolio import Booked, Consolidated, Row

Money = Annotated[Decimal, PlainSerializer(text_of, return_type=str)]
Moment = Annotated[datetime, PlainSerializer(moment_text, return_type=str)]
Foreign = Annotated[str, PlainSerializer(clean, return_type=str)]  # written by a broker or a user


class Out(BaseModel):
    """Base of everything public: frozen, and nothing unknown slips in."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Problem(Out):
    code: Foreign
    message: Foreign
    hint: Foreign | None

    @classmethod
    def of(cls, problem: legs.Problem) -> Self:
        return cls(code=problem.code, message=problem.message, hint=problem.hint)


class Intent(Out):
    side: str
    instrument: str
    type: str
    quantity: int
    limit_price: Money | None
    trigger_price: Money | None
    product: str
    validity: str
    after_market: bool
    disclosed: int | None
    label: Foreign | None

    @classmethod
    def of(cls, intent: orders.OrderIntent) -> Self:
        return cls(
            side=intent.side,
            instrument=str(intent.instrument),
            type=intent.type,
            quantity=intent.quantity,
            limit_price=intent.limit_price,
            trigger_price=intent.trigger_price,
            product=intent.product,
            validity=intent.validity,
            after_market=intent.after_market,
            disclosed=intent.disclosed,
            label=intent.label,
        )


class Leg(Out):
    id: str
    account: str
    broker: str
    quantity: int
    state: str
    tag: str
    broker_order_id: Foreign | None
    filled_quantity: int
    average_price: Money | None
    latency_ms: float | None
    evidence: str | None
    cancel: str
    problem: Problem | None

    @classmethod
    def of(cls, leg: legs.Leg) -> Self:
        return cls(
            id=leg.id,
            account=leg.account,
            broker=leg.broker,
            quantity=leg.quantity,
            state=leg.state,
            tag=leg.tag,
            broker_order_id=leg.broker_order_id,
            filled_quantity=leg.filled_quantity,
            average_price=leg.average_price,
            latency_ms=None if leg.latency_ms is None else round(leg.latency_ms, 3),
            evidence=leg.evidence,
            cancel=leg.cancel,
            problem=None if leg.problem is None else Problem.of(leg.problem),
        )


class Summary(Out):
    legs: int
    accepted: int
    filled: int
    refused: int
    not_sent: int
    unknown: int


class FanOut(Out):
    id: str
    key: Foreign
    mode: str
    outcome: str
    created_at: Moment
    replayed: bool
    intent: Intent
    summary: Summary
    legs: tuple[Leg, ...]

    @classmethod
    def of(cls, fan_out: fanouts.FanOut) -> Self:
        tally = fan_out.summary
        return cls(
            id=fan_out.id,
            key=fan_out.key,
            mode=fan_out.mode,
            outcome=fan_out.outcome,
            created_at=fan_out.created_at,
            replayed=fan_out.replayed,
            intent=Intent.of(fan_out.intent),
            summary=Summary(
                legs=tally.legs,
                accepted=tally.accepted,
                filled=tally.filled,
                refused=tally.refused,
                not_sent=tally.not_sent,
                unknown=tally.unknown,
            ),
            legs=tuple(Leg.of(leg) for leg in fan_out.legs),
        )


class AccountRow(Out):
    """Where a row of a consolidated list comes from."""

    account: str
    broker: str


class OrderRow(AccountRow):
    broker_order_id: Foreign
    tag: Foreign | None
    leg: str | None
    instrument: str
    side: str
    quantity: int
    filled_quantity: int
    type: str
    limit_price: Money | None
    trigger_price: Money | None
    average_price: Money | None
    product: str
    validity: str
    state: str
    placed_at: Moment | None
    message: Foreign | None


class PositionRow(AccountRow):
    instrument: str
    product: str
    quantity: int
    average_price: Money
    last_price: Money | None
    realised: Money
    unrealised: Money


class HoldingRow(AccountRow):
    instrument: str
    isin: Foreign | None
    quantity: int
    average_price: Money
    last_price: Money | None
    pnl: Money


class FundsRow(AccountRow):
    available: Money
    used: Money
    collateral: Money
    total: Money


class TradeRow(AccountRow):
    trade_id: Foreign
    broker_order_id: Foreign
    instrument: str
    side: str
    quantity: int
    price: Money
    product: str
    traded_at: Moment


class Quote(Out):
    instrument: str
    last_price: Money
    bid: Money | None
    ask: Money | None
    open: Money
    high: Money
    low: Money
    previous_close: Money
    volume: int
    at: Moment


class Instrument(Out):
    instrument: str
    name: Foreign
    kind: str
    tick: Money
    lot: int
    freeze_quantity: int | None
    lower_band: Money | None
    upper_band: Money | None
    isin: Foreign | None


class Failure(Out):
    account: str
    problem: Problem


def fan_out(value: fanouts.FanOut) -> dict[str, Any]:
    """One fan-out as everybody outside sees it."""
    return FanOut.of(value).model_dump(mode="json")


def leg(value: legs.Leg) -> dict[str, Any]:
    return Leg.of(value).model_dump(mode="json")


def order_row(row: Row[Booked]) -> dict[str, Any]:
    """One order as the broker's book has it, with our leg where it is ours."""
    report = row.row.report
    whole = OrderRow(
        account=row.account,
        broker=row.broker,
        broker_order_id=report.order_id,
        tag=report.tag,
        leg=row.row.leg,
        instrument=str(report.instrument),
        side=report.side,
        quantity=report.quantity,
        filled_quantity=report.filled_quantity,
        type=report.type,
        limit_price=report.limit_price,
        trigger_price=report.trigger_price,
        average_price=report.average_price,
        product=report.product,
        validity=report.validity,
        state=report.state,
        placed_at=report.placed_at,
        message=report.message,
    )
    return whole.model_dump(mode="json")


def position_row(row: Row[portfolio.Position]) -> dict[str, Any]:
    it = row.row
    whole = PositionRow(
        account=row.account,
        broker=row.broker,
        instrument=str(it.instrument),
        product=it.product,
        quantity=it.quantity,
        average_price=it.average_price,
        last_price=it.last_price,
        realised=it.realised,
        unrealised=it.unrealised,
    )
    return whole.model_dump(mode="json")


def holding_row(row: Row[portfolio.Holding]) -> dict[str, Any]:
    it = row.row
    whole = HoldingRow(
        account=row.account,
        broker=row.broker,
        instrument=str(it.instrument),
        isin=it.isin,
        quantity=it.quantity,
        average_price=it.average_price,
        last_price=it.last_price,
        pnl=it.pnl,
    )
    return whole.model_dump(mode="json")


def funds_row(row: Row[portfolio.Funds]) -> dict[str, Any]:
    it = row.row
    whole = FundsRow(
        account=row.account,
        broker=row.broker,
        available=it.available,
        used=it.used,
        collateral=it.collateral,
        total=it.total,
    )
    return whole.model_dump(mode="json")


def trade_row(row: Row[portfolio.Trade]) -> dict[str, Any]:
    it = row.row
    whole = TradeRow(
        account=row.account,
        broker=row.broker,
        trade_id=it.trade_id,
        broker_order_id=it.order_id,
        instrument=str(it.instrument),
        side=it.side,
        quantity=it.quantity,
        price=it.price,
        product=it.product,
        traded_at=it.traded_at,
    )
    return whole.model_dump(mode="json")


def consolidated[T](found: Consolidated[T], row: Callable[[Row[T]], dict[str, Any]]) -> dict[str, Any]:
    """Rows of many accounts, and beside them every account that could not be read."""
    return {"rows": [row(each) for each in found.rows], "failures": failures(found.failures)}


def failures(found: Iterable[tuple[accounts.AccountId, legs.Problem]]) -> list[dict[str, Any]]:
    return [Failure(account=name, problem=Problem.of(problem)).model_dump(mode="json") for name, problem in found]


def quote(value: portfolio.Quote) -> dict[str, Any]:
    whole = Quote(
        instrument=str(value.instrument),
        last_price=value.last_price,
        bid=value.bid,
        ask=value.ask,
        open=value.open,
        high=value.high,
        low=value.low,
        previous_close=value.previous_close,
        volume=value.volume,
        at=value.at,
    )
    return whole.model_dump(mode="json")


def instrument(value: instruments.Instrument) -> dict[str, Any]:
    whole = Instrument(
        instrument=str(value.id),
        name=value.name,
        kind=value.kind,
        tick=value.tick,
        lot=value.lot,
        freeze_quantity=value.freeze_quantity,
        lower_band=value.lower_band,
        upper_band=value.upper_band,
        isin=value.isin,
    )
    return whole.model_dump(mode="json")


def fan_outs(values: Sequence[fanouts.FanOut]) -> list[dict[str, Any]]:
    return [fan_out(value) for value in values]


class Order(Leg):
    """One leg as `order list` and `order show` tell it: with what was asked for."""

    fanout: str
    key: Foreign
    mode: str
    intent: Intent
    created_at: Moment
    sent_at: Moment | None
    answered_at: Moment | None
    attempt: int


def order(fan_out: fanouts.FanOut, value: legs.Leg) -> dict[str, Any]:
    """One leg with the intent it carries."""
    whole = Order(
        **Leg.of(value).model_dump(),
        fanout=fan_out.id,
        key=fan_out.key,
        mode=fan_out.mode,
        intent=Intent.of(fan_out.intent),
        created_at=fan_out.created_at,
        sent_at=value.sent_at,
        answered_at=value.answered_at,
        attempt=value.attempt,
    )
    return whole.model_dump(mode="json")


class CancelledOut(Out):
    account: str
    broker_order_id: Foreign
    leg: str | None
    state: str
    filled_quantity: int | None
    problem: Problem | None


def cancelled(value: cancelling.Cancelled) -> dict[str, Any]:
    """What became of one cancel."""
    report, of = value.report, value.leg
    whole = CancelledOut(
        account=value.account,
        broker_order_id=value.order_id,
        leg=None if of is None else of.id,
        state=report.state if report is not None else of.state if of is not None else "unknown",
        filled_quantity=None if report is None else report.filled_quantity,
        problem=None if value.problem is None else Problem.of(value.problem),
    )
    return whole.model_dump(mode="json")


class PreviewLeg(AccountRow):
    quantity: int
    value: Money | None
    problem: Problem | None


class Preview(Out):
    """What a request would do: `unallocated` units fit nobody's lots, `without` are accounts that get no leg."""

    mode: str
    intent: Intent
    value: Money | None
    unallocated: int
    without: tuple[str, ...]
    problem: Problem | None
    legs: tuple[PreviewLeg, ...]


def preview(plan: planning.Preview) -> dict[str, Any]:
    """A dry run."""
    rows = []
    for each in plan.proposals:
        problem = each.problem(plan.request.confirmed)
        rows.append(
            PreviewLeg(
                account=each.account.id,
                broker=each.account.broker,
                quantity=each.quantity,
                value=each.value,
                problem=None if problem is None else Problem.of(problem),
            )
        )
    whole = Preview(
        mode=plan.mode,
        intent=Intent.of(plan.request.intent),
        value=plan.value,
        unallocated=plan.rest,
        without=tuple(plan.without),
        problem=None if plan.refusal is None else Problem.of(plan.refusal),
        legs=tuple(rows),
    )
    return whole.model_dump(mode="json")


class Advice(Out):
    leg: Leg
    seconds: float
    message: Foreign


class Reconciled(Out):
    """What the books told."""

    moved: tuple[Leg, ...]
    unknown: tuple[Advice, ...]
    orphans: tuple[Leg, ...]
    failures: tuple[Failure, ...]


def reconciled(found: reconcile.Reconciled) -> dict[str, Any]:
    """What a look in the brokers' books has settled, and what it has not."""
    whole = Reconciled(
        moved=tuple(Leg.of(leg) for leg in found.moved),
        unknown=tuple(
            Advice(leg=Leg.of(each.leg), seconds=round(each.seconds, 3), message=each.message) for each in found.unknown
        ),
        orphans=tuple(Leg.of(leg) for leg in found.orphans),
        failures=tuple(Failure(account=each.account, problem=Problem.of(each.problem)) for each in found.failures),
    )
    return whole.model_dump(mode="json")


class ClosedOut(Out):
    instrument: str
    quantity: int
    leg: str


class AccountSweep(Out):
    """One account after a sweep; `clean` means that everything asked for was observed."""

    account: str
    clean: bool
    cancelled: tuple[Foreign, ...]
    closed: tuple[ClosedOut, ...]
    kept: tuple[Foreign, ...]
    left: tuple[Foreign, ...]
    problems: tuple[Problem, ...]


def sweep(report: sweep_service.SweepReport) -> dict[str, Any]:
    """What a sweep did, account by account."""
    rows = [
        AccountSweep(
            account=at.account,
            clean=at.clean,
            cancelled=at.cancelled,
            closed=tuple(ClosedOut(instrument=str(c.instrument), quantity=c.quantity, leg=c.leg) for c in at.closed),
            kept=at.kept,
            left=at.left,
            problems=tuple(Problem.of(problem) for problem in at.problems),
        ).model_dump(mode="json")
        for at in report.accounts
    ]
    return {"clean": report.clean, "accounts": rows}
