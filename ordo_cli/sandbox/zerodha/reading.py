"""Place forms of Kite as they are read: every field checked, every doubt refused with Kite's own error (DOC/05, PY)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

from ordo_cli.brokers.paper.amounts import rupees
from ordo_cli.brokers.paper.listing import Listing
from ordo_cli.domain.errors import Invalid
from ordo_cli.domain.money import text_of
from ordo_cli.domain.orders import OrderIntent, OrderType, Product, Side, Validity
from ordo_cli.domain.values import dataclass
from ordo_cli.sandbox.catalog import by_short_symbol
from ordo_cli.sandbox.floor import off_tick
from ordo_cli.sandbox.zerodha.answers import Refused, bad_input

VARIETIES = ("regular", "amo", "co", "iceberg", "auction")
EXCHANGES = ("NSE", "BSE", "NFO", "BFO", "CDS", "BCD", "MCX")
SIDES = {"BUY": Side.BUY, "SELL": Side.SELL}
TYPES = {"MARKET": OrderType.MARKET, "LIMIT": OrderType.LIMIT, "SL": OrderType.SL, "SL-M": OrderType.SL_M}
PRODUCTS = {"CNC": Product.CNC, "NRML": Product.NRML, "MIS": Product.MIS, "MTF": Product.MTF, "CO": Product.MIS}
VALIDITIES = {"DAY": Validity.DAY, "IOC": Validity.IOC, "TTL": Validity.DAY}
LONGEST_TAG = 20
TAG = re.compile(
    r"[A-Za-z0-9_@]+", re.ASCII
)  # letters and digits are documented; `_` and `@` only seen to pass (FORUM)
NUMBER = re.compile(r"\d{1,9}(\.\d{1,4})?", re.ASCII)
WHOLE = re.compile(r"\d{1,9}", re.ASCII)
LEGS = range(2, 51)  # DOC/05 says 2 to 50, comments in an SDK 2 to 10: unconfirmed
UNPROTECTED = (
    "Market orders without market protection are not allowed via API."
    " Please set market protection or use a Limit order."
)


@dataclass(frozen=True, slots=True)
class PlaceForm:
    """One place form that makes sense, before the market has its say."""

    variety: str
    item: Listing
    intent: OrderIntent
    tag: str | None
    product: str
    validity: str
    validity_ttl: int
    protection: Decimal
    leg_quantity: int | None  # of an iceberg
    stop: Decimal | None  # the trigger of a cover order's second leg
    autoslice: bool


def read_place(variety: str, form: Mapping[str, str], day: int) -> PlaceForm:
    """Raises Refused."""
    if variety not in VARIETIES:
        raise bad_input("Invalid `variety`.")
    exchange = _one_of(form, "exchange", EXCHANGES)
    item = by_short_symbol(day).get((exchange, _required(form, "tradingsymbol")))
    if item is None:
        raise bad_input("The instrument you are placing an order for has either expired or does not exist.")
    kind = TYPES[_one_of(form, "order_type", TYPES)]
    product, validity = _one_of(form, "product", PRODUCTS), form.get("validity") or "DAY"
    if validity not in VALIDITIES:
        raise bad_input("Invalid `validity`.")
    stop = None
    trigger = amount(form, "trigger_price")
    if variety == "co":
        if trigger is None or kind not in (OrderType.MARKET, OrderType.LIMIT):
            raise bad_input("A cover order needs a trigger price, and is a MARKET or LIMIT order.")
        stop, trigger = trigger, None
    price = amount(form, "price") if kind in (OrderType.LIMIT, OrderType.SL) else None
    _need(price is not None or kind not in (OrderType.LIMIT, OrderType.SL), "`price` is a required field.")
    stopping = kind in (OrderType.SL, OrderType.SL_M)
    _need(trigger is not None or not stopping, "`trigger_price` is a required field.")
    try:
        intent = OrderIntent(
            side=SIDES[_one_of(form, "transaction_type", SIDES)],
            instrument=item.id,
            quantity=whole(form, "quantity") or 0,
            limit_price=price,
            trigger_price=trigger if stopping else None,
            product=Product.MIS if variety == "co" else PRODUCTS[product],
            validity=VALIDITIES[validity],
            after_market=variety == "amo",
            disclosed=_leg_quantity(variety, form) or whole(form, "disclosed_quantity") or None,
        )
    except Invalid as problem:
        raise bad_input(f"Invalid order: {problem}.") from None
    return PlaceForm(
        variety=variety,
        item=item,
        intent=intent,
        tag=_tag(form.get("tag")),
        product=product,
        validity=validity,
        validity_ttl=_minutes(form, validity),
        protection=protection(form, kind),
        leg_quantity=_leg_quantity(variety, form),
        stop=stop,
        autoslice=form.get("autoslice") == "true",
    )


def protection(form: Mapping[str, str], kind: OrderType) -> Decimal:
    """-1 for automatic or a percentage up to 100; a market order without it is refused since 1 April 2026 (FORUM)."""
    text = form.get("market_protection") or "0"
    if text != "-1" and not NUMBER.fullmatch(text):
        raise bad_input("Invalid `market_protection`.")
    found = Decimal(text)
    if found > 100:
        raise bad_input("Invalid `market_protection`.")
    if kind in (OrderType.MARKET, OrderType.SL_M) and not found:
        raise bad_input(UNPROTECTED)
    return found


def check_steps(item: Listing, quantity: int, *prices: Decimal | None) -> None:
    """Ticks and lots are looked at before anything goes to the order system; texts unconfirmed."""
    if off_tick(item, *prices):
        tick = text_of(rupees(item.tick))
        raise bad_input(
            f"Tick size for this script is {tick}. Kindly enter price in the multiple of tick size for this script."
        )
    if quantity % item.lot:
        raise bad_input(f"Quantity should be in multiples of {item.lot}.")


def amount(form: Mapping[str, str], name: str) -> Decimal | None:
    """An amount in rupees; None when absent or nothing."""
    text = form.get(name) or "0"
    if not NUMBER.fullmatch(text):
        raise bad_input(f"Invalid `{name}`.")
    return Decimal(text) or None


def whole(form: Mapping[str, str], name: str) -> int | None:
    text = form.get(name) or "0"
    if not WHOLE.fullmatch(text):
        raise bad_input(f"Invalid `{name}`.")
    return int(text) or None


def _minutes(form: Mapping[str, str], validity: str) -> int:
    if validity != "TTL":
        return 0
    minutes = whole(form, "validity_ttl")
    _need(minutes is not None, "`validity_ttl` is a required field.")
    return minutes or 0


def _leg_quantity(variety: str, form: Mapping[str, str]) -> int | None:
    if variety != "iceberg":
        return None
    legs, each = whole(form, "iceberg_legs"), whole(form, "iceberg_quantity")
    _need(legs is not None and legs in LEGS, "Invalid `iceberg_legs`.")
    _need(each is not None, "`iceberg_quantity` is a required field.")
    return each


def _tag(text: str | None) -> str | None:
    """Longer is refused, not cut (DOC/05, FORUM; confirmed). The text is made up."""
    if not text:
        return None
    if len(text) > LONGEST_TAG or not TAG.fullmatch(text):
        raise bad_input(f"`tag` should be alphanumeric and at most {LONGEST_TAG} characters.")
    return text


def _required(form: Mapping[str, str], name: str) -> str:
    _need(bool(form.get(name)), f"`{name}` is a required field.")
    return form[name]


def _one_of(form: Mapping[str, str], name: str, known: Mapping[str, object] | tuple[str, ...]) -> str:
    text = _required(form, name)
    _need(text in known, f"Invalid `{name}`.")
    return text


def _need(held: bool, message: str) -> None:
    if not held:
        raise Refused("InputException", message)
