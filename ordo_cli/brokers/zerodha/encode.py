"""Orders and changes as Kite's forms want them. Quantities are units, prices rupees; nothing is cut up or guessed."""

from __future__ import annotations

import re
from decimal import Decimal

from ordo_cli.brokers.masters import Listing
from ordo_cli.brokers.zerodha.codes import (
    AFTER_MARKET,
    EXCHANGES,
    PRODUCTS,
    PROTECTED,
    PROTECTION,
    REGULAR,
    SIDES,
    TYPES,
    VALIDITIES,
    type_of,
)
from ordo_cli.domain.errors import Refused
from ordo_cli.domain.orders import Changes, OrderIntent, OrderType, Tag

TAG = re.compile(r"[A-Za-z0-9]{1,20}", re.ASCII)
"""At most 20 letters and digits; a longer one is refused, not cut (DOC/05, FORUM, confirmed)."""


def variety_of(intent: OrderIntent) -> str:
    """The path that an order takes; its cancel and its changes must take the same (DOC/05, confirmed)."""
    return AFTER_MARKET if intent.after_market else REGULAR


def order_form(intent: OrderIntent, listing: Listing, tag: Tag) -> dict[str, str]:
    """The form of `POST /orders/{variety}` (DOC/05, PY, confirmed). `autoslice` is never in it."""
    form = {
        "exchange": EXCHANGES.out(intent.instrument.exchange),
        "tradingsymbol": listing.code,
        "transaction_type": SIDES.out(intent.side),
        "order_type": TYPES.out(intent.type),
        "quantity": str(intent.quantity),
        "product": PRODUCTS.out(intent.product),
        "validity": VALIDITIES.out(intent.validity),
        "tag": checked(tag),
    }
    form |= _prices(intent.limit_price, intent.trigger_price)
    if intent.disclosed is not None:
        form["disclosed_quantity"] = str(intent.disclosed)
    return form | _protection(intent.type)


def change_form(changes: Changes, before: OrderType) -> dict[str, str]:
    """The form of `PUT /orders/{variety}/{order_id}`: what changes, and the type where a new price changes that.

    `quantity` is sent as the new total, which is how it is read and nobody has confirmed.
    """
    after = type_of(
        limit=changes.limit_price is not None or before in {OrderType.LIMIT, OrderType.SL},
        trigger=changes.trigger_price is not None or before in {OrderType.SL, OrderType.SL_M},
    )
    form = {} if changes.quantity is None else {"quantity": str(changes.quantity)}
    form |= _prices(changes.limit_price, changes.trigger_price)
    if after is not before:
        form["order_type"] = TYPES.out(after)
    return form | _protection(after)


def margin_row(intent: OrderIntent, listing: Listing) -> dict[str, str | int | Decimal]:
    """One row of the array that `POST /margins/orders` takes (DOC/14, confirmed)."""
    return {
        "exchange": EXCHANGES.out(intent.instrument.exchange),
        "tradingsymbol": listing.code,
        "transaction_type": SIDES.out(intent.side),
        "variety": variety_of(intent),
        "product": PRODUCTS.out(intent.product),
        "order_type": TYPES.out(intent.type),
        "quantity": intent.quantity,
        "price": intent.limit_price or Decimal(0),
        "trigger_price": intent.trigger_price or Decimal(0),
    }


def checked(tag: Tag) -> str:
    """The tag itself when the broker would take it. Raises Refused: an order that cannot be found again is not sent."""
    if not TAG.fullmatch(tag):
        raise Refused("zerodha takes tags of 1 to 20 letters and digits", code="TAG_INVALID")
    return tag


def _prices(limit: Decimal | None, trigger: Decimal | None) -> dict[str, str]:
    given = {"price": limit, "trigger_price": trigger}
    return {name: format(price, "f") for name, price in given.items() if price is not None}


def _protection(kind: OrderType) -> dict[str, str]:
    return {"market_protection": PROTECTION} if kind in PROTECTED else {}
