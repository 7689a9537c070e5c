"""One leg on its way: what stops it, what may be repeated, and what is kept when the journal fails."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from ordo_cli.brokers.base import Permit, RateLimits
from ordo_cli.brokers.wire import Ungated
from ordo_cli.desk import Desk
from ordo_cli.domain.accounts import AccountId, BrokerName
from ordo_cli.domain.errors import (
    Invalid,
    LimitExceeded,
    NoAnswer,
    NotFound,
    Refused,
    SessionExpired,
    StoreFailed,
    Unreachable,
)
from ordo_cli.domain.fanouts import Mode, Outcome
from ordo_cli.domain.legs import Leg, LegId, Submission
from ordo_cli.domain.orders import BrokerOrderId, Changes, OrderIntent, OrderReport, OrderState, Tag
from ordo_cli.services import cancelling, fanouts, modifying, orders, reconcile, startup
from ordo_cli.services.orders import Until
from tests.fakes import (
    FakeClock,
    Firm,
    ScriptedBroker,
    Trouble,
    buy,
    lost_on_the_way,
    refusing,
    silent_after_accepting,
    unreachable,
)
from tests.services.conftest import Add, Opener
from tests.services.test_orders import leg_of, request


def session_over(broker: ScriptedBroker, intent: OrderIntent, tag: Tag, permit: Permit) -> None:
    with permit.passing():
        permit.bytes_sent += 10
    raise SessionExpired("the session of alice is over", hint="log in to alice first")


async def test_a_session_that_ends_is_a_refusal_of_that_leg_alone(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    await add("bob")
    alice.script = [session_over]
    fan_out = await orders.place(desk, request(buy()))
    problem = leg_of(fan_out, "alice").problem
    assert problem is not None
    assert (leg_of(fan_out, "alice").state, problem.code) == ("rejected", "SESSION")
    assert leg_of(fan_out, "bob").state == "open"


async def cancel_while(desk: Desk, alice: ScriptedBroker, trouble: Any) -> Leg:
    """Cancel the whole placing while alice's broker is at work, and give her leg as the journal has it then."""
    inside = asyncio.Event()

    async def hold() -> None:
        inside.set()
        await asyncio.Event().wait()

    alice.before_placing = hold if trouble is None else None
    if trouble is not None:
        alice.script = [trouble]
    placing = asyncio.ensure_future(orders.place(desk, request(buy())))
    if trouble is None:
        await inside.wait()
    else:
        while not alice.book:
            await asyncio.sleep(0.001)
    placing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await placing
    return (await desk.store.journal.fan_outs(1))[0].legs[0]


async def test_leaving_at_once_before_the_first_byte_blocks_the_leg(desk: Desk, add: Add) -> None:
    leg = await cancel_while(desk, await add("alice"), None)
    assert leg.problem is not None
    assert (leg.state, leg.problem.code) == ("not_sent", "INTERRUPTED")


async def test_leaving_at_once_after_the_first_byte_leaves_the_leg_unknown(desk: Desk, add: Add) -> None:
    class Hanging(ScriptedBroker):
        async def place(self, intent: OrderIntent, tag: Tag, permit: Permit) -> OrderReport:
            await permit.claim()
            self.receive(intent, tag, permit)
            await asyncio.Event().wait()
            raise AssertionError

    alice = await add("alice")
    alice.__class__ = Hanging
    leg = await cancel_while(desk, alice, lambda *_: None)
    assert leg.submission is Submission.UNKNOWN
    await reconcile.reconcile(desk)
    assert (await desk.store.journal.leg(leg.id))[1].submission is Submission.ACKED


class Unclaimed(ScriptedBroker):
    """Its connections fail as scripted, before anybody asks the journal for leave."""

    async def place(self, intent: OrderIntent, tag: Tag, permit: Permit) -> OrderReport:
        if self.script:
            self.log.append("connect")
            self.script.pop(0)
            raise Unreachable("connection refused")
        return await super().place(intent, tag, permit)


async def test_an_order_whose_connection_fails_was_never_sending_and_is_tried_again(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    alice.__class__ = Unclaimed
    alice.script = [None, None]
    fan_out = await orders.place(desk, request(buy()))
    assert (fan_out.legs[0].state, fan_out.legs[0].attempt, len(alice.book)) == ("open", 1, 1)
    assert alice.log.count("connect") == 2


async def test_an_order_is_given_up_after_three_connections_that_failed(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    alice.__class__ = Unclaimed
    alice.script = [None] * 5
    leg = (await orders.place(desk, request(buy()))).legs[0]
    assert (leg.state, leg.attempt, leg.sent_at) == ("not_sent", 0, None)
    assert leg.problem is not None
    assert leg.problem.code == "UNREACHABLE"
    assert alice.log.count("connect") == 3


async def test_an_adapter_that_never_asks_for_leave_cannot_have_its_answer_taken(desk: Desk, add: Add) -> None:
    class Careless(ScriptedBroker):
        async def place(self, intent: OrderIntent, tag: Tag, permit: Permit) -> OrderReport:
            with pytest.raises(Refused), permit.passing():
                raise AssertionError("the gate was open")
            return self.receive(intent, tag, Ungated())

    alice = await add("alice")
    alice.__class__ = Careless
    leg = (await orders.place(desk, request(buy()))).legs[0]
    assert leg.submission is Submission.BLOCKED


class Failing:
    """A journal that refuses to record outcomes, as on a full disk."""

    def __init__(self, journal: Any, refused: set[Submission]) -> None:
        self._journal, self._refused = journal, refused

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    async def move(self, leg: LegId, change: Any, **more: Any) -> Leg:
        def watched(now: Leg) -> Leg:
            after: Leg = change(now)
            if after.submission in self._refused:
                raise StoreFailed("the disk is full", code="STORE")
            return after

        moved: Leg = await self._journal.move(leg, watched, **more)
        return moved


async def test_an_outcome_that_cannot_be_saved_is_spilled_shown_and_found_again(
    desk: Desk, add: Add, reopen: Opener
) -> None:
    await add("alice")
    failing = replace(desk.store, journal=Failing(desk.store.journal, {Submission.ACKED}))  # type: ignore[arg-type]
    seen: list[Leg] = []
    fan_out = await orders.place(replace(desk, store=failing), request(buy()), watch=seen.append)
    last = seen[-1]
    assert fan_out.legs == (last,)
    assert last.problem is not None
    assert (last.state, last.problem.code) == ("open", "STORE")
    (kept,) = desk.spill.kept()
    assert (kept["leg"], kept["broker_order_id"]) == (last.id, "alice-1")


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [(lost_on_the_way, Outcome.UNKNOWN), (refusing(), Outcome.REFUSED)],
    ids=["unknown", "refused"],
)
async def test_what_a_broker_said_is_told_where_it_cannot_be_saved(
    desk: Desk, add: Add, answer: Trouble, outcome: Outcome
) -> None:
    (await add("alice")).script = [answer]
    lost = {Submission.UNKNOWN, Submission.REJECTED}
    failing = replace(desk.store, journal=Failing(desk.store.journal, lost))  # type: ignore[arg-type]
    fan_out = await orders.place(replace(desk, store=failing), request(buy()))
    assert fan_out.outcome is outcome
    assert (await desk.store.journal.fan_out(fan_out.id)).legs[0].submission is Submission.SENDING


async def test_an_outcome_that_could_not_be_saved_is_settled_while_its_sender_lives_on(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    failing = replace(desk.store, journal=Failing(desk.store.journal, {Submission.ACKED}))  # type: ignore[arg-type]
    await orders.place(replace(desk, store=failing), request(buy()))
    await reconcile.reconcile(desk)
    fan_out = (await desk.store.journal.fan_outs(1))[0]
    assert (fan_out.legs[0].state, fan_out.legs[0].broker_order_id) == ("open", "alice-1")
    assert len(alice.book) == 1
    assert desk.spill.kept() == []


async def test_a_leg_that_may_still_be_written_about_is_left_to_its_sender(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    alice.script = [unreachable] * 3
    failing = replace(desk.store, journal=Failing(desk.store.journal, {Submission.NOT_SENT}))  # type: ignore[arg-type]
    fan_out = await orders.place(replace(desk, store=failing), request(buy()))
    assert fan_out.legs[0].submission is Submission.SENDING
    await reconcile.reconcile(desk)
    assert (await desk.store.journal.leg(fan_out.legs[0].id))[1].submission is Submission.SENDING


async def test_a_claim_that_cannot_be_saved_sends_nothing(desk: Desk, add: Add) -> None:
    class Refusing(Failing):
        async def claim(self, leg: LegId, terms: object) -> Leg:
            raise StoreFailed("the disk is full", code="STORE")

    alice = await add("alice")
    failing = replace(desk.store, journal=Refusing(desk.store.journal, set()))  # type: ignore[arg-type]
    fan_out = await orders.place(replace(desk, store=failing), request(buy()))
    assert fan_out.legs[0].problem is not None
    assert (fan_out.legs[0].state, fan_out.legs[0].problem.code) == ("not_sent", "STORE")
    assert alice.book == []


async def test_a_turn_that_would_come_after_the_deadline_is_not_waited_for(
    reopen: Opener, clock: FakeClock, firm: Firm
) -> None:
    firm.rates = RateLimits(per_second=10, kept_for_cancels=2, per_minute=1)
    async with reopen() as desk:
        from ordo_cli.services import accounts

        await accounts.add(desk, "alice", "acme", accounts.Wishes(), {})
        first = await orders.place(desk, request(buy()))
        second = await orders.place(desk, request(buy(20)))
        assert second.legs[0].problem is not None
        assert second.legs[0].problem.code == "DEADLINE"
        with pytest.raises(Refused, match="deadline"):
            await modifying.modify(desk, first.legs[0].id, Changes(limit_price=Decimal(1490)))


async def test_modes_are_never_mixed(desk: Desk, add: Add, firm: Firm, clock: FakeClock) -> None:
    from ordo_cli.services import accounts

    paper = Firm(clock, Mode.PAPER)
    await add("alice")
    both = replace(
        desk,
        find=lambda name: replace(paper.find("acme"), name=BrokerName("toy")) if name == "toy" else firm.find(name),
    )
    await accounts.add(both, "bob", "toy", accounts.Wishes(), {})
    with pytest.raises(Invalid, match="mix"):
        await orders.place(both, request(buy()))


async def test_an_account_that_is_silent_does_not_hide_the_market_from_the_others(desk: Desk, add: Add) -> None:
    class Mute(ScriptedBroker):
        async def instrument(self, instrument: object) -> None:
            raise NoAnswer("silence")

    alice = await add("alice")
    alice.__class__ = Mute
    with pytest.raises(LimitExceeded) as refusal:
        await orders.place(desk, request(buy()))
    assert refusal.value.reason == "MARKET_UNREADABLE"
    bob = await add("bob")
    fan_out = await orders.place(desk, request(buy()))
    assert fan_out.summary.accepted == 2
    assert len(bob.book) == 1


async def test_a_change_that_gives_the_order_another_number_is_followed(desk: Desk, add: Add) -> None:
    class Renumbering(ScriptedBroker):
        async def modify(self, order_id: BrokerOrderId, changes: Changes, permit: Permit) -> OrderReport:
            report = await super().modify(order_id, changes, permit)
            self.book = [replace(row, order_id=BrokerOrderId("new-1")) for row in self.book]
            return replace(report, order_id=BrokerOrderId("new-1"))

    alice = await add("alice")
    alice.__class__ = Renumbering
    leg = (await orders.place(desk, request(buy(10), "alice"))).legs[0].id
    changed = await modifying.modify(desk, leg, Changes(quantity=20, limit_price=Decimal(1490)))
    assert (changed.broker_order_id, changed.quantity) == ("new-1", 20)
    assert (await cancelling.cancel_leg(desk, leg)).done
    assert [(row.order_id, row.state) for row in alice.book] == [("new-1", OrderState.CANCELLED)]


async def test_a_modify_without_an_answer_is_told_and_not_repeated(desk: Desk, add: Add) -> None:
    class Mute(ScriptedBroker):
        async def modify(self, order_id: BrokerOrderId, changes: Changes, permit: Permit) -> OrderReport:
            await super().modify(order_id, changes, permit)
            raise NoAnswer("silence")

    alice = await add("alice")
    leg = (await orders.place(desk, request(buy()))).legs[0].id
    alice.__class__ = Mute
    with pytest.raises(NoAnswer) as silence:
        await modifying.modify(desk, leg, Changes(quantity=20, limit_price=Decimal(1490)))
    assert leg in (silence.value.hint or "")
    assert alice.log.count("modify") == 1
    await reconcile.reconcile(desk)
    assert (await desk.store.journal.leg(leg))[1].quantity == 20


async def test_two_who_cancel_one_order_do_not_trip_over_each_other(desk: Desk, add: Add) -> None:
    await add("alice")
    for number in range(5):
        leg = (await orders.place(desk, request(buy(number + 1)))).legs[0].id
        results = await asyncio.gather(*(cancelling.cancel_leg(desk, leg) for _ in range(3)), return_exceptions=True)
        done = [result.done for result in results if isinstance(result, cancelling.Cancelled)]
        assert done
        assert all(done)
        assert all(isinstance(result, cancelling.Cancelled | Refused) for result in results)


async def test_several_orders_are_cancelled_by_whatever_names_them(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    leg = (await orders.place(desk, request(buy()))).legs[0].id
    told: list[AccountId] = []

    async def announce(accounts: Any) -> None:
        told.extend(accounts)

    results = await cancelling.cancel_each(desk, [leg, "nobody-9"], None, announce)
    assert [result.done for result in results] == [False, True]
    assert told == ["alice"]
    with pytest.raises(NotFound):
        await cancelling.cancel_each(desk, ["nobody-9"], None, announce)
    alice.book.append(replace(alice.book[0], order_id=BrokerOrderId("app"), tag=None, state=OrderState.OPEN))
    (foreign,) = await cancelling.cancel_each(desk, ["app"], "alice", announce)
    assert foreign.done
    (over,) = await cancelling.cancel_each(desk, [leg], None, announce)
    assert over.problem is not None
    assert over.problem.code == "ALREADY_DONE"


async def test_a_cancel_whose_book_cannot_be_read_is_not_called_done(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    leg = (await orders.place(desk, request(buy()))).legs[0].id
    alice.unreadable = NoAnswer("no book")
    result = await cancelling.cancel_leg(desk, leg)
    assert not result.done
    assert result.problem is not None
    assert result.problem.code == "NOT_SEEN"


async def test_a_leg_that_settled_before_its_owner_died_stays_as_it_is(desk: Desk, add: Add) -> None:
    await add("alice")
    leg = (await orders.place(desk, request(buy()))).legs[0]
    assert startup.inherit(leg) == leg


async def test_a_disputed_leg_stays_disputed_and_is_named(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    alice.script = [silent_after_accepting]
    await orders.place(desk, request(buy()))
    alice.book.append(replace(alice.book[0], order_id=BrokerOrderId("twin")))
    await reconcile.reconcile(desk)
    again = await reconcile.reconcile(desk)
    assert [advice.leg.submission for advice in again.unknown] == [Submission.DISPUTED]


async def test_a_watched_fan_out_tells_of_every_change_and_ends(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    fan_out = await orders.place(desk, request(buy()))
    assert (await fanouts.recent(desk))[0].id == fan_out.id
    states = []
    async for seen in fanouts.watch(desk, fan_out.id[:6]):
        states.append(seen.legs[0].state)
        alice.put(replace(alice.book[0], state=OrderState.FILLED, filled_quantity=10, average_price=Decimal(1500)))
    assert states == ["open", "filled"]


async def test_a_book_that_cannot_be_trusted_says_which_order_stands_in_it_twice(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    await orders.place(desk, request(buy()))
    alice.book.append(alice.book[0])
    (failure,) = (await reconcile.reconcile(desk)).failures
    assert "twice" in failure.problem.message


async def test_waiting_stops_when_the_user_does(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    alice.script = [lost_on_the_way]
    fan_out = await orders.place(desk, request(buy()))
    desk.stopping.set()
    assert not (await orders.wait(desk, fan_out, Until.ACCEPTED, timeout=60)).reached


async def test_a_tagless_leg_lost_for_good_stays_unknown_until_the_final_book(
    desk: Desk, add: Add, clock: FakeClock
) -> None:
    line = await add("tagless")
    line.script = [lost_on_the_way]
    fan_out = await orders.place(desk, request(buy()))
    await reconcile.reconcile(desk)
    assert (await desk.store.journal.fan_out(fan_out.id)).legs[0].submission is Submission.UNKNOWN
    clock.pass_(timedelta(hours=5).total_seconds())
    await reconcile.reconcile(desk)
    assert (await desk.store.journal.fan_out(fan_out.id)).legs[0].submission is Submission.ABSENT


async def test_a_tagless_leg_goes_by_a_look_at_the_book_under_the_accounts_lock(desk: Desk, add: Add) -> None:
    line = await add("tagless")
    await orders.place(desk, request(buy()))
    assert [word for word in line.log if word in {"orders", "place"}] == ["orders", "place"]
    tagged = await add("alice")
    await orders.place(desk, request(buy(), "alice"))
    assert "orders" not in tagged.log


async def test_what_came_into_the_book_while_a_line_opened_slowly_is_not_taken_for_the_leg(
    desk: Desk, add: Add, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = await add("tagless")
    place, opening = ScriptedBroker.place, 2.0

    async def slowly(self: ScriptedBroker, intent: OrderIntent, tag: Tag, permit: Permit) -> OrderReport:
        clock.pass_(opening)
        self.book.append(replace(self.receive(intent, tag, Ungated()), order_id=BrokerOrderId("by-hand")))
        del self.book[0]
        return await place(self, intent, tag, permit)

    monkeypatch.setattr(ScriptedBroker, "place", slowly)
    line.script = [lost_on_the_way]
    fan_out = await orders.place(desk, request(buy()))
    await reconcile.reconcile(desk)
    assert (await desk.store.journal.fan_out(fan_out.id)).legs[0].submission is Submission.UNKNOWN
    assert [row.order_id for row in line.book] == ["by-hand"]


async def test_a_tagless_leg_that_had_to_wait_for_its_turn_looks_again(
    reopen: Opener, firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ordo_cli.services import accounts, ahead

    monkeypatch.setattr(ahead, "AS_IT_STANDS", 100.0)  # however young the first look is
    firm.rates = RateLimits(per_second=1, kept_for_cancels=0)
    async with reopen() as desk:
        await accounts.add(desk, "tagless", "acme", accounts.Wishes(), {})
        for quantity in (1, 2):
            assert (await orders.place(desk, request(buy(quantity)))).legs[0].state == "open"
    looks = [word for word in firm.lines[AccountId("tagless")].log if word in {"orders", "place"}]
    assert looks[:4] == ["orders", "place", "orders", "place"]
    assert set(looks[4:]) == {"orders"}
    assert looks[4:]


async def test_what_could_not_leave_says_so_in_the_end(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    alice.script = [unreachable] * 3
    leg = (await orders.place(desk, request(buy()))).legs[0]
    assert leg.problem is not None
    assert (leg.problem.code, leg.attempt) == ("UNREACHABLE", 3)


async def test_a_broker_that_counts_the_day_takes_so_many_and_no_more(reopen: Opener, firm: Firm) -> None:
    from ordo_cli.services import accounts

    firm.rates = RateLimits(per_day=2)
    async with reopen() as desk:
        await accounts.add(desk, "alice", "acme", accounts.Wishes(), {})
        placed = [(await orders.place(desk, request(buy(number)))).legs[0] for number in (1, 2, 3)]
    assert [leg.state for leg in placed] == ["open", "open", "not_sent"]
    assert placed[2].problem is not None
    assert placed[2].problem.code == "OPS_EXCEEDED"


async def test_a_broker_that_counts_changes_of_an_order_takes_so_many_and_no_more(reopen: Opener, firm: Firm) -> None:
    from ordo_cli.services import accounts

    firm.rates = RateLimits(modifications_per_order=1)
    async with reopen() as desk:
        await accounts.add(desk, "alice", "acme", accounts.Wishes(), {})
        leg = (await orders.place(desk, request(buy()))).legs[0].id
        await modifying.modify(desk, leg, Changes(limit_price=Decimal(1490)))
        with pytest.raises(LimitExceeded):
            await modifying.modify(desk, leg, Changes(limit_price=Decimal(1480)))
