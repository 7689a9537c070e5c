"""What happens between a look at the broker and the claim: a stop that comes then is heard, and nobody hammers."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from ordo_cli.desk import Desk
from ordo_cli.domain.accounts import AccountId
from ordo_cli.domain.legs import Block
from ordo_cli.domain.orders import OrderIntent, OrderReport, Product, Tag
from ordo_cli.domain.portfolio import Position
from ordo_cli.services import orders
from tests.fakes import INFY, ScriptedBroker, buy, lost_on_the_way
from tests.services.conftest import Add
from tests.services.test_orders import request


async def test_an_entry_whose_book_is_read_again_does_not_leave_after_a_stop(desk: Desk, add: Add) -> None:
    line, opening = await add("tagless"), False

    async def slowly(intent: OrderIntent, tag: Tag, permit: Any) -> OrderReport:
        nonlocal opening
        await desk.clock.sleep(1.2)  # the connection opens slowly: the look before it is too old at the claim
        opening = True
        return await ScriptedBroker.place(line, intent, tag, permit)

    async def book() -> Sequence[OrderReport]:
        if opening:
            desk.stopping.set()
        return await ScriptedBroker.orders(line)

    line.place, line.orders = slowly, book  # type: ignore[method-assign]
    (leg,) = (await orders.place(desk, request(buy()))).legs
    assert leg.problem is not None
    assert (leg.state, leg.problem.code) == ("not_sent", Block.INTERRUPTED)
    assert line.book == []


async def test_a_close_whose_position_is_read_again_does_not_leave_after_a_stop(desk: Desk, add: Add) -> None:
    line = await add("alice")
    held = Position(INFY, Product.CNC, 10, Decimal(1500), Decimal(1500), Decimal(0), Decimal(0))
    line.position_rows = [held]

    async def positions() -> Sequence[Position]:
        if "place" in line.log:
            desk.stopping.set()
        return await ScriptedBroker.positions(line)

    line.positions = positions  # type: ignore[method-assign]
    leg = await orders.close_position(desk, await desk.store.accounts.get(AccountId("alice")), held, 10)
    assert leg.state == "not_sent"
    assert line.book == []


async def test_a_leg_behind_an_unknown_one_reads_the_book_now_and_then_and_not_all_the_time(
    desk: Desk, add: Add
) -> None:
    line = await add("tagless")
    line.facts, line.script = {"freeze_quantity": 10}, [lost_on_the_way]
    placed = await orders.place(desk, request(buy(30)))
    assert placed.legs[0].state == "unknown"
    assert line.log.count("orders") < 40, "in half a minute"
