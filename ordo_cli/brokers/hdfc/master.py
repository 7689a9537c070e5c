"""HDFC's list of instruments, `security-master`: one CSV of all exchanges, read line by line.

Quirks, all observations of one client (unconfirmed, OA) but for the columns, which are confirmed (DOC, OA). Share
names are blank on many rows of BSE and not unique, since bonds share them: a share is a row whose security id ends in
EQNR, or EQTT where there is no such row. Indices are equity rows, known by their number. Whole ticks are paise, ticks
with a point rupees. A derivative names its underlying by that one's security id, so that its symbol is known only once
both rows are.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from sys import intern

from ordo_cli.brokers.hdfc.codes import DERIVATIVES, EQUITY, FUTURES, INDEX, OPTIONS
from ordo_cli.brokers.masters import Listing
from ordo_cli.domain.errors import Invalid
from ordo_cli.domain.instruments import Contract, Exchange, Instrument, InstrumentId, Kind, Right, symbol_of
from ordo_cli.domain.values import dataclass, replace

COLUMNS = (
    "exchange",
    "security_id",
    "instrument_segment",
    "expiry_date",
    "strike_price",
    "option_type",
    "lot_size",
    "tick_size",
    "close_price",
    "exch_security_id",
    "symbol_name",
    "underline_symbol",
    "open_price",
)
TICKS = tuple(map(Decimal, ("0.01", "0.05", "0.10", "0.50", "1", "5")))  # of the exchanges; others are not believed
SHARES = ("EQNR", "EQTT")  # in the order in which they are preferred
INDICES: Mapping[str, range] = {"NSE": range(26_000, 27_000), "BSE": range(1_000)}

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_PAISE = re.compile(r"\d{1,6}", re.ASCII)
_STRIKE = re.compile(r"\d{1,7}(\.\d{1,8})?", re.ASCII)
_RUPEES = re.compile(r"\d{1,6}\.\d{1,8}", re.ASCII)
_BASE = re.compile(r"[A-Z0-9&_-]{1,30}", re.ASCII)
_TOKEN = re.compile(r"\d{1,12}", re.ASCII)
_CODE = re.compile(r"[A-Za-z0-9&_.-]{1,40}", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Line:
    """What is kept of a row until the whole file is known: two rows for one name would make either a guess."""

    exchange: str
    security_id: str
    segment: str
    expiry: str
    strike: str
    right: str
    lot: int
    tick: Decimal
    token: str
    name: str
    underlying: str


def listings(lines: Iterable[str]) -> Iterator[Listing]:
    """The shares, indices and derivatives of NSE and BSE that can be told without a guess.

    Indices are known, so that rows which name one can be read, and no order in one is written. Left out: what cannot be
    read, bonds, currencies and commodities, contracts whose underlying has no row,
    and all rows of a name that several claim. Raises ValueError for a file without the documented columns.
    """
    names: dict[tuple[str, str], str] = {}
    shares: dict[InstrumentId, list[_Line]] = {}
    indices: dict[InstrumentId, list[_Line]] = {}
    contracts: list[_Line] = []
    for line in _lines(lines):
        if line.segment != EQUITY:
            contracts.append(line)
            continue
        if _BASE.fullmatch(line.name):
            names[line.exchange, line.security_id] = line.name
        if _TOKEN.fullmatch(line.token) and _is_symbol(line.name):  # DUMMY is no number
            id = InstrumentId(Exchange(line.exchange), line.name)
            if int(line.token) in INDICES[line.exchange]:
                indices.setdefault(id, []).append(replace(line, segment=INDEX))
            elif line.security_id.endswith(SHARES):
                shares.setdefault(id, []).append(line)
    for id, rows in shares.items():
        chosen = _the_share(rows)
        if chosen is not None:
            yield _listing(id, Kind.EQUITY, chosen, {})
    for id, rows in indices.items():
        if len(rows) == 1 and id not in shares:
            yield _listing(id, Kind.EQUITY, rows[0], {})
    yield from _derivatives(contracts, names)


def _derivatives(contracts: Iterable[_Line], names: Mapping[tuple[str, str], str]) -> Iterator[Listing]:
    found: dict[InstrumentId, _Line | None] = {}
    for line in contracts:
        base = names.get((line.exchange, line.underlying))
        contract = None if base is None else _contract(base, line)
        if contract is None:
            continue
        try:
            id = InstrumentId(DERIVATIVES[line.exchange], symbol_of(contract))
        except Invalid:
            continue
        found[id] = None if id in found else line
    for id, single in found.items():
        if single is not None:
            kind = Kind.FUTURE if single.segment in FUTURES else Kind.OPTION
            yield _listing(id, kind, single, _repeated(single))


def _lines(lines: Iterable[str]) -> Iterator[_Line]:
    reader = csv.reader(lines, strict=True)
    try:
        header = [name.strip().lstrip("\ufeff") for name in next(reader, [])]
        if not set(COLUMNS) <= set(header):
            raise ValueError("the list has not the columns that it is documented to have")
        places = [header.index(name) for name in COLUMNS]
        for cells in reader:
            if len(cells) == len(header):
                line = _line(dict(zip(COLUMNS, (cells[place].strip() for place in places), strict=True)))
                if line is not None:
                    yield line
    except csv.Error as error:
        raise ValueError(f"the list is no CSV: {error}") from error


def _line(row: Mapping[str, str]) -> _Line | None:
    exchange, segment = row["exchange"], row["instrument_segment"]
    lot, tick = row["lot_size"], _tick(row["tick_size"])
    if exchange not in DERIVATIVES or segment not in FUTURES | OPTIONS | {EQUITY}:
        return None
    if tick is None or not _PAISE.fullmatch(lot) or int(lot) < 1 or not _CODE.fullmatch(row["security_id"]):
        return None
    return _Line(
        exchange=intern(exchange),
        security_id=row["security_id"],
        segment=intern(segment),
        expiry=intern(row["expiry_date"]),
        strike=row["strike_price"],
        right=intern(row["option_type"]),
        lot=int(lot),
        tick=tick,
        token=row["exch_security_id"],
        name=intern(row["symbol_name"]),
        underlying=intern(row["underline_symbol"]),
    )


def _tick(text: str) -> Decimal | None:
    """Rupees; None for what is no tick of an exchange."""
    if _PAISE.fullmatch(text):
        tick = Decimal(text) / 100
    elif _RUPEES.fullmatch(text):
        tick = Decimal(text)
    else:
        return None
    return next((known for known in TICKS if known == tick), None)


def _is_symbol(name: str) -> bool:
    try:
        InstrumentId(Exchange.NSE, name)
    except Invalid:
        return False
    return True


def _the_share(rows: list[_Line]) -> _Line | None:
    for ending in SHARES:
        named = [row for row in rows if row.security_id.endswith(ending)]
        if named:
            return named[0] if len(named) == 1 else None
    return None


def _contract(base: str, line: _Line) -> Contract | None:
    """What a row is a contract of; None for one that does not say it all. Strikes of futures are fillers."""
    if not _DAY.fullmatch(line.expiry):
        return None
    try:
        expiry = date.fromisoformat(line.expiry)
        if line.segment in FUTURES:
            return Contract(base, expiry)
        right = Right(line.right)
    except ValueError:
        return None
    if not _STRIKE.fullmatch(line.strike) or Decimal(line.strike) <= 0:
        return None
    return Contract(base, expiry, Decimal(line.strike), right)


def _repeated(line: _Line) -> dict[str, str]:
    """What an order in a derivative must repeat, in the forms that orders want it in."""
    more = {"underlying_symbol": line.underlying, "expiry_date": line.expiry.replace("-", "")}
    if line.segment in OPTIONS:
        more |= {"strike_price": line.strike, "option_type": line.right}
    return more


def _listing(id: InstrumentId, kind: Kind, line: _Line, more: Mapping[str, str]) -> Listing:
    return Listing(
        instrument=Instrument(id, line.name or id.symbol, kind, line.tick, line.lot),
        code=line.security_id,
        token=line.token,
        segment=f"{line.exchange}:{line.segment}",  # numbers repeat across both, and orders want each
        more=more,
    )
