"""The exchange's counter: what becomes of each message that arrives: an order, a change, a cancel, or a refusal."""

from __future__ import annotations

import sqlite3

from ordo_cli.brokers.paper.amounts import SECOND
from ordo_cli.brokers.paper.book import AMO, BOOK, CANCELLED, DONE, REJECTED, STOP, Book, Order
from ordo_cli.brokers.paper.codes import Rejection
from ordo_cli.brokers.paper.door import Door
from ordo_cli.brokers.paper.hours import Hours
from ordo_cli.brokers.paper.ledger import Ledger
from ordo_cli.brokers.paper.listing import Listing, listing
from ordo_cli.brokers.paper.market import Market
from ordo_cli.brokers.paper.matching import Matching
from ordo_cli.brokers.paper.messages import number_in, price_in, read
from ordo_cli.brokers.paper.rules import check, margin

GUARDED = 10  # seconds in which a duplicate-sensitive account refuses the same again
PER_SECOND = 10
CHANGES = {"limit": ("limit", "sl"), "trigger": ("sl", "sl-m")}  # which types of order have that price to change


class Counter:
    def __init__(
        self,
        db: sqlite3.Connection,
        book: Book,
        market: Market,
        ledger: Ledger,
        matching: Matching,
        hours: Hours,
        door: Door,
    ) -> None:
        self._db = db
        self._book = book
        self._market = market
        self._ledger = ledger
        self._matching = matching
        self._hours = hours
        self._door = door

    def handle(self, number: int, kind: str, account: str, tag: str | None, body: str, sent: int, at: int) -> None:
        """Deal with one message and write beside it what became of it."""
        fields = read(body)
        order: int | None = None
        code = message = None
        try:
            self._at_the_door(number, account, fields, sent, at)
            if kind == "place":
                placed = self._place(account, tag, body, fields, at)
                order, code, message = placed.number, placed.code, placed.message if placed.code else None
            elif kind == "modify":
                order = self._modify(account, fields, at).number
            else:
                order = self._cancel(account, fields, at).number
        except Rejection as refusal:
            code, message = refusal.code, refusal.message
        self._db.execute(
            "UPDATE inbox SET handled = ?, order_number = ?, code = ?, message = ? WHERE number = ?",
            (at, order, code, message, number),
        )

    def release(self, day: int, at: int) -> None:
        """The opening: after-market orders of that day go in, in the order in which they came."""
        for order in self._book.where("phase = 'amo' AND day <= ? ORDER BY number", day):
            self._let_in(order, _known(order), at, None)

    def margin(self, account: str, body: str, at: int) -> tuple[int, int] | None:
        """What an order would block if it arrived now, and what there is for it; None when it is not traded."""
        order = self._order(account, None, read(body), at)
        item = listing(order.instrument, order.day)
        return None if item is None else margin(order, item, self._market, self._ledger, at)

    def _at_the_door(self, number: int, account: str, fields: dict[str, str], sent: int, at: int) -> None:
        session = fields.get("session")
        if fields.get("expired") or (session is not None and not self._door.admits(account, session, at)):
            raise Rejection("SESSION")
        if fields.get("rate"):
            recent = self._db.execute(
                "SELECT count(*) FROM inbox WHERE account = ? AND sent > ? AND sent <= ? AND number < ?",
                (account, sent - SECOND, sent, number),
            ).fetchone()[0]
            if recent >= PER_SECOND:
                raise Rejection("RATE", limit=PER_SECOND)

    def _place(self, account: str, tag: str | None, body: str, fields: dict[str, str], at: int) -> Order:
        order = self._order(account, tag, fields, at)
        try:
            item = self._admit(order, body, fields, at)
        except Rejection as refusal:
            order.phase, order.outcome, order.code, order.message = DONE, REJECTED, refusal.code, refusal.message
            self._book.add(order)
            self._book.remember(order, at)
            return order
        self._book.add(order)
        if order.phase == AMO:
            self._book.remember(order, at)
        else:
            self._let_in(order, item, at, float(fields["partial"]) if fields.get("partial") else None)
        return order

    def _order(self, account: str, tag: str | None, fields: dict[str, str], at: int) -> Order:
        after_market = bool(fields["amo"])
        trigger = price_in(fields["trigger"])
        return Order(
            number=self._book.new_number(at),
            account=account,
            tag=tag,
            instrument=fields["instrument"],
            side=int(fields["side"]),
            quantity=int(fields["quantity"]),
            type=fields["type"],
            product=fields["product"],
            validity=fields["validity"],
            limit_price=price_in(fields["limit"]),
            trigger_price=trigger,
            disclosed=number_in(fields["disclosed"]),
            day=self._hours.order_day(at, after_market),
            arrived=at,
            phase=AMO if after_market else STOP if trigger is not None else BOOK,
        )

    def _admit(self, order: Order, body: str, fields: dict[str, str], at: int) -> Listing:
        if fields.get("refuse"):
            raise Rejection(fields["refuse"], asked_for=True)
        if fields.get("guard"):
            self._refuse_duplicate(order, body, at)
        item = listing(order.instrument, order.day)
        if item is None:
            raise Rejection("INSTRUMENT_UNKNOWN", instrument=order.instrument)
        if order.phase != AMO and not self._hours.is_open(at):
            raise Rejection("MARKET_CLOSED")
        check(order, item, self._market, self._ledger, at)
        return item

    def _let_in(self, order: Order, item: Listing, at: int, held_for: float | None) -> None:
        if order.trigger_price is not None and not self._triggered(order, item, at):
            order.phase = STOP
            self._book.save(order, at)
        else:
            self._matching.enter(order, item, at, held_for)

    def _triggered(self, order: Order, item: Listing, at: int) -> bool:
        assert order.trigger_price is not None
        return (self._market.last(item, at) - order.trigger_price) * order.side >= 0

    def _refuse_duplicate(self, order: Order, body: str, at: int) -> None:
        twin = self._db.execute(
            "SELECT 1 FROM inbox WHERE kind = 'place' AND account = ? AND due BETWEEN ? AND ? AND (body = ? OR tag = ?)"
            " AND handled IS NOT NULL AND code IS NULL LIMIT 1",
            (order.account, at - GUARDED * SECOND, at, body, order.tag),
        ).fetchone()
        if twin is not None:
            raise Rejection("DUPLICATE", seconds=f"less than {GUARDED}")

    def _own(self, account: str, text: str) -> Order:
        """The account's own live order. Raises Rejection for any other."""
        order = self._book.get(int(text)) if text.isdecimal() and len(text) < 19 else None
        if order is None or order.account != account:
            raise Rejection("ORDER_UNKNOWN", order=text)
        if order.phase == DONE:
            raise Rejection("NOT_OPEN", order=text, state=order.outcome)
        return order

    def _cancel(self, account: str, fields: dict[str, str], at: int) -> Order:
        order = self._own(account, fields["order"])
        self._book.end(order, CANCELLED, at)
        return order

    def _modify(self, account: str, fields: dict[str, str], at: int) -> Order:
        """Change a live order. A new price or a larger quantity sends it to the end of its line."""
        order = self._own(account, fields["order"])
        item = _known(order)
        quantity = number_in(fields["quantity"]) or order.quantity
        self._check_change(order, quantity, fields)
        limit = price_in(fields["limit"]) or order.limit_price
        behind = quantity > order.quantity or limit != order.limit_price
        order.quantity, order.limit_price = quantity, limit
        order.trigger_price = price_in(fields["trigger"]) or order.trigger_price
        self._db.execute("SAVEPOINT change")
        # What the order blocks now is free again while the changed order is judged.
        self._db.execute("UPDATE orders SET opening = 0 WHERE number = ?", (order.number,))
        try:
            check(order, item, self._market, self._ledger, at)
        except Rejection:
            self._db.execute("ROLLBACK TO change")
            raise
        finally:
            self._db.execute("RELEASE change")
        if order.phase == BOOK and behind:
            order.priority = 0
            self._matching.enter(order, item, at)
        else:
            self._book.save(order, at)
        return order

    def _check_change(self, order: Order, quantity: int, fields: dict[str, str]) -> None:
        for what, types in CHANGES.items():
            if fields[what] and (order.type not in types or (what == "trigger" and order.phase == BOOK)):
                raise Rejection("CHANGE", type=order.type, what=what)
        if quantity <= order.filled:
            raise Rejection("QUANTITY", quantity=quantity, filled=order.filled)


def _known(order: Order) -> Listing:
    """What an order is for that was let in, and so is traded on its day."""
    item = listing(order.instrument, None)
    assert item is not None
    return item
