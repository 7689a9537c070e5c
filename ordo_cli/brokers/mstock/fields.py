"""Reading the fields of a row: texts, numbers that may come as text, and times in India.

Each raises NoAnswer for what cannot be read: a row is not given in part, and nothing in it is made up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from ordo_cli.brokers.mstock.envelope import ABSENT
from ordo_cli.domain.errors import NoAnswer
from ordo_cli.domain.market import IST

Row = Mapping[str, Any]

NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,10})?", re.ASCII)
NAME = re.compile(r"[A-Za-z0-9_-]{1,40}", re.ASCII)
LATE = timedelta(minutes=1)  # how far the broker's clock may stand before ours
FORMS = ("%Y-%m-%d %H:%M:%S", "%d-%m-%Y %H:%M:%S")  # order book (MOCK), trade book (docs): both confirmed


def text(row: Row, name: str) -> str | None:
    """The text, or a whole number as text; None when nothing is there."""
    value = row.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if value is None:
        return None
    if not isinstance(value, str):
        raise _unreadable(name)
    return None if value.strip().lower() in ABSENT else value.strip()


def id_of(row: Row, name: str) -> str:
    """A broker's number of something: it must be there."""
    found = text(row, name)
    if found is None or not NAME.fullmatch(found):
        raise _unreadable(name)
    return found


def number(row: Row, name: str) -> Decimal | None:
    """An exact number, however it is written; None when nothing is there."""
    value = row.get(name)
    if isinstance(value, Decimal | int) and not isinstance(value, bool):
        return Decimal(value)
    found = text(row, name)
    if found is None:
        return None
    if not NUMBER.fullmatch(found):
        raise _unreadable(name)
    return Decimal(found)


def amount(row: Row, name: str) -> Decimal:
    """A number that must be there."""
    found = number(row, name)
    if found is None:
        raise _unreadable(name)
    return found


def whole(row: Row, name: str) -> int | None:
    """A whole number; None when nothing is there."""
    found = number(row, name)
    if found is None:
        return None
    if found != found.to_integral_value():
        raise _unreadable(name)
    return int(found)


def units(row: Row, name: str) -> int:
    """A whole number that must be there."""
    found = whole(row, name)
    if found is None:
        raise _unreadable(name)
    return found


def above_zero(row: Row, name: str) -> Decimal | None:
    """A price: 0 stands for none."""
    found = number(row, name)
    return found if found is not None and found > 0 else None


def moment(row: Row, name: str, now: datetime) -> datetime | None:
    """A time of the day in India, in UTC; None for one that cannot be read.

    A recorded order reads 05:19:05, so the hours may be those of a 12-hour clock without a word for the half of the day
    (MOCK, unconfirmed). One to five o'clock is read as the afternoon once that is not in the future: an order of ours,
    sent while the exchange was open, is then never dated to the night before.
    """
    found = text(row, name)
    if found is None:
        return None
    for form in FORMS:
        try:
            read = datetime.strptime(found, form).replace(tzinfo=IST)
        except ValueError:
            continue
        return _half_of_day(read, now).astimezone(UTC)
    return None


def moment_of_24_hours(row: Row, name: str) -> datetime:
    """A time of the trade book, whose clock has 24 hours (docs, confirmed). It must be there."""
    found = text(row, name) or ""
    for form in FORMS:
        try:
            return datetime.strptime(found, form).replace(tzinfo=IST).astimezone(UTC)
        except ValueError:
            continue
    raise _unreadable(name)


def _half_of_day(read: datetime, now: datetime) -> datetime:
    afternoon = read + timedelta(hours=12)
    return afternoon if 1 <= read.hour <= 5 and afternoon <= now + LATE else read


def _unreadable(name: str) -> NoAnswer:
    return NoAnswer(f"m.Stock gave a row whose {name} cannot be read")
