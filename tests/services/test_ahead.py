"""The turn and the book of an account without tags, had while the plan still asks: soon, and never kept for nothing."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from ordo_cli.desk import Desk
from ordo_cli.domain.accounts import AccountId
from ordo_cli.domain.errors import Busy, LimitExceeded, NoAnswer
from ordo_cli.domain.kill import GLOBAL
from ordo_cli.domain.legs import Block, Submission
from ordo_cli.services import kill, orders, reconcile
from tests.fakes import ScriptedBroker, buy, lost_on_the_way, silent_after_accepting
from tests.services.conftest import Add
from tests.services.test_orders import leg_of, request

TAGLESS = AccountId("tagless")


async def spoken_for(desk: Desk, add: Add, *others: str) -> ScriptedBroker:
    """An account without tags that has sent an order already, so that its line is open; with an empty log."""
    line = await add("tagless")
    for other in others:
        await add(other)
    await orders.place(desk, request(buy()))
    line.log.clear()
    return line


async def is_free(desk: Desk) -> bool:
    try:
        async with desk.locks.account(TAGLESS, desk.clock.elapsed()):
            return True
    except Busy:
        return False


async def test_the_book_is_asked_for_while_the_plan_asks_for_the_rest(desk: Desk, add: Add) -> None:
    line = await add("tagless")
    placed = await orders.place(desk, request(buy(11)))
    assert placed.legs[0].state == "open"
    asked = [word for word in line.log if word in {"funds", "orders", "place"}]
    assert sorted(asked[:2]) == ["funds", "orders"]
    assert asked[2:] == ["place"]
    assert await is_free(desk)


async def test_what_came_into_the_book_before_the_turn_is_not_taken_for_the_leg(desk: Desk, add: Add) -> None:
    line = await spoken_for(desk, add)
    line.script = [silent_after_accepting, lost_on_the_way]
    first, second = [await orders.place(desk, request(buy(12), allow_duplicate=True)) for _ in range(2)]
    await reconcile.reconcile(desk)
    after = [(await desk.store.journal.fan_out(each.id)).legs[0].submission for each in (first, second)]
    assert after[0] is Submission.ACKED
    assert after[1] is not Submission.ACKED
    assert len(line.book) == 2


async def test_no_leg_waits_for_the_book_of_another(desk: Desk, add: Add) -> None:
    line = await spoken_for(desk, add, "alice")
    told, alone = asyncio.Event(), ScriptedBroker.orders

    async def slowly() -> Any:
        await told.wait()
        return await alone(line)

    line.orders = slowly  # type: ignore[method-assign]
    placing = asyncio.ensure_future(orders.place(desk, request(buy(11))))
    seen = (await desk.lines.to(await desk.store.accounts.get(AccountId("alice")))).log  # type: ignore[attr-defined]
    while seen.count("place") < 2:
        await asyncio.sleep(0)
    assert "place" not in line.log
    told.set()
    fan_out = await placing
    assert {leg.state for leg in fan_out.legs} == {"open"}


async def test_a_plan_that_is_refused_gives_the_turn_back(desk: Desk, add: Add) -> None:
    line = await spoken_for(desk, add)
    line.cash = Decimal(1)
    with pytest.raises(LimitExceeded):
        await orders.place(desk, request(buy(11)))
    assert await is_free(desk)


async def test_a_leg_that_is_stopped_as_it_is_written_down_gives_the_turn_back(desk: Desk, add: Add) -> None:
    line = await spoken_for(desk, add, "alice")
    placed = await orders.place(desk, request(buy()))  # the same again: a slip
    assert leg_of(placed, "tagless").state == "not_sent"
    assert "place" not in line.log
    assert await is_free(desk)


async def test_a_press_while_the_plan_asks_stops_the_leg_and_gives_the_turn_back(desk: Desk, add: Add) -> None:
    line = await spoken_for(desk, add)

    async def press() -> None:
        line.before_telling = None
        await kill.engage(desk, GLOBAL)

    line.before_telling = press
    placed = await orders.place(desk, request(buy(11)))
    assert placed.legs[0].state == "not_sent"
    assert len(line.book) == 1
    assert await is_free(desk)


@pytest.mark.parametrize("where", ["orders", "funds"])
async def test_an_order_that_is_given_up_gives_the_turn_back(desk: Desk, add: Add, where: str) -> None:
    line = await spoken_for(desk, add)
    inside = asyncio.Event()

    async def hold() -> Any:
        inside.set()
        await asyncio.Event().wait()

    setattr(line, where, hold)
    placing = asyncio.ensure_future(orders.place(desk, request(buy(11))))
    await inside.wait()
    assert not await is_free(desk)
    placing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await placing
    assert await is_free(desk)
    assert "place" not in line.log


async def test_a_book_that_does_not_come_ahead_is_asked_for_in_the_turn(desk: Desk, add: Add) -> None:
    line = await spoken_for(desk, add)
    alone, failures = ScriptedBroker.orders, [NoAnswer("the book did not come")]

    async def first_not() -> Any:
        if failures:
            raise failures.pop()
        return await alone(line)

    line.orders = first_not  # type: ignore[method-assign]
    assert (await orders.place(desk, request(buy(11)))).legs[0].state == "open"
    assert await is_free(desk)


async def test_an_account_that_is_being_written_for_is_waited_for_as_before(desk: Desk, add: Add) -> None:
    line = await spoken_for(desk, add)
    async with desk.locks.account(TAGLESS, desk.clock.elapsed()):
        placing = asyncio.ensure_future(orders.place(desk, request(buy(11))))
        while "funds" not in line.log:
            await asyncio.sleep(0)
        assert "orders" not in line.log
    assert (await placing).legs[0].state == "open"
    assert await is_free(desk)


@pytest.mark.parametrize("what", ["quotes", "orders"])
async def test_a_plan_that_hangs_keeps_the_account_from_nobody(desk: Desk, add: Add, what: str) -> None:
    """Whether it waits for another answer or for the book itself: an order that gets out must find the account free."""
    line, inside, told = await add("tagless"), asyncio.Event(), asyncio.Event()
    alone = getattr(line, what)

    async def hang(*words: Any) -> Any:
        setattr(line, what, alone)  # the next one to ask is answered
        inside.set()
        await told.wait()
        return await alone(*words)

    setattr(line, what, hang)
    placing = asyncio.ensure_future(orders.place(desk, request(buy(11))))
    await inside.wait()
    async with asyncio.timeout(30):
        while not await is_free(desk):
            await asyncio.sleep(0.01)
    told.set()
    assert (await placing).legs[0].state == "open"
    assert await is_free(desk)


async def test_one_key_at_once_is_one_order_and_nobody_waits_for_himself(desk: Desk, add: Add) -> None:
    line = await spoken_for(desk, add)
    both = await asyncio.gather(*(orders.place(desk, request(buy(11), key="the-same-key-1")) for _ in range(2)))
    assert both[0].id == both[1].id
    assert line.log.count("place") == 1
    assert await is_free(desk)


async def test_many_orders_at_once_for_one_account_wait_for_each_other(desk: Desk, add: Add) -> None:
    line = await spoken_for(desk, add)
    placed = await asyncio.gather(*(orders.place(desk, request(buy(20 + number))) for number in range(6)))
    legs = [each.legs[0] for each in placed]
    gone = [leg for leg in legs if leg.state == "open"]
    assert gone
    assert len(line.book) == 1 + len(gone)
    # The clock of tests may jump over a deadline while the journal is at work.
    assert {leg.problem.code for leg in legs if leg.problem is not None} <= {Block.ACCOUNT_BUSY, Block.DEADLINE}
    assert await is_free(desk)


async def test_slices_after_the_first_take_turns_of_their_own(desk: Desk, add: Add) -> None:
    line = await add("tagless")
    line.facts = {"freeze_quantity": 10}
    await orders.place(desk, request(buy()))
    line.log.clear()
    placed = await orders.place(desk, request(buy(25), allow_duplicate=True))
    assert [leg.quantity for leg in placed.legs] == [10, 10, 5]
    assert {leg.state for leg in placed.legs} == {"open"}
    assert [word for word in line.log if word in {"orders", "place"}] == ["orders", "place"] * 3
    assert await is_free(desk)
