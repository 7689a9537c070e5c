"""Fyers' order objects as they are read: every field checked by name, type and value (DOC, confirmed)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

from ordo_cli.brokers.paper.listing import Listing
from ordo_cli.domain.errors import Invalid
from ordo_cli.domain.orders import OrderIntent, OrderType, Product, Side, Validity
from ordo_cli.sandbox.catalog import by_short_symbol
from ordo_cli.sandbox.fyers.answers import UNKNOWN_SYMBOL, Refused, bad_input
from ordo_cli.sandbox.gateway import Call

TYPES = {1: OrderType.LIMIT, 2: OrderType.MARKET, 3: OrderType.SL_M, 4: OrderType.SL}
SIDES = {1: Side.BUY, -1: Side.SELL}
PRODUCTS = {"CNC": Product.CNC, "INTRADAY": Product.MIS, "MARGIN": Product.NRML, "MTF": Product.MTF}
VALIDITIES = {"DAY": Validity.DAY, "IOC": Validity.IOC}
TAG = re.compile(r"[A-Za-z0-9]{1,30}", re.ASCII)
UNTAGGED = "Untagged"


def find(call: Call, symbol: object) -> Listing | None:
    """By its ticker, which names the parent exchange."""
    exchange, _, rest = str(symbol).partition(":")
    listed = by_short_symbol(call.desk.floor.today)
    if exchange != "NSE":
        return None
    return listed.get(("NSE", rest.removesuffix("-EQ"))) if rest.endswith("-EQ") else listed.get(("NFO", rest))


def known(call: Call, symbol: object) -> Listing:
    found = find(call, symbol)
    if found is None:
        raise Refused(UNKNOWN_SYMBOL, "Invalid symbol provided")
    return found


def read_order(call: Call, given: Mapping[str, object], item: Listing) -> OrderIntent:
    """Raises Refused. Cover and bracket products are taken for gone: that they are is unconfirmed."""
    refuse_exits(given)
    kind = _one_of(given, "type", TYPES)
    price, trigger = amount(given, "limitPrice"), amount(given, "stopPrice")
    limited, stopping = kind in (OrderType.LIMIT, OrderType.SL), kind in (OrderType.SL, OrderType.SL_M)
    if limited and price is None:
        raise bad_input("limitPrice should be above zero")
    if stopping and trigger is None:
        raise bad_input("stopPrice should be above zero")
    if not isinstance(given.get("offlineOrder"), bool):
        raise bad_input("offlineOrder should be true or false")
    try:
        return OrderIntent(
            side=_one_of(given, "side", SIDES),
            instrument=item.id,
            quantity=whole(given, "qty"),
            limit_price=price if limited else None,
            trigger_price=trigger if stopping else None,
            product=_one_of(given, "productType", PRODUCTS),
            validity=_one_of(given, "validity", VALIDITIES),
            after_market=bool(given["offlineOrder"]),
            disclosed=whole(given, "disclosedQty") or None,
        )
    except Invalid as problem:
        raise bad_input(f"Invalid order: {problem}") from None


def refuse_exits(given: Mapping[str, object]) -> None:
    """Ordinary orders may have exits attached (SDK 3.2.0, confirmed). None here has any, so they are not said yes to;
    0 and null take them away.
    """
    if any(amount(given, name) for name in ("takeProfit", "stopLoss")):
        raise bad_input("takeProfit and stopLoss are not part of the sandbox")


def read_tag(call: Call, given: Mapping[str, object]) -> str | None:
    """Letters and digits, 1 to 30; neither the client id nor the word for no tag (DOC, confirmed)."""
    tag = given.get("orderTag")
    if tag is None or tag == "":
        return None
    if not isinstance(tag, str) or not TAG.fullmatch(tag) or tag in (UNTAGGED, call.account.user):
        raise bad_input("orderTag should be alphanumeric, 1 to 30 characters")
    return tag


def _one_of[K, T](given: Mapping[str, object], name: str, known_: Mapping[K, T]) -> T:
    value = given.get(name)
    if isinstance(value, bool) or value not in known_:
        raise bad_input(f"{name} is invalid")
    return known_[value]  # type: ignore[index]  # `in` has shown that it is a key


def whole(given: Mapping[str, object], name: str) -> int:
    value = given.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 10**9:
        raise bad_input(f"{name} should be a whole number")
    return value


def amount(given: Mapping[str, object], name: str) -> Decimal | None:
    """Rupees; None for 0, which is sent where a field does not apply, and for nothing."""
    value = given.get(name) or 0
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not 0 <= value < 10**8:
        raise bad_input(f"{name} should be a number")
    return Decimal(value) or None
