"""The passage of time: messages arrive, the feed moves, the day ends, all in the order in which it happened."""

from __future__ import annotations

import sqlite3
from itertools import pairwise

from ordo_cli.brokers.paper.amounts import SECOND
from ordo_cli.brokers.paper.book import EXPIRED, Book
from ordo_cli.brokers.paper.counter import Counter
from ordo_cli.brokers.paper.hours import Hours
from ordo_cli.brokers.paper.ledger import Ledger
from ordo_cli.brokers.paper.market import Market
from ordo_cli.brokers.paper.matching import Matching

LOOKS = 600  # how many prices are looked at between two calls, however long ago the last one was: 15 ms of work
LOOKS_EACH = 24  # but so many for each instrument, however many orders wait


class Passage:
    def __init__(
        self,
        db: sqlite3.Connection,
        *,
        book: Book,
        market: Market,
        ledger: Ledger,
        matching: Matching,
        counter: Counter,
        hours: Hours,
    ) -> None:
        self._db = db
        self._book = book
        self._market = market
        self._ledger = ledger
        self._matching = matching
        self._counter = counter
        self._hours = hours

    def advance(self, now: int) -> None:
        """Bring the exchange to this moment. A clock that was set back moves nothing but the messages that are due."""
        reached = self._db.execute("SELECT advanced FROM clock").fetchone()[0] or self._begin(now)
        due = self._db.execute(
            "SELECT number, kind, account, tag, body, sent, due FROM inbox"
            " WHERE handled IS NULL AND due <= ? ORDER BY due, number",
            (now,),
        ).fetchall()
        for number, kind, account, tag, body, sent, at in due:
            reached = self._move(reached, at)
            self._counter.handle(number, kind, account, tag, body, sent, at)
        self._move(reached, now)

    def _begin(self, now: int) -> int:
        """The first moment of a new exchange: nothing happened before it."""
        self._db.execute("UPDATE clock SET advanced = ?", (now,))
        return now

    def _move(self, reached: int, until: int) -> int:
        if until // SECOND <= reached // SECOND:
            return max(reached, until)
        events = list(self._hours.boundaries(reached, until))
        stops = [reached, *(at for at, _, _ in events), until]
        for (after, before), event in zip(pairwise(stops), [*events, None], strict=True):
            self._watch(after, before)
            if event is not None:
                self._turn(*event)
        self._db.execute("UPDATE clock SET advanced = ?", (until,))
        return until

    def _turn(self, at: int, kind: str, day: int) -> None:
        if kind == "open":
            self._counter.release(day, at)
        elif kind == "close":
            for order in self._book.where("phase <> 'done' AND day <= ?", day):
                self._book.end(order, EXPIRED, at, "the day is over")
            self._ledger.close_day(day, at)
        else:
            self._ledger.roll()

    def _watch(self, after: int, until: int) -> None:
        """Show the orders that wait the prices between two moments."""
        names = self._db.execute("SELECT DISTINCT instrument FROM orders WHERE phase IN ('stop', 'book')").fetchall()
        if not names:
            return
        items = [item for (name,) in names if (item := self._market.listing(name, until - 1)) is not None]
        moving = [(item, self._matching.reach(str(item.id)), self._market.fixed(item)) for item in items]
        looks = max(LOOKS // max(len(moving), 1), LOOKS_EACH)
        step = max((until - after) // SECOND // looks, 1) * SECOND
        for at in _moments(after, until, step):
            if self._hours.is_open(at):
                for place, (item, reach, fixed) in enumerate(moving):
                    last = self._market.feed.price(item, at) if fixed is None else fixed[0]
                    bid, ask = self._market.feed.touch(item, last, at) if fixed is None else (last, last)
                    if reach.touched(last, bid, ask, at):
                        self._matching.tick(item, at)
                        moving[place] = (item, self._matching.reach(str(item.id)), fixed)


def _moments(after: int, until: int, step: int) -> list[int]:
    """Whole seconds in `after < at <= until`: the same ones for everybody who passes, and the last."""
    moments = list(range(after // step * step + step, until + 1, step))
    last = until // SECOND * SECOND
    if last > after and (not moments or moments[-1] < last):
        moments.append(last)
    return moments
