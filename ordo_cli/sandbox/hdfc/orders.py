"""HDFC Securities' order calls: place, modify, cancel, the books (DOC, OA).

Too little money is told at once, with HTTP 200; what the exchange refuses is in the book as rejected though its place
call said success (DOC sample rows). Unknown or contradicting facts of a contract are bad input.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

from ordo_cli.brokers.paper.amounts import rupees, to_units
from ordo_cli.brokers.paper.book import AMO, DONE, Order
from ordo_cli.brokers.paper.listing import Listing
from ordo_cli.domain.errors import Invalid
from ordo_cli.domain.instruments import Kind
from ordo_cli.domain.money import text_of
from ordo_cli.domain.orders import Changes, OrderIntent, OrderType, Product, Side, Validity
from ordo_cli.sandbox.catalog import of_day
from ordo_cli.sandbox.floor import listed, off_tick
from ordo_cli.sandbox.gateway import Call
from ordo_cli.sandbox.hdfc.answers import Refused, bad_input, rejected, success
from ordo_cli.sandbox.hdfc.rows import (
    SEGMENTS,
    camel_row,
    number_of,
    order_id,
    order_row,
    security_id,
    trade_row,
    underlying,
)
from ordo_cli.sandbox.wire import Reply

SIDES = {"BUY": Side.BUY, "SELL": Side.SELL, "Buy": Side.BUY, "Sell": Side.SELL}  # samples show the latter
TYPES = {"MARKET": OrderType.MARKET, "LIMIT": OrderType.LIMIT, "SL": OrderType.SL, "SL-M": OrderType.SL_M}
PRODUCTS = {"DELIVERY": Product.CNC, "OVERNIGHT": Product.NRML, "INTRADAY": Product.MIS, "MTF": Product.MTF}
VALIDITIES = {"DAY": Validity.DAY, "IOC": Validity.IOC}  # no field says until when a GTD order would live
REFERENCE = re.compile(r"\d{1,20}", re.ASCII)


def place(call: Call) -> Reply:
    """`POST /oapi/v1/orders/regular`."""
    given = call.request.json_object()
    tag = _reference(given)
    call.took(dict(given), tag)
    item = _item(call, given)
    intent = _intent(given, item)
    _check_steps(item, intent.limit_price, intent.trigger_price)
    if not intent.after_market and not call.desk.floor.is_open():
        raise rejected("Market is closed, please place an AMO order")  # wording unconfirmed
    margin = call.desk.floor.margin(call.account.paper, intent)
    if margin is not None and margin.needed > margin.available:
        raise rejected("RMS: insufficient margin")
    order = call.desk.floor.place(call.account.paper, intent, tag).order
    assert order is not None
    call.desk.floor.note(order.number, amo=intent.after_market)
    call.took(dict(given), tag, order_id(order.number))
    return success({"order_id": order_id(order.number)})


def _reference(given: Mapping[str, object]) -> str | None:
    """A number or a numeric text of at most 20 digits (DOC; which of the two is unconfirmed)."""
    value = given.get("external_reference_number")
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, int | str) or not REFERENCE.fullmatch(str(value)):
        raise bad_input("external_reference_number should be numeric, at most 20 digits")
    return str(value)


def _item(call: Call, given: Mapping[str, object]) -> Listing:
    """By security id and segment at the parent exchange; a contract's other facts must agree (DOC, OA)."""
    if given.get("exchange") != "NSE":
        raise bad_input("Invalid exchange")
    wanted, segment = given.get("security_id"), given.get("instrument_segment")
    for item in of_day(call.desk.floor.today):
        if security_id(item) == wanted and SEGMENTS[item.kind] == segment:
            _check_contract(given, item)
            return item
    raise bad_input("Invalid security_id")


def _check_contract(given: Mapping[str, object], item: Listing) -> None:
    """Forms that the sources give differently are all taken; a fact that is missing or wrong is not."""
    if item.expiry is None:
        return
    if given.get("expiry_date") not in (f"{item.expiry:%Y%m%d}", item.expiry.isoformat()):
        raise bad_input("Invalid expiry_date")
    if given.get("underlying_symbol") not in (underlying(item), item.underlying):
        raise bad_input("Invalid underlying_symbol")
    if item.kind is not Kind.OPTION:
        return
    strike = _amount(given, "strike_price")
    words = {"CE": ("CE", "CALL"), "PE": ("PE", "PUT")}[str(item.right)]
    if strike is None or to_units(strike) != item.strike or given.get("option_type") not in words:
        raise bad_input("Invalid strike_price or option_type")


def _intent(given: Mapping[str, object], item: Listing) -> OrderIntent:
    kind = _one_of(given, "order_type", TYPES)
    limited, stopping = kind in (OrderType.LIMIT, OrderType.SL), kind in (OrderType.SL, OrderType.SL_M)
    price, trigger = _amount(given, "price"), _amount(given, "trigger_price")
    if limited and price is None:
        raise bad_input("Invalid price")
    if stopping and trigger is None:
        raise bad_input("Invalid trigger_price")
    if not isinstance(given.get("amo", False), bool):
        raise bad_input("Invalid amo")
    try:
        return OrderIntent(
            side=_one_of(given, "transaction_type", SIDES),
            instrument=item.id,
            quantity=_whole(given, "quantity"),
            limit_price=price if limited else None,
            trigger_price=trigger if stopping else None,
            product=_one_of(given, "product", PRODUCTS),
            validity=_one_of(given, "validity", VALIDITIES),
            after_market=bool(given.get("amo", False)),
            disclosed=_whole(given, "disclosed_quantity") or None,
        )
    except Invalid as problem:
        raise bad_input(f"Invalid order: {problem}") from None


def _one_of[T](given: Mapping[str, object], name: str, known: Mapping[str, T]) -> T:
    value = given.get(name)
    if not isinstance(value, str) or value not in known:
        raise bad_input(f"Invalid {name}")
    return known[value]


def _whole(given: Mapping[str, object], name: str) -> int:
    value = given.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 10**9:
        raise bad_input(f"Invalid {name}")
    return value


def _amount(given: Mapping[str, object], name: str) -> Decimal | None:
    """Rupees; None for 0 and for nothing."""
    value = given.get(name) or 0
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not 0 <= value < 10**8:
        raise bad_input(f"Invalid {name}")
    return Decimal(value) or None


def _check_steps(item: Listing, *prices: Decimal | None) -> None:
    if off_tick(item, *prices):
        raise bad_input(f"16283: price is not a multiple of the tick size {text_of(rupees(item.tick))}")


def modify(call: Call) -> Reply:
    """`PUT /oapi/v1/orders/regular/{order_id}`. The id stays here; one sample shows another: unconfirmed."""
    given = call.request.json_object()
    order = _own(call)
    call.took(dict(given), None, order_id(order.number))
    kind = _one_of(given, "order_type", TYPES)
    validity = _one_of({"validity": order.validity.upper(), **given}, "validity", VALIDITIES)
    limited, stopping = kind in (OrderType.LIMIT, OrderType.SL), kind in (OrderType.SL, OrderType.SL_M)
    quantity = _whole(given, "quantity")
    if not quantity:
        raise bad_input("Invalid quantity")
    changes = Changes(
        quantity,
        _amount(given, "price") if limited else None,
        _amount(given, "trigger_price") if stopping and (kind != order.type or order.phase in ("stop", AMO)) else None,
    )
    _check_steps(listed(order.instrument), changes.limit_price, changes.trigger_price)
    floor, account = call.desk.floor, call.account.paper
    answer = floor.modify(account, order, kind, validity, changes)
    if answer.code is not None:
        raise rejected(f"RMS: {answer.message}")
    floor.note(order.number, modified=True)
    return success({"order_id": order_id(order.number)})


def cancel(call: Call) -> Reply:
    """`DELETE /oapi/v1/orders/regular/{order_id}`, without a body."""
    order = _own(call)
    call.took({}, None, order_id(order.number))
    answer = call.desk.floor.cancel(call.account.paper, order.number)
    if answer.code is not None:
        raise rejected(f"RMS: {answer.message}")
    return success({"order_id": order_id(order.number)})


def _own(call: Call) -> Order:
    order = _any(call)
    if order.phase == DONE:
        raise rejected(f"Order is already {order.outcome}")
    return order


def _any(call: Call) -> Order:
    number = number_of(call.parts["order_id"])
    order = None if number is None else call.desk.floor.order(call.account.paper, number)
    if order is None:
        raise Refused({"status": "error", "message": "Order does not exist"}, 404)
    return order


def book(call: Call) -> Reply:
    floor, account = call.desk.floor, call.account
    rows = [
        order_row(floor, account, order, echo=call.desk.echo, strange=call.strange)
        for order in floor.book(account.paper, call.lag)
    ]
    return success(call.shown(rows))


def one(call: Call) -> Reply:
    """`GET /oapi/v1/orders/{order_id}`: an array too (DOC, confirmed)."""
    row = order_row(call.desk.floor, call.account, _any(call), echo=call.desk.echo, strange=call.strange)
    return success([row])


def trades(call: Call) -> Reply:
    rows = []
    for trade in call.desk.floor.trades(call.account.paper, call.lag):
        order = call.desk.floor.order(call.account.paper, int(trade.order_id))
        assert order is not None
        rows.append(trade_row(trade, order))
    return success(rows)


def trades_of_order(call: Call) -> Reply:
    """`GET /oapi/v1/orders/{order_id}/trades`: camel case."""
    order = _any(call)
    mine = [each for each in call.desk.floor.trades(call.account.paper, call.lag) if int(each.order_id) == order.number]
    return success([camel_row(call.account, trade_row(trade, order)) for trade in mine])
