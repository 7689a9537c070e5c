"""What accounts have, in public: a row says whose it is, and who could not be read is named beside the rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

from ordo_cli.domain import instruments, portfolio
from ordo_cli.schemas.base import AccountRow, Failure, Foreign, Moment, Money, Out, failures

if TYPE_CHECKING:
    from ordo_cli.services.portfolio import Booked, Consolidated, Row


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

    @classmethod
    def of(cls, row: Row[Booked]) -> Self:
        report = row.row.report
        return cls(
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


class Rows[R: AccountRow](Out):
    """Rows of many accounts, and beside them every account that could not be read."""

    rows: tuple[R, ...]
    failures: tuple[Failure, ...]


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


def order_row(row: Row[Booked]) -> dict[str, Any]:
    """One order as the broker's book has it, with our leg where it is ours."""
    return OrderRow.of(row).model_dump(mode="json")


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
