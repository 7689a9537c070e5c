"""m.Stock's Type A order calls: place, modify, cancel, cancel all, the books (SDKA, NODEA, MOCK).

What risk management refuses comes with HTTP 200 and a text that begins with the id of an order which then stands in the
book as rejected (TXT, confirmed). Modify and cancel go by the path `regular` whatever an order was placed as.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from ordo_cli.brokers.paper.amounts import rupees
from ordo_cli.brokers.paper.book import AMO, DONE, Order
from ordo_cli.brokers.paper.listing import Listing
from ordo_cli.domain.errors import Invalid
from ordo_cli.domain.instruments import Kind
from ordo_cli.domain.market import IST
from ordo_cli.domain.money import text_of
from ordo_cli.domain.orders import Changes, OrderIntent, OrderType, Product, Side, Validity
from ordo_cli.sandbox.catalog import by_short_symbol, exchange_token
from ordo_cli.sandbox.floor import listed, off_tick
from ordo_cli.sandbox.gateway import Call
from ordo_cli.sandbox.mstock.answers import Refused, bad_input, success
from ordo_cli.sandbox.mstock.rows import number_of, order_id, order_row, trade_row, tradebook_row
from ordo_cli.sandbox.wire import Reply, json_reply

VARIETIES = ("regular", "amo", "co")  # `iceberg` and `auction` are constants of one SDK: unconfirmed, refused
SIDES = {"BUY": Side.BUY, "SELL": Side.SELL}
TYPES = {"MARKET": OrderType.MARKET, "LIMIT": OrderType.LIMIT, "SL": OrderType.SL, "SL-M": OrderType.SL_M}
PRODUCTS = {"CNC": Product.CNC, "NRML": Product.NRML, "MIS": Product.MIS, "MTF": Product.MTF}
VALIDITIES = {"DAY": Validity.DAY, "IOC": Validity.IOC}
NUMBER = re.compile(r"\d{1,9}(\.\d{1,4})?", re.ASCII)


def find(call: Call, exchange: str, symbol: str) -> Listing | None:
    """By the master's name; a share also with its series, which some clients send."""
    listed_ = by_short_symbol(call.desk.floor.today)
    return listed_.get((exchange, symbol)) or (
        listed_.get((exchange, symbol.removesuffix("-EQ"))) if exchange == "NSE" else None
    )


def place(call: Call) -> Reply:
    """`POST /orders/{variety}`: success is an array of one (MOCK, confirmed)."""
    form = call.request.form()
    call.took(dict(form), form.get("tag"))
    variety = call.parts["variety"]
    if variety not in VARIETIES:
        raise bad_input("Invalid variety.")
    item = find(call, form.get("exchange", ""), form.get("tradingsymbol", ""))
    if item is None:
        raise bad_input("Invalid tradingsymbol or exchange.")
    intent = _intent(form, item, variety)
    _check_tick(item, intent.limit_price, intent.trigger_price)
    if variety != "amo" and not call.desk.floor.is_open():
        raise Refused("MiraeException", "Market is closed, the order cannot be placed.")  # wording unconfirmed
    answer = call.desk.floor.place(call.account.paper, intent, form.get("tag"))
    assert answer.order is not None
    call.took(dict(form), form.get("tag"), order_id(answer.order.number))
    call.desk.floor.note(answer.order.number, variety=variety)
    if answer.code is not None:
        raise Refused("MiraeException", _rms(call, answer.order, answer.code, answer.message or ""))
    return json_reply([{"status": "success", "data": {"order_id": order_id(answer.order.number)}}])


def _rms(call: Call, order: Order, code: str, message: str) -> str:
    """What risk management says. Only its beginning and the words about funds are confirmed (TXT)."""
    item = listed(order.instrument)
    price = "0" if order.limit_price is None else text_of(rupees(order.limit_price))
    why = message.upper()
    if code == "MARGIN":
        needed, available = _sums(message)
        extra = text_of(needed - available)
        why = f"FUND LIMIT INSUFFICIENT,AVAILABLE FUND={text_of(available)},ADDITIONAL REQUIRED FUND={extra}"
    segment = "EQUITY" if item.kind is Kind.EQUITY else "DERIVATIVES"
    side = "B" if order.side > 0 else "S"
    return (
        f"RMS:{order_id(order.number)}:NSE,{segment},{exchange_token(item)},{order.product.upper()},{side},"
        f"{order.quantity},{order.type[0].upper()},{price},{why}"
    )


def _sums(message: str) -> tuple[Decimal, Decimal]:
    needed, available = re.findall(r"\d+(?:\.\d+)?", message)
    return Decimal(needed), Decimal(available)


def _intent(form: Mapping[str, str], item: Listing, variety: str) -> OrderIntent:
    kind = _one_of(form, "order_type", TYPES)
    limited, stopping = kind in (OrderType.LIMIT, OrderType.SL), kind in (OrderType.SL, OrderType.SL_M)
    price, trigger = amount(form, "price"), amount(form, "trigger_price")
    if limited and price is None:
        raise bad_input("Invalid price.")
    if stopping and trigger is None:
        raise bad_input("Invalid trigger_price.")
    try:
        return OrderIntent(
            side=_one_of(form, "transaction_type", SIDES),
            instrument=item.id,
            quantity=int(amount(form, "quantity") or 0),
            limit_price=price if limited else None,
            trigger_price=trigger if stopping else None,
            product=Product.MIS if variety == "co" else _one_of(form, "product", PRODUCTS),
            validity=_one_of(form, "validity", VALIDITIES),
            after_market=variety == "amo",
            disclosed=int(amount(form, "disclosed_quantity") or 0) or None,
        )
    except Invalid as problem:
        raise bad_input(f"Invalid order: {problem}.") from None


def _check_tick(item: Listing, *prices: Decimal | None) -> None:
    if off_tick(item, *prices):
        raise bad_input(f"Price is not a multiple of the tick size {text_of(rupees(item.tick))}.")


def _one_of[T](form: Mapping[str, str], name: str, known: Mapping[str, T]) -> T:
    if form.get(name) not in known:
        raise bad_input(f"Invalid {name}.")
    return known[form[name]]


def amount(form: Mapping[str, str], name: str) -> Decimal | None:
    """A number above zero; None for nothing or 0, which is sent where a field does not apply."""
    text = form.get(name) or "0"
    if not NUMBER.fullmatch(text):
        raise bad_input(f"Invalid {name}.")
    return Decimal(text) or None


def modify(call: Call) -> Reply:
    """`PUT /orders/regular/{order_id}`: all fields are sent. The shape of success is unconfirmed."""
    form = call.request.form()
    order = _own(call)
    call.took(dict(form), None, order_id(order.number))
    kind, validity = _one_of(form, "order_type", TYPES), _one_of(form, "validity", VALIDITIES)
    limited, stopping = kind in (OrderType.LIMIT, OrderType.SL), kind in (OrderType.SL, OrderType.SL_M)
    quantity = int(amount(form, "quantity") or 0)
    if not quantity:
        raise bad_input("Invalid quantity.")
    changes = Changes(
        quantity,
        amount(form, "price") if limited else None,
        amount(form, "trigger_price") if stopping and (kind != order.type or order.phase in ("stop", AMO)) else None,
    )
    _check_tick(listed(order.instrument), changes.limit_price, changes.trigger_price)
    floor, account = call.desk.floor, call.account.paper
    answer = floor.modify(account, order, kind, validity, changes)
    if answer.code is not None:
        raise Refused("MiraeException", f"RMS:{order_id(order.number)}:{(answer.message or '').upper()}")
    floor.note(order.number, modified=True)
    return success({"order_id": order_id(order.number)})


def cancel(call: Call) -> Reply:
    """`DELETE /orders/regular/{order_id}`, without a body."""
    order = _own(call)
    call.took({}, None, order_id(order.number))
    _cancel(call, order)
    return success({"order_id": order_id(order.number)})


def cancel_all(call: Call) -> Reply:
    """`POST /orders/cancelall`; nothing to cancel is bad input (fixture). The shape of success is unconfirmed."""
    live = [order for order in call.desk.floor.book(call.account.paper) if order.phase != DONE]
    if not live:
        raise bad_input("No open orders to cancel.")
    for order in live:
        _cancel(call, order)
    return success({"order_id": [order_id(order.number) for order in live]})


def _cancel(call: Call, order: Order) -> None:
    answer = call.desk.floor.cancel(call.account.paper, order.number)
    if answer.code is not None:
        raise Refused("MiraeException", f"RMS:{order_id(order.number)}:{(answer.message or '').upper()}")
    if order.phase == AMO:
        call.desk.floor.note(order.number, left_as_amo=True)


def _own(call: Call) -> Order:
    number = number_of(call.parts["order_id"])
    order = None if number is None else call.desk.floor.order(call.account.paper, number)
    if order is None:
        raise bad_input("Invalid order id.")
    if order.phase == DONE:
        raise Refused(
            "MiraeException", f"RMS:{order_id(order.number)}:ORDER IS ALREADY {(order.outcome or '').upper()}"
        )
    return order


def book(call: Call) -> Reply:
    """`GET /orders`. That `data` is null when there is nothing is known of holdings only; here it is an empty list."""
    floor, account = call.desk.floor, call.account
    rows = [
        order_row(floor, account, order, echo=call.desk.echo, strange=call.strange)
        for order in floor.book(account.paper, call.lag)
    ]
    return success(call.shown(rows))


def details(call: Call) -> Reply:
    """`/order/details`, GET by the documents, POST with a form by the SDKs; the body is unconfirmed."""
    asked = call.request.form() if call.request.method == "POST" else dict(call.request.query)
    number = number_of(asked.get("order_no", ""))
    order = None if number is None else call.desk.floor.order(call.account.paper, number)
    if order is None:
        raise bad_input("Invalid order_no.")
    return success([order_row(call.desk.floor, call.account, order, echo=call.desk.echo, strange=call.strange)])


def tradebook(call: Call) -> Reply:
    rows = []
    for trade in call.desk.floor.trades(call.account.paper, call.lag):
        order = call.desk.floor.order(call.account.paper, int(trade.order_id))
        assert order is not None
        rows.append(tradebook_row(call.account, trade, order))
    return success(rows)


def trade_history(call: Call) -> Reply:
    """`/trades` from one day to another, GET by the documents, POST with a form by the SDKs; the paper exchange tells
    those of today. How days that are none are refused is unconfirmed.
    """
    asked = call.request.form() if call.request.method == "POST" else dict(call.request.query)
    try:
        first, last = (date.fromisoformat(asked.get(name, "")) for name in ("fromdate", "todate"))
    except ValueError:
        raise bad_input("Invalid fromdate or todate.") from None
    found = call.desk.floor.trades(call.account.paper, call.lag)
    return success([trade_row(each) for each in found if first <= each.traded_at.astimezone(IST).date() <= last])
