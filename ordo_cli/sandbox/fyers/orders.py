"""Fyers' order calls: place, modify, cancel, several at once, the books (DOC).

What risk management or the exchange refuses is code -99 with the id of an order that stands in the book as rejected
(OA, confirmed; that the id is always there is unconfirmed). It comes with HTTP 200 here, which is unconfirmed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial

from ordo_cli.brokers.paper.book import AMO, DONE, Order
from ordo_cli.brokers.paper.listing import Listing
from ordo_cli.domain.orders import Changes, OrderIntent, OrderType, Validity
from ordo_cli.domain.values import replace
from ordo_cli.sandbox.floor import listed, off_tick
from ordo_cli.sandbox.fyers.answers import (
    ALREADY,
    CANCELLED,
    PLACED,
    REJECTED,
    UNKNOWN_ORDER,
    Refused,
    bad_input,
    ok,
)
from ordo_cli.sandbox.fyers.reading import TYPES, amount, known, read_order, read_tag, refuse_exits, whole
from ordo_cli.sandbox.fyers.rows import number_of, order_id, order_row, shown_tag, trade_row
from ordo_cli.sandbox.gateway import Call, Row
from ordo_cli.sandbox.wire import Reply, Unreadable, json_reply

MOST_AT_ONCE = 10
MOST_SLICES = 10
OFF_TICK = "Price should be in multiples of tick size"


def place(call: Call) -> Reply:
    """`POST /api/v3/orders/sync`."""
    return json_reply(_place(call, call.request.json_object()))


def _place(call: Call, given: Mapping[str, object]) -> Row:
    call.took(dict(given), str(given.get("orderTag") or ""))
    item = known(call, given.get("symbol"))
    intent, tag = read_order(call, given, item), read_tag(call, given)
    _check_steps(item, intent.limit_price, intent.trigger_price)
    if intent.quantity % item.lot:
        raise bad_input("Quantity should be in multiples of lot size")
    if given.get("isSliceOrder") is True and intent.quantity > item.freeze:
        return _sliced(call, intent, tag, item)
    return _enter(call, given, intent, tag)


def _enter(call: Call, given: Mapping[str, object], intent: OrderIntent, tag: str | None, parent: int = 0) -> Row:
    if not intent.after_market and not call.desk.floor.is_open():
        raise Refused(REJECTED, "RMS: market is closed", 200)  # that this leaves no order is unconfirmed
    answer = call.desk.floor.place(call.account.paper, intent, tag)
    assert answer.order is not None
    name = order_id(answer.order.number)
    call.took(dict(given), tag, name)
    call.desk.floor.note(answer.order.number, offline=intent.after_market, **({"parent": True} if parent else {}))
    if answer.code is not None:
        what = "margin shortfall" if answer.code == "MARGIN" else answer.code.lower().replace("_", " ")
        raise Refused(REJECTED, f"RMS: {what}: {answer.message}", 200, id=name)
    text = f"Order submitted successfully. Your Order Ref. No. {name}"
    return {"s": "ok", "code": PLACED, "message": text, "id": name}


def _sliced(call: Call, intent: OrderIntent, tag: str | None, item: Listing) -> Row:
    """Slices answer in a shape of their own, without `id` and `s` at the top (DOC, confirmed).

    That every slice carries the tag is unconfirmed.
    """
    most = item.freeze // item.lot * item.lot
    sizes = [most] * (intent.quantity // most) + ([intent.quantity % most] if intent.quantity % most else [])
    if len(sizes) > MOST_SLICES:
        raise bad_input(f"An order is sliced into {MOST_SLICES} at most")
    answers = [
        _leg(partial(_enter, call, {}, replace(intent, quantity=size), tag, place_))
        for place_, size in enumerate(sizes)
    ]
    return {"code": PLACED, "message": "Orders submitted", "data": answers}


def _leg(work: Callable[[], Row]) -> Row:
    """One of several: its own status and body."""
    try:
        return {"statusCode": 200, "body": work(), "statusDescription": "OK"}
    except Refused as refused:
        said = "OK" if refused.status == 200 else "Bad Request"
        return {"statusCode": refused.status, "body": refused.body, "statusDescription": said}


def _check_steps(item: Listing, *prices: Decimal | None) -> None:
    if off_tick(item, *prices):
        raise bad_input(OFF_TICK)


def modify(call: Call) -> Reply:
    """`PATCH /api/v3/orders/sync`: what is left out keeps its value."""
    return json_reply(_modify(call, call.request.json_object()))


def _modify(call: Call, given: Mapping[str, object]) -> Row:
    order = _own(call, given.get("id"))
    call.took(dict(given), None, order_id(order.number))
    refuse_exits(given)
    code = given.get("type")
    if code not in TYPES or isinstance(code, bool):
        raise bad_input("type is invalid")
    kind = TYPES[code]
    limited, stopping = kind in (OrderType.LIMIT, OrderType.SL), kind in (OrderType.SL, OrderType.SL_M)
    changes = Changes(
        whole(given, "qty") or order.quantity,
        amount(given, "limitPrice") if limited else None,
        amount(given, "stopPrice") if stopping and (kind != order.type or order.phase in ("stop", AMO)) else None,
    )
    _check_steps(listed(order.instrument), changes.limit_price, changes.trigger_price)
    floor, account = call.desk.floor, call.account.paper
    answer = floor.modify(account, order, kind, Validity(order.validity), changes)
    if answer.code is not None:
        raise Refused(REJECTED, f"RMS: {answer.message}", 200, id=order_id(order.number))
    name = order_id(order.number)
    return {"s": "ok", "code": PLACED, "message": "Successfully modified order", "id": name}


def cancel(call: Call) -> Reply:
    """`DELETE /api/v3/orders/sync` with the id in a JSON body."""
    return json_reply(_cancel(call, call.request.json_object()))


def cancel_by_path(call: Call) -> Reply:
    """`DELETE /api/v3/orders/{id}/sync`, without a body."""
    return json_reply(_cancel(call, {"id": call.parts["id"]}))


def _cancel(call: Call, given: Mapping[str, object]) -> Row:
    order = _own(call, given.get("id"))
    call.took(dict(given), None, order_id(order.number))
    answer = call.desk.floor.cancel(call.account.paper, order.number)
    if answer.code is not None:
        raise Refused(REJECTED, f"RMS: {answer.message}", 200, id=order_id(order.number))
    return {"s": "ok", "code": CANCELLED, "message": "Successfully cancelled order", "id": order_id(order.number)}


def _own(call: Call, text: object) -> Order:
    number = number_of(text)
    order = None if number is None else call.desk.floor.order(call.account.paper, number)
    if order is None:
        raise Refused(UNKNOWN_ORDER, "Invalid order id")
    if order.phase == DONE:
        raise Refused(ALREADY[order.outcome or ""], f"Order is already {order.outcome}")
    return order


def _several(one: Callable[[Call, Mapping[str, object]], Row]) -> Callable[[Call], Reply]:
    """Up to ten in an array; the whole reads 200 and ok though single ones fail (DOC, confirmed)."""

    def answer(call: Call) -> Reply:
        given = call.request.json()
        if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
            raise Unreadable("the body is not a JSON array of objects")
        if not 1 <= len(given) <= MOST_AT_ONCE:
            raise bad_input(f"between 1 and {MOST_AT_ONCE} orders are taken at once")
        return ok(data=[_leg(partial(one, call, each)) for each in given])

    return answer


place_several, modify_several, cancel_several = _several(_place), _several(_modify), _several(_cancel)


def book(call: Call) -> Reply:
    """`GET /api/v3/orders`, all or one by `id`, or those with `order_tag` as it is shown (`1:…`)."""
    floor, account = call.desk.floor, call.account
    wanted, tag = call.request.asked("id"), call.request.asked("order_tag")
    rows = [
        order_row(floor, account, order, strange=call.strange)
        for order in floor.book(account.paper, call.lag)
        if (not wanted or order_id(order.number) == wanted) and (not tag or shown_tag(order.tag) == tag)
    ]
    return ok(orderBook=call.shown(rows))


def trades(call: Call) -> Reply:
    tag = call.request.asked("order_tag")
    rows = []
    for trade in call.desk.floor.trades(call.account.paper, call.lag):
        order = call.desk.floor.order(call.account.paper, int(trade.order_id))
        assert order is not None
        if not tag or shown_tag(order.tag) == tag:
            rows.append(trade_row(call.account, trade, order))
    return ok(tradeBook=rows)
