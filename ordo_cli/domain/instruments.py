"""Instruments: `EXCHANGE:SYMBOL`, the grammar of symbols, and what an exchange demands of an order in one."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache

from ordo_cli.domain.errors import Invalid
from ordo_cli.domain.money import shown
from ordo_cli.domain.patterns import later
from ordo_cli.domain.values import dataclass


class Exchange(StrEnum):
    NSE = "NSE"
    BSE = "BSE"
    NFO = "NFO"
    BFO = "BFO"
    CDS = "CDS"
    BCD = "BCD"
    MCX = "MCX"


class Kind(StrEnum):
    EQUITY = "equity"
    FUTURE = "future"
    OPTION = "option"


class Right(StrEnum):
    CALL = "CE"
    PUT = "PE"


CASH = frozenset({Exchange.NSE, Exchange.BSE})
SYMBOL = re.compile(r"[A-Z0-9&_.-]{1,40}", re.ASCII)
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_EXPIRY = r"(?P<base>[A-Z0-9&_-]+?)(?P<day>\d{2})(?P<month>" + "|".join(MONTHS) + r")(?P<year>\d{2})"
_FUTURE = later(_EXPIRY + "FUT", re.ASCII)
_OPTION = later(_EXPIRY + r"(?P<strike>\d{1,7}(?:\.\d{1,4})?)(?P<right>CE|PE)", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class InstrumentId:
    """The one name of an instrument at every broker. Raises Invalid unless it follows the grammar."""

    exchange: Exchange
    symbol: str

    def __post_init__(self) -> None:
        if not SYMBOL.fullmatch(self.symbol):
            raise Invalid(f"symbol {shown(self.symbol)} has characters that no exchange uses")
        if self.exchange not in CASH:
            _parts_of(self)

    def __str__(self) -> str:
        return f"{self.exchange}:{self.symbol}"


@dataclass(frozen=True, slots=True)
class Contract:
    """What the symbol of a derivative says of itself; `strike` and `right` are None for a future."""

    base: str
    expiry: date
    strike: Decimal | None = None
    right: Right | None = None


@dataclass(frozen=True, slots=True)
class Instrument:
    """An instrument as its exchange trades it. Quantities in units, prices in rupees."""

    id: InstrumentId
    name: str
    kind: Kind
    tick: Decimal
    lot: int = 1
    freeze_quantity: int | None = None  # the most units that one order may carry
    lower_band: Decimal | None = None
    upper_band: Decimal | None = None
    isin: str | None = None


def parse_instrument(text: str) -> InstrumentId:
    """Read `NSE:INFY` or `NFO:NIFTY28MAR2420800CE`. Text outside ASCII is refused, not folded."""
    exchange, colon, symbol = text.partition(":")
    if not colon or exchange not in Exchange.__members__:
        raise Invalid(
            f"{shown(text)} is not an instrument",
            hint="write EXCHANGE:SYMBOL, e.g. NSE:INFY; exchanges are " + " ".join(Exchange),
        )
    return InstrumentId(Exchange(exchange), symbol)


def kind_of(instrument: InstrumentId) -> Kind:
    if instrument.exchange in CASH:
        return Kind.EQUITY
    return Kind.FUTURE if instrument.symbol.endswith("FUT") else Kind.OPTION  # as its grammar has it, and no other way


def contract_of(instrument: InstrumentId) -> Contract:
    """The expiry, strike and right that a derivative's symbol spells. Raises Invalid when it spells none."""
    match, expiry = _parts_of(instrument)
    if match.re.groups == 4:
        return Contract(match["base"], expiry)
    return Contract(match["base"], expiry, Decimal(match["strike"]), Right(match["right"]))


def _parts_of(instrument: InstrumentId) -> tuple[re.Match[str], date]:
    """The parts of a derivative's symbol, and its expiry. Raises Invalid as `contract_of` does."""
    symbol = instrument.symbol
    match = _FUTURE.fullmatch(symbol) if symbol.endswith("FUT") else _OPTION.fullmatch(symbol)
    if match is None:
        raise Invalid(
            f"{shown(instrument.symbol)} is not a contract of {instrument.exchange}",
            hint="futures read NIFTY28MAR24FUT, options NIFTY28MAR2420800CE",
        )
    expiry = _day_of(*match.group("day", "month", "year"))
    if expiry is None:
        raise Invalid(f"{shown(instrument.symbol)} names a day that is not in the calendar")
    return match, expiry


def symbol_of(contract: Contract) -> str:
    """The symbol that spells this contract: the inverse of `contract_of`."""
    expiry = _text_of(contract.expiry)
    if contract.strike is None or contract.right is None:
        return f"{contract.base}{expiry}FUT"
    strike = format(contract.strike, "f")
    return f"{contract.base}{expiry}{strike.rstrip('0').rstrip('.') if '.' in strike else strike}{contract.right}"


@lru_cache(maxsize=1024)  # a master has 100,000 contracts and a hundred expiries
def _text_of(expiry: date) -> str:
    return f"{expiry:%d}{MONTHS[expiry.month - 1]}{expiry:%y}"


@lru_cache(maxsize=1024)
def _day_of(day: str, month: str, year: str) -> date | None:
    """The day that is spelled so, or None when it is not in the calendar."""
    try:
        return date(2000 + int(year), MONTHS.index(month) + 1, int(day))
    except ValueError:
        return None
