"""What the exchange shows: its rows, translated into ordo's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ordo_cli.brokers.paper.amounts import average, day_of, midnight, moment_of, rupees
from ordo_cli.brokers.paper.book import AMO, BOOK, DONE, SEEN_AFTER_MIDNIGHT, STOP, Order
from ordo_cli.brokers.paper.exchange import Exchange
from ordo_cli.brokers.paper.listing import listing, listings
from ordo_cli.brokers.paper.messages import Message
from ordo_cli.domain.instruments import Instrument, InstrumentId, parse_instrument
from ordo_cli.domain.orders import BrokerOrderId, OrderReport, OrderState, OrderType, Product, Side, Tag, Validity
from ordo_cli.domain.portfolio import Funds, Holding, Margin, Position, Quote, Trade

STATES = {AMO: OrderState.PENDING, STOP: OrderState.OPEN, BOOK: OrderState.OPEN}
SIDES = {1: Side.BUY, -1: Side.SELL}


def orders(exchange: Exchange, account: str, lag: int = 0, tagged: bool = True) -> list[OrderReport]:
    """The book of the day, as it stood `lag` microseconds ago."""
    with exchange.moment() as now:
        rows = list(exchange.book.of_day(account, now, now - lag if lag else None))
    return [report(order, tagged=tagged) for order in rows]


def report(order: Order, *, tagged: bool = True) -> OrderReport:
    return OrderReport(
        order_id=BrokerOrderId(str(order.number)),
        state=_state(order),
        instrument=parse_instrument(order.instrument),
        side=SIDES[order.side],
        quantity=order.quantity,
        type=OrderType(order.type),
        product=Product(order.product),
        validity=Validity(order.validity),
        filled_quantity=order.filled,
        limit_price=None if order.limit_price is None else rupees(order.limit_price),
        trigger_price=None if order.trigger_price is None else rupees(order.trigger_price),
        average_price=average(order.value, order.filled) if order.filled else None,
        tag=Tag(order.tag) if tagged and order.tag is not None else None,
        placed_at=moment_of(order.arrived),
        message=order.message,
    )


def _state(order: Order) -> OrderState:
    if order.phase == DONE and order.outcome is not None:
        return OrderState(order.outcome)
    return OrderState.PARTIAL if order.filled else STATES[order.phase]


def trades(exchange: Exchange, account: str, lag: int = 0) -> list[Trade]:
    with exchange.moment() as now:
        since = min(midnight(day_of(now)), now - SEEN_AFTER_MIDNIGHT)
        rows = exchange.db.execute(
            "SELECT number, order_number, instrument, side, quantity, price, product, at FROM trades"
            " WHERE account = ? AND at BETWEEN ? AND ? ORDER BY number",
            (account, since, now - lag),
        ).fetchall()
    return [
        Trade(
            trade_id=str(number),
            order_id=BrokerOrderId(str(order)),
            instrument=parse_instrument(instrument),
            side=SIDES[side],
            quantity=quantity,
            price=rupees(price),
            product=Product(product),
            traded_at=moment_of(at),
        )
        for number, order, instrument, side, quantity, price, product, at in rows
    ]


def positions(exchange: Exchange, account: str) -> list[Position]:
    """What is open, and what was closed today."""
    shown = []
    with exchange.moment() as now:
        for instrument, product, row in exchange.ledger.positions(account):
            item = listing(instrument, None)
            last = None if item is None else exchange.market.last(item, now)
            shown.append(
                Position(
                    instrument=parse_instrument(instrument),
                    product=Product(product),
                    quantity=row.net,
                    average_price=average(row.cost, row.net),
                    last_price=None if last is None else rupees(last),
                    realised=rupees(row.realised),
                    unrealised=rupees(0 if last is None else row.net * last - row.cost),
                )
            )
    return shown


def holdings(exchange: Exchange, account: str) -> list[Holding]:
    shown = []
    with exchange.moment() as now:
        for instrument, quantity, cost in exchange.ledger.holdings(account):
            item = listing(instrument, None)
            last = None if item is None else exchange.market.last(item, now)
            shown.append(
                Holding(
                    instrument=parse_instrument(instrument),
                    isin=None if item is None else item.isin,
                    quantity=quantity,
                    average_price=average(cost, quantity),
                    last_price=None if last is None else rupees(last),
                    pnl=rupees(0 if last is None else quantity * last - cost),
                )
            )
    return shown


def funds(exchange: Exchange, account: str) -> Funds:
    with exchange.moment():
        available, used = exchange.ledger.available(account), exchange.ledger.used(account)
    return Funds(available=rupees(available), used=rupees(used), collateral=rupees(0), total=rupees(available + used))


def margin(exchange: Exchange, account: str, order: Message) -> Margin | None:
    """What the order would block on its arrival, were that now; None for an instrument that is not traded."""
    with exchange.moment() as now:
        found = exchange.counter.margin(account, order.body, now)
    return None if found is None else Margin(rupees(found[0]), rupees(found[1]))


def quotes(exchange: Exchange, instruments: Sequence[InstrumentId]) -> Mapping[InstrumentId, Quote]:
    now = exchange.now()
    items = ((name, exchange.market.listing(str(name), now)) for name in instruments)
    return {name: exchange.market.quote(item, now) for name, item in items if item is not None}


def instrument(exchange: Exchange, name: InstrumentId) -> Instrument | None:
    now = exchange.now()
    item = exchange.market.listing(str(name), now)
    return None if item is None else exchange.market.instrument(item, now)


def search(exchange: Exchange, text: str, limit: int) -> list[Instrument]:
    """Instruments whose symbol starts with the text, then those that have it anywhere in symbol or name."""
    now = exchange.now()
    wanted = text.upper().removeprefix("NSE:").removeprefix("NFO:")
    found = [item for item in listings(day_of(now)) if wanted in item.id.symbol or wanted in item.name.upper()]
    found.sort(key=lambda item: not item.id.symbol.startswith(wanted))
    return [exchange.market.instrument(item, now) for item in found[:limit]]
