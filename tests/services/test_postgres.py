"""Orders over a PostgreSQL that dies: nothing leaves on the word of a commit that nobody can vouch for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ordo_cli.desk import open_desk
from ordo_cli.domain.accounts import AccountId, parse_target
from ordo_cli.domain.errors import Busy, StoreFailed
from ordo_cli.domain.kill import GLOBAL
from ordo_cli.domain.legs import Submission
from ordo_cli.home import Home, home_at, make
from ordo_cli.services import accounts, kill, orders
from ordo_cli.services.planning import PlaceRequest
from ordo_cli.store.postgres.database import MOST_TOGETHER
from tests.backends import Backend
from tests.fakes import FakeClock, Firm, buy
from tests.pgproxy import Proxy

pytestmark = pytest.mark.postgresql_only


@pytest.fixture
def proxy(home: Home, backend: Backend, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    with Proxy(backend.where(Path(home.database))) as found:
        monkeypatch.setenv("ORDO_DATABASE__URL", found.url)
        yield found


class At:
    """Does something once, at the first step of this name."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.then: Callable[[], None] | None = None

    def __call__(self, label: str) -> None:
        if label == self.label and self.then is not None:
            then, self.then = self.then, None
            then()


@pytest.mark.parametrize("message", range(1, 12))
async def test_a_server_that_dies_during_a_claim_lets_nothing_leave_without_a_durable_row(
    home: Home, clock: FakeClock, firm: Firm, proxy: Proxy, message: int
) -> None:
    at = At("claiming")
    async with open_desk(home, actor="test", clock=clock, find=firm.find, failpoint=at) as desk:
        await accounts.add(desk, "alice", "acme", accounts.Wishes(), {})
        alice = firm.line(await desk.store.accounts.get(AccountId("alice")))
        at.then = lambda: proxy.kill_at(message)
        placed = await orders.place(desk, PlaceRequest(buy(), (parse_target("alice"),)))
        (leg,) = placed.legs
        (kept,) = (await desk.store.journal.fan_out(placed.id)).legs
        assert len(alice.book) == (leg.submission is Submission.ACKED)
        assert kept.submission is leg.submission
        assert leg.submission in (Submission.ACKED, Submission.BLOCKED)
        assert (await desk.store.audit.verify()).state == "whole"


async def test_a_claim_that_was_committed_without_an_answer_is_not_sent_and_settled(
    home: Home, clock: FakeClock, firm: Firm, proxy: Proxy
) -> None:
    at = At("claiming")
    async with open_desk(home, actor="test", clock=clock, find=firm.find, failpoint=at) as desk:
        await accounts.add(desk, "alice", "acme", accounts.Wishes(), {})
        alice = firm.line(await desk.store.accounts.get(AccountId("alice")))
        at.then = proxy.lose_the_answer_to_commit
        placed = await orders.place(desk, PlaceRequest(buy(), (parse_target("alice"),)))
        assert proxy.failed
        assert alice.book == []
        (leg,) = placed.legs
        assert (leg.submission, leg.problem and leg.problem.code) == (Submission.BLOCKED, "STORE")
        rows = await desk.store.audit.rows({"leg": leg.id})
        assert [row.after for row in rows] == ["sending", "not_sent", "blocked"]
        (after,) = (await orders.place(desk, PlaceRequest(buy(7), (parse_target("alice"),)))).legs
        assert after.submission is Submission.ACKED


async def test_a_fan_out_that_was_committed_without_an_answer_can_be_sent_by_nobody(
    home: Home, clock: FakeClock, firm: Firm, proxy: Proxy
) -> None:
    async with open_desk(home, actor="test", clock=clock, find=firm.find) as desk:
        await accounts.add(desk, "alice", "acme", accounts.Wishes(), {})
        alice = firm.line(await desk.store.accounts.get(AccountId("alice")))
        request = PlaceRequest(buy(), (parse_target("alice"),), key="morning-1-alice")
        proxy.lose_the_answer_to_commit()
        with pytest.raises(StoreFailed, match="counts as not done"):
            await orders.place(desk, request)
        again = await orders.place(desk, request)
        assert again.replayed
        assert [leg.submission for leg in again.legs] == [Submission.BLOCKED]
        assert alice.book == []


async def test_two_hosts_do_not_write_for_one_account_at_once(
    home: Home, clock: FakeClock, firm: Firm, tmp_path: Path
) -> None:
    there = home_at(str(tmp_path / "another-host"))  # its lock files are not ours: only the database is shared
    make(there)
    async with (
        open_desk(home, clock=clock, find=firm.find) as one,
        open_desk(there, clock=clock, find=firm.find) as two,
    ):
        async with one.locks.account("alice", clock.elapsed() + 1):
            with pytest.raises(Busy):
                async with two.locks.account("alice", clock.elapsed() + 0.1):
                    raise AssertionError("both write")
            async with two.locks.account("bob", clock.elapsed() + 1):
                pass
        async with two.locks.account("alice", clock.elapsed() + 1):
            pass


async def test_no_more_claims_are_under_way_than_can_be_judged_before_they_are_old(
    home: Home, clock: FakeClock, firm: Firm
) -> None:
    async with open_desk(home, actor="test", clock=clock, find=firm.find) as desk:
        for number in range(MOST_TOGETHER + 15):
            await accounts.add(desk, f"a{number}", "acme", accounts.Wishes(), {})
        bodies: list[int] = []
        desk.store.database.on_commit(lambda _, together: bodies.append(together))
        placed = await orders.place(desk, PlaceRequest(buy(), (parse_target("all"),)))
        assert {(leg.submission, leg.attempt) for leg in placed.legs} == {(Submission.ACKED, 1)}
        assert max(bodies) <= MOST_TOGETHER


async def test_a_leg_that_waits_for_its_turn_sees_the_switch(home: Home, clock: FakeClock, firm: Firm) -> None:
    at = At("claiming")
    async with open_desk(home, actor="test", clock=clock, find=firm.find, failpoint=at) as desk:
        await accounts.add(desk, "alice", "acme", accounts.Wishes(), {})
        turns, waiting = desk.store.turns, asyncio.Event()
        assert turns is not None
        for _ in range(MOST_TOGETHER):
            await turns.acquire()
        at.then = waiting.set
        placing = asyncio.create_task(orders.place(desk, PlaceRequest(buy(), (parse_target("all"),))))
        await waiting.wait()
        await asyncio.sleep(0)
        await kill.engage(desk, GLOBAL)
        for _ in range(MOST_TOGETHER):
            turns.release()
        (leg,) = (await placing).legs
        assert (leg.submission, leg.problem and leg.problem.code, leg.attempt) == (Submission.BLOCKED, "KILL", 0)
