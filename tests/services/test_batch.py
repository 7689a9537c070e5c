"""Batches: judged whole before anything is sent, sent once, stopped when told."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ordo_cli.brokers.base import Permit
from ordo_cli.desk import Desk
from ordo_cli.domain.batch import Row, read_row
from ordo_cli.domain.errors import Busy
from ordo_cli.domain.fanouts import Outcome
from ordo_cli.domain.kill import Scope, ScopeKind
from ordo_cli.domain.orders import OrderIntent, Tag
from ordo_cli.machine import SystemDisk
from ordo_cli.services import batch, kill
from ordo_cli.services.batch import Halt, Report, Result
from tests.fakes import FakeClock, ScriptedBroker, refusing, silent_after_accepting
from tests.services.conftest import Add, Opener


def row(line: int = 2, **said: str) -> Row:
    cells = {"side": "buy", "instrument": "NSE:INFY", "qty": str(line), "limit": "1500", "to": "alice"}
    found = read_row(line, cells | said)
    assert isinstance(found, Row), found
    return found


async def messages(desk: Desk, *rows: Row) -> list[str]:
    return [fault.message for fault in (await batch.judge(desk, rows, ())).faults]


def outcomes(report: Report) -> list[Outcome | None]:
    return [result.fan_out.outcome if result.fan_out else None for result in report.results]


async def test_a_target_that_nobody_has_is_a_fault(desk: Desk, add: Add) -> None:
    await add("alice")
    judged = await batch.judge(desk, [row(2), row(3, to="eve"), row(4, to="@nobody")], ())
    assert [(fault.line, fault.column) for fault in judged.faults] == [(3, "to"), (4, "to")]


async def test_what_the_brokers_or_limits_refuse_is_found_before_anything_is_sent(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    found = await messages(
        desk,
        row(limit="1500.01"),
        row(qty="2000001"),
        row(product="mtf"),
        row(instrument="BSE:INFY"),
        row(qty="1000"),
    )
    for word in ("tick", "freeze", "does not take", "BSE", "limit for one order"):
        assert any(word in message for message in found), word
    assert "place" not in alice.log


async def test_a_share_that_cannot_be_dealt_is_a_fault(desk: Desk, add: Add) -> None:
    await add("alice")
    await add("bob")
    found = await messages(desk, row(qty="5", split="equal", to="alice=10 bob"))
    assert "exceed 5 by 5" in found[0]


async def test_a_market_order_is_not_refused_for_a_price_that_only_its_moment_knows(desk: Desk, add: Add) -> None:
    await add("alice")
    assert not await messages(desk, row(limit=""))


async def test_one_fault_is_said_once_for_all_its_accounts(desk: Desk, add: Add) -> None:
    await add("alice", "family")
    await add("bob", "family")
    assert await messages(desk, row(limit="1500.01", to="@family")) == [
        "alice, bob: limit 1500.01 is not a multiple of the tick 0.05"
    ]


async def test_a_broker_that_cannot_be_asked_is_no_fault_of_the_file(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    alice.instrument = _down  # type: ignore[method-assign,assignment]
    assert not await messages(desk, row())


async def _down(_: object) -> None:
    from ordo_cli.domain.errors import Unreachable

    raise Unreachable("connection refused")


async def test_rows_are_sent_in_their_order_and_told_as_they_are(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    alice.script = [None, refusing()]
    told: list[Result] = []
    report = await batch.run(desk, [row(2), row(3), row(4)], "b", told.append)
    assert outcomes(report) == [Outcome.SUCCESS, Outcome.REFUSED, Outcome.SUCCESS]
    assert tuple(told) == report.results
    assert [order.quantity for order in alice.book] == [2, 4]


async def test_a_second_run_repeats_the_answers_and_sends_only_what_is_new(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    await batch.run(desk, [row(2), row(3)], "b")
    again = await batch.run(desk, [row(2), row(3), row(4)], "b")
    assert [result.fan_out.replayed for result in again.results if result.fan_out] == [True, True, False]
    assert [order.quantity for order in alice.book] == [2, 3, 4]


async def test_a_row_whose_answer_was_lost_is_not_sent_again(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    alice.script = [silent_after_accepting]
    first = await batch.run(desk, [row(2)], "b")
    again = await batch.run(desk, [row(2)], "b")
    assert outcomes(first) == outcomes(again) == [Outcome.UNKNOWN]
    assert len(alice.book) == 1


async def test_the_next_trading_day_is_another_run(desk: Desk, add: Add, clock: FakeClock) -> None:
    alice = await add("alice")
    await batch.run(desk, [row(2)], "b")
    clock.pass_(86_400)
    await batch.run(desk, [row(2)], "b")
    assert len(alice.book) == 2


async def test_the_same_row_twice_counts_as_a_slip_unless_it_is_allowed(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    rows = [row(2), row(3, qty="2")]
    assert (await batch.judge(desk, rows, ())).copies == ((3, 2),)
    assert outcomes(await batch.run(desk, rows, "b")) == [Outcome.SUCCESS, Outcome.BLOCKED]
    assert outcomes(await batch.run(desk, rows, "c", allow_duplicate=True)) == [Outcome.SUCCESS, Outcome.SUCCESS]
    assert len(alice.book) == 3


async def test_a_row_that_is_refused_does_not_keep_the_next_from_going(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    alice.last_price = Decimal(1000)
    report = await batch.run(desk, [row(2), row(3, limit="1000")], "b")
    assert report.results[0].problem is not None
    assert report.results[0].problem.code == "COLLAR_EXCEEDED"
    assert outcomes(report) == [None, Outcome.SUCCESS]
    assert report.halt is None


async def test_the_kill_switch_ends_the_run_and_the_rest_is_named(desk: Desk, add: Add) -> None:
    alice = await add("alice")

    def press(broker: ScriptedBroker, intent: OrderIntent, tag: Tag, permit: Permit) -> None:
        from ordo_cli import arming

        arming.disarm(desk.home.run, "global", "")

    alice.script = [None, press]
    report = await batch.run(desk, [row(2), row(3), row(4)], "b")
    assert report.halt is Halt.KILLED
    assert [result.problem.code if result.problem else None for result in report.results] == [None, None, "KILL"]
    assert outcomes(report)[1] is Outcome.BLOCKED
    assert [order.quantity for order in alice.book] == [2]


async def test_a_switch_on_one_account_stops_its_own_rows_and_not_the_file(desk: Desk, add: Add) -> None:
    alice, bob = await add("alice"), await add("bob")
    await kill.engage(desk, Scope(ScopeKind.ACCOUNT, "alice"))
    report = await batch.run(desk, [row(2), row(3, to="bob")], "b")
    assert report.halt is None
    assert not alice.book
    assert len(bob.book) == 1


async def test_a_stop_by_the_user_ends_the_run_after_the_row_on_its_way(desk: Desk, add: Add) -> None:
    alice = await add("alice")

    def stop(broker: ScriptedBroker, intent: OrderIntent, tag: Tag, permit: Permit) -> None:
        desk.stopping.set()

    alice.script = [stop]
    report = await batch.run(desk, [row(2), row(3)], "b")
    assert report.halt is Halt.INTERRUPTED
    assert outcomes(report) == [Outcome.SUCCESS, None]
    assert len(alice.book) == 1


async def test_one_run_at_a_time(desk: Desk, add: Add, reopen: Opener) -> None:
    await add("alice")
    async with reopen() as other:
        async with other.locks.only_one("batch"):
            with pytest.raises(Busy, match="batch"):
                await batch.run(desk, [row(2)], "b")
        assert outcomes(await batch.run(desk, [row(2)], "b")) == [Outcome.SUCCESS]


class FullDisk(SystemDisk):
    def free(self, path: str) -> tuple[int, int]:
        return 0, 10**12


async def test_a_full_disk_ends_the_run_before_the_first_row(desk: Desk, add: Add, reopen: Opener) -> None:
    alice = await add("alice")
    async with reopen(disk=FullDisk()) as full:
        report = await batch.run(full, [row(2), row(3)], "b")
    assert report.halt is Halt.STORE
    assert [result.problem.code for result in report.results if result.problem] == ["STORE", "STORE"]
    assert not alice.book
