"""What an account holds: positions, holdings, funds, trades and quotes, one broker's row at a time."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from ordo_cli.domain.instruments import InstrumentId
from ordo_cli.domain.orders import BrokerOrderId, Product, Side
from ordo_cli.domain.values import dataclass


@dataclass(frozen=True, slots=True)
class Position:
    """Net units of the day (negative is short); prices and profit in rupees."""

    instrument: InstrumentId
    product: Product
    quantity: int
    average_price: Decimal
    last_price: Decimal | None
    realised: Decimal
    unrealised: Decimal


DELIVERED = frozenset({Product.CNC, Product.MTF})


def to_close(product: Product, net: int) -> int:
    """What a broker's net units leave to be closed.

    Shares sold out of holdings show as a negative row of their delivery product, which nobody can sell short: to close
    it would buy back what was sold. It stands as a row of nothing, with its profit.
    """
    return 0 if product in DELIVERED and net < 0 else net


@dataclass(frozen=True, slots=True)
class Holding:
    instrument: InstrumentId
    isin: str | None
    quantity: int
    average_price: Decimal
    last_price: Decimal | None
    pnl: Decimal


@dataclass(frozen=True, slots=True)
class Funds:
    available: Decimal
    used: Decimal
    collateral: Decimal
    total: Decimal


@dataclass(frozen=True, slots=True)
class Margin:
    """What one order would block and what is there for it, in rupees."""

    needed: Decimal
    available: Decimal
    estimated: bool = False  # `needed` is our guess: the broker does not tell


@dataclass(frozen=True, slots=True)
class Trade:
    trade_id: str
    order_id: BrokerOrderId
    instrument: InstrumentId
    side: Side
    quantity: int
    price: Decimal
    product: Product
    traded_at: datetime


@dataclass(frozen=True, slots=True)
class Quote:
    """The market in one instrument at `at`; bid and ask are None when that side is empty."""

    instrument: InstrumentId
    last_price: Decimal
    bid: Decimal | None
    ask: Decimal | None
    open: Decimal
    high: Decimal
    low: Decimal
    previous_close: Decimal
    volume: int
    at: datetime
