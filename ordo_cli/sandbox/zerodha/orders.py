"""Kite's order calls: place in every variety, modify, cancel, the book, an order's life, trades (DOC/05, PY).

The order system refuses later what only it can know: such an order is in the book as REJECTED, and its place call said
success (confirmed). What the gateway can tell before is refused at once with 400 and leaves no order. An iceberg is one
order of the exchange that shows a leg at a time; the second leg of a cover order appears once the first has filled.
"""

from __future__ import annotations

from decimal import Decimal

from ordo_cli.brokers.paper.amounts import SECOND
from ordo_cli.brokers.paper.book import AMO, DONE, FILLED, Order
from ordo_cli.domain.money import text_of
from ordo_cli.domain.orders import Changes, OrderIntent, OrderType, Product, Side, Validity
from ordo_cli.domain.values import replace
from ordo_cli.sandbox.floor import listed
from ordo_cli.sandbox.gateway import Call, Row
from ordo_cli.sandbox.wire import Reply
from ordo_cli.sandbox.zerodha.answers import Refused, bad_input, success
from ordo_cli.sandbox.zerodha.reading import (
    TYPES,
    VALIDITIES,
    PlaceForm,
    amount,
    check_steps,
    protection,
    read_place,
    whole,
)
from ordo_cli.sandbox.zerodha.rows import DIGITS, history_rows, number_of, order_id, order_row, trade_row

MOST_MODIFICATIONS = 25
MOST_SLICES = 50
NOT_OPEN = "Order cannot be changed: it is not open."  # text unconfirmed


def place(call: Call) -> Reply:
    form = call.request.form()
    call.took(dict(form), form.get("tag"))
    asked = read_place(call.parts["variety"], form, call.desk.floor.today)
    if asked.variety == "auction":
        raise bad_input("There is no auction session for this instrument.")
    check_steps(asked.item, asked.intent.quantity, asked.intent.limit_price, asked.intent.trigger_price, asked.stop)
    _check_market(call, asked)
    _check_means(call, asked.intent)
    if asked.autoslice or asked.intent.quantity > asked.item.freeze:
        return _sliced(call, asked)
    number = _enter(call, asked, asked.intent)
    call.took(dict(form), asked.tag, order_id(number))
    return success({"order_id": order_id(number)})


def _enter(call: Call, asked: PlaceForm, intent: OrderIntent) -> int:
    floor = call.desk.floor
    placed = floor.place(call.account.paper, intent, asked.tag).order
    assert placed is not None
    meta: Row = {}
    if asked.leg_quantity is not None:
        meta = {"iceberg": {"leg_quantity": asked.leg_quantity, "total_quantity": intent.quantity}}
    floor.note(
        placed.number,
        variety=asked.variety,
        product=asked.product,
        validity=asked.validity,
        validity_ttl=asked.validity_ttl,
        market_protection=int(asked.protection) if asked.protection == int(asked.protection) else str(asked.protection),
        meta=meta,
        stop=None if asked.stop is None else str(asked.stop),
    )
    return placed.number


def _sliced(call: Call, asked: PlaceForm) -> Reply:
    """Autoslice: a parent's id and its children, live in this shape since March 2026 (GO, MOCK; confirmed)."""
    freeze = asked.item.freeze // asked.item.lot * asked.item.lot
    if not asked.autoslice:
        raise bad_input(f"Quantity is above the freeze quantity of {freeze}.")  # text unconfirmed
    if asked.intent.quantity <= freeze:  # one report on the forum: unconfirmed
        raise bad_input(f"Quantity should be greater than or equal to {freeze + 1} for order slicing")
    sizes = [freeze] * (asked.intent.quantity // freeze)
    if asked.intent.quantity % freeze:
        sizes.append(asked.intent.quantity % freeze)
    if len(sizes) > MOST_SLICES:
        raise bad_input(f"An order is sliced into {MOST_SLICES} at most.")
    parent, children = "", []
    for place_, size in enumerate(sizes):
        number = _enter(call, asked, replace(asked.intent, quantity=size))
        parent = parent or f"{number // DIGITS:06d}9{number % DIGITS:08d}"
        call.desk.floor.note(number, slice_of=parent, **({"parent": True} if place_ else {}))
        children.append({"order_id": order_id(number)})
    return success({"order_id": parent, "children": children})


def _check_market(call: Call, asked: PlaceForm) -> None:
    if asked.variety != "amo" and not call.desk.floor.is_open():
        raise bad_input(
            f"{asked.product} are blocked as the markets are not open for trading today. Try placing an AMO order."
        )


def _check_means(call: Call, intent: OrderIntent) -> None:
    floor, account = call.desk.floor, call.account.paper
    if intent.product is Product.CNC and intent.side is Side.SELL:
        free = floor.free_to_sell(account, str(intent.instrument))
        if intent.quantity > free:
            text = f"Insufficient stock holding: {intent.instrument.symbol}. Available quantity is {max(free, 0)}."
            raise Refused("HoldingException", text)
        return
    margin = floor.margin(account, intent)
    if margin is not None and margin.needed > margin.available:
        text = (
            f"Insufficient funds. Required margin is {text_of(margin.needed)}"
            f" but available margin is {text_of(margin.available)}."
        )
        raise Refused("MarginException", text)


def modify(call: Call) -> Reply:
    """`quantity` is the new total (unconfirmed). What a field does not name stays."""
    form = call.request.form()
    order, noted = _own(call)
    call.took(dict(form), None, order_id(order.number))
    count = int(str(noted.get("modifications", 0)))
    if count >= MOST_MODIFICATIONS:
        raise bad_input("Maximum allowed order modifications exceeded.")
    kind = form.get("order_type") or order.type.upper()
    validity = form.get("validity") or order.validity.upper()
    if kind not in TYPES or validity not in VALIDITIES:
        raise bad_input("Invalid `order_type` or `validity`.")
    if TYPES[kind] != order.type and TYPES[kind] in (OrderType.MARKET, OrderType.SL_M):
        protection(form, TYPES[kind])
    changes = _changes(form, order, TYPES[kind])
    same = TYPES[kind] == order.type and VALIDITIES[validity] == order.validity
    floor, account = call.desk.floor, call.account.paper
    if changes is not None or not same:
        wanted = changes or Changes(quantity=order.quantity)
        check_steps(
            listed(order.instrument), wanted.quantity or order.quantity, wanted.limit_price, wanted.trigger_price
        )
        answer = floor.modify(account, order, TYPES[kind], VALIDITIES[validity], wanted)
        if answer.code is not None:
            raise Refused("OrderException", answer.message or NOT_OPEN)
    floor.note(order.number, modifications=count + 1)
    return success({"order_id": order_id(order.number)})


def _changes(form: dict[str, str], order: Order, kind: OrderType) -> Changes | None:
    limited, stopping = kind in (OrderType.LIMIT, OrderType.SL), kind in (OrderType.SL, OrderType.SL_M)
    quantity = whole(form, "quantity")
    price = amount(form, "price") if limited else None
    # A stop that has been triggered has no trigger left to change; Kite takes the form and leaves it be.
    trigger = amount(form, "trigger_price") if stopping and order.phase in ("stop", AMO) else None
    if quantity is None and price is None and trigger is None:
        return None
    return Changes(quantity, price, trigger)


def cancel(call: Call) -> Reply:
    """The answer means that the request was taken. Leaving a cover order early sells what its first leg bought."""
    order, noted = _own(call)
    call.took({}, None, order_id(order.number))
    answer = call.desk.floor.cancel(call.account.paper, order.number)
    if answer.code is not None:
        raise Refused("OrderException", answer.message or NOT_OPEN)
    if noted.get("variety") == "co" and "parent_order_id" in noted:
        side = Side.BUY if order.side > 0 else Side.SELL
        item = listed(order.instrument)
        out = OrderIntent(side, item.id, order.quantity - order.filled, product=Product.MIS)
        left = call.desk.floor.place(call.account.paper, out, None).order
        assert left is not None
        call.desk.floor.note(left.number, variety="co", parent_order_id=noted["parent_order_id"])
    return success({"order_id": order_id(order.number)})


def _own(call: Call) -> tuple[Order, Row]:
    """The open order that the path names, under the variety that it was placed with. Raises Refused."""
    _pass_time(call)
    number = number_of(call.parts["order_id"])
    order = None if number is None else call.desk.floor.order(call.account.paper, number)
    if order is None:
        raise bad_input("Order does not exist.")  # type and text unconfirmed, as of the next two
    noted = call.desk.floor.noted(order.number)
    if noted.get("variety", "regular") != call.parts["variety"]:
        raise bad_input("Invalid `variety`.")
    if order.phase == DONE:
        raise Refused("OrderException", NOT_OPEN)
    return order, noted


def _pass_time(call: Call) -> None:
    """What only time does: minutes of an order run out, second legs of cover orders appear."""
    floor, account = call.desk.floor, call.account.paper
    now = floor.exchange.now()
    for order in floor.book(account):
        noted = floor.noted(order.number)
        minutes = int(str(noted.get("validity_ttl") or 0))
        if minutes and order.phase != DONE and now >= order.arrived + minutes * 60 * SECOND:
            floor.cancel(account, order.number)
        if noted.get("variety") == "amo" and order.phase not in (AMO, DONE) and not noted.get("released"):
            floor.note(order.number, released=True)
        if noted.get("stop") and order.outcome == FILLED and not noted.get("covered"):
            floor.note(order.number, covered=True)
            side = Side.SELL if order.side > 0 else Side.BUY
            intent = OrderIntent(
                side,
                listed(order.instrument).id,
                order.filled,
                trigger_price=Decimal(str(noted["stop"])),
                product=Product.MIS,
                validity=Validity.DAY,
            )
            second = floor.place(account, intent, None).order
            assert second is not None
            floor.note(second.number, variety="co", product="CO", parent_order_id=order_id(order.number))


def book(call: Call) -> Reply:
    """`GET /orders`: the day's orders, oldest first."""
    _pass_time(call)
    floor, account = call.desk.floor, call.account
    rows = [order_row(floor, account, order, strange=call.strange) for order in floor.book(account.paper, call.lag)]
    return success(call.shown(rows))


def life(call: Call) -> Reply:
    """`GET /orders/{order_id}`: oldest first, the last row is now."""
    _pass_time(call)
    order = _any(call)
    row = order_row(call.desk.floor, call.account, order, strange=call.strange)
    return success(history_rows(row, order, call.desk.floor.history(order.number)))


def _any(call: Call) -> Order:
    number = number_of(call.parts["order_id"])
    order = None if number is None else call.desk.floor.order(call.account.paper, number)
    if order is None:
        raise bad_input("Couldn't find that `order_id`.")
    return order


def trades(call: Call) -> Reply:
    return success([trade_row(trade) for trade in call.desk.floor.trades(call.account.paper, call.lag)])


def trades_of_order(call: Call) -> Reply:
    order = _any(call)
    mine = [each for each in call.desk.floor.trades(call.account.paper, call.lag) if int(each.order_id) == order.number]
    return success([trade_row(trade) for trade in mine])
