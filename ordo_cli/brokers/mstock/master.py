"""m.Stock's list of instruments: the lines of its script master, read into listings.

The file is CSV and wants the account's session (docs, SDKA, MOCK: confirmed). What nobody has confirmed is asked of the
file itself: prices are taken for rupees only once a share with a tick below one rupee proves that they are, and a
contract is taken only when its symbol begins with the name of its underlying and has the strike in it.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

from ordo_cli.brokers.masters import Listing
from ordo_cli.brokers.mstock.codes import DERIVATIVES, EXCHANGES, FUTURES, OPTIONS
from ordo_cli.brokers.mstock.naming import SERIES, plain
from ordo_cli.domain.errors import Invalid
from ordo_cli.domain.instruments import (
    CASH,
    Contract,
    Exchange,
    Instrument,
    InstrumentId,
    Kind,
    Right,
    symbol_of,
)
from ordo_cli.domain.market import IST

COLUMNS = frozenset(
    {
        "instrument_token",
        "tradingsymbol",
        "name",
        "expiry",
        "strike",
        "tick_size",
        "lot_size",
        "instrument_type",
        "segment",
        "exchange",
    }
)
DATES = ("%Y-%m-%d", "%d-%m-%Y", "%d-%b-%Y", "%d%b%Y")  # how expiries are written is unconfirmed; none is ambiguous
INDEX = ("INDEX", "INDICES", "IDX")
Fields = Mapping[str, str]


def parse(name: str, lines: Iterable[str]) -> Iterator[Listing]:
    """The listings of the file. Raises ValueError for one without its columns, or whose prices may be in paise.

    Contracts come as they are read; shares at the end, when it is known which of several series is the one to trade.
    """
    waiting: list[Listing] = []
    shares: dict[InstrumentId, list[Listing]] = {}
    in_rupees = False
    for found in filter(None, map(_listing, _rows(name, lines))):
        share = found.instrument.kind is Kind.EQUITY
        in_rupees = in_rupees or (share and found.instrument.tick < 1)
        if share:
            shares.setdefault(found.instrument.id, []).append(found)
        elif in_rupees:
            yield found
        else:
            waiting.append(found)
    if not in_rupees:
        raise ValueError(f"{name} has no share with a tick below a rupee, so its prices may be in paise")
    yield from waiting
    yield from filter(None, map(_preferred, shares.values()))


def _rows(name: str, lines: Iterable[str]) -> Iterator[Fields]:
    reader = csv.reader(lines)
    columns = [column.strip().lstrip("\ufeff").lower() for column in next(reader, [])]
    if not set(columns) >= COLUMNS:
        raise ValueError(f"{name} lacks the columns {', '.join(sorted(COLUMNS - set(columns)))}")
    for values in reader:
        if len(values) == len(columns):
            yield dict(zip(columns, (value.strip() for value in values), strict=True))


def _listing(row: Fields) -> Listing | None:
    """One line; None for one that cannot be read, or is of something that ordo does not trade here."""
    exchange = EXCHANGES.into(row["exchange"].upper())
    kind = row["instrument_type"].upper()
    if exchange in DERIVATIVES and kind in FUTURES | OPTIONS:
        exchange = DERIVATIVES[exchange]
    if exchange not in EXCHANGES.words or not row["tradingsymbol"] or not row["instrument_token"]:
        return None
    try:
        instrument = _share(exchange, row) if exchange in CASH else _contract(exchange, kind, row)
    except (Invalid, ValueError, InvalidOperation):
        return None
    if instrument is None or instrument.tick <= 0 or instrument.lot < 1:
        return None
    return Listing(instrument, row["tradingsymbol"], row["instrument_token"], str(exchange))


def _share(exchange: Exchange, row: Fields) -> Instrument | None:
    if row["expiry"] or any(word in row["instrument_type"].upper() for word in INDEX):
        return None
    symbol = plain(row["tradingsymbol"]) if exchange is Exchange.NSE else row["tradingsymbol"]
    name = row["name"] or symbol
    return Instrument(InstrumentId(exchange, symbol), name, Kind.EQUITY, _decimal(row["tick_size"]), _lot(row))


def _contract(exchange: Exchange, kind: str, row: Fields) -> Instrument | None:
    symbol, base = row["tradingsymbol"].upper(), row["name"].upper()
    rest = symbol.removeprefix(base)
    if not base or rest == symbol or not rest[:1].isdigit():  # NIFTYNXT50 begins with NIFTY, and is another one
        return None
    expiry = _day(row["expiry"])
    if kind in FUTURES:
        what = Contract(base, expiry)
    elif kind in OPTIONS:
        right = Right(kind if kind in {"CE", "PE"} else symbol[-2:])
        strike = _decimal(row["strike"]).normalize()
        if strike <= 0 or format(strike, "f") not in rest or not symbol.endswith(right):
            return None
        what = Contract(base, expiry, strike, right)
    else:
        return None
    id = InstrumentId(exchange, symbol_of(what))
    return Instrument(
        id, row["tradingsymbol"], Kind.OPTION if what.right else Kind.FUTURE, _decimal(row["tick_size"]), _lot(row)
    )


def _preferred(same: list[Listing]) -> Listing | None:
    """The one of several series that is traded: EQ before BZ before BE (OA, confirmed); None where nobody can tell."""
    best = min(_rank(each) for each in same)
    first = [each for each in same if _rank(each) == best]
    return first[0] if len(first) == 1 else None


def _rank(listing: Listing) -> int:
    series = listing.code.rpartition("-")[2] if plain(listing.code) != listing.code else ""
    return 1 + SERIES.index(series) if series else 0


def _lot(row: Fields) -> int:
    lot = _decimal(row["lot_size"])
    if lot != lot.to_integral_value():
        raise ValueError("a lot is a whole number")
    return int(lot)


def _decimal(text: str) -> Decimal:
    value = Decimal(text)
    if not value.is_finite():
        raise ValueError("a number is finite")
    return value


def _day(text: str) -> date:
    day = text.replace("T", " ").partition(" ")[0]
    for form in DATES:
        try:
            return datetime.strptime(day, form).replace(tzinfo=IST).date()
        except ValueError:
            continue
    raise ValueError("that is no day")
