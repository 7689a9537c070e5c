"""The reads of an account keep to what its broker takes, in all processes together; getting out is never held up."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from ordo_cli import brokers
from ordo_cli.brokers.http import Http
from ordo_cli.brokers.wire import Ungated
from ordo_cli.domain.capabilities import RateLimits
from ordo_cli.domain.errors import Unreachable
from ordo_cli.domain.pacing import AskedTooOften, getting_out
from ordo_cli.machine import take_file
from ordo_cli.pace import Paced
from tests.fakes import FakeClock

RATES = RateLimits(reads_per_second=3, reads_per_minute=6, reads_kept_for_exits=2)


def paced(folder: Path, clock: FakeClock, account: str = "alice", rates: RateLimits = RATES) -> Paced:
    return Paced(str(folder), account, rates, clock)


async def asked(pace: Paced, times: int) -> None:
    for _ in range(times):
        await pace.turn()


async def test_what_a_second_takes_waits_and_comes(tmp_path: Path) -> None:
    clock = FakeClock()
    pace, began = paced(tmp_path, clock), clock.elapsed()
    await asked(pace, 3)
    assert clock.elapsed() == began
    await pace.turn()
    assert clock.elapsed() - began == 1.25


async def test_what_a_minute_takes_is_said_at_once_with_the_time_to_come_back(tmp_path: Path) -> None:
    clock = FakeClock()
    pace = paced(tmp_path, clock)
    await asked(pace, 4)
    before = clock.elapsed()
    with pytest.raises(AskedTooOften, match="alice has asked its broker") as refused:
        await pace.turn()
    assert clock.elapsed() == before
    assert (refused.value.reason, refused.value.hint) == (
        "ASKED_TOO_OFTEN",
        "again in 59 s; cancels and ordo kill go on",
    )
    await paced(tmp_path, clock, "bob").turn()
    clock.pass_(60)
    await pace.turn()


async def test_who_gets_out_finds_room_that_nobody_else_uses_and_is_never_refused(tmp_path: Path) -> None:
    clock = FakeClock()
    pace = paced(tmp_path, clock)
    await asked(pace, 4)
    with pytest.raises(AskedTooOften):
        await pace.turn()
    began = clock.elapsed()
    with getting_out():
        await asked(pace, 30)
    assert clock.elapsed() - began < 30 * 1.25 / 3 + 1.25, "it waits for a second's turn, never for a minute's"
    with pytest.raises(AskedTooOften):
        await pace.turn()


async def test_who_gets_out_waits_two_seconds_at_the_most(tmp_path: Path) -> None:
    clock = FakeClock()
    pace = paced(tmp_path, clock, rates=RateLimits(reads_per_second=1))
    with getting_out():
        began = clock.elapsed()
        await asyncio.gather(*(pace.turn() for _ in range(20)))
    assert clock.elapsed() - began <= 2.5


async def test_a_full_disk_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    await asked(paced(tmp_path, FakeClock()), 10)


async def test_two_who_ask_share_one_count(tmp_path: Path) -> None:
    clock = FakeClock()
    one, other = paced(tmp_path, clock), paced(tmp_path, clock)
    await asked(one, 2)
    await asked(other, 2)
    for each in (one, other):
        with pytest.raises(AskedTooOften):
            await each.turn()


async def test_processes_share_one_count(tmp_path: Path) -> None:
    program = (
        "import asyncio\n"
        "from ordo_cli.domain.capabilities import RateLimits\n"
        "from ordo_cli.domain.pacing import AskedTooOften\n"
        "from ordo_cli.machine import SystemClock\n"
        "from ordo_cli.pace import Paced\n"
        "async def work():\n"
        f"    pace = Paced({str(tmp_path)!r}, 'alice', RateLimits(reads_per_minute=100), SystemClock())\n"
        "    had = 0\n"
        "    try:\n"
        "        while True:\n"
        "            await pace.turn()\n"
        "            had += 1\n"
        "    except AskedTooOften:\n"
        "        print(had)\n"
        "asyncio.run(work())\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    had = [int(each.communicate(timeout=60)[0]) for each in running]
    assert sum(had) == 100


async def test_what_was_counted_before_the_machine_was_started_counts_no_more(tmp_path: Path) -> None:
    clock = FakeClock()
    await asked(paced(tmp_path, clock), 4)
    rebooted = FakeClock()
    rebooted._elapsed = 5.0
    await asked(paced(tmp_path, rebooted), 3)
    assert rebooted.elapsed() == 5.0


@pytest.mark.parametrize(
    "rubbish", [b"", b"\xff" * 5, b"\xff" * 4096, b"nan" * 99], ids=["empty", "short", "full", "odd"]
)
async def test_a_file_that_means_nothing_holds_nobody_up(tmp_path: Path, rubbish: bytes) -> None:
    clock = FakeClock()
    (tmp_path / "reads").mkdir()
    (tmp_path / "reads" / "alice").write_bytes(rubbish)
    pace = paced(tmp_path, clock)
    await asked(pace, 4)
    with pytest.raises(AskedTooOften):
        await pace.turn()


async def test_a_file_that_cannot_be_had_holds_nobody_up(tmp_path: Path) -> None:
    (tmp_path / "reads").write_text("in the way")
    await asked(paced(tmp_path, FakeClock()), 10)


async def test_a_process_that_stands_still_with_the_lock_holds_nobody_up(tmp_path: Path) -> None:
    held = take_file(str(tmp_path / "reads" / "alice"))
    try:
        await asyncio.wait_for(paced(tmp_path, FakeClock()).turn(), 20)
    finally:
        os.close(held)


async def test_the_file_stays_as_small_as_a_minute(tmp_path: Path) -> None:
    clock = FakeClock()
    pace = paced(tmp_path, clock, rates=RateLimits(reads_per_minute=1000))
    for _ in range(5):
        await asked(pace, 50)
        clock.pass_(61)
    assert (tmp_path / "reads" / "alice").stat().st_size == 50 * 8
    assert (tmp_path / "reads" / "alice").stat().st_mode & 0o777 == 0o600


async def test_a_read_out_of_turn_is_not_asked_and_not_tried_again_and_a_write_is_never_held_up(tmp_path: Path) -> None:
    clock, seen = FakeClock(), list[str]()

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.method)
        return httpx.Response(200, json={})

    pace = paced(tmp_path, clock, rates=RateLimits(reads_per_minute=1))
    transport = httpx.MockTransport(answer)
    async with Http(transport, "https://broker.example", clock=clock, chance=None, pace=pace) as http:  # type: ignore[arg-type]
        await http.get("/book")
        began = clock.elapsed()
        with pytest.raises(Unreachable, match="as often as that takes"):
            await http.get("/book")
        assert clock.elapsed() == began
        await http.write("DELETE", "/order", permit=Ungated())
    assert seen == ["GET", "DELETE"]


def test_orders_and_reads_of_fyers_stay_below_the_calls_that_block_an_account() -> None:
    rates = brokers.spec("fyers").rates
    assert rates.per_minute is not None
    assert rates.reads_per_minute is not None
    assert rates.per_minute + rates.reads_per_minute < 200
    assert 0 < rates.reads_kept_for_exits < rates.reads_per_minute
