"""When the database fails: nobody sends, nothing is half-written, and the next attempt finds a sound journal."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from ordo_cli.domain.errors import StoreFailed
from ordo_cli.domain.kill import GLOBAL, Level
from ordo_cli.domain.legs import LegId, Submission
from ordo_cli.store.database import SqliteDatabase
from ordo_cli.store.driver import connect, failed
from ordo_cli.store.faults import faults_of, trouble_of
from ordo_cli.store.now import run_now
from ordo_cli.store.store import Store
from ordo_cli.store.switches import engage_body
from tests.backends import Backend
from tests.fakes import FakeClock
from tests.store.faulty import Trouble, connector
from tests.store.making import acked, fan_out, opened, terms

CLOCK = FakeClock()
ROOT = Path(__file__).parents[2]

STEPS: dict[str, Callable[[Store], Awaitable[object]]] = {
    "open": lambda store: store.journal.open(fan_out("bb"), duplicate_window=10),
    "claim": lambda store: store.journal.claim(LegId("aa-1"), terms(CLOCK, pre_image=frozenset({"7"}), tagless=True)),
    "move": lambda store: store.journal.move(LegId("aa-2"), acked("B2")),
    "engage": lambda store: store.switches.engage(GLOBAL, Level.BLOCK, None),
}


async def prepared(store: Store) -> None:
    await store.journal.open(fan_out("aa"), duplicate_window=None)
    await store.journal.claim(LegId("aa-2"), terms(CLOCK))


async def failure_of(step: Awaitable[object]) -> StoreFailed | None:
    try:
        await step
    except StoreFailed as failure:
        return failure
    return None


async def facts(store: Store) -> object:
    """All that a step may have changed."""
    return (
        await store.journal.fan_outs(),
        await store.switches.all(),
        await store.audit.head(),
        await store.journal.last_operations(),
    )


@pytest.mark.sqlite_only
@pytest.mark.parametrize("step", STEPS)
async def test_whichever_statement_fails_nothing_is_kept_and_the_next_attempt_works(tmp_path: Path, step: str) -> None:
    trouble = Trouble()
    async with opened(tmp_path / "ordo.db", CLOCK, connector=connector(trouble)) as store:
        await prepared(store)
        before = await facts(store)
        number = 0
        while True:
            number += 1
            trouble.arm(number)
            failure = await failure_of(STEPS[step](store))
            met = trouble.failed
            trouble.arm(0)
            if failure is None:
                break
            assert failure.reason == "STORE"
            assert "disk is full" in failure.message
            assert await facts(store) == before, f"after statement {number}: {met}"
        assert met is None
        assert number > 5
        assert await facts(store) != before
        assert (await store.audit.verify()).state == "whole"


@pytest.mark.sqlite_only
async def test_a_commit_that_fails_fails_everybody_in_it(tmp_path: Path) -> None:
    trouble = Trouble(sqlite3.SQLITE_IOERR, "disk I/O error")
    async with opened(tmp_path / "ordo.db", CLOCK, connector=connector(trouble)) as store:
        await store.journal.open(fan_out("aa"), duplicate_window=None)
        legs = (await store.journal.fan_out("aa")).legs
        statements: list[str] = []
        assert isinstance(store.database, SqliteDatabase)
        await store.database.call(lambda connection: connection.set_trace_callback(statements.append))
        for number in range(1, 100):
            trouble.arm(number)
            results = await asyncio.gather(
                *(store.journal.claim(leg.id, terms(CLOCK)) for leg in legs), return_exceptions=True
            )
            if trouble.failed == "COMMIT":
                break
            trouble.arm(0)
        assert trouble.failed == "COMMIT"
        assert all(isinstance(each, StoreFailed) for each in results)
        after = (await store.journal.fan_out("aa")).legs
        assert {leg.submission for leg in after} == {Submission.PLANNED}


def test_each_trouble_has_its_own_words() -> None:
    def said(code: int | None) -> StoreFailed:
        error = sqlite3.OperationalError("the words of sqlite")
        if code is not None:
            error.sqlite_errorcode = code
        return failed(error)

    assert said(sqlite3.SQLITE_BUSY).reason == "STORE_BUSY"
    assert said(sqlite3.SQLITE_BUSY | (2 << 8)).reason == "STORE_BUSY"  # an extended code
    assert said(sqlite3.SQLITE_LOCKED).reason == "STORE_BUSY"
    assert "full" in said(sqlite3.SQLITE_FULL).message
    assert "the words of sqlite" in said(sqlite3.SQLITE_CORRUPT).message
    assert said(None).reason == "STORE"
    assert all(said(code).hint for code in (None, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_FULL))


async def test_a_database_that_somebody_holds_is_busy_and_then_works_again(tmp_path: Path, backend: Backend) -> None:
    path = tmp_path / "ordo.db"
    async with opened(path, CLOCK, busy_seconds=0.1) as store:
        async with backend.held(path):
            with pytest.raises(StoreFailed) as failure:
                await store.journal.open(fan_out("aa"), duplicate_window=None)
            assert failure.value.reason == "STORE_BUSY"
            press = engage_body("global", "", 1, None, "cli", 0.0)
            with pytest.raises(StoreFailed) as failure:
                await asyncio.to_thread(run_now, backend.where(path), press, 0.1)
            assert failure.value.reason == "STORE_BUSY"
            assert await store.journal.fan_outs() == []  # reading does not wait for a writer
        assert (await store.journal.open(fan_out("aa"), duplicate_window=None)).id == "aa"


FILL = """
import asyncio, resource, sys, signal
from pathlib import Path
from tests.store.making import fan_out, opened
from ordo_cli.domain.errors import StoreFailed

async def main(path):
    async with opened(Path(path)) as store:
        await store.journal.open(fan_out("aa"), duplicate_window=None)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        room = Path(path + "-wal").stat().st_size + 20_000
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
        for number in range(200):
            try:
                await store.journal.open(fan_out(f"b{number}", "alice bob carol dave"), duplicate_window=None)
            except StoreFailed as failure:
                print(number, failure.reason, flush=True)
                break
        found = await store.journal.fan_outs(1000)
        print(len(found), (await store.audit.verify()).state)

asyncio.run(main(sys.argv[1]))
"""


@pytest.mark.sqlite_only
def test_a_full_disk_refuses_and_what_was_written_stays_whole(tmp_path: Path) -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)
    said = subprocess.run(
        [sys.executable, "-c", FILL, str(tmp_path / "ordo.db")], capture_output=True, text=True, cwd=ROOT, check=False
    )
    refused, kept = said.stdout.splitlines()
    number, reason = refused.split()
    assert reason == "STORE"
    assert kept == f"{int(number) + 1} whole"


CRASH = """
import asyncio, sys
from pathlib import Path
from tests.store.making import acked, fan_out, opened, terms
from tests.fakes import FakeClock

async def main(path):
    clock = FakeClock()
    async with opened(Path(path), clock) as store:
        print("ready", flush=True)
        for number in range(10_000):
            name = f"f{number:05}"
            made = await store.journal.open(fan_out(name, "alice bob"), duplicate_window=None)
            print("opened", name, flush=True)
            await asyncio.gather(*(store.journal.claim(leg.id, terms(clock)) for leg in made.legs))
            print("claimed", name, flush=True)
            await asyncio.gather(*(store.journal.move(leg.id, acked("B" + leg.id)) for leg in made.legs))
            print("acked", name, flush=True)

asyncio.run(main(sys.argv[1]))
"""


@pytest.mark.parametrize("lines", [2, 5, 9, 40, 161])
def test_what_was_said_to_be_written_survives_a_kill_at_any_moment(tmp_path: Path, lines: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", CRASH, str(tmp_path / "ordo.db")], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout is not None
    said = [process.stdout.readline().split() for _ in range(lines)]
    os.kill(process.pid, signal.SIGKILL)
    said += [line.split() for line in process.stdout]
    process.stdout.close()
    process.wait()
    reached = {name: word for word, name in (line for line in said if len(line) == 2)}
    asyncio.run(_contradicts_nothing(tmp_path / "ordo.db", reached))


async def _contradicts_nothing(path: Path, reached: dict[str, str]) -> None:
    at_least = {"opened": {"planned", "sending", "acked"}, "claimed": {"sending", "acked"}, "acked": {"acked"}}
    async with opened(path, CLOCK) as store:
        for name, word in reached.items():
            for leg in (await store.journal.fan_out(name)).legs:
                assert str(leg.submission) in at_least[word]
        assert (await store.audit.verify()).state == "whole"
        assert await store.health() is None


@pytest.mark.sqlite_only
async def test_a_first_start_that_fails_leaves_an_empty_file_and_the_next_one_works(tmp_path: Path) -> None:
    trouble, number = Trouble(), 0
    while True:
        number += 1
        trouble.arm(number)
        if await failure_of(_started(tmp_path / "ordo.db", trouble)) is None:
            break
        other = connect(str(tmp_path / "ordo.db"))
        made = {name for (name,) in other.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        other.close()
        assert made == set() or "alembic_version" in made
    assert number > 20
    trouble.arm(0)
    async with opened(tmp_path / "ordo.db") as store:
        assert await store.health() is None
        assert [row.after for row in await store.audit.rows({"type": "migration"})] == ["created"]


async def _started(path: Path, trouble: Trouble) -> None:
    async with opened(path, connector=connector(trouble)):
        pass


@pytest.mark.sqlite_only
def test_what_weakens_the_promise_of_durability_is_named(tmp_path: Path) -> None:
    connection = connect(str(tmp_path / "ordo.db"))
    connection.execute("PRAGMA synchronous=NORMAL")
    assert trouble_of(connection) == "commits are not forced to the disk"
    connection.execute("PRAGMA synchronous=FULL")
    assert trouble_of(connection) == "the database is not in write-ahead mode"
    connection.close()


@pytest.mark.sqlite_only
def test_a_damaged_file_is_named_and_not_used(tmp_path: Path) -> None:
    connection = connect(str(tmp_path / "ordo.db"))
    connection.execute("CREATE TABLE t (x)")
    connection.executemany("INSERT INTO t VALUES (?)", [("word" * 100,) for _ in range(500)])
    connection.close()
    whole = bytearray((tmp_path / "ordo.db").read_bytes())
    whole[8192:8292] = bytes(range(100, 200))
    (tmp_path / "ordo.db").write_bytes(whole)
    connection = connect(str(tmp_path / "ordo.db"))
    assert str(trouble_of(connection)).startswith("the database is damaged: ")
    assert faults_of(connection)[0].startswith("damaged: ")
    connection.close()


@pytest.mark.sqlite_only
def test_a_press_on_a_database_that_cannot_be_opened_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreFailed, match="unable to open"):
        run_now(str(tmp_path / "no" / "ordo.db"), engage_body("global", "", 1, None, "cli", 0.0))
