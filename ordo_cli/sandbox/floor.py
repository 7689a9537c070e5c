"""The trading floor: the paper exchange as gateways use it, and what brokers know of an order that it does not."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable
from decimal import Decimal

from ordo_cli.brokers.paper import views
from ordo_cli.brokers.paper.amounts import SECOND, day_of, midnight, rupees, to_units
from ordo_cli.brokers.paper.behaviours import Behaviour
from ordo_cli.brokers.paper.book import AMO, DONE, STOP, Order
from ordo_cli.brokers.paper.codes import Rejection
from ordo_cli.brokers.paper.exchange import Answer, Exchange, Rules
from ordo_cli.brokers.paper.listing import Listing, listing
from ordo_cli.brokers.paper.messages import Message, cancel_message, modify_message, place_message
from ordo_cli.brokers.paper.rules import check
from ordo_cli.domain.accounts import AccountId
from ordo_cli.domain.errors import Invalid, NotFound
from ordo_cli.domain.instruments import InstrumentId
from ordo_cli.domain.money import text_of
from ordo_cli.domain.orders import BrokerOrderId, Changes, OrderIntent, OrderType, Product, Tag, Validity
from ordo_cli.domain.portfolio import Margin, Quote, Trade
from ordo_cli.domain.seams import Clock
from ordo_cli.domain.values import dataclass, replace

FILES = ("paper.db", "notes.db")
PLAIN = Behaviour()


@dataclass(frozen=True, slots=True)
class Stand:
    """One row of positions in whole units of the exchange: amounts of the day, and what was carried into it."""

    item: Listing
    product: str
    net: int
    cost: int
    realised: int
    buy_quantity: int
    buy_value: int
    sell_quantity: int
    sell_value: int
    from_holdings: int  # sold today out of what was held; the exchange took it from there and `net` lacks it
    last: int
    close: int

    @property
    def overnight(self) -> int:
        return self.net - self.from_holdings - self.buy_quantity + self.sell_quantity


@dataclass(frozen=True, slots=True)
class Held:
    """One holding: what is left of it, what it cost, and what of it was sold today."""

    item: Listing
    quantity: int
    cost: int
    sold_today: int
    last: int
    close: int


@dataclass(frozen=True, slots=True)
class Money:
    """In rupees."""

    cash: Decimal
    available: Decimal
    used: Decimal
    realised: Decimal


@dataclass(frozen=True, slots=True)
class Past:
    """How an order stood at one moment of its life."""

    at: int
    quantity: int
    limit_price: int | None
    trigger_price: int | None
    phase: str
    outcome: str | None
    filled: int
    value: int
    message: str | None


class Floor:
    """One handle on the exchange's file, for one thread."""

    def __init__(self, folder: str, clock: Clock, rules: Rules) -> None:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        self._folder, self._clock, self._rules = folder, clock, rules
        self._open()

    def _open(self) -> None:
        self.exchange = Exchange(os.path.join(self._folder, FILES[0]), self._clock, self._rules)
        self._notes = sqlite3.connect(os.path.join(self._folder, FILES[1]), isolation_level=None)
        self._notes.execute("PRAGMA synchronous = OFF")
        self._notes.execute("CREATE TABLE IF NOT EXISTS notes (number INTEGER PRIMARY KEY, facts TEXT NOT NULL)")
        self._notes.execute("CREATE TABLE IF NOT EXISTS moved (account, instrument, product, day, side, units, value)")

    def close(self) -> None:
        self.exchange.close()
        self._notes.close()

    def reset(self) -> None:
        """A new exchange: no order, no position, no price that somebody set."""
        self.close()
        for name in FILES:
            for end in ("", "-wal", "-shm"):
                path = os.path.join(self._folder, name + end)
                if os.path.exists(path):
                    os.unlink(path)
        self._open()

    @property
    def today(self) -> int:
        return day_of(self.exchange.now())

    # What brokers remember of an order beside what the exchange does.

    def note(self, number: int, **facts: object) -> None:
        whole = {**self.noted(number), **facts}
        self._notes.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (number, json.dumps(whole)))

    def noted(self, number: int) -> dict[str, object]:
        row = self._notes.execute("SELECT facts FROM notes WHERE number = ?", (number,)).fetchone()
        return {} if row is None else dict(json.loads(row[0]))

    # Orders.

    def place(self, account: AccountId, intent: OrderIntent, tag: str | None) -> Answer:
        """The order as it stands at once, refused ones included: they are in the book as rejected."""
        message = place_message(account, intent, Tag(tag or ""), PLAIN)
        return self._say(message if tag else replace(message, tag=None))

    def modify(self, account: AccountId, order: Order, kind: OrderType, validity: Validity, changes: Changes) -> Answer:
        """Change an order as gateways are asked to, its type and validity named too: only another one retypes it."""
        if kind == order.type and validity == order.validity:
            return self._say(modify_message(account, BrokerOrderId(str(order.number)), changes, PLAIN))
        return self._retype(account, order.number, kind, validity, changes)

    def cancel(self, account: AccountId, number: int) -> Answer:
        return self._say(cancel_message(account, BrokerOrderId(str(number)), PLAIN))

    def _say(self, message: Message) -> Answer:
        answer = self.exchange.answer(self.exchange.send(message, None))
        assert answer is not None  # nothing travels for long here
        return answer

    def _retype(self, account: AccountId, number: int, kind: OrderType, validity: Validity, changes: Changes) -> Answer:
        """Change an order into another type: as if it had been placed so, at the end of the line. One that waits for
        the opening goes on waiting; one that would lack a price of its new type is refused.
        """
        exchange = self.exchange
        with exchange.moment() as now:
            order = exchange.book.get(number)
            if order is None or order.account != account or order.phase == DONE:
                return Answer(order, "NOT_OPEN", "the order is not open")
            item = exchange.market.listing(order.instrument, now)
            if item is None:
                return Answer(order, "INSTRUMENT_UNKNOWN", "the instrument is not traded any more")
            _retyped(order, kind, validity, changes)
            missing = _missing_price(order, kind)
            if missing:
                return Answer(order, "CHANGE", f"a {kind} order needs a {missing}")
            try:
                check(order, item, exchange.market, exchange.ledger, now)
            except Rejection as refusal:
                return Answer(order, refusal.code, refusal.message)
            exchange.db.execute(
                "UPDATE orders SET type = ?, validity = ? WHERE number = ?", (order.type, order.validity, number)
            )
            if order.phase in (STOP, AMO):
                exchange.book.save(order, now)
            else:
                order.priority = 0
                exchange.matching.enter(order, item, now)
            return Answer(order, None, None)

    def margin(self, account: AccountId, intent: OrderIntent) -> Margin | None:
        return views.margin(self.exchange, account, place_message(account, intent, Tag(""), PLAIN))

    def free_to_sell(self, account: AccountId, instrument: str) -> int:
        """Units that a delivery sale may take: what is held, what was bought today, less what other sales wait for."""
        with self.exchange.moment():
            held = self.exchange.ledger.held(account, instrument)[0]
            bought = max(self.exchange.ledger.position(account, instrument, "cnc").net, 0)
            waiting = self.exchange.db.execute(
                "SELECT coalesce(sum(quantity - filled), 0) FROM orders WHERE account = ? AND instrument = ?"
                " AND phase <> 'done' AND product = 'cnc' AND side = -1",
                (account, instrument),
            ).fetchone()[0]
        return int(held + bought - waiting)

    def is_open(self) -> bool:
        return self._rules.hours.is_open(self.exchange.now())

    def book(self, account: AccountId, lag: int = 0) -> list[Order]:
        """The book of the day, oldest first, as it stood so many seconds ago."""
        with self.exchange.moment() as now:
            return list(self.exchange.book.of_day(account, now, now - lag * SECOND if lag else None))

    def order(self, account: AccountId, number: int) -> Order | None:
        with self.exchange.moment():
            found = self.exchange.book.get(number)
        return found if found is not None and found.account == account else None

    def history(self, number: int) -> list[Past]:
        with self.exchange.moment():
            rows = self.exchange.db.execute(
                "SELECT at, quantity, limit_price, trigger_price, phase, outcome, filled, value, message FROM history"
                " WHERE number = ? ORDER BY at, rowid",
                (number,),
            ).fetchall()
        return [Past(*row) for row in rows]

    def last_change(self, number: int) -> int:
        """When the order last changed, by the exchange's clock."""
        row = self.exchange.db.execute("SELECT max(at) FROM history WHERE number = ?", (number,)).fetchone()
        return int(row[0] or 0)

    def trades(self, account: AccountId, lag: int = 0) -> list[Trade]:
        return views.trades(self.exchange, account, lag * SECOND)

    # What is held.

    def positions(self, account: AccountId) -> list[Stand]:
        """What is open and what was closed today."""
        exchange = self.exchange
        with exchange.moment() as now:
            rows = {(name, product): row for name, product, row in exchange.ledger.positions(account)}
            traded = self._traded(account, now)
            found = []
            for name, product in sorted({*rows, *traded}):
                row = rows.get((name, product)) or exchange.ledger.position(account, name, product)
                bought, paid, sold, got = traded.get((name, product), (0, 0, 0, 0))
                item = exchange.market.listing(name, now) or listed(name)
                found.append(
                    Stand(
                        item=item,
                        product=product,
                        net=row.net,
                        cost=row.cost,
                        realised=row.realised,
                        buy_quantity=bought,
                        buy_value=paid,
                        sell_quantity=sold,
                        sell_value=got,
                        from_holdings=max(row.net - bought + sold, 0) if product == "cnc" else 0,
                        last=exchange.market.last(item, now),
                        close=exchange.market.feed.previous_close(item, day_of(now)),
                    )
                )
        return found

    def _traded(self, account: AccountId, now: int) -> dict[tuple[str, str], tuple[int, int, int, int]]:
        """Units and value bought, units and value sold today, what was converted counted where it is now."""
        rows = self.exchange.db.execute(
            "SELECT instrument, product, side, sum(quantity), sum(quantity * price) FROM trades"
            " WHERE account = ? AND at >= ? GROUP BY instrument, product, side",
            (account, midnight(day_of(now))),
        ).fetchall()
        moved = self._notes.execute(
            "SELECT instrument, product, side, sum(units), sum(value) FROM moved WHERE account = ? AND day = ?"
            " GROUP BY instrument, product, side",
            (account, day_of(now)),
        ).fetchall()
        found: dict[tuple[str, str], tuple[int, int, int, int]] = {}
        for name, product, side, quantity, value in [*rows, *moved]:
            bought, paid, sold, got = found.get((name, product), (0, 0, 0, 0))
            if side > 0:
                bought, paid = bought + quantity, paid + value
            else:
                sold, got = sold + quantity, got + value
            found[name, product] = (bought, paid, sold, got)
        return found

    def convert(self, account: AccountId, instrument: str, old: Product, new: Product, units: int) -> bool:
        """Move so many units (negative of a short) from one product to another; False when there are not so many."""
        ledger = self.exchange.ledger
        with self.exchange.moment():
            position, other = ledger.position(account, instrument, old), ledger.position(account, instrument, new)
            if not units or position.net * units <= 0 or abs(units) > abs(position.net) or old is new:
                return False
            cost = position.cost * units // position.net
            for product, net, worth, realised in (
                (old, position.net - units, position.cost - cost, position.realised),
                (new, other.net + units, other.cost + cost, other.realised),
            ):
                self.exchange.db.execute(
                    "INSERT OR REPLACE INTO positions VALUES (?, ?, ?, ?, ?, ?)",
                    (account, instrument, product, net, worth, realised),
                )
        side = 1 if units > 0 else -1
        for product, sign in ((old, -side), (new, side)):
            row = (account, instrument, product, self.today, side, sign * units, sign * cost)
            self._notes.execute("INSERT INTO moved VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        return True

    def holdings(self, account: AccountId) -> list[Held]:
        sold = {str(stand.item.id): stand.from_holdings for stand in self.positions(account) if stand.product == "cnc"}
        with self.exchange.moment() as now:
            rows = self.exchange.db.execute(
                "SELECT instrument, quantity, cost FROM holdings WHERE account = ? ORDER BY instrument", (account,)
            ).fetchall()
            return [
                Held(
                    item=(item := listed(name)),
                    quantity=quantity,
                    cost=cost,
                    sold_today=sold.get(name, 0),
                    last=self.exchange.market.last(item, now),
                    close=self.exchange.market.feed.previous_close(item, day_of(now)),
                )
                for name, quantity, cost in rows
                if quantity or sold.get(name)
            ]

    def money(self, account: AccountId) -> Money:
        ledger = self.exchange.ledger
        with self.exchange.moment():
            realised = sum(position.realised for _, _, position in ledger.positions(account))
            cash, available, used = ledger.cash(account), ledger.available(account), ledger.used(account)
        return Money(rupees(cash), rupees(available), rupees(used), rupees(realised))

    def give_holding(self, account: AccountId, instrument: str, quantity: int, price: Decimal) -> None:
        """Let an account hold shares from before today. Raises NotFound for what is not traded."""
        if self.exchange.market.listing(instrument, self.exchange.now()) is None:
            raise NotFound(f"{instrument} is not traded on the paper exchange")
        with self.exchange.moment():
            held, cost = self.exchange.ledger.held(account, instrument)
            self.exchange.db.execute(
                "INSERT OR REPLACE INTO holdings VALUES (?, ?, ?, ?)",
                (account, instrument, held + quantity, cost + quantity * to_units(price)),
            )

    # The market.

    def quotes(self, items: Iterable[Listing]) -> dict[str, Quote]:
        found = views.quotes(self.exchange, [item.id for item in items])
        return {str(name): quote for name, quote in found.items()}

    def depth(self, item: Listing) -> tuple[list[tuple[Decimal, int]], list[tuple[Decimal, int]]]:
        """What the market bids and offers, best first: (price, quantity)."""
        now, market = self.exchange.now(), self.exchange.market
        bids, offers = market.offers(item, -1, now), market.offers(item, 1, now)
        return [(rupees(price), size) for price, size in bids], [(rupees(price), size) for price, size in offers]

    def band(self, item: Listing) -> tuple[Decimal, Decimal]:
        lower, upper = self.exchange.market.band(item, self.exchange.now())
        return rupees(lower), rupees(upper)

    def set_price(self, instrument: InstrumentId, price: Decimal | None, depth: int | None) -> None:
        """Hold a price until it is let go with None. Raises NotFound or Invalid."""
        item = self.exchange.market.listing(str(instrument), self.exchange.now())
        if item is None:
            raise NotFound(f"{instrument} is not traded on the paper exchange")
        if price is not None and (price <= 0 or off_tick(item, price)):
            raise Invalid(f"price {price} is not a multiple of the tick of {text_of(rupees(item.tick))}")
        self.exchange.set_price(str(instrument), None if price is None else to_units(price), depth)


def listed(name: str) -> Listing:
    """An instrument that some order was for, and so is or was traded."""
    found = listing(name, None)
    assert found is not None
    return found


def off_tick(item: Listing, *prices: Decimal | None) -> bool:
    """Whether one of these prices, in rupees, is not a multiple of the tick."""
    return any(price is not None and to_units(price) % item.tick for price in prices)


def _retyped(order: Order, kind: OrderType, validity: Validity, changes: Changes) -> None:
    order.type, order.validity = kind, validity
    order.quantity = changes.quantity or order.quantity
    limited = kind in (OrderType.LIMIT, OrderType.SL)
    stopping = kind in (OrderType.SL, OrderType.SL_M)
    if changes.limit_price is not None:
        order.limit_price = to_units(changes.limit_price)
    if changes.trigger_price is not None:
        order.trigger_price = to_units(changes.trigger_price)
    order.limit_price = order.limit_price if limited else None
    order.trigger_price = order.trigger_price if stopping else None
    if order.phase != AMO:
        order.phase = STOP if stopping else "book"
    order.book_price = None


def _missing_price(order: Order, kind: OrderType) -> str | None:
    if kind in (OrderType.LIMIT, OrderType.SL) and order.limit_price is None:
        return "limit"
    return "trigger" if kind in (OrderType.SL, OrderType.SL_M) and order.trigger_price is None else None
