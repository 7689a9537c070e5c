"""What the books prove, and what they do not: adoption, matching, disputes, the three ways out of unknown."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from ordo_cli.brokers.base import Permit
from ordo_cli.desk import Desk
from ordo_cli.domain.accounts import AccountId
from ordo_cli.domain.errors import Invalid, NoAnswer, NotFound, Refused
from ordo_cli.domain.fanouts import FanOut
from ordo_cli.domain.legs import Evidence, Submission
from ordo_cli.domain.orders import BrokerOrderId, OrderIntent, OrderState, Tag
from ordo_cli.domain.tags import tag_of
from ordo_cli.services import legs, orders, reconcile
from tests.fakes import FakeClock, Firm, ScriptedBroker, buy, lost_on_the_way, sell, silent_after_accepting
from tests.services.conftest import Add, Opener
from tests.services.test_orders import request


async def submission(desk: Desk, fan_out: FanOut) -> Submission:
    return (await desk.store.journal.fan_out(fan_out.id)).legs[0].submission


async def test_an_order_that_shows_up_hours_later_is_still_found(desk: Desk, add: Add, clock: FakeClock) -> None:
    alice = await add("alice")
    alice.script = [silent_after_accepting]
    fan_out = await orders.place(desk, request(buy()))
    alice.hidden = {alice.book[0].order_id}
    clock.pass_(3600)
    result = await reconcile.reconcile(desk)
    assert await submission(desk, fan_out) is Submission.UNKNOWN
    assert [advice.leg.id for advice in result.unknown] == [fan_out.legs[0].id]
    alice.hidden = set()
    await reconcile.reconcile(desk)
    assert await submission(desk, fan_out) is Submission.ACKED


async def test_a_shrunken_book_moves_nothing_and_is_named(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    await orders.place(desk, request(buy()))
    await reconcile.reconcile(desk)
    alice.script = [lost_on_the_way]
    fan_out = await orders.place(desk, request(buy(20)))
    alice.book = [replace(alice.book[0], order_id=BrokerOrderId("other"), tag=fan_out.legs[0].tag, quantity=20)]
    result = await reconcile.reconcile(desk)
    assert await submission(desk, fan_out) is Submission.UNKNOWN
    assert [failure.problem.code for failure in result.failures] == ["BOOK_UNTRUSTED"]


async def test_an_account_that_cannot_be_read_is_named_and_the_others_go_on(desk: Desk, add: Add) -> None:
    alice, bob = await add("alice"), await add("bob")
    alice.script, bob.script = [silent_after_accepting], [silent_after_accepting]
    fan_out = await orders.place(desk, request(buy()))
    alice.unreadable = NoAnswer("the book did not come")
    result = await reconcile.reconcile(desk)
    assert [failure.account for failure in result.failures] == ["alice"]
    after = await desk.store.journal.fan_out(fan_out.id)
    assert {leg.account: leg.submission for leg in after.legs} == {
        "alice": Submission.UNKNOWN,
        "bob": Submission.ACKED,
    }


async def test_two_orders_with_one_tag_are_for_a_person_to_settle(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    alice.script = [silent_after_accepting]
    fan_out = await orders.place(desk, request(buy()))
    alice.book.append(replace(alice.book[0], order_id=BrokerOrderId("twin")))
    await reconcile.reconcile(desk)
    assert await submission(desk, fan_out) is Submission.DISPUTED


async def test_a_tagless_leg_is_found_by_what_is_new_in_the_book(desk: Desk, add: Add) -> None:
    alice = await add("tagless")
    alice.script = [silent_after_accepting]
    fan_out = await orders.place(desk, request(buy()))
    await reconcile.reconcile(desk)
    leg = (await desk.store.journal.fan_out(fan_out.id)).legs[0]
    assert (leg.submission, leg.evidence) == (Submission.ACKED, Evidence.BOOK_FUZZY)


async def test_a_refused_order_like_a_tagless_leg_is_named_and_is_for_a_person_to_take_for_it(
    desk: Desk, add: Add
) -> None:
    alice = await add("tagless")
    alice.script = [silent_after_accepting]
    (leg,) = (await orders.place(desk, request(buy()))).legs
    alice.book[0] = refused = replace(alice.book[0], state=OrderState.REJECTED, message="no margin")
    (advice,) = (await reconcile.reconcile(desk)).unknown
    assert f"ordo leg resolve {leg.id} --broker-id {refused.order_id}" in advice.message
    after = await legs.resolve(desk, leg.id, reason="seen in the app", broker_id=refused.order_id)
    assert (after.submission, after.working) == (Submission.REJECTED, None)


async def test_a_twin_placed_by_hand_makes_a_tagless_leg_disputed(desk: Desk, add: Add) -> None:
    alice = await add("tagless")
    alice.script = [silent_after_accepting]
    fan_out = await orders.place(desk, request(buy()))
    alice.book.append(replace(alice.book[0], order_id=BrokerOrderId("by-hand")))
    await reconcile.reconcile(desk)
    assert await submission(desk, fan_out) is Submission.DISPUTED


async def test_a_tagless_order_that_was_there_before_is_never_taken_for_the_leg(desk: Desk, add: Add) -> None:
    alice = await add("tagless")
    first = await orders.place(desk, request(buy()))
    alice.script = [lost_on_the_way]
    lost = await orders.place(desk, request(buy(allow := 10), allow_duplicate=bool(allow)))
    await reconcile.reconcile(desk)
    assert await submission(desk, first) is Submission.ACKED
    assert await submission(desk, lost) is Submission.UNKNOWN


async def test_the_final_book_proves_absence_and_no_earlier_one_does(desk: Desk, add: Add, clock: FakeClock) -> None:
    alice = await add("alice")
    alice.script = [lost_on_the_way]
    fan_out = await orders.place(desk, request(buy()))
    clock.pass_(timedelta(hours=3, minutes=50).total_seconds())  # 15:50 in India
    await reconcile.reconcile(desk)
    assert await submission(desk, fan_out) is Submission.UNKNOWN
    clock.pass_(timedelta(minutes=11).total_seconds())
    await reconcile.reconcile(desk)
    assert await submission(desk, fan_out) is Submission.ABSENT


async def test_alike_orders_that_were_there_before_or_are_another_legs_keep_no_leg_from_being_absent(
    desk: Desk, add: Add, clock: FakeClock
) -> None:
    """Without tags an order of the same terms could be the leg's, unless it is known to be another's."""
    alice = await add("tagless")
    first = await orders.place(desk, request(buy()))
    by_hand = replace(alice.book[0], order_id=BrokerOrderId("by-hand"))
    alice.book.append(by_hand)  # before the leg that is lost, and no leg's
    alice.script = [lost_on_the_way]
    lost = await orders.place(desk, request(buy(), allow_duplicate=True))
    clock.pass_(timedelta(hours=4, minutes=1).total_seconds())  # 16:01 in India
    await reconcile.reconcile(desk)
    assert await submission(desk, lost) is Submission.ABSENT
    assert await submission(desk, first) is Submission.ACKED


async def test_an_alike_order_that_may_be_the_legs_keeps_it_unknown_for_ever(
    desk: Desk, add: Add, clock: FakeClock
) -> None:
    alice = await add("tagless")
    alice.script = [silent_after_accepting]
    lost = await orders.place(desk, request(buy()))
    alice.book = [replace(alice.book[0], limit_price=Decimal(1499))]  # no candidate, and no proof of absence either
    clock.pass_(timedelta(hours=4, minutes=1).total_seconds())
    await reconcile.reconcile(desk)
    assert await submission(desk, lost) is Submission.UNKNOWN


async def test_the_book_of_a_later_day_proves_nothing(desk: Desk, add: Add, clock: FakeClock) -> None:
    """It was filled on the day it was sent; by the next evening the broker has cleared its books."""
    alice = await add("alice")
    alice.script = [silent_after_accepting]
    fan_out = await orders.place(desk, request(buy()))
    alice.book = []
    clock.pass_(timedelta(hours=28, minutes=10).total_seconds())  # 16:10 in India, the day after
    await reconcile.reconcile(desk)
    assert await submission(desk, fan_out) is Submission.UNKNOWN


async def test_an_order_whose_session_ended_unseen_is_open_no_longer_and_says_what_is_not_known(
    desk: Desk, add: Add, clock: FakeClock
) -> None:
    alice, _ = await add("alice"), await add("bob")
    fan_out = await orders.place(desk, request(buy(), "alice"))
    alice.book = []
    clock.pass_(timedelta(hours=24).total_seconds())
    other_side = await orders.place(desk, request(sell(), "bob"))  # nothing of yesterday can cross it any more
    assert other_side.legs[0].state == "open"
    await reconcile.reconcile(desk)
    (leg,) = (await desk.store.journal.fan_out(fan_out.id)).legs
    assert (leg.state, leg.settled) == ("expired", True)
    assert leg.problem is not None
    assert leg.problem.code == "ENDED_UNSEEN"
    await reconcile.reconcile(desk)
    assert [row.type for row in await desk.store.audit.rows({"leg": leg.id})][-1] == "recon"


async def test_orders_of_yesterday_that_leave_the_book_over_night_do_not_spoil_the_day(
    desk: Desk, add: Add, clock: FakeClock
) -> None:
    alice = await add("alice")
    await orders.place(desk, request(buy()))
    clock.pass_(timedelta(hours=12, minutes=30).total_seconds())  # half past midnight in India, and it is still there
    await reconcile.reconcile(desk)
    alice.book = []
    clock.pass_(timedelta(hours=9).total_seconds())
    alice.script = [silent_after_accepting]
    fan_out = await orders.place(desk, request(buy(20)))
    result = await reconcile.reconcile(desk)
    assert result.failures == ()
    assert await submission(desk, fan_out) is Submission.ACKED


async def test_late_evidence_wins_over_absence_and_says_so(desk: Desk, add: Add, clock: FakeClock) -> None:
    alice = await add("alice")
    alice.script = [silent_after_accepting]
    fan_out = await orders.place(desk, request(buy()))
    alice.hidden = {alice.book[0].order_id}
    await legs.resolve(desk, fan_out.legs[0].id, reason="the dealer does not see it")
    assert await submission(desk, fan_out) is Submission.ABSENT
    alice.hidden = set()
    await reconcile.reconcile(desk)
    leg = (await desk.store.journal.fan_out(fan_out.id)).legs[0]
    assert leg.submission is Submission.ACKED
    assert leg.problem is not None
    assert leg.problem.code == "LATE"


async def test_nobody_can_say_absent_of_what_the_book_shows(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    alice.script = [silent_after_accepting]
    fan_out = await orders.place(desk, request(buy()))
    with pytest.raises(Refused) as refused:
        await legs.resolve(desk, fan_out.legs[0].id, reason="the dealer does not see it")
    assert refused.value.reason == "IN_BOOK"
    assert await submission(desk, fan_out) is Submission.UNKNOWN


async def test_a_yes_that_the_book_never_confirms_is_said_aloud_and_not_sent_again(
    desk: Desk, add: Add, clock: FakeClock
) -> None:
    alice = await add("alice")
    fan_out = await orders.place(desk, request(buy()))
    alice.hidden = {alice.book[0].order_id}
    clock.pass_(61)
    await reconcile.reconcile(desk)
    leg = (await desk.store.journal.fan_out(fan_out.id)).legs[0]
    assert leg.problem is not None
    assert (leg.submission, leg.problem.code) == (Submission.ACKED, "UNCONFIRMED")
    alice.hidden = set()
    await reconcile.reconcile(desk)
    assert (await desk.store.journal.fan_out(fan_out.id)).legs[0].problem is None
    assert alice.log.count("place") == 1


async def test_an_order_with_our_tag_and_no_leg_is_adopted_once(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    await orders.place(desk, request(buy()))
    stray = tag_of(b"the key of an older backup", "f-1")  # type: ignore[arg-type]
    alice.book.append(replace(alice.book[0], order_id=BrokerOrderId("stray"), tag=stray, filled_quantity=0))
    result = await reconcile.reconcile(desk)
    assert [leg.broker_order_id for leg in result.orphans] == ["stray"]
    assert (await reconcile.reconcile(desk)).orphans == ()


async def test_foreign_orders_are_left_alone(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    await orders.place(desk, request(buy()))
    alice.book.append(replace(alice.book[0], order_id=BrokerOrderId("app"), tag=Tag("by-hand")))
    assert (await reconcile.reconcile(desk)).orphans == ()


async def test_an_operator_names_the_order_and_it_must_be_that_order(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    alice.script = [silent_after_accepting]
    fan_out = await orders.place(desk, request(buy()))
    leg = fan_out.legs[0].id
    alice.book.append(replace(alice.book[0], order_id=BrokerOrderId("big"), quantity=99))
    with pytest.raises(Invalid):
        await legs.resolve(desk, leg, reason="", broker_id="alice-1")
    with pytest.raises(Invalid):
        await legs.resolve(desk, leg, reason="seen", broker_id="big")
    with pytest.raises(NotFound):
        await legs.resolve(desk, leg, reason="seen", broker_id="none")
    alice.unreadable = NoAnswer("no book")
    with pytest.raises(Refused):
        await legs.resolve(desk, leg, reason="seen", broker_id="alice-1")
    alice.unreadable = None
    settled = await legs.resolve(desk, leg, reason="seen", broker_id="alice-1")
    assert (settled.submission, settled.evidence) == (Submission.ACKED, Evidence.OPERATOR)
    with pytest.raises(Refused):
        await legs.resolve(desk, leg, reason="again")


async def test_a_disputed_leg_whose_order_was_rejected_is_settled_as_absent(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    alice.script = [silent_after_accepting]
    fan_out = await orders.place(desk, request(buy()))
    alice.book.append(replace(alice.book[0], order_id=BrokerOrderId("twin"), state=OrderState.REJECTED))
    await reconcile.reconcile(desk)
    with pytest.raises(Refused):
        await legs.resolve(desk, fan_out.legs[0].id, reason="rejected", broker_id="twin")
    settled = await legs.resolve(desk, fan_out.legs[0].id, reason="seen", broker_id="alice-1")
    assert settled.submission is Submission.ACKED


async def test_fills_are_followed_and_never_fall(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    fan_out = await orders.place(desk, request(buy()))
    row = alice.book[0]
    for filled, state in ((4, OrderState.PARTIAL), (2, OrderState.PARTIAL), (10, OrderState.FILLED)):
        alice.put(replace(row, filled_quantity=filled, state=state, average_price=Decimal(1500)))
        await reconcile.reconcile(desk)
        leg = (await desk.store.journal.fan_out(fan_out.id)).legs[0]
        assert leg.filled_quantity == max(4, filled)


DYING = """
import asyncio, os, signal, sys
from ordo_cli.desk import open_desk
from ordo_cli.home import find_home
from tests.fakes import FakeClock, Firm, buy
from tests.services.test_orders import request
from ordo_cli.services import orders

async def main(home, label):
    clock = FakeClock()
    def die(name):
        if name == label:
            os.kill(os.getpid(), signal.SIGKILL)
    where, find = find_home({"ORDO_HOME": home}), Firm(clock).find
    async with open_desk(where, actor="test", clock=clock, find=find, failpoint=die) as desk:
        await orders.place(desk, request(buy(), key="the-one-key"))

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("label", "becomes"),
    [("opened", Submission.BLOCKED), ("claimed", Submission.UNKNOWN), ("answered", Submission.UNKNOWN)],
)
async def test_legs_of_a_process_that_was_killed_are_taken_over(
    desk: Desk, add: Add, label: str, becomes: Submission
) -> None:
    await add("alice")
    child = subprocess.run([sys.executable, "-c", DYING, str(desk.home.data), label], capture_output=True, check=False)
    assert child.returncode == -9, child.stderr.decode()
    replayed = await orders.place(desk, request(buy(), key="the-one-key"))
    assert replayed.replayed
    assert replayed.legs[0].submission is becomes


async def test_legs_of_a_living_process_are_left_to_it(desk: Desk, add: Add, reopen: Opener) -> None:
    alice = await add("alice")

    def meanwhile(broker: ScriptedBroker, intent: OrderIntent, tag: Tag, permit: Permit) -> None:
        script = (
            "import asyncio, sys\n"
            + DYING.split("async def main")[0]
            + (
                "from ordo_cli.services import startup\n"
                "async def main(home):\n"
                "    clock = FakeClock()\n"
                "    where = find_home({'ORDO_HOME': home})\n"
                "    async with open_desk(where, actor='test', clock=clock, find=Firm(clock).find) as d:\n"
                "        print(len(await startup.wake(d)))\n"
                "asyncio.run(main(sys.argv[1]))\n"
            )
        )
        other = subprocess.run(
            [sys.executable, "-c", script, str(desk.home.data)], capture_output=True, text=True, check=True
        )
        assert other.stdout.strip() == "0"

    alice.script = [meanwhile]
    fan_out = await orders.place(desk, request(buy()))
    assert fan_out.legs[0].submission is Submission.ACKED


async def test_reconciling_an_unknown_name_names_it(desk: Desk) -> None:
    result = await reconcile.reconcile(desk, accounts=[AccountId("nobody")])
    assert [failure.account for failure in result.failures] == ["nobody"]


async def test_a_yes_that_is_not_in_the_book_for_some_seconds_is_nothing_to_speak_of(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    fan_out = await orders.place(desk, request(buy()))
    alice.hidden = {alice.book[0].order_id}
    assert (await reconcile.reconcile(desk)).moved == ()
    assert (await desk.store.journal.fan_out(fan_out.id)).legs[0].problem is None


async def test_without_a_book_from_before_no_order_is_taken_for_a_tagless_leg(
    desk: Desk, add: Add, firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = await add("alice")
    alice.script = [silent_after_accepting]
    fan_out = await orders.place(desk, request(buy()))
    monkeypatch.setattr(firm, "tagged", lambda account: False)  # the firm stops carrying tags
    await reconcile.reconcile(desk)
    assert await submission(desk, fan_out) is Submission.UNKNOWN


async def test_an_absent_leg_that_the_book_shows_as_rejected_stays_absent(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    alice.script = [silent_after_accepting]
    fan_out = await orders.place(desk, request(buy()))
    alice.hidden = {alice.book[0].order_id}
    await legs.resolve(desk, fan_out.legs[0].id, reason="the dealer does not see it")
    alice.hidden = set()
    alice.put(replace(alice.book[0], state=OrderState.REJECTED))
    await reconcile.reconcile(desk)
    assert await submission(desk, fan_out) is Submission.ABSENT
