"""Ordo's orders as Fyers' bodies: names and values are confirmed (DOC)."""

from __future__ import annotations

from collections.abc import Mapping

from ordo_cli.brokers.fyers.codes import ORDERABLE, PRODUCTS, SIDES, TYPES, VALIDITIES, tag_out
from ordo_cli.brokers.masters import Listing
from ordo_cli.domain.errors import Refused
from ordo_cli.domain.instruments import CASH, InstrumentId
from ordo_cli.domain.orders import BrokerOrderId, Changes, OrderIntent, OrderType, Tag

Body = Mapping[str, object]

LIMITED = frozenset({OrderType.LIMIT, OrderType.SL})
STOPPED = frozenset({OrderType.SL, OrderType.SL_M})


def order(intent: OrderIntent, listing: Listing, tag: Tag) -> Body:
    """A new order. Raises Refused for what Fyers has no word for.

    A market order takes no price of ours: Fyers itself turns it into one with a protection price (confirmed, KB), so
    that it may rest partly filled. `stopLoss`, `takeProfit` and `legType` are left out: they would attach exits.
    """
    orderable(intent.instrument)
    if intent.disclosed is not None and intent.instrument.exchange not in CASH:
        raise Refused("fyers takes a disclosed quantity for shares only", code="DISCLOSED_UNSUPPORTED")
    return {
        "symbol": listing.code,
        "qty": intent.quantity,
        "type": TYPES.out(intent.type),
        "side": SIDES.out(intent.side),
        "productType": PRODUCTS.out(intent.product),
        "limitPrice": intent.limit_price or 0,
        "stopPrice": intent.trigger_price or 0,
        "disclosedQty": intent.disclosed or 0,
        "validity": VALIDITIES.out(intent.validity),
        "offlineOrder": intent.after_market,
        "orderTag": tag_out(tag),
        "isSliceOrder": False,  # one leg is one order, under one tag
    }


def changes(order_id: BrokerOrderId, type_: OrderType, wanted: Changes) -> Body:
    """What changes of an order; what is left out keeps its value (confirmed, DOC). That `qty` is the quantity of the
    whole order and not what is left of it: unconfirmed.
    """
    body: dict[str, object] = {"id": order_id, "type": TYPES.out(type_)}
    if wanted.quantity is not None:
        body["qty"] = wanted.quantity
    if wanted.limit_price is not None:
        body["limitPrice"] = _fitting(wanted.limit_price, type_, type_ in LIMITED, "limit")
    if wanted.trigger_price is not None:
        body["stopPrice"] = _fitting(wanted.trigger_price, type_, type_ in STOPPED, "trigger")
    return body


def orderable(instrument: InstrumentId) -> None:
    """Raises Refused where an order's quantity might not be in units."""
    if instrument.exchange not in ORDERABLE:
        message = (
            f"ordo sends no orders in {instrument.exchange} to fyers: whether it counts units or lots is unconfirmed"
        )
        raise Refused(message, hint="use the broker's own app", code="SEGMENT_UNSUPPORTED")


def _fitting[T](price: T, type_: OrderType, fits: bool, word: str) -> T:
    if not fits:
        raise Refused(f"a {type_} order has no {word} to change", hint="cancel it and place another", code="CHANGE")
    return price
