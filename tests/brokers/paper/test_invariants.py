"""What holds after any sequence of orders, changes, cancels and price moves, found by Hypothesis."""

from __future__ import annotations

import tempfile
from collections import Counter
from decimal import Decimal
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ordo_cli.brokers.paper.book import Order
from ordo_cli.brokers.paper.exchange import Exchange
from ordo_cli.brokers.paper.ledger import SEED_FUNDS
from ordo_cli.domain.orders import Product, Side, Validity
from tests.brokers.paper.fakes import Floor

NAMES = ("alice", "bob", "carol")
names = st.sampled_from(NAMES)
prices = st.integers(1490, 1510).map(str)
quantities = st.integers(1, 40)


class Street(RuleBasedStateMachine):
    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.floor = Floor(Path(self.folder.name))
        self.floor.price("1500")
        self.db = self.floor.exchange.db

    def teardown(self) -> None:
        if hasattr(self, "floor"):
            self.floor.exchange.close()
            self.folder.cleanup()

    @rule(
        name=names,
        side=st.sampled_from(Side),
        quantity=quantities,
        limit=st.none() | prices,
        product=st.sampled_from([Product.MIS, Product.CNC]),
        validity=st.sampled_from(Validity),
    )
    def place(
        self, name: str, side: Side, quantity: int, limit: str | None, product: Product, validity: Validity
    ) -> None:
        best = self._best(-side.sign, name)
        before = self._trades()
        answer = self.floor.place(name, side, quantity, limit, product=product, validity=validity)
        assert answer is not None
        new = self._trades()[len(before) :]
        if answer.order is not None and new and best is not None and not self._own_best(name):
            first = next(row for row in new if row[1] == answer.order.number)
            assert (first[3] - best) * side.sign <= 0, "a better price was passed over"

    @rule(name=names, side=st.sampled_from(Side), quantity=quantities, trigger=st.integers(1485, 1515))
    def stop(self, name: str, side: Side, quantity: int, trigger: int) -> None:
        self.floor.place(name, side, quantity, trigger=str(trigger))

    @rule(which=st.integers(0, 50), quantity=quantities, limit=st.none() | prices)
    def change(self, which: int, quantity: int, limit: str | None) -> None:
        order = self._any(which)
        if order is not None:
            price = None if limit is None else Decimal(limit)
            self.floor.modify(order.account, order, quantity=quantity, limit_price=price)

    @rule(which=st.integers(0, 50))
    def cancel(self, which: int) -> None:
        order = self._any(which)
        if order is not None:
            self.floor.cancel(order.account, order)

    @rule(price=prices, depth=st.sampled_from([0, 0, 5, 200]))
    def move(self, price: str, depth: int) -> None:
        self.floor.price(price, depth=depth)

    @rule(seconds=st.sampled_from([1, 30, 600]))
    def wait(self, seconds: int) -> None:
        self.floor.clock.pass_(seconds)
        with self.floor.exchange.moment():
            pass

    @invariant()
    def fills_are_the_trades_and_never_more_than_the_order(self) -> None:
        if not hasattr(self, "db"):
            return
        filled: Counter[int] = Counter()
        value: Counter[int] = Counter()
        for _, number, quantity, price in self._trades():
            filled[number] += quantity
            value[number] += quantity * price
        for order in self.floor.exchange.book.where("1"):
            assert (order.filled, order.value) == (filled[order.number], value[order.number])
            assert order.filled <= order.quantity
            assert (order.outcome == "filled") == (order.filled == order.quantity)

    @invariant()
    def cash_and_what_was_bought_with_it_add_up(self) -> None:
        if not hasattr(self, "db"):
            return
        for name in NAMES:
            spent = self.db.execute(
                "SELECT coalesce(sum(side * quantity * price), 0) FROM trades WHERE account = ?", (name,)
            )
            cost, realised = self.db.execute(
                "SELECT coalesce(sum(cost), 0), coalesce(sum(realised), 0) FROM positions WHERE account = ?", (name,)
            ).fetchone()
            assert self.floor.exchange.ledger.cash(name) == SEED_FUNDS
            assert realised - cost == -spent.fetchone()[0]

    @invariant()
    def positions_are_the_sum_of_fills_and_delivery_is_never_short(self) -> None:
        if not hasattr(self, "db"):
            return
        summed = {
            (account, product): net
            for account, product, net in self.db.execute(
                "SELECT account, product, sum(side * quantity) FROM trades GROUP BY account, product"
            )
        }
        kept = {
            (account, product): net
            for account, product, net in self.db.execute("SELECT account, product, net FROM positions")
        }
        assert summed == kept
        assert all(net >= 0 for (_, product), net in kept.items() if product == Product.CNC)

    @invariant()
    def the_book_is_never_crossed_between_accounts(self) -> None:
        if not hasattr(self, "db"):
            return
        resting = list(self.floor.exchange.book.where("phase = 'book' AND held = 0"))
        for buy in (order for order in resting if order.side > 0):
            for sell in (order for order in resting if order.side < 0 and order.account != buy.account):
                assert (buy.book_price or 0) < (sell.book_price or 0)

    @invariant()
    def another_process_sees_the_same_book(self) -> None:
        if not hasattr(self, "db"):
            return
        other = Exchange(self.floor.exchange.path, self.floor.clock)
        assert list(other.book.where("1 ORDER BY number")) == list(self.floor.exchange.book.where("1 ORDER BY number"))
        other.close()

    def _trades(self) -> list[tuple[int, int, int, int]]:
        return self.db.execute("SELECT number, order_number, quantity, price FROM trades ORDER BY number").fetchall()

    def _best(self, side: int, not_of: str) -> int | None:
        found: int | None = self.db.execute(
            f"SELECT {'max' if side > 0 else 'min'}(book_price) FROM orders WHERE phase = 'book' AND held = 0"
            " AND side = ? AND account <> ?",
            (side, not_of),
        ).fetchone()[0]
        return found

    def _own_best(self, name: str) -> bool:
        """Whether an order of the account's own was cancelled on the way, which may change what came first."""
        return bool(
            self.db.execute(
                "SELECT 1 FROM orders WHERE account = ? AND message LIKE '%same account'", (name,)
            ).fetchone()
        )

    def _any(self, which: int) -> Order | None:
        orders = list(self.floor.exchange.book.where("1 ORDER BY number"))
        return orders[which % len(orders)] if orders else None


Street.TestCase.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestStreet = Street.TestCase
