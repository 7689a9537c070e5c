"""Circuit breakers: entries stop when a broker stops answering, one read decides, and nothing else is ever held up."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from ordo_cli.desk import Desk
from ordo_cli.domain.accounts import AccountId, Target
from ordo_cli.domain.breaker import FAILURES, UNKNOWNS, WINDOW, Breaker, State, Trouble
from ordo_cli.domain.errors import LimitExceeded, NoAnswer
from ordo_cli.domain.fanouts import FanOut
from ordo_cli.domain.kill import GLOBAL
from ordo_cli.domain.legs import Submission
from ordo_cli.services import breaker, cancelling, kill, orders, portfolio, status
from ordo_cli.services.planning import PlaceRequest
from tests.fakes import FakeClock, ScriptedBroker, buy, lost_on_the_way, refusing, unreachable
from tests.services.conftest import Add, Opener

ALICE = AccountId("alice")


async def place(desk: Desk, price: int, *names: str) -> FanOut:
    """An order at a price of its own, so that no unknown leg of another and no twin is in its way."""
    targets = tuple(Target(name) for name in names or ("alice",))
    return await orders.place(desk, PlaceRequest(buy(limit=str(price)), targets, allow_duplicate=True))


async def settle(desk: Desk) -> None:
    """Nothing is pending any more in the journal, as after a reconciliation that found nothing: by a person."""
    for _, leg in await desk.store.journal.unsettled():
        if leg.submission is Submission.UNKNOWN:
            await desk.store.journal.move(leg.id, lambda now: now.to(Submission.ABSENT))


async def tripped(desk: Desk, alice: ScriptedBroker) -> None:
    alice.script.extend([lost_on_the_way] * UNKNOWNS)
    for number in range(UNKNOWNS):
        await place(desk, 1500 + number)
        await settle(desk)
    assert breaker.standing(desk, ALICE) is State.OPEN


async def refusal(desk: Desk, price: int = 1490) -> LimitExceeded:
    with pytest.raises(LimitExceeded) as refused:
        await place(desk, price)
    return refused.value


async def test_two_unknown_orders_in_a_minute_stop_the_next(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    await tripped(desk, alice)
    reached = len(alice.log)
    said = await refusal(desk)
    assert said.reason == breaker.CODE
    assert "alice" in said.message
    assert alice.log[reached:].count("place") == 0


async def test_five_that_could_not_be_reached_stop_the_next(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    alice.script.extend([unreachable] * 3 * FAILURES)  # each leg tries three times
    for number in range(FAILURES):
        assert breaker.standing(desk, ALICE) is State.CLOSED
        await place(desk, 1500 + number)
    assert (await refusal(desk)).reason == breaker.CODE


async def test_a_refusal_is_an_answer_and_closes_it(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    alice.script.extend([lost_on_the_way, refusing(), lost_on_the_way])
    for number in range(3):
        await place(desk, 1500 + number)
        await settle(desk)
    assert breaker.standing(desk, ALICE) is State.CLOSED


async def test_the_other_accounts_go_on(desk: Desk, add: Add) -> None:
    alice, bob = await add("alice"), await add("bob")
    await tripped(desk, alice)
    fan_out = await place(desk, 1490, "alice", "bob")
    assert [(leg.account, leg.state) for leg in fan_out.legs] == [("alice", "not_sent"), ("bob", "open")]
    assert len(bob.book) == 1


async def test_cancels_closes_reads_and_kills_are_never_held_up(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    resting = await place(desk, 1480)
    await tripped(desk, alice)
    assert not (await portfolio.orders(desk, [Target("alice")])).failures
    [cancelled] = await cancelling.cancel_fan_out(desk, resting.id)
    assert cancelled.problem is None
    assert "cancel" in alice.log
    await kill.engage(desk, GLOBAL)


async def test_after_a_minute_one_read_decides_and_not_an_order(desk: Desk, add: Add, clock: FakeClock) -> None:
    alice = await add("alice")
    await tripped(desk, alice)
    clock.pass_(WINDOW)
    alice.unreadable = NoAnswer("no answer within 15 s")
    before = alice.log.count("place")
    assert (await refusal(desk)).reason == breaker.CODE
    assert alice.log.count("place") == before
    assert breaker.standing(desk, ALICE) is State.OPEN, "for another minute"
    clock.pass_(WINDOW)
    alice.unreadable = None
    fan_out = await place(desk, 1489)
    assert fan_out.legs[0].state == "open"
    assert breaker.standing(desk, ALICE) is State.CLOSED


async def test_an_address_that_is_not_let_in_stops_at_once_and_says_so(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    alice.script.append(refusing("EGRESS_IP"))
    await place(desk, 1500)
    said = await refusal(desk)
    assert said.reason == "IP"
    assert said.hint is not None
    assert "--egress" in said.hint


async def test_another_process_finds_it_open(desk: Desk, add: Add, reopen: Opener) -> None:
    await tripped(desk, await add("alice"))
    async with reopen() as other:
        assert breaker.standing(other, ALICE) is State.OPEN
        (row,) = (await status.status(other)).accounts
        assert row.breaker is State.OPEN


async def test_one_that_cannot_be_read_stops_nobody(desk: Desk, add: Add) -> None:
    await add("alice")
    path = Path(desk.home.run) / "breakers" / "alice.json"
    path.parent.mkdir()
    for text in ("", "[]", '{"trouble": 1}', json.dumps({"trouble": [[1, "odd"]], "opened_at": 2, "why": None})):
        path.write_text(text)
        assert breaker.standing(desk, ALICE) is State.CLOSED


def test_trouble_is_forgotten_after_its_window_and_a_clock_set_back_does_not_keep_it() -> None:
    one = Breaker().met(Trouble.UNKNOWN, 1000)
    assert one.state(1000) is State.CLOSED
    assert one.met(Trouble.UNKNOWN, 1000 + WINDOW).state(1000 + WINDOW) is State.CLOSED
    both = one.met(Trouble.UNKNOWN, 1000 + WINDOW - 1)
    assert both.state(1000 + WINDOW) is State.OPEN
    assert both.state(1000 - 10 * WINDOW) is State.HALF_OPEN
    assert Decimal(WINDOW) == 60
