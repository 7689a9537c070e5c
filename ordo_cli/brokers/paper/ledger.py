"""Who owns what: cash, positions, holdings and margins of every account, exact to the last unit."""

from __future__ import annotations

import sqlite3

from ordo_cli.brokers.paper.amounts import SCALE, date_of
from ordo_cli.brokers.paper.book import Order
from ordo_cli.brokers.paper.listing import Listing, listing
from ordo_cli.brokers.paper.market import Market
from ordo_cli.domain.instruments import Kind
from ordo_cli.domain.orders import Product
from ordo_cli.domain.values import dataclass

SEED_FUNDS = 10_000_000 * SCALE  # a crore of rupees
INTRADAY = 5  # times the money
SPAN = 12  # per cent of the value of a future, or of the strike of an option that was sold


@dataclass(slots=True)
class Position:
    """Net units, what they cost (negative for a short), and the profit booked today."""

    net: int = 0
    cost: int = 0
    realised: int = 0


def unit_margin(item: Listing, product: str, side: int, price: int) -> int:
    """What one unit blocks when it opens a position at this price."""
    if item.kind is Kind.EQUITY:
        return price if product == Product.CNC else price // INTRADAY
    if item.kind is Kind.OPTION and side > 0:
        return price
    return (item.strike or price) * SPAN // 100


class Ledger:
    def __init__(self, db: sqlite3.Connection, market: Market, seed_funds: int = SEED_FUNDS) -> None:
        self._db = db
        self._market = market
        self._seed_funds = seed_funds

    def cash(self, account: str) -> int:
        """Settled money; an account that was never seen starts with the seed."""
        row = self._db.execute("SELECT amount FROM cash WHERE account = ?", (account,)).fetchone()
        if row:
            return int(row[0])
        self._db.execute("INSERT INTO cash VALUES (?, ?)", (account, self._seed_funds))
        return self._seed_funds

    def position(self, account: str, instrument: str, product: str) -> Position:
        row = self._db.execute(
            "SELECT net, cost, realised FROM positions WHERE account = ? AND instrument = ? AND product = ?",
            (account, instrument, product),
        ).fetchone()
        return Position(*row) if row else Position()

    def positions(self, account: str) -> list[tuple[str, str, Position]]:
        rows = self._db.execute(
            "SELECT instrument, product, net, cost, realised FROM positions WHERE account = ?", (account,)
        )
        return [(row[0], row[1], Position(*row[2:])) for row in rows.fetchall()]

    def holdings(self, account: str) -> list[tuple[str, int, int]]:
        """(instrument, quantity, what they cost)."""
        rows = self._db.execute(
            "SELECT instrument, quantity, cost FROM holdings WHERE account = ? AND quantity > 0", (account,)
        )
        return rows.fetchall()

    def held(self, account: str, instrument: str) -> tuple[int, int]:
        row = self._db.execute(
            "SELECT quantity, cost FROM holdings WHERE account = ? AND instrument = ?", (account, instrument)
        ).fetchone()
        return row or (0, 0)

    def waiting(self, order: Order) -> int:
        """Units that the account's other live orders of this side, instrument and product still want."""
        row = self._db.execute(
            "SELECT coalesce(sum(quantity - filled), 0) FROM orders WHERE account = ? AND instrument = ?"
            " AND phase <> 'done' AND product = ? AND side = ? AND number <> ?",
            (order.account, order.instrument, order.product, order.side, order.number),
        ).fetchone()
        return int(row[0])

    def used(self, account: str) -> int:
        """Money tied up in open orders and positions."""
        orders = self._db.execute(
            "SELECT coalesce(sum(unit_margin * min(quantity - filled, opening)), 0) FROM orders"
            " WHERE account = ? AND phase <> 'done'",
            (account,),
        ).fetchone()
        return int(orders[0]) + sum(
            _position_margin(instrument, product, position) for instrument, product, position in self.positions(account)
        )

    def available(self, account: str) -> int:
        realised = sum(position.realised for _, _, position in self.positions(account))
        return self.cash(account) + realised - self.used(account)

    def book(self, order: Order, quantity: int, price: int) -> None:
        """One fill: the position, and for a delivery sale the holding, after it."""
        self.cash(order.account)
        position = self.position(order.account, order.instrument, order.product)
        left = _close(position, order.side, quantity, price)
        if left and order.product == Product.CNC and order.side < 0:
            position.realised += self._sell_holding(order, left, price)
        elif left:
            position.net += order.side * left
            position.cost += order.side * left * price
        self._save(order.account, order.instrument, order.product, position)

    def _sell_holding(self, order: Order, quantity: int, price: int) -> int:
        held, cost = self.held(order.account, order.instrument)
        part = cost * quantity // held
        self._db.execute(
            "UPDATE holdings SET quantity = ?, cost = ? WHERE account = ? AND instrument = ?",
            (held - quantity, cost - part, order.account, order.instrument),
        )
        self._db.execute("UPDATE cash SET amount = amount + ? WHERE account = ?", (part, order.account))
        return quantity * price - part

    def close_day(self, day: int, at: int) -> None:
        """The closing: intraday positions are squared off at the last price, contracts that expire are settled."""
        rows = self._db.execute(
            "SELECT account, instrument, product, net, cost, realised FROM positions WHERE net <> 0"
        ).fetchall()
        for account, instrument, product, *figures in rows:
            item = listing(instrument, None)
            expired = item is not None and item.expiry is not None and item.expiry <= date_of(day)
            if item is None or not (expired or product == Product.MIS):
                continue
            position = Position(*figures)
            _close(position, -1 if position.net > 0 else 1, abs(position.net), self._market.last(item, at - 1))
            self._save(account, instrument, product, position)

    def roll(self) -> None:
        """Midnight: the day's profit becomes cash, and what was bought for delivery becomes a holding."""
        rows = self._db.execute("SELECT account, instrument, product, net, cost, realised FROM positions").fetchall()
        for account, instrument, product, *figures in rows:
            position = Position(*figures)
            cash, position.realised = position.realised, 0
            if product == Product.CNC and position.net > 0:
                held, cost = self.held(account, instrument)
                self._db.execute(
                    "INSERT OR REPLACE INTO holdings VALUES (?, ?, ?, ?)",
                    (account, instrument, held + position.net, cost + position.cost),
                )
                cash -= position.cost
                position.net = position.cost = 0
            self._db.execute("UPDATE cash SET amount = amount + ? WHERE account = ?", (cash, account))
            self._save(account, instrument, product, position)
        self._db.execute("DELETE FROM positions WHERE net = 0")

    def _save(self, account: str, instrument: str, product: str, position: Position) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO positions VALUES (?, ?, ?, ?, ?, ?)",
            (account, instrument, product, position.net, position.cost, position.realised),
        )


def _close(position: Position, side: int, quantity: int, price: int) -> int:
    """Trade against what is open, booking the profit; returns the units that were more than that."""
    closing = min(quantity, max(-side * position.net, 0))
    if closing:
        part = position.cost * closing // abs(position.net)
        position.realised += -side * closing * price - part
        position.cost -= part
        position.net += side * closing
    return quantity - closing


def _position_margin(instrument: str, product: str, position: Position) -> int:
    item = listing(instrument, None)
    if item is None or not position.net:
        return 0
    side = 1 if position.net > 0 else -1
    if item.kind is Kind.OPTION and side < 0:
        return unit_margin(item, product, side, 0) * -position.net
    return unit_margin(item, product, side, abs(position.cost))
