"""The last moment before the first byte: what was withdrawn then never leaves, and what was not saved is not lost."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ordo_cli.desk import Desk, open_desk
from ordo_cli.domain.accounts import AccountId, Target
from ordo_cli.domain.errors import StoreFailed
from ordo_cli.domain.fanouts import FanOut
from ordo_cli.domain.legs import Leg, LegId, Submission
from ordo_cli.home import find_home, make
from ordo_cli.services import accounts, orders
from ordo_cli.services.planning import PlaceRequest
from tests.fakes import ScriptedBroker, buy, unreachable
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
