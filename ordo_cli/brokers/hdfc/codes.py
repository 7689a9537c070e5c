"""HDFC's words and ours, both ways, the forms in which it writes dates, and the number that an order carries of us."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from hashlib import sha256

from ordo_cli.brokers.codes import Codes
from ordo_cli.domain.instruments import MONTHS, Exchange, Right
from ordo_cli.domain.market import IST
from ordo_cli.domain.orders import OrderState, OrderType, Product, Side, Tag, Validity

# Confirmed (DOC, OA). Answers write `Buy`; what comes in is put in capitals before it is looked up.
SIDES = Codes({Side.BUY: "BUY", Side.SELL: "SELL"})

# MARKET is sent for closes alone: no protection of it is documented, so entries are kept from it by the capabilities.
# SL-M, which becomes one, is not sent at all. `SL-L` is how one table of the documentation spells SL (confirmed, DOC).
TYPES = Codes(
    {OrderType.MARKET: "MARKET", OrderType.LIMIT: "LIMIT", OrderType.SL: "SL"},
    also={"SL-M": OrderType.SL_M, "SL-L": OrderType.SL},
)

# Confirmed (DOC). COLL-SELL, ENCASH and COVER stand for nothing that ordo has a word for.
PRODUCTS = Codes(
    {Product.CNC: "DELIVERY", Product.MIS: "INTRADAY", Product.NRML: "OVERNIGHT", Product.MTF: "MTF"},
)

# GTD has no field for its date (confirmed, DOC): never sent; one that was placed elsewhere works today like any other.
VALIDITIES = Codes({Validity.DAY: "DAY", Validity.IOC: "IOC"}, also={"GTD": Validity.DAY})

# Orders say CE and PE (examples of DOC, OA; the text of DOC says otherwise: unconfirmed), answers Call and Put.
RIGHTS = Codes({Right.CALL: "CE", Right.PUT: "PE"}, also={"CALL": Right.CALL, "PUT": Right.PUT})

FUTURES = frozenset({"FUTIDX", "FUTSTK"})
OPTIONS = frozenset({"OPTIDX", "OPTSTK"})
EQUITY = "EQUITY"
INDEX = "INDEX"  # ours: HDFC lists indices as shares, and nobody can order one

# Orders name the parent exchange, never NFO or BFO: confirmed (DOC, OA).
PARENTS: Mapping[Exchange, str] = {
    Exchange.NSE: "NSE",
    Exchange.BSE: "BSE",
    Exchange.NFO: "NSE",
    Exchange.BFO: "BSE",
}
DERIVATIVES: Mapping[str, Exchange] = {"NSE": Exchange.NFO, "BSE": Exchange.BFO}

# Status words. Confirmed by DOC: TRADED, REJECTED, CANCELLED. All others are from OA's table or from the socket's
# enumeration (unconfirmed). The last two of LIVE are orders of which only a change was rejected.
DONE = frozenset({"TRADED", "EXECUTED", "COMPLETE", "COMPLETED", "FULLY EXECUTED"})
LIVE: Mapping[str, OrderState] = {
    "PENDING": OrderState.PENDING,
    "PLACED": OrderState.PENDING,
    "ACCEPTED": OrderState.PENDING,
    "RECEIVED": OrderState.PENDING,
    "OPEN PENDING": OrderState.PENDING,
    "TRANSIT": OrderState.PENDING,
    "VALIDATION PENDING": OrderState.PENDING,
    "AFTER MARKET ORDER REQ RECEIVED": OrderState.PENDING,
    "OPEN": OrderState.OPEN,
    "CONFIRMED": OrderState.OPEN,
    "MODIFIED": OrderState.OPEN,
    "MODIFY PENDING": OrderState.OPEN,
    "CANCEL PENDING": OrderState.OPEN,
    "TRIGGER PENDING": OrderState.OPEN,
    "SL TRIGGER PENDING": OrderState.OPEN,
    "PARTIALLY TRADED": OrderState.OPEN,
    "PARTIAL TRADE": OrderState.OPEN,
    "CANCEL REJECTED": OrderState.OPEN,
    "MODIFY REJECTED": OrderState.OPEN,
}
ENDED: Mapping[str, OrderState] = {
    "REJECTED": OrderState.REJECTED,
    "CANCELLED": OrderState.CANCELLED,
    "CANCELED": OrderState.CANCELLED,
    "CANCEL CONFIRMED": OrderState.CANCELLED,
    "BATCH CANCEL CONFIRMED": OrderState.CANCELLED,
    "AMO CANCEL CONFIRMED": OrderState.CANCELLED,
    "EXPIRED": OrderState.EXPIRED,
}

_SPACES = re.compile(r"[\s_-]+")
_DAY = re.compile(r"(\d{1,2})[ -]([A-Z]{3})[ -](\d{4}|\d{2})", re.ASCII)
_NUMBERS = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})", re.ASCII)
_MOMENT = re.compile(r"(\d{2})/(\d{2})/(\d{4}) (\d{2}):(\d{2}):(\d{2})", re.ASCII)


def state_of(word: str, quantity: int, filled: int, pending: int, cancelled: int) -> OrderState:
    """The state that a status word and the quantities beside it tell together; UNCLEAR where they contradict.

    A live word over a whole fill is FILLED, over a part of one PARTIAL; a filled word over less is believed only as far
    as the quantities go. Live rows of an earlier day stay live: the sheet would have them expired (unconfirmed), and an
    after-market order is just such a row.
    """
    text = _SPACES.sub(" ", word).strip().upper()
    if text in ENDED:
        return ENDED[text]
    if text not in LIVE and text not in DONE:
        return OrderState.UNCLEAR
    if filled == quantity:
        return OrderState.FILLED
    if text in LIVE:
        return LIVE[text] if filled == 0 else OrderState.PARTIAL
    if filled > 0 and filled + cancelled == quantity:
        return OrderState.CANCELLED
    return OrderState.PARTIAL if filled > 0 and pending > 0 else OrderState.UNCLEAR


def day_of(text: str) -> date | None:
    """A date as HDFC writes it: `30 APR 2024` (orders), `27-JUN-24` (positions), `20240627`, `2024-06-27` (master)."""
    text = text.strip().upper()
    try:
        if (named := _DAY.fullmatch(text)) is not None:
            year = int(named[3]) + (2000 if len(named[3]) == 2 else 0)
            return date(year, MONTHS.index(named[2]) + 1, int(named[1]))
        if (numbers := _NUMBERS.fullmatch(text)) is not None:
            return date(int(numbers[1]), int(numbers[2]), int(numbers[3]))
    except ValueError:
        pass
    return None


def moment_of(text: str) -> datetime | None:
    """The time in UTC that `30/04/2024 10:15:03` is in India; None for what is no such time."""
    found = _MOMENT.fullmatch(text.strip())
    if found is None:
        return None
    day, month, year, hour, minute, second = map(int, found.groups())
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=IST).astimezone(UTC)
    except ValueError:
        return None


def reference_of(tag: Tag) -> str:
    """The number that goes out as `external_reference_number`: 15 digits made of the tag, below 2^53.

    HDFC takes up to 20 digits (confirmed, DOC), as a number or as text (unconfirmed which; OA sends text). Fifteen
    without a leading zero survive both.
    """
    number = int.from_bytes(sha256(tag.encode()).digest()[:8], "big")
    return str(10**14 + number % (9 * 10**14))
