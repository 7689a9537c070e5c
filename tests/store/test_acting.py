"""A store that somebody else acts through: their name and their request stand in every audit row."""

from __future__ import annotations

from pathlib import Path

from ordo_cli.domain.accounts import Account, AccountId, BrokerName
from ordo_cli.domain.kill import GLOBAL, Level
from ordo_cli.domain.legs import LegId
from ordo_cli.domain.trail import State
from ordo_cli.domain.values import replace
from tests.fakes import FakeClock
from tests.store.making import acked, fan_out, opened, terms


async def test_what_somebody_else_does_stands_under_their_name_and_request(tmp_path: Path) -> None:
    clock = FakeClock()
    async with opened(tmp_path / "ordo.db", clock) as store:
        other = store.acting_as("token:t1", "r-1")
        await other.accounts.add(Account(AccountId("alice"), BrokerName("paper")))
        await other.journal.open(fan_out("aa", "alice"), duplicate_window=None)
        await other.journal.claim(LegId("aa-1"), terms(clock))
        await other.journal.move(LegId("aa-1"), acked())
        await other.switches.engage(GLOBAL, Level.BLOCK, None)
        await other.audit.append("risk", {}, {"account": "alice"})
        lines = (await store.audit.rows())[-6:]
        assert [line.type for line in lines] == ["account", "plan", "state", "state", "kill", "risk"]
        assert {(line.actor, line.ids["request"]) for line in lines} == {("token:t1", "r-1")}
        assert lines[-1].ids == {"account": "alice", "request": "r-1"}
        assert (await store.audit.verify()).state is State.WHOLE


async def test_the_first_store_keeps_its_own_name_and_no_request(tmp_path: Path) -> None:
    async with opened(tmp_path / "ordo.db") as store:
        store.acting_as("token:t1", "r-1")
        await store.audit.append("test", {})
        line = (await store.audit.rows())[-1]
        assert (line.actor, dict(line.ids)) == ("tester", {})


async def test_both_remember_the_same(tmp_path: Path) -> None:
    async with opened(tmp_path / "ordo.db") as store:
        other = store.acting_as("token:t1")
        await other.journal.open(replace(fan_out("aa"), request_id="r-7"), duplicate_window=None)
        found = await store.journal.fan_out("aa")
        assert (found.request_id, len(found.legs)) == ("r-7", 3)
        assert len(await other.journal.owners()) == 3
