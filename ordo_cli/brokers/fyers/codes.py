"""Fyers' numbers and words for ours, both ways: sides, types, products, validities, states, tags.

All of them are confirmed (DOC), but where a line says otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ordo_cli.brokers.codes import Codes
from ordo_cli.domain.errors import Refused
from ordo_cli.domain.instruments import Exchange
from ordo_cli.domain.orders import OrderState, OrderType, Product, Side, Tag, Validity

SIDES = Codes({Side.BUY: 1, Side.SELL: -1})
TYPES = Codes({OrderType.LIMIT: 1, OrderType.MARKET: 2, OrderType.SL_M: 3, OrderType.SL: 4})
PRODUCTS = Codes({Product.CNC: "CNC", Product.MIS: "INTRADAY", Product.NRML: "MARGIN", Product.MTF: "MTF"})
"""CO and BO have no word of ours: they are said to be gone since August 2026 (unconfirmed) and take no tag."""
VALIDITIES = Codes({Validity.DAY: "DAY", Validity.IOC: "IOC"})
STATES = Codes(
    {
        OrderState.CANCELLED: 1,
        OrderState.FILLED: 2,
        OrderState.PENDING: 4,  # in transit: sent, not yet at the exchange
        OrderState.REJECTED: 5,
        OrderState.OPEN: 6,
        OrderState.EXPIRED: 7,  # in the tables of fields, missing from the list of statuses
    }
)
"""3 is reserved, and stays unclear like every other number."""

EXCHANGES: Mapping[tuple[str, str], Exchange] = {
    ("NSE", "10"): Exchange.NSE,
    ("BSE", "10"): Exchange.BSE,
    ("NSE", "11"): Exchange.NFO,
    ("BSE", "11"): Exchange.BFO,
    ("NSE", "12"): Exchange.CDS,
    ("BSE", "12"): Exchange.BCD,
    ("MCX", "20"): Exchange.MCX,
}
"""Ours by the prefix of a ticker and the number of the segment. The exchange's own number is wrong in samples (DOC)."""

ORDERABLE = frozenset({Exchange.NSE, Exchange.BSE, Exchange.NFO, Exchange.BFO})
"""Where an order's quantity is surely in units. In currency and commodity it seems to be in lots (unconfirmed), and an
order a hundred times too large is no way to find out."""

_OUT = re.compile(r"[A-Za-z0-9]{1,30}", re.ASCII)
_UNTAGGED = "Untagged"
_OWN, _SYSTEM = "1:", "2:"


def state_of(status: object, filled: int) -> OrderState:
    """The state that a status tells, with its fills: nothing but 6 stands for both open and partly filled."""
    state = STATES.into(status)
    if state is None:
        return OrderState.UNCLEAR
    return OrderState.PARTIAL if state is OrderState.OPEN and filled > 0 else state


def tag_out(tag: Tag) -> str:
    """The tag as an order carries it. Raises Refused for one that Fyers would not keep: 1 to 30 letters and digits."""
    if not _OUT.fullmatch(tag) or tag == _UNTAGGED:
        raise Refused("a tag at fyers has 1 to 30 letters and digits", code="TAG")
    return str(tag)


def tag_asked(tag: Tag) -> str:
    """The tag as a question for its orders spells it."""
    return _OWN + tag_out(tag)


def tag_into(echo: object) -> Tag | None:
    """The tag that an order was given; None for none, and for those of Fyers itself.

    A user's comes back with `1:` before it, the system's with `2:`; untagged ones read `2:Untagged` or `1:Untagged`.
    One without a prefix is taken as it is: to miss an order of ours is worse than to show a stranger's tag.
    """
    if not isinstance(echo, str) or echo.startswith(_SYSTEM):
        return None
    tag = echo.removeprefix(_OWN)
    return None if tag in ("", _UNTAGGED) else Tag(tag)
