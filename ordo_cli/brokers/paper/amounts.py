"""Whole numbers for the exchange's file: prices in ten-thousandths of a rupee, times in microseconds, days in India."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

SCALE = 10_000
SECOND = 1_000_000
DAY = 86_400 * SECOND
IST = 19_800 * SECOND  # India is five and a half hours ahead of UTC, all year
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_ORDINAL = date(1970, 1, 1).toordinal()


def to_units(price: Decimal) -> int:
    """The price as a whole number. A finer one becomes odd, which no tick is, so it cannot slip through as another."""
    scaled = price.scaleb(4)
    units = int(scaled)
    return units if units == scaled else units | 1


def rupees(units: int) -> Decimal:
    """Paise where that is exact, so that 1500 does not read 1500.0000."""
    whole, rest = divmod(units, 100)
    return Decimal(units).scaleb(-4) if rest else Decimal(whole).scaleb(-2)


def average(value: int, quantity: int) -> Decimal:
    """Value per unit, rounded to a hundredth of a paisa."""
    return rupees((2 * value + quantity) // (2 * quantity)) if quantity else Decimal(0)


def micros(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


def moment_of(at: int) -> datetime:
    return EPOCH + timedelta(microseconds=at)


def day_of(at: int) -> int:
    """The day in India, counted from 1970."""
    return (at + IST) // DAY


def midnight(day: int) -> int:
    """When that day begins in India."""
    return day * DAY - IST


def date_of(day: int) -> date:
    return date.fromordinal(EPOCH_ORDINAL + day)
