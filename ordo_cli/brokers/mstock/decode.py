"""From m.Stock's rows to ordo's: orders with their fills, trades, positions, holdings, funds, quotes.

Quirks. What an order row says of its fills contradicts itself (MOCK, docs: confirmed): a pending row may show all of it
filled. So an order's fills are those of the trade book, unless row and word agree that it has traded in full. A row's
`tag` is never taken over: whether it comes back is unconfirmed, and an unproven echo is no evidence. Product words
differ from those of requests and may be empty (MOCK, confirmed).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal

from ordo_cli.brokers.mstock.codes import CONTRACTS, PRODUCTS, SIDES, STATES, TYPES, VALIDITIES
from ordo_cli.brokers.mstock.fields import (
    Row,
    above_zero,
    amount,
    id_of,
    moment,
    moment_of_24_hours,
    number,
    text,
    units,
    whole,
)
from ordo_cli.brokers.mstock.naming import Names
from ordo_cli.domain.errors import NoAnswer
from ordo_cli.domain.instruments import CASH, InstrumentId
from ordo_cli.domain.orders import BrokerOrderId, OrderReport, OrderState, OrderType, Product, Side, Validity
from ordo_cli.domain.portfolio import Funds, Holding, Position, Quote, Trade, to_close
from ordo_cli.domain.values import dataclass

STOPS = frozenset({OrderType.SL, OrderType.SL_M})
PRICED = frozenset({OrderType.LIMIT, OrderType.SL})
WORKING = frozenset({OrderState.PENDING, OrderState.OPEN})


@dataclass(frozen=True, slots=True)
class Filled:
    """What the trade book has of one order: units, and rupees for all of them."""

    quantity: int = 0
    value: Decimal = Decimal(0)


Fills = Mapping[BrokerOrderId, Filled]
NOTHING = Filled()


def fills_of(rows: Iterable[Row]) -> Fills:
    """The trade book, added up by order: joined on ORDER_NUMBER (docs, OA: confirmed)."""
    fills: dict[BrokerOrderId, Filled] = {}
    for row in rows:
        order, quantity = BrokerOrderId(id_of(row, "ORDER_NUMBER")), units(row, "QUANTITY")
        before = fills.get(order, NOTHING)
        fills[order] = Filled(before.quantity + quantity, before.value + quantity * amount(row, "PRICE"))
    return fills


def needs_fills(row: Row) -> bool:
    """Whether only the trade book can tell how much of this order has filled, and at what price."""
    if _traded_whole(row):
        return above_zero(row, "average_price") is None
    return whole(row, "filled_quantity") != 0 or _state(row) is OrderState.FILLED


def decode_order(row: Row, fills: Fills | None, names: Names, now: datetime) -> OrderReport:
    """One row of the order book. Raises NoAnswer for one whose number, side or quantity cannot be read."""
    order_id, quantity = BrokerOrderId(id_of(row, "order_id")), units(row, "quantity")
    instrument = names.instrument(text(row, "exchange"), text(row, "tradingsymbol"), text(row, "instrument_token"))
    filled = _filled(row, order_id, quantity, fills)
    kind = _type(row, names)
    return OrderReport(
        order_id=order_id,
        state=_lived(_named_state(row, names), filled.quantity, quantity),
        instrument=instrument,
        side=_side(row, "transaction_type"),
        quantity=quantity,
        type=kind,
        product=_product(text(row, "product"), instrument, names),
        validity=_validity(row, names),
        filled_quantity=filled.quantity,
        limit_price=above_zero(row, "price") if kind in PRICED else None,
        trigger_price=above_zero(row, "trigger_price") if kind in STOPS else None,
        average_price=filled.value / filled.quantity if filled.quantity else None,
        placed_at=moment(row, "order_timestamp", now),
        message=text(row, "status_message"),
    )


def decode_trade(row: Row, names: Names) -> Trade:
    """One row of the trade book, whose names are in capitals (docs, confirmed)."""
    kind = (text(row, "INSTRUMENT_NAME") or "").upper()
    instrument = names.instrument(
        text(row, "EXCHANGE"), text(row, "SYMBOL"), text(row, "SEC_ID"), contract=kind in CONTRACTS if kind else None
    )
    return Trade(
        trade_id=id_of(row, "TRADE_NUMBER"),
        order_id=BrokerOrderId(id_of(row, "ORDER_NUMBER")),
        instrument=instrument,
        side=_side(row, "BUY_SELL"),
        quantity=units(row, "QUANTITY"),
        price=amount(row, "PRICE"),
        product=_product(text(row, "PRODUCT"), instrument, names),
        traded_at=moment_of_24_hours(row, "ORDER_DATE_TIME"),
    )


def decode_position(row: Row, names: Names) -> Position:
    """One row of `net` (MOCK, confirmed). Its quantity is signed; the profits are 0 where none is told."""
    instrument = names.instrument(text(row, "exchange"), text(row, "tradingsymbol"), text(row, "instrument_token"))
    product = _product(text(row, "product"), instrument, names)
    return Position(
        instrument=instrument,
        product=product,
        quantity=to_close(product, units(row, "quantity")),
        average_price=amount(row, "average_price"),
        last_price=number(row, "last_price"),
        realised=number(row, "realised") or Decimal(0),
        unrealised=number(row, "unrealised") or Decimal(0),
    )


def decode_holding(row: Row, names: Names) -> Holding:
    """One holding: its symbol is a company's name, so its number tells what it is (docs, NODEA: confirmed)."""
    quantity, average, last = units(row, "quantity"), amount(row, "average_price"), number(row, "last_price")
    told = number(row, "pnl")
    return Holding(
        instrument=names.holding(text(row, "instrument_token"), text(row, "exchange"), text(row, "tradingsymbol")),
        isin=text(row, "isin"),
        quantity=quantity,
        average_price=average,
        last_price=last,
        pnl=told if told is not None else ((average if last is None else last) - average) * quantity,
    )


def decode_funds(row: Row) -> Funds:
    """The first row of the fund summary, whose numbers are text or null (MOCK, OA: confirmed).

    AVAILABLE_BALANCE is what there is; the other two are 0 where nothing is told. No field is documented as the total,
    so it is what is available and what is used.
    """
    available = amount(row, "AVAILABLE_BALANCE")
    used = number(row, "AMOUNT_UTILIZED") or Decimal(0)
    return Funds(available, used, number(row, "COLLATERALS") or Decimal(0), available + used)


def decode_quote(instrument: InstrumentId, row: object, at: datetime) -> Quote | None:
    """A quote; None for what is none, as null is for a symbol that is not known (MOCK, confirmed).

    That a row reads `last_price` and `ohlc` with `open, high, low, close` is unconfirmed: a row without one of them
    gives no quote. It tells no time, no volume and no depth: the time is that of the reading, the volume is 0.
    """
    ohlc = row.get("ohlc") if isinstance(row, dict) else None
    if not isinstance(row, dict) or not isinstance(ohlc, dict):
        return None
    try:
        last = above_zero(row, "last_price")
        day = [above_zero(ohlc, name) for name in ("open", "high", "low", "close")]
    except NoAnswer:
        return None
    told = [price for price in day if price is not None]
    if last is None or len(told) != len(day):
        return None
    opened, high, low, close = told
    return Quote(instrument, last, None, None, opened, high, low, close, 0, at)


def _filled(row: Row, order_id: BrokerOrderId, quantity: int, fills: Fills | None) -> Filled:
    traded = NOTHING if fills is None else fills.get(order_id, NOTHING)
    average = above_zero(row, "average_price")
    if _traded_whole(row) and traded.quantity < quantity and average is not None:
        return Filled(quantity, average * quantity)
    return traded


def _traded_whole(row: Row) -> bool:
    """Whether the row's word and its number agree that all of it has filled."""
    return _state(row) is OrderState.FILLED and whole(row, "filled_quantity") == units(row, "quantity")


def _state(row: Row) -> OrderState:
    return STATES.get((text(row, "status") or "").lower(), OrderState.UNCLEAR)


def _named_state(row: Row, names: Names) -> OrderState:
    state = _state(row)
    if state is OrderState.UNCLEAR:
        names.say("mstock_status_unknown", status=text(row, "status") or "")
    return state


def _lived(state: OrderState, filled: int, quantity: int) -> OrderState:
    """The state that the trade book allows: what has traded in full is filled, and only that."""
    if state not in WORKING and state is not OrderState.FILLED:
        return state
    if filled >= quantity:
        return OrderState.FILLED
    if filled:
        return OrderState.PARTIAL
    return OrderState.OPEN if state is OrderState.FILLED else state


def _side(row: Row, name: str) -> Side:
    side = SIDES.into((text(row, name) or "").upper())
    if side is None:
        raise NoAnswer(f"m.Stock gave a row whose {name} is no side")
    return side


def _type(row: Row, names: Names) -> OrderType:
    """The type; one that no table knows is told by the prices that the row has."""
    word = (text(row, "order_type") or "").upper()
    found = TYPES.into(word)
    if found is not None:
        return found
    names.say("mstock_order_type_unknown", order_type=word)
    priced, stop = above_zero(row, "price"), above_zero(row, "trigger_price")
    if stop is not None:
        return OrderType.SL_M if priced is None else OrderType.SL
    return OrderType.MARKET if priced is None else OrderType.LIMIT


def _product(word: str | None, instrument: InstrumentId, names: Names) -> Product:
    """The product; a word that no table knows becomes one that ordo never trades there.

    So the row is seen and nothing is done in it by mistake: a close is refused rather than sent under a guess.
    """
    found = PRODUCTS.into((word or "").upper())
    if found is not None:
        return found
    names.say("mstock_product_unknown", product=word or "", instrument=str(instrument))
    return Product.NRML if instrument.exchange in CASH else Product.CNC


def _validity(row: Row, names: Names) -> Validity:
    word = (text(row, "validity") or "").upper()
    found = VALIDITIES.into(word)
    if found is None:
        names.say("mstock_validity_unknown", validity=word)
    return found or Validity.DAY
