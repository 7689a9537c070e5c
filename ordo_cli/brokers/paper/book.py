"""Orders as the exchange keeps them: one row each, changed inside a transaction, with the history of each change."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence

from ordo_cli.brokers.paper.amounts import SECOND, date_of, day_of
from ordo_cli.domain.values import dataclass

# An order waits for the opening, for its trigger, in the book, or for nothing.
AMO, STOP, BOOK, DONE = "amo", "stop", "book", "done"
FILLED, CANCELLED, EXPIRED, REJECTED = "filled", "cancelled", "expired", "rejected"
_CHANGING = (
    "phase",
    "outcome",
    "filled",
    "value",
    "book_price",
    "priority",
    "held",
    "unit_margin",
    "opening",
    "message",
)
_PRICES = ("quantity", "limit_price", "trigger_price")
_REMEMBERED = ("number", *_PRICES, "phase", "outcome", "filled", "value", "message")
SEEN_AFTER_MIDNIGHT = 3_600 * SECOND  # an order stays in sight for an hour after its day


@dataclass(slots=True)
class Order:
    """A row of the book, changed in place; prices in the exchange's units, `side` is 1 or -1."""

    number: int
    account: str
    tag: str | None
    instrument: str
    side: int
    quantity: int
    type: str
    product: str
    validity: str
    limit_price: int | None
    trigger_price: int | None
    disclosed: int | None
    day: int
    arrived: int
    phase: str = BOOK
    outcome: str | None = None
    filled: int = 0
    value: int = 0
    book_price: int | None = None  # what it is matched at: its limit, or the protection of a market order
    priority: int = 0  # smaller is earlier
    held: int = 0  # rests unmatched until then
    unit_margin: int = 0  # blocked for each unit that would open a position
    opening: int = 0  # how many such units there are
    code: str | None = None
    message: str | None = None

    @property
    def remaining(self) -> int:
        return self.quantity - self.filled

    @property
    def blocked(self) -> int:
        return self.unit_margin * min(self.remaining, self.opening)


_COLUMNS = tuple(Order.__slots__)
# Statements are made of this package's own words; values always travel beside them.
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM orders WHERE "  # noqa: S608
_INSERT = f"INSERT INTO orders VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608
_UPDATE = f"UPDATE orders SET {', '.join(f'{name} = ?' for name in _PRICES + _CHANGING)} WHERE number = ?"  # noqa: S608
_REMEMBER = f"INSERT INTO history ({', '.join(_REMEMBERED)}, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
_THEN = f"SELECT {', '.join(_REMEMBERED)} FROM history"  # noqa: S608


class Book:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def new_number(self, at: int) -> int:
        """Order numbers begin with the day and only grow."""
        highest = self._db.execute("SELECT max(number) FROM orders").fetchone()[0] or 0
        return max(highest + 1, int(f"{date_of(day_of(at)):%y%m%d}") * 100_000_000 + 1)

    def next_priority(self) -> int:
        """Behind everyone: each change of any order has a row of history, and their numbers only grow."""
        found: int = self._db.execute("SELECT coalesce(max(rowid), 0) + 1 FROM history").fetchone()[0]
        return found

    def add(self, order: Order) -> None:
        self._db.execute(_INSERT, _values(order, _COLUMNS))

    def save(self, order: Order, at: int) -> None:
        """Write the row back, and what it says now into the history."""
        self._db.execute(_UPDATE, (*_values(order, _PRICES + _CHANGING), order.number))
        self.remember(order, at)

    def remember(self, order: Order, at: int) -> None:
        self._db.execute(_REMEMBER, (*_values(order, _REMEMBERED), at))

    def end(self, order: Order, outcome: str, at: int, message: str | None = None) -> None:
        order.phase, order.outcome = DONE, outcome
        order.message = message or order.message
        self.save(order, at)

    def get(self, number: int) -> Order | None:
        return next(self.where("number = ?", number), None)

    def where(self, condition: str, *values: object) -> Iterator[Order]:
        """The rows that meet a condition, read at once so that they may be changed on the way."""
        rows = self._db.execute(_SELECT + condition, values).fetchall()
        return (Order(*row) for row in rows)

    def best_against(self, order: Order, price: int) -> Order | None:
        """The order that is first in line to trade with this one at its price or a better one."""
        compare, direction = ("<=", "ASC") if order.side > 0 else (">=", "DESC")
        return next(
            self.where(
                f"instrument = ? AND side = ? AND phase = 'book' AND held = 0 AND book_price {compare} ?"
                f" ORDER BY book_price {direction}, priority LIMIT 1",
                order.instrument,
                -order.side,
                price,
            ),
            None,
        )

    def of_day(self, account: str, now: int, seen_at: int | None = None) -> Iterator[Order]:
        """The account's book of the day, oldest first; as it stood at `seen_at`, if that is given."""
        condition = "account = ? AND (day >= ? OR phase <> 'done' OR arrived > ?) ORDER BY number"
        for order in self.where(condition, account, day_of(now), now - SEEN_AFTER_MIDNIGHT):
            if seen_at is None or self._as_it_was(order, seen_at):
                yield order

    def _as_it_was(self, order: Order, at: int) -> bool:
        """Set the order back to what its history said then; False when it was not there yet."""
        row = self._db.execute(
            _THEN + " WHERE number = ? AND at <= ? ORDER BY at DESC, rowid DESC LIMIT 1", (order.number, at)
        ).fetchone()
        for name, value in zip(_REMEMBERED, row or (), strict=False):
            setattr(order, name, value)
        return row is not None


def _values(order: Order, names: Sequence[str]) -> tuple[object, ...]:
    return tuple(getattr(order, name) for name in names)
