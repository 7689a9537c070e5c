"""Reads the fields of Kite's rows strictly: what has not the form that is known makes the whole answer no answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from ordo_cli.domain.errors import NoAnswer
from ordo_cli.domain.market import IST

Row = Mapping[str, Any]

_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,10})?", re.ASCII)
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}", re.ASCII)


def unreadable(what: str) -> NoAnswer:
    """The error of an answer whose form is not known. It names the place and repeats nothing of the answer."""
    return NoAnswer(f"zerodha gave an answer that cannot be read: {what}")


def rows(data: object, what: str) -> list[Row]:
    """A list of objects."""
    if not isinstance(data, list) or not all(isinstance(row, dict) for row in data):
        raise unreadable(f"{what} is no list of rows")
    return data


def inner(row: object, name: str) -> Row:
    """The object of that name."""
    found = row.get(name) if isinstance(row, dict) else None
    if not isinstance(found, dict):
        raise unreadable(f"{name} is missing")
    return found


def text(row: Row, name: str) -> str:
    """A text that is there."""
    found = row.get(name)
    if not isinstance(found, str) or not found:
        raise unreadable(f"{name} is no text")
    return found


def words(row: Row, name: str) -> str | None:
    """A text that may be missing."""
    found = row.get(name)
    return found if isinstance(found, str) and found else None


def amount(row: Row, name: str) -> Decimal:
    """Rupees. Text of digits is the same number; anything else is none."""
    found = row.get(name)
    if isinstance(found, str) and _NUMBER.fullmatch(found):
        return Decimal(found)
    if isinstance(found, Decimal) or (isinstance(found, int) and not isinstance(found, bool)):
        return Decimal(found)
    raise unreadable(f"{name} is no number")


def price(row: Row, name: str) -> Decimal | None:
    """Rupees above zero; None where Kite says zero or nothing, which is how it says that there is no such price."""
    found = None if row.get(name) is None else amount(row, name)
    return found if found is not None and found > 0 else None


def whole(row: Row, name: str) -> int:
    """Units. Some of Kite's own libraries keep them as floats, so 12.0 is 12 (GO, confirmed) and 12.5 is none."""
    found = amount(row, name)
    if found != found.to_integral_value():
        raise unreadable(f"{name} is no whole number")
    return int(found)


def moment(row: Row, name: str) -> datetime | None:
    """Kite's `yyyy-mm-dd hh:mm:ss` in India as a time in UTC (DOC/02, confirmed); None for anything else."""
    found = row.get(name)
    if not isinstance(found, str) or not _MOMENT.fullmatch(found):
        return None
    try:
        return datetime.fromisoformat(found).replace(tzinfo=IST).astimezone(UTC)
    except ValueError:  # the form of a day that no calendar has
        return None
