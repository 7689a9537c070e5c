"""Fyers' rows in ordo's words. A row that breaks its documented form raises NoAnswer; none is ever left out.

Names of fields are confirmed (DOC). Times are IST without a zone (confirmed, DOC) and come out as UTC.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from ordo_cli import log
from ordo_cli.brokers.fyers.codes import PRODUCTS, SIDES, TYPES, VALIDITIES, state_of, tag_into
from ordo_cli.brokers.fyers.names import named, unread
from ordo_cli.brokers.fyers.told import fine
from ordo_cli.brokers.masters import Master
from ordo_cli.domain.errors import NoAnswer
from ordo_cli.domain.instruments import MONTHS, InstrumentId
from ordo_cli.domain.market import IST
from ordo_cli.domain.orders import BrokerOrderId, OrderReport, OrderState, OrderType, Product, Side, Validity
from ordo_cli.domain.portfolio import Funds, Holding, Position, Quote, Trade, to_close

Row = Mapping[str, Any]

_MOMENT = re.compile(r"(\d{2})-([A-Za-z]{3})-(\d{4}) (\d{2}):(\d{2}):(\d{2})", re.ASCII)
_NUMBER = re.compile(r"-?\d{1,15}(?:\.\d{1,12})?", re.ASCII)
_LARGEST = 15  # digits before the point; what has more is no price and no quantity
TOTAL, USED, COLLATERAL, AVAILABLE = 1, 2, 5, 10  # rows of the funds by their id: confirmed (DOC, OA)


def rows(answer: Any, name: str, what: str) -> Sequence[Row]:
    """The rows of a list. Raises NoAnswer when it is not there or holds anything but rows."""
    found = fine(answer, what).get(name)
    if not isinstance(found, list) or not all(isinstance(row, Mapping) for row in found):
        raise NoAnswer(f"fyers gave no {what}")
    return found


# Orders and trades


def order(row: Row, master: Master) -> OrderReport:
    """One order of the book, with any status. Its message is the broker's text."""
    filled = whole(row, "filledQty")
    type_ = _type(row)
    state = state_of(row.get("status"), filled)
    if state is OrderState.UNCLEAR:
        log.get(__name__).warning("status_unclear", broker="fyers", status=str(row.get("status"))[:20])
    instrument, product = _traded_in(row, master)
    return OrderReport(
        order_id=BrokerOrderId(word(row, "id")),
        state=state,
        instrument=instrument,
        side=_side(row),
        quantity=whole(row, "qty"),
        type=type_,
        product=product,
        validity=_validity(row),
        filled_quantity=filled,
        limit_price=_above_zero(row, "limitPrice") if type_ in (OrderType.LIMIT, OrderType.SL) else None,
        trigger_price=_above_zero(row, "stopPrice") if type_ in (OrderType.SL, OrderType.SL_M) else None,
        average_price=_above_zero(row, "tradedPrice") if filled > 0 else None,
        tag=tag_into(row.get("orderTag")),
        placed_at=moment(row.get("orderDateTime")),
        message=row["message"] if isinstance(row.get("message"), str) and row["message"] else None,
    )


def trade(row: Row, master: Master) -> Trade:
    traded_at = moment(row.get("orderDateTime"))
    if traded_at is None:
        raise _unreadable("orderDateTime")
    instrument, product = _traded_in(row, master)
    return Trade(
        trade_id=word(row, "tradeNumber"),
        order_id=BrokerOrderId(word(row, "orderNumber")),
        instrument=instrument,
        side=_side(row),
        quantity=whole(row, "tradedQty"),
        price=amount(row, "tradePrice"),
        product=product,
        traded_at=traded_at,
    )


def moment(text: object) -> datetime | None:
    """`15-Oct-2026 09:34:38`, which is in India, as UTC; None for what is not written so."""
    match = _MOMENT.fullmatch(text) if isinstance(text, str) else None
    if match is None or match[2].upper() not in MONTHS:
        return None
    day, month, (year, hour, minute, second) = (
        int(match[1]),
        MONTHS.index(match[2].upper()) + 1,
        map(int, match.groups()[2:]),
    )
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=IST).astimezone(UTC)
    except ValueError:
        return None


# What an account has


def position(row: Row, master: Master) -> Position:
    """One position. Raises NoAnswer when its quantity, size and side contradict each other: closing goes by them."""
    net = whole(row, "netQty")
    side = whole(row, "side")
    if abs(net) != whole(row, "qty") or side != (net > 0) - (net < 0):
        raise NoAnswer("fyers sent a position whose quantity and side contradict each other")
    instrument, product = _traded_in(row, master)
    return Position(
        instrument=instrument,
        product=product,
        quantity=to_close(product, net),
        average_price=amount(row, "netAvg"),
        last_price=_above_zero(row, "ltp"),
        realised=amount(row, "realized_profit"),
        unrealised=amount(row, "unrealized_profit"),
    )


def holding(row: Row, master: Master) -> Holding:
    """One holding, T1 ones included. What is left of it after sales counts (the reading of that name: unconfirmed)."""
    isin = row.get("isin")
    return Holding(
        instrument=named(row.get("symbol"), row.get("fyToken"), master),
        isin=isin if isinstance(isin, str) and isin else None,
        quantity=whole(row, "remainingQuantity"),
        average_price=amount(row, "costPrice"),
        last_price=_above_zero(row, "ltp"),
        pnl=amount(row, "pl"),
    )


def funds(answer: Any) -> Funds:
    """The equity side of the limits, which is what can be ordered for here. Available includes collateral."""
    told: dict[int, Decimal] = {}
    for row in rows(answer, "fund_limit", "funds"):
        if told.setdefault(whole(row, "id"), amount(row, "equityAmount")) != amount(row, "equityAmount"):
            raise NoAnswer("fyers told one of the funds twice, and differently")
    if not {TOTAL, USED, COLLATERAL, AVAILABLE} <= told.keys():
        raise NoAnswer("fyers told a part of the funds only")
    return Funds(available=told[AVAILABLE], used=told[USED], collateral=told[COLLATERAL], total=told[TOTAL])


def quote(row: Row, instrument: InstrumentId, read_at: datetime) -> Quote | None:
    """The market in one instrument as it was read at that moment; None when Fyers has no price of it.

    What its own time (`tt`) stands for is not documented, so that it is not taken for the age of the price.
    """
    values = row.get("v")
    if row.get("s") != "ok" or not isinstance(values, Mapping) or _above_zero(values, "lp") is None:
        return None
    return Quote(
        instrument=instrument,
        last_price=amount(values, "lp"),
        bid=_above_zero(values, "bid"),
        ask=_above_zero(values, "ask"),
        open=amount(values, "open_price"),
        high=amount(values, "high_price"),
        low=amount(values, "low_price"),
        previous_close=amount(values, "prev_close_price"),
        volume=whole(values, "volume"),
        at=read_at,
    )


# Fields


def word(row: Row, name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str) or not value:
        raise _unreadable(name)
    return value


def amount(row: Row, name: str) -> Decimal:
    """Rupees, or another exact number. Digits that come as text read the same: samples differ in that (DOC)."""
    value = row.get(name)
    if type(value) is int or isinstance(value, Decimal) or (isinstance(value, str) and _NUMBER.fullmatch(value)):
        number = Decimal(value)
        if number.adjusted() < _LARGEST:
            return number
    raise _unreadable(name)


def whole(row: Row, name: str) -> int:
    value = amount(row, name)
    if value % 1:
        raise _unreadable(name)
    return int(value)


def _above_zero(row: Row, name: str) -> Decimal | None:
    """A price; 0 is how none is written."""
    value = amount(row, name)
    return value if value > 0 else None


def _unreadable(name: str) -> NoAnswer:
    return NoAnswer(f"fyers sent a row without a {name} that can be read")


# Words


def _side(row: Row) -> Side:
    side = SIDES.into(row.get("side"))
    if side is None:
        raise _unreadable("side")
    return side


def _traded_in(row: Row, master: Master) -> tuple[InstrumentId, Product]:
    """What a row is about. One of a product without a word of ours gets a name that nothing can be ordered under."""
    kind = row.get("productType")
    product = PRODUCTS.into(kind)
    if product is not None:
        return named(row.get("symbol"), row.get("fyToken"), master), product
    ticker = word(row, "symbol")
    log.get(__name__).warning("product_unclear", broker="fyers", product=str(kind)[:20], ticker=ticker)
    return unread(f"{ticker}_{str(kind)[:8]}"), Product.MIS


def _type(row: Row) -> OrderType:
    type_ = TYPES.into(row.get("type"))
    if type_ is not None:
        return type_
    log.get(__name__).warning("type_unclear", broker="fyers", type=str(row.get("type"))[:20])
    limited, stopped = _above_zero(row, "limitPrice") is not None, _above_zero(row, "stopPrice") is not None
    if stopped:
        return OrderType.SL if limited else OrderType.SL_M
    return OrderType.LIMIT if limited else OrderType.MARKET


def _validity(row: Row) -> Validity:
    validity = VALIDITIES.into(row.get("orderValidity"))
    if validity is not None:
        return validity
    log.get(__name__).warning("validity_unclear", broker="fyers", validity=str(row.get("orderValidity"))[:20])
    return Validity.DAY
