"""What a broker declares of itself: the orders it takes, and how many of them in how much time."""

from __future__ import annotations

from ordo_cli.domain.instruments import Exchange
from ordo_cli.domain.orders import OrderType, Product, Validity
from ordo_cli.domain.values import dataclass


@dataclass(frozen=True, slots=True)
class RateLimits:
    """The order operations (place, modify, cancel) and reads that a broker takes from one account. None: no limit."""

    per_second: int = 10
    kept_for_cancels: int = 2
    per_minute: int | None = None
    per_hour: int | None = None  # of which nothing is kept: a cancel is never refused for it
    per_day: int | None = None
    modifications_per_order: int | None = None
    reads_per_second: int | None = None
    reads_per_minute: int | None = None
    reads_kept_for_exits: int = 0  # of a minute's: room for cancels and clean-ups, which are never refused


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a broker can do. What is not listed is refused before anything is sent."""

    exchanges: frozenset[Exchange]
    types: frozenset[OrderType]
    products: frozenset[Product]
    validities: frozenset[Validity]
    after_market: bool = False
    disclosed: bool = False
    tagged: bool = True  # its book carries our tag; False: found again by pre-image
    quotes: bool = True
    margins: bool = False  # it tells what an order would block
    final_book: bool = True  # it keeps exchange hours, so that a day's book becomes final
