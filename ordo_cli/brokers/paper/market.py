"""The market in each instrument now: the feed's price or the one that the user set, its band, and what is on offer."""

from __future__ import annotations

import sqlite3

from ordo_cli.brokers.paper.amounts import SECOND, day_of, midnight, moment_of, rupees
from ordo_cli.brokers.paper.feed import LEVELS, Feed
from ordo_cli.brokers.paper.hours import OPEN
from ordo_cli.brokers.paper.listing import Listing, listing
from ordo_cli.domain.instruments import Instrument, Kind
from ordo_cli.domain.portfolio import Quote
from ordo_cli.domain.values import dataclass

SAMPLES = 48  # prices looked at for the high and low of a quote
PROTECTION = {Kind.EQUITY: 30, Kind.FUTURE: 30, Kind.OPTION: 200}  # thousandths that a market order may move away


@dataclass(frozen=True, slots=True)
class Touch:
    """The feed's best bid and offer; `depth` 0 is a market without the feed."""

    last: int
    bid: int
    ask: int
    depth: int


class Market:
    """Reads and remembers prices that were set; everything else is the feed's."""

    def __init__(self, db: sqlite3.Connection, feed: Feed) -> None:
        self._db = db
        self.feed = feed

    def listing(self, instrument: str, at: int) -> Listing | None:
        return listing(instrument, day_of(at))

    def fixed(self, item: Listing) -> tuple[int, int | None] | None:
        """The price that was set, with its depth, or None where the feed moves."""
        row: tuple[int, int | None] | None = self._db.execute(
            "SELECT price, depth FROM prices WHERE instrument = ?", (str(item.id),)
        ).fetchone()
        return row

    def touch(self, item: Listing, at: int) -> Touch:
        fixed = self.fixed(item)
        if fixed is not None:
            # Bid and offer meet at a price that was set, so that an order at that price is filled.
            price, depth = fixed
            return Touch(price, price, price, self.feed.depth(item) if depth is None else depth)
        last = self.feed.price(item, at)
        bid, ask = self.feed.touch(item, last, at)
        return Touch(last, bid, ask, self.feed.depth(item))

    def last(self, item: Listing, at: int) -> int:
        fixed = self.fixed(item)
        return self.feed.price(item, at) if fixed is None else fixed[0]

    def band(self, item: Listing, at: int) -> tuple[int, int]:
        """Around the close before; around a price that was set outside of that."""
        lower, upper = self.feed.band(item, self.feed.previous_close(item, day_of(at)))
        fixed = self.fixed(item)
        if fixed is not None and not lower <= fixed[0] <= upper:
            return self.feed.band(item, fixed[0])
        return lower, upper

    def protected(self, item: Listing, side: int, at: int) -> int:
        """The worst price that a market order takes: some way from the last price, inside the band."""
        last = self.last(item, at)
        lower, upper = self.band(item, at)
        reach = max(last * PROTECTION[item.kind] // 1_000 // item.tick, 1) * item.tick
        return min(last + reach, upper) if side > 0 else max(last - reach, lower)

    def offers(self, item: Listing, side: int, at: int) -> list[tuple[int, int]]:
        """What the feed still offers to an order of this side in this second: (price, quantity), best first."""
        touch = self.touch(item, at)
        if not touch.depth:
            return []
        taken = self._taken(item, side, at)
        best = touch.ask if side > 0 else touch.bid
        offers = []
        for level in range(LEVELS):
            there = touch.depth * (level + 1)
            gone = min(taken, there)
            taken -= gone
            price = best + side * level * item.tick
            if there > gone and price > 0:
                offers.append((price, there - gone))
        return offers

    def take(self, item: Listing, side: int, quantity: int, at: int) -> None:
        """Remember what was taken from the feed, until its next second brings more."""
        already = self._taken(item, side, at)
        self._db.execute(
            "INSERT OR REPLACE INTO taken VALUES (?, ?, ?, ?)", (str(item.id), side, at // SECOND, already + quantity)
        )

    def _taken(self, item: Listing, side: int, at: int) -> int:
        row = self._db.execute(
            "SELECT quantity FROM taken WHERE instrument = ? AND side = ? AND second = ?",
            (str(item.id), side, at // SECOND),
        ).fetchone()
        return row[0] if row else 0

    def instrument(self, item: Listing, at: int) -> Instrument:
        lower, upper = self.band(item, at)
        return Instrument(
            id=item.id,
            name=item.name,
            kind=item.kind,
            tick=rupees(item.tick),
            lot=item.lot,
            freeze_quantity=item.freeze,
            lower_band=rupees(lower),
            upper_band=rupees(upper),
            isin=item.isin,
        )

    def quote(self, item: Listing, at: int) -> Quote:
        touch = self.touch(item, at)
        day = day_of(at)
        start = midnight(day) + OPEN if at >= midnight(day) + OPEN else midnight(day)
        first = self.feed.price(item, start)
        seen = [self.feed.price(item, start + (at - start) * sample // SAMPLES) for sample in range(SAMPLES)]
        return Quote(
            instrument=item.id,
            last_price=rupees(touch.last),
            bid=rupees(touch.bid) if touch.depth else None,
            ask=rupees(touch.ask) if touch.depth else None,
            open=rupees(first),
            high=rupees(max(first, touch.last, *seen)),
            low=rupees(min(first, touch.last, *seen)),
            previous_close=rupees(self.feed.previous_close(item, day)),
            volume=self.feed.depth(item) * max((at - start) // (60 * SECOND), 1),
            at=moment_of(at),
        )
