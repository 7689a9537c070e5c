"""Fyers' instrument master: a CSV for each segment, without a header, open to everybody.

Confirmed (DOC, OA): the files, the order of their 21 columns, and that there is no header. They tell neither freeze
quantities nor price bands; those stand in the JSON twins, which cannot be read line by line.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from ordo_cli.brokers.fyers.codes import EXCHANGES
from ordo_cli.brokers.fyers.names import NUMBERS, contract, expiry_of, share
from ordo_cli.brokers.masters import Listing, MasterFile
from ordo_cli.domain.accounts import Account
from ordo_cli.domain.instruments import CASH, Contract, Exchange, Instrument, InstrumentId, Kind, Right
from ordo_cli.domain.market import IST
from ordo_cli.domain.text import clean
from ordo_cli.domain.values import dataclass

PUBLIC = "https://public.fyers.in"
FOLDER = "/sym_details/"
FILES: Mapping[str, Exchange] = {
    "NSE_CM": Exchange.NSE,
    "BSE_CM": Exchange.BSE,
    "NSE_FO": Exchange.NFO,
    "BSE_FO": Exchange.BFO,
    "NSE_CD": Exchange.CDS,
    "MCX_COM": Exchange.MCX,
}
"""NSE_COM is left out: ordo has no name for commodities at NSE."""

COLUMNS = 21
_NUMBER = re.compile(r"\d{1,12}(?:\.\d{1,8})?", re.ASCII)
_ISIN = re.compile(r"[A-Z]{2}[A-Z0-9]{9}\d", re.ASCII)
_LAST_EPOCH = 4_102_444_800  # the year 2100, in seconds


@dataclass(frozen=True, slots=True)
class _Line:
    """The columns that are used, as they are written."""

    token: str
    details: str
    lot: str
    tick: str
    isin: str
    expiry: str
    ticker: str
    exchange: str
    segment: str
    underlying: str
    strike: str
    right: str


def files(account: Account) -> Sequence[MasterFile]:
    """A sandbox keeps them at its own address, under the same paths."""
    address = (account.base_url or PUBLIC).rstrip("/")
    return [MasterFile(name, f"{address}{FOLDER}{name}.csv") for name in FILES]


def parse(name: str, lines: Iterable[str]) -> Iterator[Listing]:
    """The listings of one file. Raises ValueError for another number of columns, and when no line of it can be read."""
    exchange, read, found = FILES[name], 0, 0
    try:
        for row in csv.reader(lines):
            if not row:
                continue
            if len(row) != COLUMNS:
                raise ValueError(f"a line of {name} has {len(row)} columns, not {COLUMNS}")
            read += 1
            listing = _listing(exchange, _line(row))
            if listing is not None:
                found += 1
                yield listing
    except csv.Error as error:
        raise ValueError(f"{name} is no CSV: {error}") from None
    if read and not found:
        raise ValueError(f"not one of {read} lines of {name} could be read")


def _line(row: Sequence[str]) -> _Line:
    token, details, _, lot, tick, isin, _, _, expiry, ticker, exchange, segment = row[:12]
    underlying, _, strike, right = row[13:17]
    return _Line(token, details, lot, tick, isin, expiry, ticker, exchange, segment, underlying, strike, right)


def _listing(exchange: Exchange, line: _Line) -> Listing | None:
    prefix, _, spelled = line.ticker.partition(":")
    tick, lot = _number(line.tick), _number(line.lot)
    told = EXCHANGES.get((prefix, line.segment)), NUMBERS.get(prefix, "?") + line.segment
    if told != (exchange, line.token[:4]) or NUMBERS[prefix] != line.exchange:
        return None  # ticker, columns and token contradict each other, or the line belongs to another file
    if not tick or not lot or lot % 1:
        return None
    found = _cash(exchange, spelled) if exchange in CASH else _derivative(exchange, spelled, line)
    if found is None:
        return None
    id, kind = found
    isin = line.isin if _ISIN.fullmatch(line.isin) else None
    instrument = Instrument(id, clean(line.details, 80) or id.symbol, kind, tick, int(lot), isin=isin)
    return Listing(instrument, line.ticker, line.token)


def _cash(exchange: Exchange, spelled: str) -> tuple[InstrumentId, Kind] | None:
    id = share(exchange, spelled)
    return None if id is None else (id, Kind.EQUITY)


def _derivative(exchange: Exchange, spelled: str, line: _Line) -> tuple[InstrumentId, Kind] | None:
    """The contract of a line whose expiry stands there twice, as seconds and in the token, and is the same."""
    expiry = _expiry(line.expiry)
    if expiry is None or expiry != expiry_of(line.token) or not line.underlying:
        return None
    if not spelled.startswith(line.underlying):
        return None
    if line.right == "XX":
        id, kind = contract(exchange, Contract(line.underlying, expiry)), Kind.FUTURE
    else:
        strike = _number(line.strike)
        if line.right not in ("CE", "PE") or not strike:
            return None
        id, kind = contract(exchange, Contract(line.underlying, expiry, strike, Right(line.right))), Kind.OPTION
    return None if id is None else (id, kind)


def _expiry(epoch: str) -> date | None:
    """The day in India of a moment in seconds."""
    seconds = _number(epoch)
    if not seconds or seconds > _LAST_EPOCH:
        return None
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=int(seconds))).astimezone(IST).date()


def _number(text: str) -> Decimal | None:
    return Decimal(text) if _NUMBER.fullmatch(text) else None
