"""Money: exact decimals only, read from strict text and never from a float."""

from __future__ import annotations

import re
from decimal import Decimal

from ordo_cli.domain.errors import Invalid

PRICE = re.compile(r"[0-9]{1,8}(\.[0-9]{1,4})?", re.ASCII)
QUANTITY = re.compile(r"[0-9]{1,9}", re.ASCII)


def money(value: Decimal | int | str) -> Decimal:
    """An exact amount in rupees. Refuses floats, NaN and infinities with TypeError or ValueError."""
    if isinstance(value, bool) or not isinstance(value, Decimal | int | str):
        raise TypeError(f"money is made of text, int or Decimal, not {type(value).__name__}")
    amount = Decimal(value)
    if not amount.is_finite():
        raise ValueError("money is finite")
    return amount


def parse_price(text: str, what: str = "price") -> Decimal:
    """A price as typed by a person or a file: up to 8 digits and 4 decimals, above zero."""
    if not PRICE.fullmatch(text) or Decimal(text) <= 0:
        raise Invalid(f"{what} {shown(text)} is not a price", hint="write it like 1500 or 1500.05")
    return Decimal(text)


def parse_quantity(text: str) -> int:
    """A number of units as typed by a person or a file: 1 to 999,999,999."""
    if not QUANTITY.fullmatch(text) or int(text) < 1:
        raise Invalid(
            f"quantity {shown(text)} is not a whole number above zero", hint="write it like 10; units, not lots"
        )
    return int(text)


def shown(text: str) -> str:
    """Somebody's text, shortened and quoted for use inside a message of ours."""
    return repr(text if len(text) <= 40 else text[:40] + "…")


def text_of(amount: Decimal) -> str:
    """The amount as users and JSON see it: plain digits, at least two decimals, no exponent."""
    plain = format(amount, "f")
    whole, _, fraction = plain.partition(".")
    return f"{whole}.{fraction.rstrip('0').ljust(2, '0')}"
