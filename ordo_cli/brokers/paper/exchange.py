"""The exchange: one file, changed in whole transactions by any number of processes; to ask it is to move it on."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ordo_cli.brokers.base import Permit
from ordo_cli.brokers.paper.amounts import SECOND, day_of, micros
from ordo_cli.brokers.paper.book import Book, Order
from ordo_cli.brokers.paper.counter import Counter
from ordo_cli.brokers.paper.door import Door
from ordo_cli.brokers.paper.feed import Feed
from ordo_cli.brokers.paper.hours import ALWAYS, Hours
from ordo_cli.brokers.paper.ledger import SEED_FUNDS, Ledger
from ordo_cli.brokers.paper.listing import listing
from ordo_cli.brokers.paper.market import Market
from ordo_cli.brokers.paper.matching import Matching
from ordo_cli.brokers.paper.messages import Message
from ordo_cli.brokers.paper.passage import Passage
from ordo_cli.brokers.paper.schema import let_checkpoint, open_file
from ordo_cli.domain.errors import NoAnswer, Unreachable
from ordo_cli.domain.seams import Clock
from ordo_cli.domain.values import dataclass


@dataclass(frozen=True, slots=True)
class Rules:
    """How this exchange is set up; every process that uses one file must give the same."""

    seed: int = 1
    hours: Hours = ALWAYS
    funds: int = SEED_FUNDS


USUAL = Rules()


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one message: the order as it is now, or the code and sentence of a refusal."""

    order: Order | None
    code: str | None
    message: str | None


class Exchange:
    """A handle on the file for one thread at a time."""

    def __init__(self, path: str, clock: Clock, rules: Rules = USUAL) -> None:
        self.path = path
        self.clock = clock
        self.db = open_file(path)
        self.hours = rules.hours
        self.book = Book(self.db)
        self.market = Market(self.db, Feed(rules.seed))
        self.ledger = Ledger(self.db, self.market, rules.funds)
        self.matching = Matching(self.db, self.book, self.market, self.ledger)
        self.door = Door(self.db)
        self.counter = Counter(self.db, self.book, self.market, self.ledger, self.matching, rules.hours, self.door)
        self._passage = Passage(
            self.db,
            book=self.book,
            market=self.market,
            ledger=self.ledger,
            matching=self.matching,
            counter=self.counter,
            hours=rules.hours,
        )

    def close(self) -> None:
        self.db.close()

    def now(self) -> int:
        return micros(self.clock.now())

    @contextmanager
    def moment(self) -> Iterator[int]:
        """One transaction at the present: all that was due has happened. Raises Unreachable when the file is held."""
        try:
            self.db.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise Unreachable(f"the paper exchange's file could not be opened for writing: {error}") from error
        try:
            now = self.now()
            self._passage.advance(now)
            yield now
            let_checkpoint(self.db, True)
            self.db.execute("COMMIT")
            let_checkpoint(self.db, False)
        except BaseException:
            self._undo()
            raise

    def send(self, message: Message, permit: Permit | None) -> int:
        """Let a message go: from the commit on, it will arrive, whatever becomes of its sender.

        Raises Unreachable when it did not go, what the permit raises, and NoAnswer when the commit itself failed.
        """
        try:
            self.db.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            self._undo()
            raise Unreachable(f"the paper exchange's file could not be written: {error}") from error
        try:
            if permit is None:
                return self._let_go(message)
            with permit.passing():
                permit.bytes_sent += len(message.body)
                return self._let_go(message)
        except sqlite3.Error as error:
            self._undo()
            raise NoAnswer(f"the paper exchange's file failed while an order was written: {error}") from error
        except BaseException:
            self._undo()
            raise

    def _let_go(self, message: Message) -> int:
        """The first byte: its time is taken here, where nothing can be waited for any more."""
        sent = self.now()
        cursor = self.db.execute(
            "INSERT INTO inbox (kind, account, tag, body, sent, elapsed, due) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                message.kind,
                message.account,
                message.tag,
                message.body,
                sent,
                self.clock.elapsed(),
                sent + round(message.delay * SECOND),
            ),
        )
        self.db.execute("COMMIT")
        number = cursor.lastrowid
        assert number is not None
        return number

    def answer(self, number: int) -> Answer | None:
        """What the exchange says to a message; None while it is on its way."""
        return self.answers([number])[0]

    def answers(self, numbers: Sequence[int]) -> list[Answer | None]:
        """What it says to several at once, in one transaction. Raises NoAnswer when it cannot be read."""
        try:
            with self.moment():
                return [self._said(number) for number in numbers]
        except (sqlite3.Error, Unreachable) as error:
            raise NoAnswer(f"the paper exchange took the message and then could not be read: {error}") from error

    def _said(self, number: int) -> Answer | None:
        handled, order, code, text = self.db.execute(
            "SELECT handled, order_number, code, message FROM inbox WHERE number = ?", (number,)
        ).fetchone()
        if handled is None:
            return None
        return Answer(None if order is None else self.book.get(order), code, text)

    def set_price(self, instrument: str, price: int | None, depth: int | None = None) -> None:
        """Fix a price, with so much on offer (0: nothing but accounts' orders); None lets the feed move it again."""
        with self.moment() as now:
            if price is None:
                self.db.execute("DELETE FROM prices WHERE instrument = ?", (instrument,))
            else:
                self.db.execute("INSERT OR REPLACE INTO prices VALUES (?, ?, ?)", (instrument, price, depth))
            item = listing(instrument, day_of(now))
            if item is not None and self.hours.is_open(now):
                self.matching.tick(item, now)

    def _undo(self) -> None:
        if self.db.in_transaction:
            self.db.execute("ROLLBACK")
