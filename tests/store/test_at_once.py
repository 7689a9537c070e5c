"""What runs in the event loop and what may not: statements there, every wait in a thread."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from ordo_cli.domain.errors import StoreFailed
from ordo_cli.store.driver import connect
from tests.store.making import fan_out, opened

pytestmark = pytest.mark.sqlite_only

LONGEST = 0.25  # seconds that the loop may stand still on a busy machine; the lock is held for much longer


async def longest_stand_still(work: asyncio.Future[Any]) -> float:
    """The longest that the loop did nothing else until this work was done."""
    longest, last = 0.0, time.monotonic()
    while not work.done():
        await asyncio.sleep(0.005)
        now = time.monotonic()
        longest, last = max(longest, now - last), now
    return longest


def holding(path: Path) -> sqlite3.Connection:
    """Somebody else in the middle of a write."""
    other = connect(str(path))
    other.execute("BEGIN IMMEDIATE")
    return other


async def test_a_lock_of_another_process_is_waited_for_outside_the_loop(tmp_path: Path) -> None:
    async with opened(tmp_path / "ordo.db") as store:
        await store.journal.open(fan_out("aa"), duplicate_window=None)
        other = holding(tmp_path / "ordo.db")
        writing = asyncio.ensure_future(store.journal.open(fan_out("bb"), duplicate_window=None))
        release = asyncio.get_running_loop().call_later(0.6, lambda: other.execute("ROLLBACK"))
        assert await longest_stand_still(writing) < LONGEST
        assert writing.result().id == "bb"
        assert release.when() <= asyncio.get_running_loop().time(), "it was written before the lock was free"
        other.close()


async def test_a_look_is_had_while_another_process_writes(tmp_path: Path) -> None:
    async with opened(tmp_path / "ordo.db") as store:
        await store.journal.open(fan_out("aa"), duplicate_window=None)
        other = holding(tmp_path / "ordo.db")
        writing = asyncio.ensure_future(store.journal.open(fan_out("bb"), duplicate_window=None))
        await asyncio.sleep(0.05)
        assert not writing.done()
        found = await asyncio.wait_for(store.journal.replay("tester", "place", "none-such", "f"), 2)
        assert found is None
        other.execute("ROLLBACK")
        assert (await writing).id == "bb"
        other.close()


async def test_a_lock_that_is_never_given_back_is_given_up_outside_the_loop(tmp_path: Path) -> None:
    async with opened(tmp_path / "ordo.db", busy_seconds=0.4) as store:
        await store.journal.open(fan_out("aa"), duplicate_window=None)
        other = holding(tmp_path / "ordo.db")
        writing = asyncio.ensure_future(store.journal.open(fan_out("bb"), duplicate_window=None))
        assert await longest_stand_still(writing) < LONGEST
        with pytest.raises(StoreFailed) as refused:
            writing.result()
        assert refused.value.reason == "STORE_BUSY"
        other.execute("ROLLBACK")
        other.close()


async def test_what_one_write_has_done_the_next_look_sees(tmp_path: Path) -> None:
    async with opened(tmp_path / "ordo.db") as store:
        for name in ("aa", "bb", "cc"):
            written = await store.journal.open(fan_out(name), duplicate_window=None)
            again = await store.journal.replay(written.principal, written.verb, written.key, written.fingerprint)
            assert again is not None
            assert again.id == name
