"""Matching by price, then time: between the orders of all accounts, and with what the feed has on offer."""

from __future__ import annotations

import sqlite3

from ordo_cli.brokers.paper.amounts import SECOND
from ordo_cli.brokers.paper.book import BOOK, CANCELLED, FILLED, STOP, Book, Order
from ordo_cli.brokers.paper.ledger import Ledger
from ordo_cli.brokers.paper.listing import Listing
from ordo_cli.brokers.paper.market import Market
from ordo_cli.domain.orders import OrderType, Validity
from ordo_cli.domain.values import dataclass


@dataclass(frozen=True, slots=True)
class Reach:
    """At which prices of the feed something would happen to the orders of one instrument; None: at none."""

    buys: int | None  # the highest price bid
    sells: int | None  # the lowest price asked
    buy_stops: int | None  # the lowest trigger above
    sell_stops: int | None  # the highest trigger below
    held: int | None  # when the first order that is held back goes on

    def touched(self, last: int, bid: int, ask: int, at: int) -> bool:
        return (
            (self.buys is not None and ask <= self.buys)
            or (self.sells is not None and bid >= self.sells)
            or (self.buy_stops is not None and last >= self.buy_stops)
            or (self.sell_stops is not None and last <= self.sell_stops)
            or (self.held is not None and at >= self.held)
        )


class Matching:
    def __init__(self, db: sqlite3.Connection, book: Book, market: Market, ledger: Ledger) -> None:
        self._db = db
        self._book = book
        self._market = market
        self._ledger = ledger

    def enter(self, order: Order, item: Listing, at: int, held_for: float | None = None) -> None:
        """Let an order into the book: it takes what is there, then rests, or is cancelled if it may not wait."""
        order.phase = BOOK
        order.book_price = order.limit_price or self._market.protected(item, order.side, at)
        order.priority = order.priority or self._book.next_priority()
        rest = self._held_back(order, item) if held_for is not None else 0
        self._take(order, item, at, rest)
        if order.remaining and held_for is not None and order.filled:
            order.held = at + round(held_for * SECOND)
        if not order.remaining:
            self._book.end(order, FILLED, at)
        elif order.validity == Validity.IOC:
            self._book.end(order, CANCELLED, at, "what could not be filled at once was cancelled")
        else:
            self._book.save(order, at)

    def tick(self, item: Listing, at: int) -> None:
        """The feed has moved: triggers first, then orders that were held back, then the book, best price first."""
        name = str(item.id)
        last = self._market.last(item, at)
        stops = f"instrument = ? AND phase = '{STOP}' AND side * trigger_price <= side * ? ORDER BY priority, number"
        for order in self._book.where(stops, name, last):
            self.enter(order, item, at)
        released = "instrument = ? AND phase = 'book' AND held BETWEEN 1 AND ? ORDER BY priority, number"
        for order in self._book.where(released, name, at):
            order.held = 0
            self.enter(order, item, at)
        for side in (1, -1):
            self._sweep(item, side, at)

    def reach(self, instrument: str) -> Reach:
        """Read once for many prices, so that a quiet hour costs no more than looking."""
        row = self._db.execute(
            "SELECT max(CASE WHEN phase = 'book' AND side = 1 AND held = 0 THEN book_price END),"
            " min(CASE WHEN phase = 'book' AND side = -1 AND held = 0 THEN book_price END),"
            " min(CASE WHEN phase = 'stop' AND side = 1 THEN trigger_price END),"
            " max(CASE WHEN phase = 'stop' AND side = -1 THEN trigger_price END),"
            " min(CASE WHEN phase = 'book' AND held > 0 THEN held END)"
            " FROM orders WHERE instrument = ? AND phase <> 'done'",
            (instrument,),
        ).fetchone()
        return Reach(*row)

    def _sweep(self, item: Listing, side: int, at: int) -> None:
        """Resting orders of one side against the feed. A limit that rests makes the price; a market order does not."""
        offers = self._market.offers(item, side, at)
        if not offers:
            return
        crossed = (
            "instrument = ? AND side = ? AND phase = 'book' AND held = 0 AND side * book_price >= ?"
            " ORDER BY side * book_price DESC, priority, number"
        )
        for order in self._book.where(crossed, str(item.id), side, side * offers[0][0]):
            before = order.filled
            self._take_from_feed(order, item, at, makes_price=order.type in (OrderType.LIMIT, OrderType.SL))
            if not order.remaining:
                self._book.end(order, FILLED, at)
            elif order.filled > before:
                self._book.save(order, at)
            else:
                return

    def _held_back(self, order: Order, item: Listing) -> int:
        """Units that the first round must leave: half, in lots."""
        return order.remaining // 2 // item.lot * item.lot

    def _take(self, order: Order, item: Listing, at: int, rest: int) -> None:
        """Fill the order at the best prices there are, accounts before the feed where they are equal."""
        assert order.book_price is not None
        while order.remaining > rest:
            offers = self._market.offers(item, order.side, at)
            feed = offers[0] if offers and order.side * offers[0][0] <= order.side * order.book_price else None
            other = self._book.best_against(order, order.book_price)
            if other is not None and (feed is None or order.side * (other.book_price or 0) <= order.side * feed[0]):
                self._trade(order, other, order.remaining - rest, at)
            elif feed is not None:
                quantity = min(feed[1], order.remaining - rest)
                self._market.take(item, order.side, quantity, at)
                self._fill(order, quantity, feed[0], at, None)
            else:
                return

    def _take_from_feed(self, order: Order, item: Listing, at: int, *, makes_price: bool) -> None:
        assert order.book_price is not None
        for price, there in self._market.offers(item, order.side, at):
            if not order.remaining or order.side * price > order.side * order.book_price:
                return
            quantity = min(there, order.remaining)
            self._market.take(item, order.side, quantity, at)
            self._fill(order, quantity, order.book_price if makes_price else price, at, None)

    def _trade(self, order: Order, other: Order, most: int, at: int) -> None:
        """Two accounts meet at the price of the one that was there. One account does not trade with itself."""
        if other.account == order.account:
            self._book.end(other, CANCELLED, at, "cancelled: it would have traded with the same account")
            return
        assert other.book_price is not None
        quantity = min(most, other.remaining)
        self._fill(order, quantity, other.book_price, at, other.number)
        self._fill(other, quantity, other.book_price, at, order.number)
        if other.remaining:
            self._book.save(other, at)
        else:
            self._book.end(other, FILLED, at)

    def _fill(self, order: Order, quantity: int, price: int, at: int, against: int | None) -> None:
        order.filled += quantity
        order.value += quantity * price
        self._ledger.book(order, quantity, price)
        self._db.execute(
            "INSERT INTO trades (order_number, account, instrument, side, quantity, price, product, at, against)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (order.number, order.account, order.instrument, order.side, quantity, price, order.product, at, against),
        )
