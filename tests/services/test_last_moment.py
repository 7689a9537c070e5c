"""The last moment before the first byte: what was withdrawn then never leaves, and what was not saved is not lost."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ordo_cli.desk import Desk, open_desk
from ordo_cli.domain.accounts import AccountId, Target
from ordo_cli.domain.errors import IllegalMove, NoAnswer, Refused, StoreFailed
from ordo_cli.domain.fanouts import FanOut
from ordo_cli.domain.legs import Leg, LegId, Submission
from ordo_cli.domain.orders import BrokerOrderId, Changes, OrderReport
from ordo_cli.home import find_home, make
from ordo_cli.services import accounts, modifying, orders, reconcile
from ordo_cli.services.planning import PlaceRequest
from tests.fakes import FakeClock, ScriptedBroker, buy, unreachable
from tests.services.conftest import Add


@pytest.mark.parametrize("latency", [(), ("latency=5",)], ids=["at once", "with latency"])
async def test_an_order_withdrawn_while_a_thread_was_about_to_write_it_never_leaves(
    tmp_path: Path, latency: tuple[str, ...]
) -> None:
    """The exchange's file is held, the thread waits for it, and whoever placed the order stops waiting."""
    home = find_home({"ORDO_HOME": str(tmp_path / "home")})
    make(home)
    async with open_desk(home, actor="test") as desk:
        await accounts.add(desk, "alice", "paper", accounts.Wishes(behaviours=latency), {})
        await desk.lines.to(await desk.store.accounts.get(AccountId("alice")))
        path = os.path.join(home.data, "paper.db")
        with closing(sqlite3.connect(path, isolation_level=None)) as holder:
            claimed = asyncio.Event()

            def hold(label: str) -> None:
                if label == "claimed":
                    holder.execute("BEGIN IMMEDIATE")
                    claimed.set()

            request = PlaceRequest(buy(), (Target("alice"),), confirmed=True)
            placing = asyncio.ensure_future(orders.place(replace(desk, failpoint=hold), request))
            await claimed.wait()
            await asyncio.sleep(0.01)
            placing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await placing
            holder.execute("ROLLBACK")
        leg = (await desk.store.journal.fan_outs(1))[0].legs[0]
        assert leg.state == "not_sent"
    with closing(sqlite3.connect(path)) as exchange:
        assert exchange.execute("SELECT count(*) FROM inbox").fetchone() == (0,)


class DeafOnce:
    """A journal that cannot save the first move to a state, as while another process holds the database."""

    def __init__(self, journal: Any, state: Submission) -> None:
        self._journal, self._state = journal, state

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    async def move(self, leg: LegId, change: Any, **more: Any) -> Leg:
        def watched(now: Leg) -> Leg:
            after: Leg = change(now)
            if after.submission is self._state:
                self._state = Submission.ABSENT
                raise StoreFailed("another process held the database too long", code="STORE_BUSY")
            return after

        moved: Leg = await self._journal.move(leg, watched, **more)
        return moved


@pytest.mark.parametrize("state", [Submission.NOT_SENT, Submission.PLANNED, Submission.BLOCKED])
async def test_a_leg_that_never_left_is_no_failure_of_ordo_when_the_journal_was_deaf_for_a_moment(
    desk: Desk, add: Add, state: Submission
) -> None:
    alice: ScriptedBroker = await add("alice")
    alice.script = [unreachable] * 3
    deaf: Any = replace(desk.store, journal=DeafOnce(desk.store.journal, state))  # type: ignore[arg-type]
    seen: list[Leg] = []
    fan_out = await orders.place(replace(desk, store=deaf), PlaceRequest(buy(), (Target("alice"),)), watch=seen.append)
    assert alice.book == []
    assert seen[-1].state == "not_sent"
    stored = fan_out.legs[0]
    assert stored.submission is (Submission.NOT_SENT if state is Submission.BLOCKED else Submission.BLOCKED)


async def test_a_bug_in_one_adapter_is_that_legs_own(desk: Desk, add: Add) -> None:
    tagless = await add("tagless-alice")
    await add("bob")
    reads = tagless.orders

    async def broken() -> Any:
        await reads()
        raise ZeroDivisionError

    tagless.orders = broken  # type: ignore[method-assign]
    fan_out = await orders.place(desk, PlaceRequest(buy(), (Target("all"),)))
    alice, bob = sorted(fan_out.legs, key=lambda leg: leg.account, reverse=True)
    assert (alice.state, bob.state) == ("not_sent", "open")
    assert alice.problem is not None
    assert alice.problem.message == "ordo itself failed at it; nothing was sent"


async def test_who_looks_on_cannot_stop_a_leg(desk: Desk, add: Add) -> None:
    alice = await add("alice")

    def blind(leg: Leg) -> None:
        raise BrokenPipeError

    fan_out = await orders.place(desk, PlaceRequest(buy(), (Target("alice"),)), watch=blind)
    assert fan_out.legs[0].state == "open"
    assert len(alice.book) == 1


class Mute:
    """A journal that cannot be read once something has been sent, as when its disk has gone."""

    def __init__(self, journal: Any) -> None:
        self._journal = journal

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    async def fan_out(self, id_or_prefix: str) -> FanOut:
        raise StoreFailed("the database failed: disk I/O error", code="STORE")


async def test_orders_that_are_out_are_told_though_the_journal_cannot_be_read_any_more(desk: Desk, add: Add) -> None:
    """To fail with "nothing was sent" would have a script send them again."""
    alice = await add("alice")
    mute: Any = replace(desk.store, journal=Mute(desk.store.journal))  # type: ignore[arg-type]
    gone = replace(desk, store=mute)
    fan_out = await orders.place(gone, PlaceRequest(buy(), (Target("alice"),)))
    assert (fan_out.legs[0].state, fan_out.legs[0].broker_order_id) == ("open", alice.book[0].order_id)
    waited = await orders.wait(gone, fan_out, orders.Until.FILLED, timeout=2)
    assert not waited.reached
    assert waited.fan_out == fan_out


class Forgetful:
    """A journal and an audit log that take nothing more once the broker has been asked."""

    def __init__(self, real: Any, alice: ScriptedBroker) -> None:
        self._real, self._alice = real, alice

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        return self._refusing(found) if name in ("append", "move") else found

    def _refusing(self, work: Any) -> Any:
        async def refuse(*words: Any, **more: Any) -> Any:
            if "modify" in self._alice.log:
                raise StoreFailed("the disk is full", code="STORE")
            return await work(*words, **more)

        return refuse


@pytest.mark.parametrize("answered", [True, False])
async def test_a_full_disk_hides_neither_the_answer_to_a_modify_nor_the_lack_of_one(
    desk: Desk, add: Add, answered: bool
) -> None:
    alice = await add("alice")
    (leg,) = (await orders.place(desk, PlaceRequest(buy(), (Target("alice"),)))).legs
    store: Any = replace(
        desk.store,
        journal=Forgetful(desk.store.journal, alice),  # type: ignore[arg-type]
        audit=Forgetful(desk.store.audit, alice),  # type: ignore[arg-type]
    )
    change = Changes(limit_price=Decimal(1490))
    full = replace(desk, store=store)
    if answered:
        after = await modifying.modify(full, leg.id, change)
        assert after.problem is not None
        assert after.problem.message.startswith("it was changed, which could not be saved")
        return
    modify = alice.modify

    async def silent(*words: Any) -> OrderReport:
        await modify(*words)
        raise NoAnswer("no answer within 15 s")

    alice.modify = silent  # type: ignore[method-assign, assignment]
    with pytest.raises(NoAnswer):
        await modifying.modify(full, leg.id, change)


async def test_a_modify_that_waited_too_long_after_its_count_does_not_leave(
    desk: Desk, add: Add, clock: FakeClock
) -> None:
    """Its place in the second was counted long ago by then; nothing else may leave in its stead and it too."""
    alice = await add("alice")
    (leg,) = (await orders.place(desk, PlaceRequest(buy(), (Target("alice"),)))).legs

    class Slow:
        async def operation(self, *words: Any, **more: Any) -> Any:
            counted = await desk.store.journal.operation(*words, **more)
            clock.pass_(0.3)
            return counted

        def __getattr__(self, name: str) -> Any:
            return getattr(desk.store.journal, name)

    slow: Any = replace(desk.store, journal=Slow())  # type: ignore[arg-type]
    with pytest.raises(Refused, match="nothing was sent"):
        await modifying.modify(replace(desk, store=slow), leg.id, Changes(limit_price=Decimal(1490)))
    assert alice.book[0].limit_price == Decimal(1500)


async def test_a_broker_that_reads_the_order_before_it_changes_it_is_not_too_late(
    desk: Desk, add: Add, clock: FakeClock
) -> None:
    """Some brokers want all that stays repeated: the change is counted when it is ready to leave, not before."""
    alice = await add("alice")
    (leg,) = (await orders.place(desk, PlaceRequest(buy(), (Target("alice"),)))).legs
    change = alice.modify

    async def thorough(*words: Any) -> OrderReport:
        clock.pass_(1.0)
        return await change(*words)

    alice.modify = thorough  # type: ignore[method-assign, assignment]
    await modifying.modify(desk, leg.id, Changes(limit_price=Decimal(1490)))
    assert alice.book[0].limit_price == Decimal(1490)


class Full:
    """A journal on a full disk: a broker's yes cannot be saved."""

    def __init__(self, journal: Any) -> None:
        self._journal = journal

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    async def move(self, leg: LegId, change: Any, **more: Any) -> Leg:
        raise StoreFailed("the disk is full, so nothing can be written down", code="STORE")


async def test_an_answer_that_was_spilled_settles_the_leg_and_is_then_let_go(desk: Desk, add: Add) -> None:
    """Without a tag the book alone could not tell it from the same order placed by hand."""
    alice = await add("tagless-alice")
    full: Any = replace(desk.store, journal=Full(desk.store.journal))  # type: ignore[arg-type]
    await orders.place(replace(desk, store=full), PlaceRequest(buy(), (Target("tagless-alice"),)))
    (leg,) = (await desk.store.journal.fan_outs(1))[0].legs
    assert leg.submission is Submission.SENDING
    assert len(desk.spill.kept()) == 1
    alice.book.append(replace(alice.book[0], order_id=BrokerOrderId("by-hand")))
    await reconcile.reconcile(desk)
    after = (await desk.store.journal.leg(leg.id))[1]
    assert (after.submission, after.broker_order_id) == (Submission.ACKED, alice.book[0].order_id)
    assert desk.spill.kept() == []
    (row,) = await desk.store.audit.rows({"type": "spill"})
    assert row.data["outcomes"] == [f"{leg.id} acked {after.broker_order_id}"]
    assert os.path.getsize(desk.spill.path) == 64 * 1024


async def test_a_journal_that_stays_deaf_leaves_what_never_left_to_the_next_start(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    alice.script = [unreachable]
    full: Any = replace(desk.store, journal=Full(desk.store.journal))  # type: ignore[arg-type]
    seen: list[Leg] = []
    await orders.place(replace(desk, store=full), PlaceRequest(buy(), (Target("alice"),)), watch=seen.append)
    assert alice.log.count("place") == 1
    assert seen[-1].submission is Submission.NOT_SENT
    (leg,) = (await desk.store.journal.fan_outs(1))[0].legs
    assert leg.submission is Submission.SENDING


async def test_a_spill_file_that_cannot_be_read_keeps_no_book_from_being_read(desk: Desk, add: Add) -> None:
    await add("alice")
    with open(desk.spill.path, "r+b") as file:
        file.write(b"{not json\n")
    assert (await reconcile.reconcile(desk)).failures == ()
    assert os.path.getsize(desk.spill.path) == 64 * 1024


async def test_a_breach_of_the_table_of_moves_is_not_taken_for_bad_luck(desk: Desk, add: Add) -> None:
    """It is a bug of ordo's own: the sender stops, and the leg is what the journal says it is."""
    await add("alice")

    class Mistaken(Full):
        async def claim(self, *words: Any) -> Leg:
            raise IllegalMove("leg x-1: unknown -> sending")

    wrong: Any = replace(desk.store, journal=Mistaken(desk.store.journal))  # type: ignore[arg-type]
    with pytest.raises(IllegalMove):
        await orders.place(replace(desk, store=wrong), PlaceRequest(buy(), (Target("alice"),)))
