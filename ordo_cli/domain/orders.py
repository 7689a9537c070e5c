"""Orders: what a user wants, free of any account, and what a broker's book says of one."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NewType

from ordo_cli.domain.errors import Invalid
from ordo_cli.domain.instruments import InstrumentId
from ordo_cli.domain.values import dataclass

BrokerOrderId = NewType("BrokerOrderId", str)  # theirs, known after
Tag = NewType("Tag", str)  # how the broker's book carries our leg


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"

    @property
    def opposite(self) -> Side:
        return Side.SELL if self is Side.BUY else Side.BUY

    @property
    def sign(self) -> int:
        return 1 if self is Side.BUY else -1


class OrderType(StrEnum):
    MARKET = "market"
    LIMIT = "limit"
    SL = "sl"
    SL_M = "sl-m"


class Product(StrEnum):
    CNC = "cnc"  # delivery, cash segment
    MIS = "mis"  # intraday
    NRML = "nrml"  # carried forward, derivatives
    MTF = "mtf"  # margin trading facility


class Validity(StrEnum):
    DAY = "day"
    IOC = "ioc"


class OrderState(StrEnum):
    """An order's life as a book tells it. UNCLEAR is a status word that no table of ours knows."""

    PENDING = "pending"  # the broker has it, the exchange has not confirmed
    OPEN = "open"
    PARTIAL = "partial"
    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    UNCLEAR = "unclear"


FINAL = frozenset({OrderState.FILLED, OrderState.CANCELLED, OrderState.EXPIRED, OrderState.REJECTED})


@dataclass(frozen=True, slots=True)
class OrderIntent:
    """One order without an account: side, instrument, units, rupees. Raises Invalid when it contradicts itself."""

    side: Side
    instrument: InstrumentId
    quantity: int
    limit_price: Decimal | None = None
    trigger_price: Decimal | None = None
    product: Product = Product.CNC
    validity: Validity = Validity.DAY
    after_market: bool = False
    disclosed: int | None = None
    label: str | None = None  # the user's own note, `--tag`; never what identifies the order

    def __post_init__(self) -> None:
        if self.quantity < 1:
            raise Invalid(f"quantity {self.quantity} is not above zero")
        for price in (self.limit_price, self.trigger_price):
            if price is not None and price <= 0:
                raise Invalid(f"price {price} is not above zero")
        if self.validity is Validity.IOC and (self.trigger_price is not None or self.after_market):
            raise Invalid("an IOC order can be neither a stop nor after-market", hint="use --validity day")
        if self.disclosed is not None and not 1 <= self.disclosed <= self.quantity:
            raise Invalid(f"disclosed quantity {self.disclosed} is not between 1 and {self.quantity}")
        self._stop_faces_the_market()

    def _stop_faces_the_market(self) -> None:
        if self.limit_price is None or self.trigger_price is None:
            return
        if (self.limit_price - self.trigger_price) * self.side.sign < 0:
            word = "at or above" if self.side is Side.BUY else "at or below"
            raise Invalid(f"the limit of a stop to {self.side} must be {word} its trigger")

    @property
    def type(self) -> OrderType:
        if self.trigger_price is not None:
            return OrderType.SL_M if self.limit_price is None else OrderType.SL
        return OrderType.MARKET if self.limit_price is None else OrderType.LIMIT


@dataclass(frozen=True, slots=True)
class Changes:
    """What a modify asks for; None leaves a field as it is."""

    quantity: int | None = None
    limit_price: Decimal | None = None
    trigger_price: Decimal | None = None

    def __post_init__(self) -> None:
        if self.quantity is None and self.limit_price is None and self.trigger_price is None:
            raise Invalid("nothing to change", hint="give --qty, --limit or --trigger")


@dataclass(frozen=True, slots=True)
class OrderReport:
    """One row of a broker's order book in ordo's words. Quantities in units, prices in rupees, times in UTC."""

    order_id: BrokerOrderId
    state: OrderState
    instrument: InstrumentId
    side: Side
    quantity: int
    type: OrderType
    product: Product
    validity: Validity
    filled_quantity: int = 0
    limit_price: Decimal | None = None
    trigger_price: Decimal | None = None
    average_price: Decimal | None = None
    tag: Tag | None = None
    placed_at: datetime | None = None
    message: str | None = None  # the broker's text, not yet sanitised

    @property
    def pending_quantity(self) -> int:
        return 0 if self.state in FINAL else self.quantity - self.filled_quantity
