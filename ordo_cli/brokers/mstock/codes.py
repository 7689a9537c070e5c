"""Ordo's words and m.Stock's codes: sides, types, products, validities, exchanges and the states of an order."""

from __future__ import annotations

from ordo_cli.brokers.codes import Codes
from ordo_cli.domain.instruments import Exchange
from ordo_cli.domain.orders import OrderState, OrderType, Product, Side, Validity

SIDES = Codes({Side.BUY: "BUY", Side.SELL: "SELL"})

# MARKET and SL-M are only ever read: a request has no field for the price protection that they need (NODEA, confirmed).
TYPES = Codes({OrderType.LIMIT: "LIMIT", OrderType.SL: "SL"}, also={"MARKET": OrderType.MARKET, "SL-M": OrderType.SL_M})

# Books use other words than requests (MOCK, confirmed). INTRADAY is one with a plain meaning; MARGIN and an empty word
# have none that any source tells, so they stay unknown. MTF is read and not sent: one page spells it MFT (OAd).
PRODUCTS = Codes(
    {Product.CNC: "CNC", Product.MIS: "MIS", Product.NRML: "NRML"},
    also={"INTRADAY": Product.MIS, "MTF": Product.MTF},
)

VALIDITIES = Codes({Validity.DAY: "DAY", Validity.IOC: "IOC"})

# The constants of the Node kit name CDS and MCX as well; whether they are enabled is unconfirmed.
EXCHANGES = Codes(
    {each: str(each) for each in (Exchange.NSE, Exchange.BSE, Exchange.NFO, Exchange.BFO)},
    also={"CDS": Exchange.CDS, "MCX": Exchange.MCX},
)

DERIVATIVES = {Exchange.NSE: Exchange.NFO, Exchange.BSE: Exchange.BFO}
"""Where a contract is traded whose row names the cash exchange (OA, confirmed)."""

FUTURES = frozenset({"FUT", "FUTIDX", "FUTSTK"})
OPTIONS = frozenset({"CE", "PE", "OPTIDX", "OPTSTK"})
CONTRACTS = FUTURES | OPTIONS

STATES = {
    "transit": OrderState.PENDING,  # MOCKB, confirmed
    "pending": OrderState.OPEN,  # OA, confirmed, as the next three
    "o-pending": OrderState.OPEN,
    "o-modified": OrderState.OPEN,
    "open": OrderState.OPEN,
    "trigger pending": OrderState.OPEN,  # OA, unconfirmed
    "traded": OrderState.FILLED,  # OA, ADE, confirmed
    "cancelled": OrderState.CANCELLED,  # OA, ADE, confirmed
    "o-cancelled": OrderState.CANCELLED,
    "rejected": OrderState.REJECTED,  # MOCK, confirmed
}
"""By the words in lower case. A word for an expired order is not documented, so there is none."""
