"""The audit log in the database: append-only, found by filter, and one row for each move whatever happens at once."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordo_cli.domain.errors import IllegalMove
from ordo_cli.domain.legs import SUBMISSION_MOVES, Evidence, Leg, LegId, Submission
from ordo_cli.domain.trail import Anchor, State
from ordo_cli.store.store import Store
from tests.backends import Backend
from tests.fakes import FakeClock
from tests.store.making import acked, fan_out, opened, terms


@pytest.mark.parametrize("statement", ["UPDATE audit SET body = '{}' WHERE seq = 1", "DELETE FROM audit WHERE seq = 1"])
async def test_the_database_itself_refuses_to_change_a_row(tmp_path: Path, backend: Backend, statement: str) -> None:
    async with opened(tmp_path / "ordo.db") as store:
        await store.journal.open(fan_out("aa"), duplicate_window=None)
    with pytest.raises((sqlite3.IntegrityError, asyncpg.PostgresError), match="append-only"):
        backend.execute(tmp_path / "ordo.db", statement)


async def test_a_hand_that_goes_around_the_guards_is_seen(tmp_path: Path, backend: Backend) -> None:
    path = tmp_path / "ordo.db"
    async with opened(path) as store:
        await store.journal.open(fan_out("aa"), duplicate_window=None)
        await store.audit.append("test", {"word": "true"})
        size, head = await store.audit.head()
        anchor = Anchor("ordo/x", size, head, "now")
        backend.without_guards(path)
        backend.execute(path, f"UPDATE audit SET body = replace(body, 'true', 'lies') WHERE seq = {size}")
        found = await store.audit.verify()
        assert (found.state, found.seq) == (State.BROKEN, size)
        backend.execute(path, f"DELETE FROM audit WHERE seq = {size}")
        assert (await store.audit.verify()).state is State.WHOLE
        assert (await store.audit.verify([anchor])).state is State.TRUNCATED


async def test_rows_are_found_by_kind_fan_out_leg_and_time(tmp_path: Path) -> None:
    clock = FakeClock()
    async with opened(tmp_path / "ordo.db", clock) as store:
        for name in ("aa", "bb"):
            await store.journal.open(fan_out(name, clock=clock), duplicate_window=None)
            await store.journal.claim(LegId(f"{name}-2"), terms(clock))
            clock.pass_(60)
        rows = store.audit.rows
        assert [row.seq for row in await rows()] == [1, 2, 3, 4, 5]
        assert [row.seq for row in await rows(limit=2)] == [4, 5]
        assert [row.type for row in await rows({"fan_out": "aa"})] == ["plan", "state"]
        assert [row.ids["leg"] for row in await rows({"leg": LegId("bb-2")})] == ["bb-2"]
        assert [row.ids["fan_out"] for row in await rows({"type": "plan"})] == ["aa", "bb"]
        since = clock.now() - timedelta(seconds=61)
        assert [row.seq for row in await rows({"since": since})] == [4, 5]
        assert [row.seq for row in await rows({"since": since, "type": "state"}, limit=1)] == [5]
        assert await rows({"leg": LegId("cc-1")}) == []


async def test_a_long_log_is_read_page_by_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ordo_cli.store import audit

    monkeypatch.setattr(audit, "PAGE", 3)
    async with opened(tmp_path / "ordo.db") as store:
        await store.journal.open(fan_out("aa"), duplicate_window=None)
        for number in range(10):
            await store.audit.append("test", {"number": number}, {"fan_out": "aa", "leg": f"aa-{number % 2 + 1}"})
        assert (await store.audit.verify()).rows == 12
        found = await store.audit.rows({"leg": LegId("aa-1")}, limit=4)
        assert [row.data["number"] for row in found] == [2, 4, 6, 8]


MOVES: dict[str, Callable[[Leg], Leg]] = {
    "ack": acked(),
    "reject": lambda leg: leg.to(Submission.REJECTED, evidence=Evidence.RESPONSE),
    "unknown": lambda leg: leg.to(Submission.UNKNOWN),
    "not_sent": lambda leg: leg.to(Submission.NOT_SENT),
    "plan": lambda leg: leg.to(Submission.PLANNED),
    "block": lambda leg: leg.to(Submission.BLOCKED),
    "absent": lambda leg: leg.to(Submission.ABSENT, evidence=Evidence.OPERATOR),
    "dispute": lambda leg: leg.to(Submission.DISPUTED),
    "nothing": lambda leg: leg,
}
STEPS = st.lists(
    st.lists(st.tuples(st.integers(1, 3), st.sampled_from(["claim", *MOVES])), min_size=1, max_size=5), max_size=8
)


@given(rounds=STEPS)
@settings(max_examples=60, deadline=None)
def test_every_move_has_exactly_one_row_however_moves_interleave(rounds: list[list[tuple[int, str]]]) -> None:
    with TemporaryDirectory() as folder:
        asyncio.run(_interleave(Path(folder) / "ordo.db", rounds))


async def _interleave(path: Path, rounds: list[list[tuple[int, str]]]) -> None:
    clock = FakeClock()
    async with opened(path, clock) as store:
        await store.journal.open(fan_out("aa"), duplicate_window=None)
        for steps in rounds:
            results = await asyncio.gather(*(_step(store, clock, *step) for step in steps), return_exceptions=True)
            assert all(isinstance(each, Leg | IllegalMove) for each in results)
        for leg in (await store.journal.fan_out("aa")).legs:
            path_of_it = ["planned"]
            for row in await store.audit.rows({"leg": leg.id}, limit=1000):
                before, after = (str(each).split(":")[0] for each in (row.before, row.after))
                assert before == path_of_it[-1]
                assert Submission(after) in SUBMISSION_MOVES[Submission(before)]
                path_of_it.append(after)
            assert path_of_it[-1] == leg.submission
        assert (await store.audit.verify()).state is State.WHOLE


async def _step(store: Store, clock: FakeClock, number: int, word: str) -> object:
    leg = LegId(f"aa-{number}")
    if word == "claim":
        return await store.journal.claim(leg, terms(clock))
    return await store.journal.move(leg, MOVES[word])
