"""Between ordo's names of instruments and Kite's: out by the list of instruments alone, in so that no row is lost."""

from __future__ import annotations

import re

from ordo_cli import log
from ordo_cli.brokers.masters import Listing, Master
from ordo_cli.brokers.zerodha.reading import Row, text
from ordo_cli.domain.errors import Invalid, Refused
from ordo_cli.domain.instruments import CASH, Exchange, InstrumentId

NOT_IN_SYMBOLS = re.compile(r"[^A-Z0-9&_.-]", re.ASCII)
LONGEST = 40


class Names:
    """One line's reading of the list of instruments."""

    def __init__(self, master: Master) -> None:
        self.master = master
        self._warned: set[InstrumentId] = set()

    def listing(self, instrument: InstrumentId) -> Listing:
        """How Kite lists it. Raises Refused: without that, nothing is sent, and a symbol is never made up."""
        self.require_list()
        found = self.master.listing(instrument)
        if found is None:
            hint = f"try: ordo instrument search {instrument.symbol}"
            raise Refused(f"zerodha does not list {instrument}", hint=hint, code="INSTRUMENT_UNKNOWN")
        return found

    def require_list(self) -> None:
        """Raises Refused when there is no list on this machine, which is not the same as an unknown instrument."""
        if self.master.day is None:
            message = "zerodha's list of instruments is not on this machine"
            raise Refused(message, hint="ordo instrument sync", code="MASTER_MISSING")

    def instrument(self, row: Row) -> InstrumentId:
        """What a row of a book, of trades or of positions is about.

        A row that the list does not have is kept all the same: a book without it would be a lie, and its order could
        not be cancelled. Shares are then called what Kite calls them, as in the list itself. Of a contract Kite's
        symbol does not tell the day of expiry, so it gets a name that is no instrument's (`NSE:NFO.NIFTY26OCTFUT`):
        it is shown, and cancelled by its order id, but never taken for an order of ours and never ordered by.
        """
        exchange, symbol = text(row, "exchange"), text(row, "tradingsymbol")
        listed = self.master.coded(symbol, exchange)
        if listed is not None:
            return listed.instrument.id
        found = _share(exchange, symbol) or _no_instrument(exchange, symbol)
        if found not in self._warned:
            self._warned.add(found)
            log.get(__name__).warning("instrument_not_listed", broker="zerodha", exchange=exchange, symbol=symbol)
        return found


def _share(exchange: str, symbol: str) -> InstrumentId | None:
    if exchange not in CASH:
        return None
    try:
        return InstrumentId(Exchange(exchange), symbol)
    except Invalid:
        return None


def _no_instrument(exchange: str, symbol: str) -> InstrumentId:
    """A name with a point between exchange and symbol, which no symbol of the NSE has."""
    return InstrumentId(Exchange.NSE, NOT_IN_SYMBOLS.sub("_", f"{exchange}.{symbol}".upper())[:LONGEST])
