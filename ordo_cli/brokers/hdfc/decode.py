"""What HDFC's rows say in ordo's words.

No row carries a tag. `external_reference_number` is documented to come back, but the only value that the documentation
shows is one of the gateway's own, so that a caller's number returns unchanged is unconfirmed; and a book that shows it
on some rows and not on others would let the engine take a missing tag for a missing order. Until one live order has
proved it, an equal number is no tag, and orders are found by the pre-image of the book.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from ordo_cli import log
from ordo_cli.brokers.hdfc.codes import PRODUCTS, SIDES, TYPES, VALIDITIES, moment_of, state_of
from ordo_cli.brokers.hdfc.line import ORDER_ID
from ordo_cli.brokers.hdfc.securities import UNREAD, Row, instrument_of, stand_in, text, word
from ordo_cli.brokers.masters import Master
from ordo_cli.domain.errors import NoAnswer
from ordo_cli.domain.instruments import InstrumentId
from ordo_cli.domain.orders import BrokerOrderId, OrderReport, OrderState, OrderType, Product, Side, Validity
from ordo_cli.domain.portfolio import Funds, Holding, Position, Trade, to_close
from ordo_cli.domain.text import clean

ZERO = Decimal(0)
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,10})?", re.ASCII)
_LOG = log.get(__name__)


def decode_order(row: Row, master: Master) -> OrderReport:
    """One row of the order book. Raises NoAnswer for a row whose id, side or quantities cannot be read."""
    order_id, side = order_id_of(row), side_of(row)
    quantity, filled = whole(row, "quantity"), whole(row, "filled_quantity")
    price, trigger = amount(row, "price"), amount(row, "trigger_price")
    type = TYPES.into(word(row, "order_type"))
    product, validity = PRODUCTS.into(word(row, "product")), VALIDITIES.into(word(row, "validity"))
    understood = type is not None and product is not None and validity is not None
    if not understood:
        facts = {name: clean(text(row, name), 40) for name in ("order_type", "product", "validity")}
        _LOG.warning("order_not_understood", order=order_id, **facts)
    type = type or _type_by(trigger)
    limits, stops = type in {OrderType.LIMIT, OrderType.SL}, type in {OrderType.SL, OrderType.SL_M}
    return OrderReport(
        order_id=order_id,
        state=_state(row, order_id, quantity, filled),
        instrument=_named(row, master, understood=understood),
        side=side,
        quantity=quantity,
        type=type,
        product=product or Product.CNC,
        validity=validity or Validity.DAY,
        filled_quantity=filled,
        limit_price=price if limits and price > 0 else None,
        trigger_price=trigger if stops and trigger > 0 else None,
        average_price=_average(row, filled),
        placed_at=moment_of(text(row, "order_timestamp")),
        message=text(row, "status_message") or text(row, "status_message_raw") or None,
    )


def decode_trades(rows: Sequence[Row], book: Sequence[Row], master: Master) -> list[Trade]:
    """The trades, each in the instrument of its order, which alone names the contract (confirmed, DOC and OA).

    Raises NoAnswer for a trade without a time, a price or units. Whether `filled_quantity` is that of one fill or of
    the order so far is not stated; it is taken as the fill's.
    """
    orders = {text(row, "order_id"): row for row in book}
    return [_trade(row, orders, master) for row in rows]


def decode_position(row: Row, master: Master) -> Position:
    """Net units of one instrument.

    HDFC tells neither a last price nor an open profit (confirmed, DOC and OA): the price is None and the open profit
    stands at zero, so that a limit on the day's loss sees only what is realised.
    """
    product = PRODUCTS.into(word(row, "product"))
    if product is None:
        _LOG.warning("position_not_understood", product=clean(text(row, "product"), 40))
    quantity = whole(row, "net_qty")
    return Position(
        instrument=_named(row, master, understood=product is not None),
        product=product or Product.CNC,
        quantity=quantity if product is None else to_close(product, quantity),
        average_price=amount(row, "average_sell_price" if quantity < 0 else "average_buy_price") if quantity else ZERO,
        last_price=None,
        realised=amount(row, "realised_pl_t_day_position"),
        unrealised=ZERO,
    )


def decode_holding(row: Row, master: Master) -> Holding:
    """One holding. Where it has no security id, as in the documentation's sample, the master cannot name it, for that
    has no ISINs: it stands under its ISIN. The last price is the close that comes with it, and the profit is by that.
    """
    quantity, average, close = whole(row, "quantity"), amount(row, "average_price"), amount(row, "close_price")
    equity = {**row, "instrument_segment": text(row, "instrument_segment") or "EQUITY"}
    return Holding(
        instrument=instrument_of(equity, master) or stand_in(row),
        isin=text(row, "isin") or None,
        quantity=quantity,
        average_price=average,
        last_price=close if close > 0 else None,
        pnl=(close - average) * quantity if close > 0 else ZERO,
    )


def decode_funds(data: Any) -> Funds:
    """`data.equity`; collateral is its pledge limit. Mixed spelling of the keys is real (confirmed, DOC and OA)."""
    equity = data.get("equity") if isinstance(data, dict) else None
    if not isinstance(equity, dict):
        raise NoAnswer("HDFC's answer for funds has no equity in it")
    limits = equity.get("totalLimitDetails")
    return Funds(
        available=amount(equity, "total_available_limit", needed=True),
        used=amount(equity, "total_utilised_limit", needed=True),
        collateral=amount(limits, "pledge_limit") if isinstance(limits, dict) else ZERO,
        total=amount(equity, "total_limit", needed=True),
    )


def order_id_of(row: Row) -> BrokerOrderId:
    """The id of the order that a row is about. Raises NoAnswer when it names none."""
    found = text(row, "order_id")
    if not ORDER_ID.fullmatch(found):
        raise NoAnswer("a row from HDFC names no order")
    return BrokerOrderId(found)


def side_of(row: Row) -> Side:
    """Which way an order goes. Raises NoAnswer for a third word: no row is shown with a side that was guessed."""
    side = SIDES.into(word(row, "transaction_type"))
    if side is None:
        raise NoAnswer(
            f"a row from HDFC is neither a purchase nor a sale: {clean(text(row, 'transaction_type'), 40)!r}"
        )
    return side


def whole(row: Row, name: str) -> int:
    """Units. Raises NoAnswer for what is no whole number; digits as text are one."""
    value = amount(row, name, needed=True)
    if value != value.to_integral_value():
        raise NoAnswer(f"HDFC's {name} is not a whole number")
    return int(value)


def amount(row: Mapping[str, Any], name: str, *, needed: bool = False) -> Decimal:
    """Rupees or units, exact; zero for an empty field that is not needed. Raises NoAnswer for what is no number."""
    value = row.get(name)
    if value is None or value == "":
        if needed:
            raise NoAnswer(f"HDFC's answer has no {name}")
        return ZERO
    plain = isinstance(value, int | Decimal) and not isinstance(value, bool)
    if not plain and not (isinstance(value, str) and _NUMBER.fullmatch(value.strip())):
        raise NoAnswer(f"HDFC's {name} is not a number")
    number = Decimal(value.strip() if isinstance(value, str) else value)
    if not number.is_finite() or abs(number) >= 10**15:
        raise NoAnswer(f"HDFC's {name} is not a number")
    return number


def _named(row: Row, master: Master, *, understood: bool) -> InstrumentId:
    if not understood:  # a word of its own must not meet an order of ours in a match
        return stand_in(row, UNREAD)
    found = instrument_of(row, master)
    if found is None:
        found = stand_in(row)
        _LOG.warning("security_not_in_master", security=clean(text(row, "security_id"), 40), shown=str(found))
    return found


def _state(row: Row, order_id: BrokerOrderId, quantity: int, filled: int) -> OrderState:
    pending, cancelled = amount(row, "pending_quantity"), amount(row, "cancelled_quantity")
    state = state_of(text(row, "status"), quantity, filled, int(pending), int(cancelled))
    if state is OrderState.UNCLEAR:
        _LOG.warning("status_unclear", order=order_id, status=clean(text(row, "status"), 60))
    return state


def _average(row: Row, filled: int) -> Decimal | None:
    """Value over fills: `average_price` is zero on traded rows of the samples (confirmed, DOC)."""
    if filled <= 0:
        return None
    value, told = amount(row, "total_traded_value"), amount(row, "average_price")
    return value / filled if value > 0 else told if told > 0 else None


def _type_by(trigger: Decimal) -> OrderType:
    return OrderType.SL if trigger > 0 else OrderType.LIMIT


def _trade(row: Row, orders: Mapping[str, Row], master: Master) -> Trade:
    order_id, quantity = order_id_of(row), whole(row, "filled_quantity")
    price, at = _average(row, quantity), moment_of(text(row, "fill_timestamp"))
    if price is None or at is None:
        raise NoAnswer(f"a trade of order {order_id} has no {'price' if price is None else 'time'}")
    product = PRODUCTS.into(word(row, "product"))
    return Trade(
        trade_id=text(row, "trade_id"),
        order_id=order_id,
        instrument=_named(orders.get(order_id, row), master, understood=product is not None),
        side=side_of(row),
        quantity=quantity,
        price=price,
        product=product or Product.CNC,
        traded_at=at,
    )
