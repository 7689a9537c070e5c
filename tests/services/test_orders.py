"""Placing one order on many accounts: written down first, sent once, told as it is."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from ordo_cli.brokers.base import Permit
from ordo_cli.desk import Desk
from ordo_cli.domain.accounts import Target, parse_target
from ordo_cli.domain.allocation import Split
from ordo_cli.domain.errors import Invalid, KeyConflict, KillEngaged, LimitExceeded, NoAnswer, NotFound, StoreFailed
from ordo_cli.domain.fanouts import FanOut, Outcome
from ordo_cli.domain.kill import GLOBAL, Level, Scope, ScopeKind
from ordo_cli.domain.legs import Evidence, Leg, Submission
from ordo_cli.domain.orders import OrderIntent, OrderReport, OrderState, Product, Side, Tag
from ordo_cli.domain.portfolio import Position
from ordo_cli.services import accounts, kill, orders
from ordo_cli.services.orders import Until
from ordo_cli.services.planning import OnPartial, PlaceRequest
from tests.backends import Backend
from tests.fakes import (
    INFY,
    FakeClock,
    ScriptedBroker,
    buy,
    lost_on_the_way,
    refusing,
    sell,
    silent_after_accepting,
    unreachable,
)
from tests.services.conftest import Add, Opener


def request(intent: OrderIntent, *targets: str, **more: object) -> PlaceRequest:
    return PlaceRequest(intent, tuple(parse_target(word) for word in targets or ("all",)), **more)  # type: ignore[arg-type]


def leg_of(fan_out: FanOut, account: str) -> Leg:
    return next(leg for leg in fan_out.legs if leg.account == account)


async def test_a_leg_is_written_down_before_it_is_sent(desk: Desk, add: Add, backend: Backend) -> None:
    alice = await add("alice")
    seen: list[str] = []

    def look(broker: ScriptedBroker, intent: OrderIntent, tag: Tag, permit: Permit) -> None:
        seen.extend(row[0] for row in backend.fetch(Path(desk.home.database), "SELECT submission FROM legs"))

    alice.script = [look]
    fan_out = await orders.place(desk, request(buy()))
    assert seen == ["sending"]
    assert fan_out.legs[0].submission is Submission.ACKED


async def test_every_account_gets_the_order_once_and_the_truth_about_each_is_told(desk: Desk, add: Add) -> None:
    alice, bob, carol = await add("alice"), await add("bob"), await add("carol")
    bob.script, carol.script = [refusing()], [silent_after_accepting]
    fan_out = await orders.place(desk, request(buy()))
    assert {leg.account: leg.state for leg in fan_out.legs} == {"alice": "open", "bob": "rejected", "carol": "unknown"}
    assert fan_out.outcome is Outcome.UNKNOWN
    assert [line.log.count("place") for line in (alice, bob, carol)] == [1, 1, 1]
    problem = leg_of(fan_out, "bob").problem
    assert problem is not None
    assert (problem.code, problem.message) == ("MARGIN", "not enough margin")


async def test_silence_is_never_followed_by_another_send(desk: Desk, add: Add, clock: FakeClock) -> None:
    alice = await add("alice")
    alice.script = [lost_on_the_way]
    fan_out = await orders.place(desk, request(buy()))
    placed = await orders.wait(desk, fan_out, Until.ACCEPTED, timeout=300)
    assert not placed.reached
    assert placed.fan_out.legs[0].submission is Submission.UNKNOWN
    assert alice.log.count("place") == 1


async def test_an_unknown_leg_is_found_by_its_tag(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    alice.script = [silent_after_accepting]
    fan_out = await orders.place(desk, request(buy()))
    placed = await orders.wait(desk, fan_out, Until.ACCEPTED, timeout=30)
    assert placed.reached
    leg = placed.fan_out.legs[0]
    assert (leg.state, leg.evidence, leg.problem) == ("open", Evidence.BOOK_TAG, None)


async def test_what_never_left_is_tried_again_three_times_at_the_most(desk: Desk, add: Add) -> None:
    alice, bob = await add("alice"), await add("bob")
    alice.script, bob.script = [unreachable, unreachable], [unreachable] * 5
    fan_out = await orders.place(desk, request(buy()))
    assert leg_of(fan_out, "alice").state == "open"
    assert leg_of(fan_out, "alice").attempt == 3
    assert (len(alice.book), bob.log.count("place")) == (1, 3)
    assert leg_of(fan_out, "bob").submission is Submission.BLOCKED


async def test_an_adapter_that_breaks_after_the_first_byte_leaves_the_leg_unknown(desk: Desk, add: Add) -> None:
    def break_after(broker: ScriptedBroker, intent: OrderIntent, tag: Tag, permit: Permit) -> None:
        broker.receive(intent, tag, permit)
        raise KeyError("norenordno")

    alice = await add("alice")
    alice.script = [break_after]
    fan_out = await orders.place(desk, request(buy()))
    assert fan_out.legs[0].submission is Submission.UNKNOWN
    assert len(alice.book) == 1


async def test_the_same_key_replays_and_sends_nothing(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    first = await orders.place(desk, request(buy(), key="morning-1"))
    second = await orders.place(desk, request(buy(), key="morning-1"))
    assert second.replayed
    assert replace(second, replayed=False) == first
    assert len(alice.book) == 1


async def test_the_same_key_with_another_payload_is_refused(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    await orders.place(desk, request(buy(), key="morning-1"))
    with pytest.raises(KeyConflict):
        await orders.place(desk, request(buy(11), key="morning-1"))
    assert len(alice.book) == 1


async def test_a_replay_needs_no_switch_and_no_limit(desk: Desk, add: Add) -> None:
    await add("alice")
    await orders.place(desk, request(buy(), key="morning-1"))
    await kill.engage(desk, GLOBAL, Level.BLOCK, "test")
    assert (await orders.place(desk, request(buy(), key="morning-1"))).replayed


async def test_the_same_order_within_ten_seconds_is_taken_for_a_slip(desk: Desk, add: Add, clock: FakeClock) -> None:
    alice = await add("alice")
    await orders.place(desk, request(buy()))
    again = await orders.place(desk, request(buy()))
    assert again.legs[0].problem is not None
    assert again.legs[0].problem.code == "DUPLICATE"
    await orders.place(desk, request(buy(), allow_duplicate=True))
    clock.pass_(11)
    await orders.place(desk, request(buy()))
    assert len(alice.book) == 3


async def test_an_account_with_a_longer_window_of_its_own_keeps_it(
    reopen: Opener, desk: Desk, add: Add, clock: FakeClock
) -> None:
    await add("alice")
    await add("bob")
    await accounts.set_value(desk, "limits.accounts.alice.duplicate_window", "60")
    async with reopen() as later:
        await orders.place(later, request(buy()))
        clock.pass_(30)
        again = await orders.place(later, request(buy()))
    assert {leg.account: leg.state for leg in again.legs} == {"alice": "not_sent", "bob": "open"}


async def test_what_the_broker_refused_may_be_sent_again_at_once(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    alice.script = [refusing()]
    await orders.place(desk, request(buy()))
    assert (await orders.place(desk, request(buy()))).legs[0].state == "open"
    assert len(alice.book) == 1


async def test_while_a_leg_is_unknown_nothing_more_goes_into_that_instrument(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    alice.script = [lost_on_the_way]
    await orders.place(desk, request(buy()))
    blocked = await orders.place(desk, request(buy(20, "1490")))
    assert blocked.legs[0].problem is not None
    assert blocked.legs[0].problem.code == "UNKNOWN_PENDING"
    assert alice.log.count("place") == 1


async def test_a_kill_before_the_order_refuses_it(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    await kill.engage(desk, GLOBAL, Level.BLOCK, "test")
    with pytest.raises(KillEngaged):
        await orders.place(desk, request(buy()))
    assert alice.log == []


async def test_a_kill_of_one_account_stops_that_leg_alone(desk: Desk, add: Add) -> None:
    alice, bob = await add("alice"), await add("bob")
    await kill.engage(desk, Scope(ScopeKind.ACCOUNT, "alice"), Level.BLOCK, "test")
    fan_out = await orders.place(desk, request(buy()))
    assert {leg.account: leg.state for leg in fan_out.legs} == {"alice": "not_sent", "bob": "open"}
    assert (alice.book, len(bob.book)) == ([], 1)


async def test_a_kill_between_claim_and_first_byte_sends_nothing(desk: Desk, add: Add) -> None:
    from ordo_cli import arming

    def pull(broker: ScriptedBroker, intent: OrderIntent, tag: Tag, permit: Permit) -> None:
        arming.disarm(desk.home.run, "global", "")

    alice = await add("alice")
    alice.script = [pull]
    fan_out = await orders.place(desk, request(buy()))
    assert alice.book == []
    assert fan_out.legs[0].problem is not None
    assert (fan_out.legs[0].state, fan_out.legs[0].problem.code) == ("not_sent", "KILL")


async def test_an_attempt_that_grew_too_old_before_its_first_byte_is_tried_again(
    desk: Desk, add: Add, clock: FakeClock
) -> None:
    def dawdle(broker: ScriptedBroker, intent: OrderIntent, tag: Tag, permit: Permit) -> None:
        clock.pass_(0.3)

    alice = await add("alice")
    alice.script = [dawdle]
    fan_out = await orders.place(desk, request(buy()))
    assert (fan_out.legs[0].state, fan_out.legs[0].attempt, len(alice.book)) == ("open", 2, 1)


async def test_nothing_leaves_after_its_deadline(desk: Desk, add: Add, clock: FakeClock) -> None:
    def sleep_on(broker: ScriptedBroker, intent: OrderIntent, tag: Tag, permit: Permit) -> None:
        clock.pass_(60)

    alice = await add("alice")
    alice.script = [sleep_on]
    fan_out = await orders.place(desk, request(buy()))
    assert alice.book == []
    assert fan_out.legs[0].problem is not None
    assert fan_out.legs[0].problem.code == "DEADLINE"


async def test_no_more_than_eight_operations_leave_an_account_in_a_second(
    desk: Desk, add: Add, clock: FakeClock
) -> None:
    alice = await add("alice")
    for number in range(20):
        await orders.place(desk, request(buy(number + 1)))
    times = sorted(row.placed_at.timestamp() for row in alice.book if row.placed_at)
    assert len(times) == 20
    assert all(later - earlier >= 1 for earlier, later in zip(times, times[8:], strict=False))


async def test_what_is_wrong_for_everyone_refuses_the_whole_request_and_keeps_the_key_free(
    desk: Desk, add: Add
) -> None:
    alice, bob = await add("alice"), await add("bob")
    with pytest.raises(LimitExceeded) as refusal:
        await orders.place(desk, request(buy(10, "1500.03"), key="morning-1"))
    assert refusal.value.reason == "PRICE_TICK"
    with pytest.raises(LimitExceeded) as refusal:
        await orders.place(desk, request(buy(1000), key="morning-1"))
    assert "ordo config set" in (refusal.value.hint or "")
    assert (alice.log.count("place"), bob.log.count("place")) == (0, 0)
    assert not (await orders.place(desk, request(buy(), key="morning-1"))).replayed


async def test_what_is_wrong_for_one_account_is_that_legs_problem(desk: Desk, add: Add) -> None:
    await add("alice")
    bob = await add("bob")
    fan_out = await orders.place(desk, request(buy(10), "alice", "bob=200"))
    assert leg_of(fan_out, "alice").state == "open"
    problem = leg_of(fan_out, "bob").problem
    assert problem is not None
    assert problem.code == "VALUE_ORDER_MAX"
    assert bob.book == []
    assert fan_out.outcome is Outcome.PARTIAL


async def test_a_soft_objection_needs_a_confirmation(desk: Desk, add: Add) -> None:
    await add("alice")
    with pytest.raises(LimitExceeded) as refusal:
        await orders.place(desk, request(buy(10, "1560")))
    assert refusal.value.reason == "COLLAR_EXCEEDED"
    assert (await orders.place(desk, request(buy(10, "1560"), confirmed=True))).outcome is Outcome.SUCCESS


async def test_a_day_has_an_end(desk: Desk, add: Add, clock: FakeClock) -> None:
    alice = await add("alice")
    for number in range(15):
        clock.pass_(2)
        await orders.place(desk, request(buy(100 + number)))
    with pytest.raises(LimitExceeded) as refusal:
        await orders.place(desk, request(buy(120)))
    assert refusal.value.reason == "DAY_VALUE_MAX"
    assert len(alice.book) == 15


async def test_a_quantity_is_shared_out_in_whole_units(desk: Desk, add: Add) -> None:
    alice, bob, carol = await add("alice"), await add("bob"), await add("carol")
    plan = await orders.preview(desk, request(buy(10), split=Split.EQUAL))
    assert [proposal.quantity for proposal in plan.proposals] == [4, 3, 3]
    await orders.place(desk, request(buy(10), split=Split.EQUAL))
    assert [line.book[0].quantity for line in (alice, bob, carol)] == [4, 3, 3]


async def test_a_preview_sends_nothing_and_writes_nothing(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    plan = await orders.preview(desk, request(buy(10)))
    assert plan.value == Decimal(15000)
    assert alice.log.count("place") == 0
    assert await desk.store.journal.fan_outs(10) == []


async def test_a_name_nobody_has_refuses_the_request(desk: Desk, add: Add) -> None:
    await add("alice")
    with pytest.raises(NotFound):
        await orders.place(desk, request(buy(), "alice", "alcie"))
    with pytest.raises(Invalid):
        await orders.place(desk, PlaceRequest(buy(), (Target("alice"),), key="short"))


async def test_after_the_first_ctrl_c_nothing_more_is_started(desk: Desk, add: Add) -> None:
    def stop(broker: ScriptedBroker, intent: OrderIntent, tag: Tag, permit: Permit) -> None:
        desk.stopping.set()

    alice, bob = await add("alice"), await add("bob")
    alice.script = [stop]
    bob.script = [unreachable, unreachable]
    fan_out = await orders.place(desk, request(buy()))
    assert leg_of(fan_out, "alice").state == "open"
    assert leg_of(fan_out, "bob").problem is not None
    assert bob.book == []
    assert leg_of(fan_out, "bob").state == "not_sent"


async def test_the_rest_is_cancelled_when_asked_for(desk: Desk, add: Add) -> None:
    alice, bob = await add("alice"), await add("bob")
    bob.script = [refusing()]
    fan_out = await orders.place(desk, request(buy(), on_partial=OnPartial.CANCEL_REST))
    assert leg_of(fan_out, "alice").state == "cancelled"
    assert alice.book[0].state is OrderState.CANCELLED


async def test_a_full_disk_refuses_a_fan_out_before_it_begins(desk: Desk, add: Add) -> None:
    class FullDisk:
        def free(self, path: str) -> tuple[int, int]:
            return 1_000_000, 10**12

        def write(self, path: str, data: bytes, mode: int = 0o600) -> None:
            raise OSError("no space")

    alice = await add("alice")
    with pytest.raises(StoreFailed):
        await orders.place(replace(desk, disk=FullDisk()), request(buy()))
    assert alice.log == []


async def test_legs_share_no_fate(desk: Desk, add: Add) -> None:
    lines = [await add(f"a{number}") for number in range(30)]
    for line in lines[::3]:
        line.script = [lost_on_the_way]
    for line in lines[1::3]:
        line.script = [refusing()]
    fan_out = await orders.place(desk, request(buy()))
    summary = fan_out.summary
    assert (summary.accepted, summary.refused, summary.unknown) == (10, 10, 10)


async def test_orders_to_one_account_go_one_after_the_other(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    running = 0

    def overlap(broker: ScriptedBroker, intent: OrderIntent, tag: Tag, permit: Permit) -> OrderReport:
        nonlocal running
        running += 1
        assert running == 1
        report = broker.receive(intent, tag, permit)
        running -= 1
        return report

    alice.script = [overlap] * 3
    await asyncio.gather(*(orders.place(desk, request(buy(number))) for number in (1, 2, 3)))
    assert len(alice.book) == 3


async def test_an_own_order_on_the_other_side_asks_first(desk: Desk, add: Add) -> None:
    await add("alice")
    await add("bob")
    await orders.place(desk, request(buy(), "alice"))
    with pytest.raises(LimitExceeded) as refusal:
        await orders.place(desk, request(sell(), "bob"))
    assert refusal.value.reason == "SELF_CROSS"


async def test_waiting_for_filled_ends_when_the_book_says_so(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    fan_out = await orders.place(desk, request(buy()))
    early = await orders.wait(desk, fan_out, Until.FILLED, timeout=1)
    assert not early.reached
    row = alice.book[0]
    alice.put(replace(row, state=OrderState.FILLED, filled_quantity=10, average_price=Decimal(1499)))
    placed = await orders.wait(desk, fan_out, Until.FILLED, timeout=10)
    assert placed.reached
    assert (placed.fan_out.legs[0].state, placed.fan_out.legs[0].average_price) == ("filled", Decimal(1499))


async def test_a_second_user_of_a_key_waits_for_the_first_and_sends_nothing(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    seen: list[FanOut] = []
    inside, go_on = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        inside.set()
        await go_on.wait()

    alice.before_placing = hold
    first = asyncio.ensure_future(orders.place(desk, request(buy(), key="morning-1")))
    await inside.wait()
    second = asyncio.ensure_future(orders.place(desk, request(buy(), key="morning-1"), show=seen.append))
    while not seen:
        await asyncio.sleep(0.001)
    go_on.set()
    assert (await second).legs == (await first).legs
    assert (seen[0].legs[0].state, (await second).legs[0].state) == ("sending", "open")
    assert len(alice.book) == 1


async def test_a_close_passes_every_limit_and_every_switch_and_never_turns_a_position_around(
    desk: Desk, add: Add
) -> None:
    alice = await add("alice")
    alice.fill = True
    account = alice.account
    await accounts.enable(desk, "alice", False)
    await kill.engage(desk, GLOBAL, Level.BLOCK, "test")
    held = Position(INFY, Product.MIS, -5000, Decimal(1500), Decimal(1500), Decimal(0), Decimal(0))
    alice.position_rows = [held]
    with pytest.raises(LimitExceeded):
        await orders.close_position(desk, account, held, 5001)
    leg = await orders.close_position(desk, account, held, 5000)
    assert (leg.state, alice.book[0].side, alice.book[0].quantity) == ("filled", Side.BUY, 5000)


async def test_an_account_that_lost_its_days_limit_sends_nothing_more(reopen: Opener, desk: Desk, add: Add) -> None:
    alice = await add("alice")
    await accounts.set_value(desk, "limits.accounts.alice.loss_day_max", "5000")
    async with reopen() as later:
        alice.position_rows = [Position(INFY, Product.MIS, 0, Decimal(0), None, Decimal(-5000), Decimal(0))]
        with pytest.raises(LimitExceeded) as refusal:
            await orders.place(later, request(buy()))
        assert refusal.value.reason == "LOSS_DAY_MAX"
        alice.unreadable = NoAnswer("silence")
        with pytest.raises(LimitExceeded):
            await orders.place(later, request(buy()))
    assert alice.log.count("place") == 0
