"""Instruments as a broker would list them: as many as a benchmark needs, or the few that a test is about."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from ordo_cli.brokers.masters import Row
from ordo_cli.domain.instruments import MONTHS

TODAY = date(2026, 11, 23)
SHARES = (
    ("INFY", "Infosys", "INE009A01021"),
    ("RELIANCE", "Reliance Industries", "INE002A01018"),
    ("SBIN", "State Bank of India", "INE062A01020"),
    ("M&M", "Mahindra & Mahindra", "INE101A01026"),
    ("BAJAJ-AUTO", "Bajaj Auto", "INE917I01010"),
    ("20MICRONS", "20 Microns", "INE144J01027"),
    ("MARUTI", "Maruti Suzuki India", "INE585B01010"),
    ("BSE", "BSE Limited", "INE118H01025"),
    ("TATASTEEL", "Tata Steel", "INE081A01020"),
    ("TATAPOWER", "Tata Power Company", "INE245A01021"),
)
UNDERLYINGS = {"NIFTY": (24_000, 25_500), "BANKNIFTY": (51_500, 52_500), "RELIANCE": (1_400, 1_600)}


def few() -> Iterator[Row]:
    """Some shares at two exchanges, and contracts on three underlyings in two months."""
    number = 0
    for symbol, name, isin in SHARES:
        for exchange, code in (("NSE", f"{symbol}-EQ"), ("BSE", symbol)):
            number += 1
            yield Row(f"{exchange}:{symbol}", name, "0.05", 1, code, str(number), exchange, isin=isin)
    for base, (low, high) in UNDERLYINGS.items():
        for expiry in (date(2026, 11, 24), date(2026, 12, 29)):
            for row in contracts(base, expiry, range(low, high, 50), number):
                number += 1
                yield row


def contracts(base: str, expiry: date, strikes: range, number: int) -> Iterator[Row]:
    """A future, and two options at each strike."""
    day = f"{expiry.day:02d}{MONTHS[expiry.month - 1]}{expiry.year % 100:02d}"
    future = f"{base}{day}FUT"
    yield Row(f"NFO:{future}", f"{base} {day} future", "0.1", 75, future, str(number + 1), "NFO", 1800)
    number += 1
    for strike in strikes:
        for right in ("CE", "PE"):
            number += 1
            symbol = f"{base}{day}{strike}{right}"
            name = f"{base} {day} {strike} {right}"
            yield Row(f"NFO:{symbol}", name, "0.05", 75, symbol, str(number), "NFO", 1800)


def many(rows: int = 150_000) -> list[Row]:
    """As many as a broker lists: 9,000 shares at two exchanges, the rest contracts on 200 underlyings."""
    found: list[Row] = []
    for at in range(9_000):
        symbol = _letters(at)
        for exchange in ("NSE", "BSE"):
            number, name = str(len(found)), f"{symbol.title()} Industries Limited"
            found.append(Row(f"{exchange}:{symbol}", name, "0.05", 1, f"{symbol}-EQ", number, exchange, isin="INE0"))
    found += few()
    bases = ["NIFTY", "BANKNIFTY", *(_letters(at) for at in range(200))]
    expiry, week = date(2027, 1, 5), 0
    while len(found) < rows:
        for base in bases:
            found += contracts(base, expiry + timedelta(days=7 * week), range(24_000, 25_500, 50), len(found))
        week += 1
    return found[:rows]


def _letters(number: int) -> str:
    """A symbol of its own for each number, in no order that a sort would find ready."""
    mixed = number * 7_919 % 456_976
    return "Q" + "".join(chr(65 + mixed // 26**place % 26) for place in range(4)) + "LTD"
