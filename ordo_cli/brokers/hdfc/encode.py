"""What an order and a change of one look like to HDFC."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ordo_cli.brokers.hdfc.codes import EQUITY, FUTURES, OPTIONS, PARENTS, PRODUCTS, SIDES, TYPES, VALIDITIES
from ordo_cli.brokers.masters import Listing
from ordo_cli.domain.errors import Refused
from ordo_cli.domain.orders import Changes, OrderIntent, OrderReport, OrderType

NOTHING = 0  # what a price that an order does not have is sent as: confirmed (DOC, OA)


def encode_order(intent: OrderIntent, listing: Listing, reference: str) -> dict[str, Any]:
    """The body of a new order. Raises Refused for what HDFC has no word for, and for an instrument not fully listed.

    Quantities are units for derivatives too (confirmed, DOC). The underlying is the master's own name of it, not the
    plain one that other clients send (unconfirmed, OA).
    """
    segment = segment_of(listing)
    parent = PARENTS.get(listing.instrument.id.exchange)
    if parent is None:
        raise Refused(f"HDFC takes no orders for {listing.instrument.id}", code="UNSUPPORTED")
    body: dict[str, Any] = {
        "exchange": parent,
        "security_id": listing.code,
        "instrument_segment": segment,
        "transaction_type": SIDES.out(intent.side),
        "product": PRODUCTS.out(intent.product),
        "order_type": TYPES.out(intent.type),
        "quantity": intent.quantity,
        "price": intent.limit_price or NOTHING,
        "trigger_price": intent.trigger_price or NOTHING,
        "disclosed_quantity": intent.disclosed or 0,
        "validity": VALIDITIES.out(intent.validity),
        "amo": intent.after_market,
        "external_reference_number": reference,
    }
    if segment == EQUITY:
        return body
    body["underlying_symbol"] = _repeated(listing, "underlying_symbol")
    body["expiry_date"] = _repeated(listing, "expiry_date")
    if segment in OPTIONS:
        body["strike_price"] = Decimal(_repeated(listing, "strike_price"))
        body["option_type"] = _repeated(listing, "option_type")
    return body


def encode_changes(before: OrderReport, row: dict[str, Any], changes: Changes) -> dict[str, Any]:
    """The body of a change: the whole order as it shall be, since nobody says that what is left out stays.

    The quantity is sent as the total (unconfirmed). Raises Refused for an order whose terms cannot be repeated.
    """
    validity = str(row.get("validity", "")).strip().upper()
    if validity not in {"DAY", "IOC"}:
        raise Refused(f"an order with validity {validity or 'unknown'} cannot be changed here", code="UNSUPPORTED")
    limit = before.limit_price if changes.limit_price is None else changes.limit_price
    trigger = before.trigger_price if changes.trigger_price is None else changes.trigger_price
    return {
        "quantity": before.quantity if changes.quantity is None else changes.quantity,
        "order_type": TYPES.out(_type(limit, trigger)),
        "validity": validity,
        "disclosed_quantity": _disclosed(row),
        "product": PRODUCTS.out(before.product),
        "price": limit or NOTHING,
        "trigger_price": trigger or NOTHING,
        "amo": str(row.get("order_slot", "")).strip().upper() == "AMO",
    }


def segment_of(listing: Listing) -> str:
    """`instrument_segment` of a listing. Raises Refused for one that no order is documented for."""
    segment = listing.segment.partition(":")[2]
    if segment != EQUITY and segment not in FUTURES | OPTIONS:
        raise Refused(f"HDFC takes no orders for {listing.instrument.id}", code="UNSUPPORTED")
    return segment


def _repeated(listing: Listing, name: str) -> str:
    value = listing.more.get(name)
    if not value:
        raise Refused(f"HDFC's list of instruments has no {name} of {listing.instrument.id}", code="MASTER_INCOMPLETE")
    return value


def _type(limit: Decimal | None, trigger: Decimal | None) -> OrderType:
    if trigger is not None:
        return OrderType.SL_M if limit is None else OrderType.SL
    return OrderType.MARKET if limit is None else OrderType.LIMIT


def _disclosed(row: dict[str, Any]) -> int:
    found = row.get("disclosed_quantity")
    return found if isinstance(found, int) and not isinstance(found, bool) else 0
