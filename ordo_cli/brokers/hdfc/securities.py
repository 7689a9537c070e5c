"""Which instrument a row means: by its security id in the master, else by the contract that it spells, else by none.

A row whose instrument cannot be told must not vanish: a book with a row missing is a lie, and a kill that does not see
an order cannot cancel it. It stays, under a name that no exchange uses (`NSE:UNLISTED.…`), so that it is shown and can
be cancelled by its id, and never takes part in a match, a close or a limit of another instrument.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from ordo_cli.brokers.hdfc.codes import DERIVATIVES, EQUITY, FUTURES, INDEX, OPTIONS, RIGHTS, day_of
from ordo_cli.brokers.masters import Listing, Master
from ordo_cli.domain.errors import Invalid
from ordo_cli.domain.instruments import Contract, Exchange, InstrumentId, contract_of, symbol_of

Row = Mapping[str, Any]

UNLISTED = "UNLISTED"  # its security is not in the master, or not as the row describes it
UNREAD = "UNREAD"  # it has a word that ordo has none for, such as a product
_OUTSIDE = re.compile(r"[^A-Z0-9&_.-]+", re.ASCII)
_BASE = re.compile(r"[A-Z0-9&_-]{1,30}", re.ASCII)


def instrument_of(row: Row, master: Master) -> InstrumentId | None:
    """The instrument of an order, position or holding; None when the master cannot tell it.

    A security id means the contract in the order book and the underlying in the trade book (confirmed, DOC and OA);
    which of the two in positions is not told. So an id that the list has counts only where the row's expiry, strike and
    right agree with it, and for one that it has not the contract that the row spells is looked up.
    """
    exchange, segment = word(row, "exchange"), word(row, "instrument_segment")
    code = text(row, "security_id")
    listing = master.coded(code, f"{exchange}:{segment}") if code else None
    if listing is not None:
        return listing.instrument.id if _agrees(row, listing) else None
    return next((each.instrument.id for each in _spelled(row, master)), None)


def stand_in(row: Row, why: str = UNLISTED) -> InstrumentId:
    """The name under which a row stays whose instrument cannot be told."""
    exchange = word(row, "exchange")
    names = ("security_id", "tradingsymbol", "isin", "order_id")
    name = next((found for each in names if (found := text(row, each))), "NAMELESS")
    parts = [why, *([] if exchange in DERIVATIVES else [exchange]), name]
    symbol = _OUTSIDE.sub("-", ".".join(part for part in parts if part).upper())[:40]
    return InstrumentId(Exchange.BSE if exchange == "BSE" else Exchange.NSE, symbol)


def text(row: Row, name: str) -> str:
    """A field as text without the spaces around it; empty for what is no text."""
    value = row.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value.strip() if isinstance(value, str) else ""


def word(row: Row, name: str) -> str:
    """The same in capitals, as the tables have them."""
    return text(row, name).upper()


def _agrees(row: Row, listing: Listing) -> bool:
    segment = listing.segment.partition(":")[2]
    if segment == EQUITY:
        return True
    expected, contract = contract_of(listing.instrument.id), _contract(row, "BASE")
    return contract is not None and (contract.expiry, contract.strike, contract.right) == (
        expected.expiry,
        expected.strike,
        expected.right,
    )


def _spelled(row: Row, master: Master) -> Iterator[Listing]:
    """The listing of the contract that the row spells out, if the master has it under one of the row's own names."""
    parent = word(row, "exchange")
    exchange = DERIVATIVES.get(parent)
    if exchange is None:
        return
    for base in _bases(row, master, parent):
        contract = _contract(row, base)
        if contract is None:
            continue
        try:
            listing = master.listing(InstrumentId(exchange, symbol_of(contract)))
        except Invalid:
            continue
        if listing is not None and listing.segment == f"{parent}:{word(row, 'instrument_segment')}":
            yield listing


def _bases(row: Row, master: Master, parent: str) -> Iterator[str]:
    for name in ("underlying_symbol", "security_id"):
        code = text(row, name)
        for kind in (EQUITY, INDEX) if code else ():
            underlying = master.coded(code, f"{parent}:{kind}")
            if underlying is not None:
                yield underlying.instrument.id.symbol
        if _BASE.fullmatch(code.upper()):
            yield code.upper()


def _contract(row: Row, base: str) -> Contract | None:
    expiry, segment = day_of(text(row, "expiry_date")), word(row, "instrument_segment")
    if expiry is None:
        return None
    if segment in FUTURES:
        return Contract(base, expiry)
    right, strike = RIGHTS.into(word(row, "option_type")), _strike(row)
    if segment not in OPTIONS or right is None or strike is None:
        return None
    return Contract(base, expiry, strike, right)


def _strike(row: Row) -> Decimal | None:
    value = row.get("strike_price")
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        return None
    try:
        strike = Decimal(value)
    except InvalidOperation:
        return None
    return strike if strike.is_finite() and strike > 0 else None
