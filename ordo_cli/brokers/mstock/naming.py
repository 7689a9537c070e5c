"""What a row of m.Stock's means by an instrument, by the master of instruments that is on this machine.

A row whose instrument the master does not have is still given, under a name that says so: a book with a missing row
would be a lie, and a book that is not given at all would keep the account's other orders from being cancelled. On a
cash exchange that name is the broker's own spelling; everything else becomes `NSE:NFO.WORDS`, which no exchange
lists, so that no order of ours is ever taken for it and none can be placed in it.
"""

from __future__ import annotations

import re

from ordo_cli import log
from ordo_cli.brokers.masters import Listing, Master
from ordo_cli.brokers.mstock.codes import DERIVATIVES, EXCHANGES
from ordo_cli.domain.instruments import CASH, SYMBOL, Exchange, InstrumentId, contract_of

SERIES = ("EQ", "BZ", "BE")
"""Series whose suffix is no part of an instrument's name, the one to prefer first (OA, confirmed)."""
_SUFFIX = re.compile(r"-(?:" + "|".join(SERIES) + r")$")
_STRANGE = re.compile(r"[^A-Z0-9&_.-]+")
LONGEST = 40


class Names:
    """The master, and what has been said about rows that it does not explain: each thing once."""

    def __init__(self, master: Master) -> None:
        self._master = master
        self._said: set[tuple[str, ...]] = set()

    def instrument(
        self, exchange: str | None, words: str | None, token: str | None, *, contract: bool | None = None
    ) -> InstrumentId:
        """The instrument of a row. `contract` says whether it is a derivative, None when the row does not tell."""
        place = EXCHANGES.into((exchange or "").upper())
        for each in _places(place, contract):
            found = self._listed(each, words, token)
            if found is not None:
                return found.instrument.id
        self.say("mstock_instrument_not_in_master", exchange=exchange or "", symbol=words or "", number=token or "")
        # Words that the master has, beside a number that means something else, are no name of anything.
        spelled = place in CASH and not contract and self._master.coded(words or "", str(place)) is None
        return stranger(exchange or "", words or token or "UNNAMED", cash=spelled)

    def holding(self, token: str | None, exchange: str | None, words: str | None) -> InstrumentId:
        """The instrument of a holding, whose words are a company's name (docs, confirmed): its number must tell."""
        place = EXCHANGES.into((exchange or "").upper())
        places = (place,) if place in CASH else tuple(CASH)
        found = [self._master.numbered(token, str(each)) for each in places if token and each is not None]
        listings = {each.instrument.id for each in found if each is not None}
        if len(listings) == 1:
            return listings.pop()
        self.say("mstock_holding_not_in_master", symbol=words or "", number=token or "")
        return stranger("HELD", words or token or "UNNAMED", cash=False)

    def say(self, event: str, **fields: str) -> None:
        """Put it in the log, once on this line."""
        key = (event, *fields.values())
        if key not in self._said:
            self._said.add(key)
            log.get(__name__).warning(event, **fields)

    def _listed(self, place: Exchange, words: str | None, token: str | None) -> Listing | None:
        """By the symbol, which the number must not contradict; else by a number that the symbol does not contradict."""
        numbered = self._master.numbered(token, str(place)) if token else None
        if not words:
            return numbered
        for code in (words, f"{words}-EQ") if place in CASH else (words,):
            coded = self._master.coded(code, str(place))
            if coded is not None:
                return coded if not token or not coded.token or coded.token == token else None
        return numbered if numbered is not None and _speaks_of(words, numbered) else None


def plain(symbol: str) -> str:
    """A cash symbol without its series."""
    return _SUFFIX.sub("", symbol)


def stranger(exchange: str, words: str, *, cash: bool) -> InstrumentId:
    """A name for what no master has, which cannot be mistaken for one that it has."""
    house = Exchange.BSE if exchange.upper() in {"BSE", "BFO"} else Exchange.NSE
    if cash and SYMBOL.fullmatch(words):
        return InstrumentId(house, words)
    said = _STRANGE.sub("_", f"{exchange or 'UNKNOWN'}.{words}".upper())
    return InstrumentId(house, said[:LONGEST])


def _places(place: Exchange | None, contract: bool | None) -> tuple[Exchange, ...]:
    """Where to look: a row of a derivative may name the cash exchange (OA, confirmed)."""
    if place is None:
        return ()
    there = DERIVATIVES.get(place)
    if there is None:
        return (place,)
    if contract is None:
        return (place, there)
    return (there,) if contract else (place,)


def _speaks_of(words: str, listing: Listing) -> bool:
    """Whether the words beside a number may mean what the number does."""
    known = listing.instrument.id
    if known.exchange in CASH:
        return plain(words) == known.symbol
    base = contract_of(known).base
    return words == base or (words.startswith(base) and words[len(base) : len(base) + 1].isdigit())
