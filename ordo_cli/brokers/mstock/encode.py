"""From ordo's orders to m.Stock's forms, and the price that stands in for a market order.

A request has no field for price protection (NODEA, confirmed), and how m.Stock protects a market order by itself is
unconfirmed. So none is ever sent: a market order leaves as a limit order that the market takes at once, no further
from the last price than the protection allows. A stop without a limit cannot be protected and is not offered.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, InvalidOperation

from ordo_cli.brokers.masters import Listing
from ordo_cli.brokers.mstock.codes import EXCHANGES, PRODUCTS, SIDES, TYPES, VALIDITIES
from ordo_cli.domain.errors import Invalid, Refused
from ordo_cli.domain.instruments import Kind
from ordo_cli.domain.money import shown
from ordo_cli.domain.orders import Changes, OrderIntent, OrderReport, OrderType, Side, Tag
from ordo_cli.domain.values import replace

OPTION = "market_protection"
USUAL = {Kind.EQUITY: Decimal(1), Kind.FUTURE: Decimal(1), Kind.OPTION: Decimal(5)}  # percent of the last price
MOST = Decimal(5)  # limits value a market order at the last price and this much


def protection_of(options: Mapping[str, str], kind: Kind) -> Decimal:
    """Percent that a market order may reach beyond the last price. Raises Invalid for a setting that is none."""
    told = options.get(OPTION)
    if told is None:
        return USUAL[kind]
    try:
        percent = Decimal(told)
    except InvalidOperation:
        percent = Decimal(0)
    if not percent.is_finite() or not 0 < percent <= MOST:
        hint = f"write a percentage above 0 and up to {MOST} in config.toml: [brokers.mstock] {OPTION}"
        raise Invalid(f"{shown(told)} is no protection of market orders", hint=hint)
    return percent


def protected(intent: OrderIntent, last: Decimal, tick: Decimal, percent: Decimal) -> OrderIntent:
    """The market order as a limit order: whole ticks beyond the last price, at least one and never below a tick."""
    reach = max(Decimal(1), (last * percent / 100 / tick).to_integral_value(ROUND_FLOOR))
    rounding = ROUND_FLOOR if intent.side is Side.BUY else ROUND_CEILING
    price = ((last / tick).to_integral_value(rounding) + reach * intent.side.sign) * tick
    return replace(intent, limit_price=max(price, tick))


def require_sendable(intent: OrderIntent) -> None:
    """Raises Refused for what m.Stock's capabilities do not list, whoever asks."""
    if intent.after_market or intent.disclosed is not None or intent.type is OrderType.SL_M:
        what = "after-market orders" if intent.after_market else "stops without a limit"
        raise Refused(
            f"m.Stock is sent no {what if intent.disclosed is None else 'disclosed quantity'}", code="UNSUPPORTED"
        )


def encode_order(intent: OrderIntent, listing: Listing, tag: Tag) -> dict[str, str]:
    """The form of a new order (SDKA, NODEA: confirmed). Quantities are units, prices rupees, 0 where there is none."""
    return {
        **_what(intent, listing),
        "validity": VALIDITIES.out(intent.validity),
        "disclosed_quantity": "0",
        "tag": tag,
    }


def encode_margin(intent: OrderIntent, listing: Listing, variety: str) -> dict[str, object]:
    """The question for a margin, which is JSON (MA, SDKA: confirmed)."""
    form = _what(intent, listing)
    return {
        **form,
        "variety": variety,
        "quantity": intent.quantity,
        "price": intent.limit_price or 0,
        "trigger_price": intent.trigger_price or 0,
    }


def encode_changes(row: OrderReport, changes: Changes, disclosed: int) -> dict[str, str]:
    """The form of a change, which repeats all that stays (SDKA, confirmed). Raises Refused for one that fits not."""
    if row.filled_quantity:
        hint = "cancel what is left of it and send a new order"
        raise Refused(
            "m.Stock does not say whether the quantity of a change counts what has filled", hint=hint, code="CHANGE"
        )
    for word, new, old in (
        ("limit", changes.limit_price, row.limit_price),
        ("trigger", changes.trigger_price, row.trigger_price),
    ):
        if new is not None and old is None:
            raise Refused(f"a {row.type} order has no {word} to change", code="CHANGE")
    return {
        "order_type": TYPES.out(row.type),
        "quantity": str(changes.quantity or row.quantity),
        "price": _price(changes.limit_price or row.limit_price),
        "validity": VALIDITIES.out(row.validity),
        "trigger_price": _price(changes.trigger_price or row.trigger_price),
        "disclosed_quantity": str(disclosed),
    }


def _what(intent: OrderIntent, listing: Listing) -> dict[str, str]:
    return {
        "tradingsymbol": listing.code,
        "exchange": EXCHANGES.out(intent.instrument.exchange),
        "transaction_type": SIDES.out(intent.side),
        "order_type": TYPES.out(intent.type),
        "quantity": str(intent.quantity),
        "product": PRODUCTS.out(intent.product),
        "price": _price(intent.limit_price),
        "trigger_price": _price(intent.trigger_price),
    }


def _price(price: Decimal | None) -> str:
    return "0" if price is None else format(price, "f")
