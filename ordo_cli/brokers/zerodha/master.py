"""Zerodha's list of instruments: a CSV for each exchange, made new each day (DOC/09, MOCK instruments_all.csv).

An order names an instrument by exchange and `tradingsymbol`. What a contract is, its own columns say: the symbol is
read for one thing alone, what is left of it without the expiry, the strike and the right, which is the underlying.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal

from ordo_cli.brokers.masters import Listing
from ordo_cli.domain.errors import Invalid
from ordo_cli.domain.instruments import (
    CASH,
    MONTHS,
    Contract,
    Exchange,
    Instrument,
    InstrumentId,
    Kind,
    Right,
    contract_of,
    symbol_of,
)
from ordo_cli.domain.money import parse_price, parse_quantity

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
SHARE, FUTURE = "EQ", "FUT"
WEEKLY_MONTHS = "123456789OND"  # one sign for the month where a symbol spells the day too; as it is seen, unconfirmed


def parse(name: str, lines: Iterable[str]) -> Iterator[Listing]:
    """The listings in a file's lines. Raises ValueError for a file without the columns, or that is no CSV.

    Indices, which nobody can order, and rows that cannot be read are left out.
    """
    table = csv.DictReader(lines)
    try:
        missing = COLUMNS - set(table.fieldnames or ())
        if missing:
            raise ValueError(f"zerodha's list of instruments ({name}) lacks {', '.join(sorted(missing))}")
        for row in table:
            found = listing_of(row)
            if found is not None:
                yield found
    except csv.Error as error:
        raise ValueError(f"zerodha's list of instruments ({name}) is no CSV") from error


def listing_of(row: Mapping[str, str | None]) -> Listing | None:
    """One row; None for one that is no instrument of ordo's, or that cannot be read for certain."""
    values = {column: row.get(column) or "" for column in COLUMNS}
    if values["exchange"] not in Exchange.__members__ or not values["tradingsymbol"]:
        return None
    try:
        instrument = _instrument(Exchange(values["exchange"]), values)
    except (Invalid, ValueError):
        return None
    if instrument is None:
        return None
    return Listing(instrument, values["tradingsymbol"], values["instrument_token"], values["exchange"])


def _instrument(exchange: Exchange, row: Mapping[str, str]) -> Instrument | None:
    """What the row is; tick in rupees, lot as Kite counts it. There is no freeze quantity in the file (confirmed)."""
    if exchange in CASH:
        if row["instrument_type"] != SHARE or row["segment"] != exchange:
            return None
        found, kind = InstrumentId(exchange, row["tradingsymbol"]), Kind.EQUITY
    else:
        contract = _contract(row)
        if contract is None:
            return None
        found, kind = InstrumentId(exchange, symbol_of(contract)), (
            Kind.FUTURE if contract.right is None else Kind.OPTION
        )
        if contract_of(found) != contract:  # a name that would be read as another contract
            return None
    return Instrument(
        id=found,
        name=row["name"] or row["tradingsymbol"],
        kind=kind,
        tick=parse_price(row["tick_size"], "tick"),
        lot=parse_quantity(row["lot_size"]),
    )


def _contract(row: Mapping[str, str]) -> Contract | None:
    """The contract that the columns describe; None when the underlying cannot be told."""
    kind, expiry = row["instrument_type"], date.fromisoformat(row["expiry"])
    if kind == FUTURE:
        base = _underlying(row, expiry, FUTURE)
        return None if base is None else Contract(base, expiry)
    right, strike = Right(kind), parse_price(row["strike"], "strike")
    base = _underlying(row, expiry, _plain(strike) + right)
    return None if base is None else Contract(base, expiry, strike.normalize(), right)


def _underlying(row: Mapping[str, str], expiry: date, tail: str) -> str | None:
    """What the symbol leaves without its expiry and tail; else the column `name`, if the symbol begins with it.

    The second is needed where a symbol names another month than the contract ends in, as commodity options do.
    """
    symbol, year, month = row["tradingsymbol"], f"{expiry:%y}", expiry.month - 1
    for spelled in (year + MONTHS[month], f"{year}{WEEKLY_MONTHS[month]}{expiry:%d}"):
        base = symbol.removesuffix(spelled + tail)
        if base not in ("", symbol):
            return base
    name = row["name"]
    return name if name and symbol.startswith(name) and symbol.endswith(tail) else None


def _plain(strike: Decimal) -> str:
    """A strike as symbols spell it: without zeros that say nothing."""
    return format(strike.normalize(), "f")
