"""Hazards of one sender, each on a real process: Ctrl-C, SIGTERM, a full disk, a locked database, a busy account."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ordo_cli.desk import open_desk
from ordo_cli.domain.accounts import AccountId
from ordo_cli.domain.fanouts import FanOut
from ordo_cli.home import Home, find_home
from ordo_cli.locks import Locks
from ordo_cli.machine import SystemChance, SystemClock
from ordo_cli.services import accounts, reconcile
from tests.proofs import crash

ORDO = [sys.executable, "-m", "ordo_cli"]
BUY = ["buy", "NSE:INFY", "--qty", "10", "--limit", "1500", "--confirm", "--to", "all", "--json"]


def home_with(folder: Path, **behaviours: tuple[str, ...]) -> Home:
    home = find_home({"ORDO_HOME": str(folder)})

    async def prepare() -> None:
        async with open_desk(home) as desk:
            for name, troubles in behaviours.items():
                await accounts.add(desk, name, "paper", accounts.Wishes(behaviours=troubles), {})

    asyncio.run(prepare())
    return home


def start(home: Home, *words: str, **more: Any) -> subprocess.Popen[str]:
    """A command in a process of its own."""
    environ = {**os.environ, "ORDO_HOME": home.data}
    return subprocess.Popen(
        [*ORDO, *words], env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more
    )


def end(process: subprocess.Popen[str]) -> tuple[int, dict[str, Any], str]:
    out, err = process.communicate(timeout=60)
    assert "Traceback" not in err
    return process.returncode, json.loads(out) if out.strip() else {}, err


def received(home: Home) -> int:
    """Orders that reached the exchange, which makes its file when it is first spoken to."""
    if not os.path.exists(path := os.path.join(home.data, "paper.db")):
        return 0
    with closing(sqlite3.connect(path)) as exchange:
        tables = exchange.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'inbox'").fetchone()[0]
        query = "SELECT count(*) FROM inbox WHERE kind = 'place'"
        return int(exchange.execute(query).fetchone()[0]) if tables else 0


def wait_until_received(home: Home, number: int) -> None:
    for _ in range(400):
        if received(home) >= number:
            return
        time.sleep(0.02)
    raise AssertionError("the orders never arrived")


def states(document: dict[str, Any]) -> dict[str, tuple[str, str | None]]:
    legs = document["data"]["legs"]
    return {leg["account"]: (leg["state"], leg["problem"] and leg["problem"]["code"]) for leg in legs}


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[Home]:
    """Alice answers after two seconds; bob's writer lock is held by somebody else."""
    home = home_with(tmp_path / "home", alice=("latency=2000",), bob=())

    async def hold(ready: asyncio.Event, done: asyncio.Event) -> None:
        with Locks(home.run, SystemClock(), SystemChance()) as locks:
            async with locks.account(AccountId("bob"), float("inf")):
                ready.set()
                await done.wait()

    holder = os.fork()
    if holder == 0:
        asyncio.run(hold(asyncio.Event(), asyncio.Event()))
    time.sleep(0.3)
    yield home
    os.kill(holder, signal.SIGKILL)
    os.waitpid(holder, 0)


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_starts_nothing_more_and_lets_the_wire_finish(busy: Home, sign: signal.Signals) -> None:
    process = start(busy, *BUY)
    wait_until_received(busy, 1)
    process.send_signal(sign)
    code, document, _ = end(process)
    assert code == 130
    assert states(document)["alice"][0] in {"open", "filled", "pending"}
    assert states(document)["bob"] == ("not_sent", "INTERRUPTED")
    assert received(busy) == 1


def test_the_second_signal_leaves_at_once_and_the_next_start_finds_out(busy: Home) -> None:
    process = start(busy, *BUY)
    wait_until_received(busy, 1)
    process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    process.communicate(timeout=30)
    assert time.monotonic() - began < 1.7  # sooner than alice answers
    assert process.returncode == 130
    time.sleep(2)

    async def look() -> FanOut:
        async with open_desk(busy) as desk:
            await reconcile.reconcile(desk)
            return (await desk.store.journal.fan_outs(1))[0]

    fan_out = asyncio.run(look())
    assert {str(leg.account): leg.state for leg in fan_out.legs}["alice"] in {"open", "filled"}
    assert received(busy) == 1


def test_an_account_that_stays_busy_is_not_sent_and_says_so(busy: Home) -> None:
    code, document, _ = end(start(busy, *BUY[:3], "10", "--to", "all", "--json"))
    assert code == 6
    assert states(document)["bob"] == ("not_sent", "ACCOUNT_BUSY")
    assert received(busy) == 1


def test_a_locked_database_sends_nothing_and_says_so(tmp_path: Path) -> None:
    home = home_with(tmp_path / "home", alice=())
    with closing(sqlite3.connect(home.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        code, document, _ = end(start(home, *BUY))
        other.execute("ROLLBACK")
    assert code == 1
    assert document["error"]["code"] == "STORE_BUSY"
    assert received(home) == 0


def test_a_disk_that_fills_up_at_any_point_never_hides_an_order(tmp_path: Path) -> None:
    """The file size limit stands in for a full disk: writes past it fail, ever earlier in the command."""
    fates = set()
    for number in range(24):
        folder = tmp_path / str(number)
        home = home_with(folder, plain=(), mute=("silent=0.02",), no=("refuse",))
        size = os.path.getsize(home.database) + number * 4096

        def tighten(size: int = size) -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

        process = start(home, *BUY, "--key", crash.KEY, preexec_fn=tighten)
        _, err = process.communicate(timeout=60)
        assert "Traceback" not in err
        fates.add(process.returncode)
        fan_outs = asyncio.run(_after(home))
        if not fan_outs:
            assert received(home) == 0
            continue
        assert crash.judge(folder, fan_outs[0], None) == []
    assert len(fates) > 1, "the limit must bite in some runs and not in others"


async def _after(home: Home) -> list[FanOut]:
    async with open_desk(home) as desk:
        for _ in range(10):
            await reconcile.reconcile(desk)
            await asyncio.sleep(0.01)
        return await desk.store.journal.fan_outs(5)
