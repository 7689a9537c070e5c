"""Fyers' tickers and ordo's names of instruments: what a ticker says by itself, and what to call one that says nothing.

Orders never come through here; they take the ticker that the master lists. This is for rows of books, which must be
shown although the master on this machine is missing or has dropped their instrument.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from ordo_cli import log
from ordo_cli.brokers.fyers.codes import EXCHANGES
from ordo_cli.brokers.masters import Master
from ordo_cli.domain.errors import Invalid, NoAnswer
from ordo_cli.domain.instruments import CASH, MONTHS, Contract, Exchange, InstrumentId, Right, contract_of, symbol_of

NUMBERS: Mapping[str, str] = {"NSE": "10", "MCX": "11", "BSE": "12"}
"""The numbers of exchanges in an fyToken: confirmed (DOC)."""

_TOKEN = re.compile(r"(?P<exchange>\d{2})(?P<segment>\d{2})(?P<expiry>\d{6})\d{1,16}", re.ASCII)
_NSE_SHARE = re.compile(r"(?P<base>[A-Z0-9&_.-]+)-(?P<series>[A-Z0-9]{1,2})", re.ASCII)
_BSE_SHARE = re.compile(r"(?P<base>[A-Z0-9&_.-]+)-[A-Z0-9]{1,2}", re.ASCII)
_UNFIT = re.compile(r"[^A-Z0-9&_.-]", re.ASCII)
UNREAD = "UNREAD_"


def named(ticker: object, token: object, master: Master) -> InstrumentId:
    """What a row's instrument is called: as the master says, else as ticker and fyToken spell it, else `UNREAD_…`.

    Nothing can be ordered under the last kind of name, so that what cannot be read is shown and never traded. Raises
    NoAnswer for a row without a ticker.
    """
    if not isinstance(ticker, str) or not ticker:
        raise NoAnswer("fyers sent a row that names no instrument")
    listing = master.coded(ticker)
    if listing is not None:
        return listing.instrument.id
    spelled = spelled_out(ticker, str(token))
    log.get(__name__).warning("not_in_master", broker="fyers", ticker=ticker, read=spelled is not None)
    return spelled or unread(ticker)


def unread(words: str) -> InstrumentId:
    """A name for what has none here. It stands under NSE or BSE, the only exchanges whose symbols may read anyhow."""
    exchange = Exchange.BSE if words.startswith("BSE:") else Exchange.NSE
    return InstrumentId(exchange, (UNREAD + _UNFIT.sub("_", words.upper()))[:40])


def spelled_out(ticker: str, token: str) -> InstrumentId | None:
    """The instrument that a ticker spells together with its fyToken, which has segment and expiry (confirmed, DOC)."""
    prefix, _, spelled = ticker.partition(":")
    match = _TOKEN.fullmatch(token)
    if match is None or match["exchange"] != NUMBERS.get(prefix):
        return None
    exchange = EXCHANGES.get((prefix, match["segment"]))
    if exchange is None:
        return None
    return share(exchange, spelled) if exchange in CASH else _contract(exchange, spelled, expiry_of(token))


def share(exchange: Exchange, spelled: str) -> InstrumentId | None:
    """Shares go without their series at NSE if it is EQ, and without their group at BSE.

    None for a ticker with neither, such as an index. That series and groups have one or two characters: unconfirmed.
    """
    match = (_NSE_SHARE if exchange is Exchange.NSE else _BSE_SHARE).fullmatch(spelled)
    if match is None:
        return None
    other_series = exchange is Exchange.NSE and match["series"] != "EQ"
    return _valid(exchange, spelled if other_series else match["base"])


def contract(exchange: Exchange, terms: Contract) -> InstrumentId | None:
    """The name of a contract; None for terms whose name would read as other terms."""
    found = _valid(exchange, symbol_of(terms))
    return found if found is not None and contract_of(found) == terms else None


def expiry_of(token: str) -> date | None:
    """The expiry that an fyToken carries as YYMMDD; None for one without."""
    match = _TOKEN.fullmatch(token)
    if match is None:
        return None
    year, month, day = (int(match["expiry"][at : at + 2]) for at in (0, 2, 4))
    try:
        return date(2000 + year, month, day)
    except ValueError:
        return None


def _contract(exchange: Exchange, spelled: str, expiry: date | None) -> InstrumentId | None:
    """Monthlies spell their expiry `{YY}{MMM}`, weekly options `{YY}{M}{dd}` with O, N, D from October: confirmed."""
    if expiry is None:
        return None
    month, year = expiry.month, f"{expiry:%y}"
    spellings = (year + MONTHS[month - 1], f"{year}{'123456789OND'[month - 1]}{expiry:%d}")
    found = {terms for spelling in spellings if (terms := _terms(spelled, spelling, expiry)) is not None}
    return contract(exchange, found.pop()) if len(found) == 1 else None


def _terms(spelled: str, expiry_word: str, expiry: date) -> Contract | None:
    pattern = rf"(?P<base>[A-Z0-9&_-]+?){expiry_word}(?:FUT|(?P<strike>\d{{1,7}}(?:\.\d{{1,4}})?)(?P<right>CE|PE))"
    match = re.fullmatch(pattern, spelled, re.ASCII)
    if match is None:
        return None
    if match["right"] is None:
        return Contract(match["base"], expiry)
    return Contract(match["base"], expiry, Decimal(match["strike"]), Right(match["right"]))


def _valid(exchange: Exchange, symbol: str) -> InstrumentId | None:
    try:
        return InstrumentId(exchange, symbol)
    except Invalid:
        return None
