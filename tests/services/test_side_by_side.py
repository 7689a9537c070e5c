"""Side by side: two who work on one account at the same moment do no more than one alone would have done."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from ordo_cli.desk import Desk, open_desk
from ordo_cli.domain.accounts import AccountId, Target
from ordo_cli.domain.errors import Invalid, Refused
from ordo_cli.domain.kill import GLOBAL, Level
from ordo_cli.domain.legs import Leg, LegId, Submission
from ordo_cli.domain.orders import BrokerOrderId, OrderReport, OrderState
from ordo_cli.domain.portfolio import Position
from ordo_cli.domain.tags import tag_of
from ordo_cli.home import Home
from ordo_cli.services import cancelling, kill, orders, positions, reconcile
from ordo_cli.services import legs as settling
from ordo_cli.services.planning import PlaceRequest
from tests.backends import Backend
from tests.fakes import FakeClock, Firm, ScriptedBroker, buy, lost_on_the_way, sell, silent_after_accepting
from tests.services.conftest import Add, Opener
from tests.services.test_sweep import fill, filling, held, of, place, row, sells

ALICE = [Target("alice")]


async def legs(desk: Desk) -> list[Leg]:
    return [leg for fan_out in await desk.store.journal.fan_outs() for leg in fan_out.legs]


async def test_two_who_close_one_position_at_once_do_not_turn_it_around(desk: Desk, add: Add, reopen: Opener) -> None:
    alice = await add("alice")
    alice.position_rows = [held(10)]
    alice.script = [filling()] * 9
    looks, both_look, first_looks = alice.positions, asyncio.Barrier(2), [1, 2]

    async def side_by_side() -> list[Position]:
        if first_looks:
            first_looks.pop()
            await both_look.wait()
        return list(await looks())

    alice.positions = side_by_side  # type: ignore[method-assign]
    async with reopen() as other:
        reports = await asyncio.gather(positions.close(desk, ALICE), positions.close(other, ALICE))
    assert sells(alice) == [10]
    assert len(alice.book) == 1
    assert alice.position_rows[0].quantity == 0
    assert all(report.clean for report in reports)
    refused = [leg for leg in await legs(desk) if leg.submission is Submission.BLOCKED]
    assert {leg.problem.code for leg in refused if leg.problem} == {"REDUCE_ONLY"}


async def test_a_close_counts_an_order_to_sell_of_which_nobody_knows_what_became(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    alice.position_rows = [held(10)]
    alice.script = [lost_on_the_way, filling()]
    await place(desk, sell(4), "alice")
    report = await positions.close(desk, ALICE)
    assert sells(alice) == [6]
    assert not report.clean


async def test_an_exit_that_fills_while_it_is_looked_at_is_not_closed_again(desk: Desk, add: Add) -> None:
    """A foreign order takes the position off between the first look at the positions and the look at the book."""
    alice = await add("alice")
    await place(desk, sell(), "alice")
    alice.book[0] = replace(alice.book[0], tag=None, order_id=BrokerOrderId("foreign"))
    alice.position_rows = [held(10)]
    looks = alice.positions

    async def filled_meanwhile() -> list[object]:
        rows = list(await looks())
        if alice.log.count("orders") and alice.book[0].state is OrderState.OPEN:
            fill(alice, BrokerOrderId("foreign"), 10)
        return rows  # type: ignore[return-value]

    alice.positions = filled_meanwhile  # type: ignore[method-assign, assignment]
    await positions.close(desk, ALICE)
    assert len(alice.book) == 1
    assert alice.position_rows[0].quantity == 0


async def test_positions_that_lag_behind_a_close_are_not_closed_again(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    alice.position_rows = [held(10)]
    alice.script = [filling()] * 5
    looks = iter(range(100))

    async def lagging() -> list[Position]:
        return [held(10)] if next(looks) < 6 else list(alice.position_rows)

    alice.positions = lagging  # type: ignore[method-assign]
    report = await positions.close(desk, ALICE)
    assert sells(alice) == [10]
    assert len(alice.book) == 1
    assert report.clean


async def test_legs_in_doubt_and_a_held_database_do_not_keep_a_kill_from_cancelling(
    desk: Desk, add: Add, backend: Backend
) -> None:
    alice = await add("alice")
    for price in ("1500", "1490", "1480"):
        await place(desk, buy(limit=price), "alice")
    alice.script = [lost_on_the_way]
    await place(desk, buy(7), "alice")
    await kill.engage(desk, GLOBAL, Level.CANCEL)
    async with backend.held(Path(desk.home.database)):
        report = await kill.sweep(desk, GLOBAL, Level.CANCEL)
    assert [each.state for each in alice.book] == [OrderState.CANCELLED] * 3
    assert len(of(report).cancelled) == 3
    assert not report.clean  # one leg is unknown still
    assert "could not be written down" in of(report).problems[0].message


async def test_two_who_find_the_same_order_disputed_agree(desk: Desk, add: Add, reopen: Opener) -> None:
    alice = await add("alice")
    await place(desk, buy(), "alice")
    alice.put(replace(alice.book[0], state=OrderState.FILLED, filled_quantity=11))
    async with reopen() as other:
        await asyncio.gather(*(reconcile.reconcile(each, [AccountId("alice")]) for each in (desk, other, desk)))
    assert [leg.submission for leg in await legs(desk)] == [Submission.DISPUTED]


async def test_the_same_key_in_two_hands_sends_one_order(desk: Desk, add: Add, reopen: Opener) -> None:
    alice = await add("alice")
    request = PlaceRequest(buy(), tuple(ALICE), key="morning-1-alice")
    async with reopen() as other:
        found = await asyncio.gather(*(orders.place(each, request) for each in (desk, other)))
    assert len(alice.book) == 1
    assert found[0].id == found[1].id


async def test_a_leg_that_a_book_settles_while_a_person_thinks_is_not_settled_twice(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    alice.script = [silent_after_accepting]
    await place(desk, buy(), "alice")
    (leg,) = await legs(desk)
    alice.hidden = {alice.book[0].order_id}

    async def meanwhile() -> list[object]:
        alice.hidden = set()
        await reconcile.reconcile(desk, [AccountId("alice")])
        return []

    alice.positions = meanwhile  # type: ignore[method-assign, assignment]
    with pytest.raises(Refused, match="nothing to settle"):
        await settling.resolve(desk, leg.id, reason="the dealer does not see it")
    assert [each.submission for each in await legs(desk)] == [Submission.ACKED]


async def test_one_order_cannot_be_settled_as_two_legs(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    await place(desk, buy(limit="1500"), "alice")
    alice.script = [lost_on_the_way]
    await place(desk, buy(limit="1490"), "alice")
    lost = next(leg for leg in await legs(desk) if leg.submission is Submission.UNKNOWN)
    with pytest.raises(Invalid, match="cannot be two legs"):
        await settling.resolve(desk, lost.id, reason="seen", broker_id=alice.book[0].order_id)
    assert (await desk.store.journal.leg(lost.id))[1].submission is Submission.UNKNOWN


class Broken:
    """An adapter that trips over its own feet: over every order, or over one."""

    def __init__(self, broker: ScriptedBroker, only: str | None = None) -> None:
        self._cancel, self._only = broker.cancel, only

    async def cancel(self, order_id: BrokerOrderId) -> OrderReport:
        if self._only in (None, order_id):
            raise ZeroDivisionError
        return await self._cancel(order_id)


async def test_a_bug_about_one_order_keeps_no_other_open(desk: Desk, add: Add) -> None:
    alice, bob = await add("alice"), await add("bob")
    await place(desk, buy(), "alice", "bob")
    alice.cancel = Broken(alice).cancel  # type: ignore[method-assign]
    results = await cancelling.cancel_all(desk, [Target("all")])
    assert {each.account: each.problem.code if each.problem else None for each in results} == {
        "alice": "failed",
        "bob": None,
    }
    assert bob.book[0].state is OrderState.CANCELLED
    results = await cancelling.cancel_each(desk, [each.leg.id for each in results if each.leg], None, announce)
    assert [each.problem.code for each in results if each.problem] == ["failed", "ALREADY_DONE"]


async def announce(accounts: list[AccountId]) -> None:
    assert accounts == ["alice", "bob"]


async def test_a_bug_about_one_order_does_not_keep_a_kill_from_the_rest_of_its_account(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    for price in ("1500", "1490", "1480"):
        await place(desk, buy(limit=price), "alice")
    alice.cancel = Broken(alice, alice.book[0].order_id).cancel  # type: ignore[method-assign]
    await kill.engage(desk, GLOBAL, Level.CANCEL)
    report = await kill.sweep(desk, GLOBAL, Level.CANCEL)
    assert [each.state for each in alice.book] == [OrderState.OPEN, OrderState.CANCELLED, OrderState.CANCELLED]
    assert of(report).left == (f"order {alice.book[0].order_id} is open",)


async def test_a_bug_about_one_account_keeps_no_other_unknown(desk: Desk, add: Add) -> None:
    alice, bob = await add("alice"), await add("bob")
    alice.script, bob.script = [silent_after_accepting], [silent_after_accepting]
    await place(desk, buy(), "alice", "bob")

    async def broken() -> list[OrderReport]:
        raise ZeroDivisionError

    alice.orders = broken  # type: ignore[method-assign]
    found = await reconcile.reconcile(desk)
    assert [(each.account, each.problem.code) for each in found.failures] == [("alice", "failed")]
    assert {leg.account: leg.submission for leg in await legs(desk)} == {
        "alice": Submission.UNKNOWN,
        "bob": Submission.ACKED,
    }


async def test_two_users_who_find_the_same_orphan_adopt_it_once(
    desk: Desk, add: Add, home: Home, clock: FakeClock, firm: Firm
) -> None:
    alice = await add("alice")
    tag = tag_of(desk.store.install.tag_key, LegId("lost-1"))
    alice.book.append(row("b1", tag=tag))
    async with open_desk(home, actor="another", clock=clock, find=firm.find) as other:
        found = await asyncio.gather(reconcile.reconcile(desk), reconcile.reconcile(other))
    assert [leg.tag for leg in await legs(desk)] == [tag]
    assert all(each.failures == () for each in found)
