"""Cancels and changes: asked for, looked up, asked again only while the book shows the order open."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from ordo_cli.cli.exits import UNKNOWN, exit_code_of_cancels
from ordo_cli.desk import Desk
from ordo_cli.domain.accounts import Target
from ordo_cli.domain.errors import KillEngaged, LimitExceeded, NoAnswer, NotFound, Refused, Rejected, Unreachable
from ordo_cli.domain.kill import GLOBAL, Level
from ordo_cli.domain.legs import Cancel
from ordo_cli.domain.orders import BrokerOrderId, Changes, OrderState
from ordo_cli.services import cancelling, kill, modifying, orders
from tests.fakes import buy, lost_on_the_way
from tests.services.conftest import Add
from tests.services.test_orders import request


async def test_a_cancel_is_believed_only_when_the_book_shows_it(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    fan_out = await orders.place(desk, request(buy()))
    result = await cancelling.cancel_leg(desk, fan_out.legs[0].id)
    assert result.done
    assert result.leg is not None
    assert (result.leg.state, result.leg.cancel) == ("cancelled", Cancel.ACKED)
    assert alice.log.count("cancel") == 1


@pytest.mark.parametrize("trouble", [NoAnswer("silence"), Unreachable("refused")])
async def test_a_cancel_without_an_answer_is_asked_again_while_the_order_is_open(
    desk: Desk, add: Add, trouble: Exception
) -> None:
    alice = await add("alice")
    fan_out = await orders.place(desk, request(buy()))
    alice.cancel_trouble = [trouble, trouble]
    result = await cancelling.cancel_leg(desk, fan_out.legs[0].id)
    assert result.done
    assert alice.log.count("cancel") == 3


async def test_a_cancel_is_asked_five_times_at_the_most(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    fan_out = await orders.place(desk, request(buy()))
    alice.cancel_trouble = [NoAnswer("silence")] * 9
    result = await cancelling.cancel_leg(desk, fan_out.legs[0].id)
    assert not result.done
    assert result.problem is not None
    assert alice.log.count("cancel") == 5


async def test_a_cancel_that_lost_the_race_tells_of_the_fill(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    fan_out = await orders.place(desk, request(buy()))
    alice.cancel_trouble = [Rejected("already complete", code="TOO_LATE")]
    row = alice.book[0]
    alice.put(replace(row, state=OrderState.FILLED, filled_quantity=10, average_price=Decimal(1500)))
    result = await cancelling.cancel_leg(desk, fan_out.legs[0].id)
    assert result.leg is not None
    assert (result.leg.state, result.leg.cancel) == ("filled", Cancel.TOO_LATE)


async def test_a_cancel_passes_while_the_kill_switch_is_on(desk: Desk, add: Add) -> None:
    await add("alice")
    fan_out = await orders.place(desk, request(buy()))
    await kill.engage(desk, GLOBAL, Level.BLOCK, "test")
    assert (await cancelling.cancel_leg(desk, fan_out.legs[0].id)).done


async def test_what_is_unknown_or_over_cannot_be_cancelled(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    alice.script = [lost_on_the_way]
    unknown = await orders.place(desk, request(buy()))
    with pytest.raises(Refused, match="unknown"):
        await cancelling.cancel_leg(desk, unknown.legs[0].id)
    bob = await add("bob")
    bob.fill = True
    filled = await orders.place(desk, request(buy(), "bob"))
    with pytest.raises(Refused, match="already filled"):
        await cancelling.cancel_leg(desk, filled.legs[0].id)


async def test_a_cancel_of_all_names_the_order_of_which_nobody_knows_whether_it_works(desk: Desk, add: Add) -> None:
    alice, _ = await add("alice"), await add("bob")
    alice.script = [lost_on_the_way]
    fan_out = await orders.place(desk, request(buy(), "alice", "bob"))
    for ask in (cancelling.cancel_fan_out(desk, fan_out.id), cancelling.cancel_all(desk, [Target("all")])):
        done = {str(each.account): each for each in await ask}
        assert done["alice"].problem is not None
        assert done["alice"].problem.code == cancelling.UNRESOLVED
        assert exit_code_of_cancels([done["alice"]]) == exit_code_of_cancels(list(done.values())) == UNKNOWN
        assert "bob" not in done or done["bob"].done


async def test_an_order_that_ordo_did_not_place_is_cancelled_by_its_brokers_id(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    await orders.place(desk, request(buy()))
    alice.book.append(replace(alice.book[0], order_id=BrokerOrderId("app"), tag=None))
    found = await cancelling.find_order(desk, "app", "alice")
    assert isinstance(found, tuple)
    assert (await cancelling.cancel_order(desk, *found)).done
    with pytest.raises(NotFound, match="app"):
        await cancelling.find_order(desk, "app", None)


async def test_cancel_all_leaves_nothing_of_ours_working_and_names_what_failed(desk: Desk, add: Add) -> None:
    alice, bob = await add("alice"), await add("bob")
    await orders.place(desk, request(buy()))
    await orders.place(desk, request(buy(20)))
    bob.cancel_trouble = [NoAnswer("silence")] * 99
    results = await cancelling.cancel_all(desk, [Target("all")])
    assert [result.done for result in results if result.account == "alice"] == [True, True]
    assert all(result.problem for result in results if result.account == "bob")
    assert {row.state for row in alice.book} == {OrderState.CANCELLED}


async def test_a_change_is_judged_like_a_new_order(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    leg = (await orders.place(desk, request(buy()))).legs[0].id
    with pytest.raises(LimitExceeded):
        await modifying.modify(desk, leg, Changes(limit_price=Decimal("1500.03")))
    with pytest.raises(LimitExceeded):
        await modifying.modify(desk, leg, Changes(quantity=1000))
    assert "modify" not in alice.log
    changed = await modifying.modify(desk, leg, Changes(quantity=20, limit_price=Decimal(1490)))
    assert (changed.quantity, alice.book[0].limit_price) == (20, Decimal(1490))


async def test_a_change_does_not_pass_the_kill_switch(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    leg = (await orders.place(desk, request(buy()))).legs[0].id
    await kill.engage(desk, GLOBAL, Level.BLOCK, "test")
    with pytest.raises(KillEngaged):
        await modifying.modify(desk, leg, Changes(limit_price=Decimal(1490)))
    assert "modify" not in alice.log


async def test_what_is_over_cannot_be_changed(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    alice.fill = True
    leg = (await orders.place(desk, request(buy()))).legs[0].id
    with pytest.raises(Refused):
        await modifying.modify(desk, leg, Changes(limit_price=Decimal(1490)))
