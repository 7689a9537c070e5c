"""Tables between ordo's words and Kite's, and the words of a book that no order of ordo carries.

Their source is the fact sheet's sections 3 and 4 (DOC/05, PY, MOCK orders.json), confirmed unless said otherwise.
"""

from __future__ import annotations

from ordo_cli.brokers.codes import Codes
from ordo_cli.domain.instruments import Exchange
from ordo_cli.domain.orders import OrderState, OrderType, Product, Side, Validity

SIDES = Codes({Side.BUY: "BUY", Side.SELL: "SELL"})
TYPES = Codes(
    {OrderType.MARKET: "MARKET", OrderType.LIMIT: "LIMIT", OrderType.SL: "SL", OrderType.SL_M: "SL-M"},
)
PRODUCTS = Codes({Product.CNC: "CNC", Product.MIS: "MIS", Product.NRML: "NRML", Product.MTF: "MTF"})
VALIDITIES = Codes({Validity.DAY: "DAY", Validity.IOC: "IOC"}, also={"TTL": Validity.DAY})
"""TTL is a day's order that lapses after some minutes; ordo never sends one."""

EXCHANGES = Codes({each: str(each) for each in (Exchange.NSE, Exchange.BSE, Exchange.NFO, Exchange.BFO)})
"""Where ordo sends orders. Commodities are left out because nobody has confirmed whether MCX counts lots or units, and
currencies with them: positions there carry the same `multiplier`, and a wrong unit is an order a thousand times too
large. Books, positions and the list of instruments are read on every exchange."""

REGULAR, AFTER_MARKET = "regular", "amo"
PROTECTED = frozenset({OrderType.MARKET, OrderType.SL_M})
"""Refused without `market_protection` since 1 April 2026 (PY, FORUM 15912, confirmed)."""
PROTECTION = "-1"  # the broker sets the percentage (PY, FORUM 15912, confirmed)

STATES: Codes[OrderState, str] = Codes(
    {},
    also={
        "PUT ORDER REQ RECEIVED": OrderState.PENDING,
        "VALIDATION PENDING": OrderState.PENDING,
        "OPEN PENDING": OrderState.PENDING,
        "AMO REQ RECEIVED": OrderState.PENDING,
        "MODIFY AMO REQ RECEIVED": OrderState.PENDING,  # seen live only
        "OPEN": OrderState.OPEN,
        "TRIGGER PENDING": OrderState.OPEN,
        "MODIFY VALIDATION PENDING": OrderState.OPEN,
        "MODIFY PENDING": OrderState.OPEN,
        "MODIFIED": OrderState.OPEN,  # seen, unconfirmed
        "NOT MODIFIED": OrderState.OPEN,  # seen, unconfirmed
        "CANCEL PENDING": OrderState.OPEN,
        "COMPLETE": OrderState.FILLED,
        "REJECTED": OrderState.REJECTED,
    },
)
"""Words of the book that stand for one state; those that begin with CANCELLED are told by that (`state_of`)."""


def state_of(word: str, quantity: int, filled: int) -> OrderState:
    """The state that a status word and the fills tell together; UNCLEAR for a word that the sheet does not list.

    There is no word for a partly filled order, and lapsed ones show CANCELLED (the latter unconfirmed).
    """
    state = OrderState.CANCELLED if word.startswith("CANCELLED") else STATES.into(word)
    if state is OrderState.OPEN and 0 < filled < quantity:
        return OrderState.PARTIAL
    return state or OrderState.UNCLEAR


def type_of(*, limit: bool, trigger: bool) -> OrderType:
    """The type of an order that has these two prices or not."""
    if trigger:
        return OrderType.SL if limit else OrderType.SL_M
    return OrderType.LIMIT if limit else OrderType.MARKET
