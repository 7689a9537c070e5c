"""A position above a freeze quantity that nobody told is closed in parts that its exchange takes, and in whole lots."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from ordo_cli.brokers.base import Permit
from ordo_cli.desk import Desk
from ordo_cli.domain.errors import Rejected
from ordo_cli.domain.kill import GLOBAL, Level
from ordo_cli.domain.orders import OrderIntent, OrderReport, OrderState, Product, Tag
from ordo_cli.domain.portfolio import Position
from tests.fakes import INFY, ScriptedBroker
from tests.services.conftest import Add
from tests.services.test_sweep import fill, of, swept

LOT, MOST, HELD = 75, 1000, 3600


class Exchange:
    """Takes no order above a quantity; says so at once, or behind an order number as an order's fate."""

    def __init__(self, most: int, *, at_once: bool) -> None:
        self.most, self.at_once = most, at_once
        self.asked: list[int] = []

    def __call__(self, broker: ScriptedBroker, intent: OrderIntent, tag: Tag, permit: Permit) -> OrderReport | None:
        self.asked.append(intent.quantity)
        if intent.quantity > self.most and self.at_once:
            with permit.passing():
                permit.bytes_sent += 100
            raise Rejected("quantity is above the freeze quantity", code="RMS")
        report = broker.receive(intent, tag, permit)
        if intent.quantity > self.most:
            broker.put(replace(report, state=OrderState.REJECTED))
            return report
        return fill(broker, report.order_id, intent.quantity)


async def holding(add: Add, exchange: Exchange) -> ScriptedBroker:
    broker = await add("alice")
    broker.facts = {"lot": LOT, "freeze_quantity": None}
    broker.position_rows = [Position(INFY, Product.CNC, HELD, Decimal(1500), None, Decimal(0), Decimal(0))]
    broker.script = [exchange] * 100
    return broker


@pytest.mark.parametrize("at_once", [True, False], ids=["refused at once", "refused in the book"])
async def test_what_is_refused_whole_goes_in_parts(desk: Desk, add: Add, at_once: bool) -> None:
    exchange = Exchange(MOST, at_once=at_once)
    broker = await holding(add, exchange)
    report = await swept(desk, GLOBAL, Level.FLATTEN)
    assert report.clean, of(report)
    assert broker.position_rows[0].quantity == 0
    assert exchange.asked[0] == HELD
    taken = [quantity for quantity in exchange.asked if quantity <= MOST]
    assert sum(taken) == HELD == sum(closed.quantity for closed in of(report).closed)
    assert all(quantity % LOT == 0 for quantity in taken)


async def test_one_refusal_in_a_round_is_enough_and_no_part_is_smaller_than_a_lot(desk: Desk, add: Add) -> None:
    exchange = Exchange(0, at_once=True)
    broker = await holding(add, exchange)
    broker.position_rows = [replace(broker.position_rows[0], quantity=4 * LOT)]
    report = await swept(desk, GLOBAL, Level.FLATTEN)
    assert not report.clean
    assert exchange.asked == [4 * LOT, 2 * LOT, LOT, LOT, LOT]
    assert broker.book == []
