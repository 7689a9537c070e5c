"""Locks between processes, and owners that are dead only on proof."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ordo_cli import locks as module
from ordo_cli.domain.errors import Busy
from ordo_cli.domain.journal import Owner
from ordo_cli.locks import Locks, boot_id, started
from ordo_cli.machine import SystemChance, SystemClock

OTHER = """
import asyncio, sys
from ordo_cli.locks import Locks
from ordo_cli.machine import SystemChance, SystemClock
locks = Locks(sys.argv[1], SystemClock(), SystemChance())
async def main():
    async with locks.account("alice", 1e12), locks.only_one("batch"):
        o = locks.owner
        print(o.host, o.boot_id, o.pid, o.started, o.nonce, flush=True)
        sys.stdin.readline()
asyncio.run(main())
"""


@pytest.fixture
def run(tmp_path: Path) -> str:
    return str(tmp_path / "run")


@pytest.fixture
def locks(run: str) -> Iterator[Locks]:
    with Locks(run, SystemClock(), SystemChance()) as held:
        yield held


class Other:
    """Another ordo that holds alice's lock."""

    def __init__(self, run: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", OTHER, run], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        host, boot, pid, began, nonce = self.process.stdout.readline().split()
        self.owner = Owner(host, boot, int(pid), began, nonce)

    def end(self, how: signal.Signals = signal.SIGKILL) -> None:
        self.process.send_signal(how)
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


@pytest.fixture
def other(run: str) -> Iterator[Other]:
    found = Other(run)
    yield found
    found.end()


def soon(seconds: float) -> float:
    return SystemClock().elapsed() + seconds


async def test_a_lock_that_was_let_go_belongs_to_who_waits_and_is_not_taken_at_once(tmp_path: Path) -> None:
    with Locks(str(tmp_path), SystemClock(), SystemChance()) as locks:
        held = await locks.take("alice")
        assert held is not None
        done = asyncio.Event()

        async def wait() -> None:
            async with locks.account("alice", locks._clock.elapsed() + 100):
                await done.wait()

        waiting = asyncio.ensure_future(wait())
        await asyncio.sleep(0.05)
        with held:
            pass  # the waiter has been woken, and has not run yet
        assert await asyncio.wait_for(locks.take("alice"), 5) is None
        with pytest.raises(Busy):
            async with asyncio.timeout(5), locks.account("alice", locks._clock.elapsed() + 0.1):
                pass
        done.set()
        await waiting
        assert locks._queues["alice"].free


async def test_another_process_is_alive_until_it_is_killed(locks: Locks, other: Other) -> None:
    assert locks.alive(other.owner)
    other.process.send_signal(signal.SIGSTOP)
    assert locks.alive(other.owner)
    other.end()
    assert not locks.alive(other.owner)


async def test_a_killed_process_leaves_no_lock_behind(locks: Locks, other: Other) -> None:
    with pytest.raises(Busy, match="alice"):
        async with locks.account("alice", soon(0.05)):
            pytest.fail("two writers")
    with pytest.raises(Busy, match="batch"):
        async with locks.only_one("batch"):
            pytest.fail("two at it")
    other.end()
    async with locks.account("alice", soon(1)), locks.only_one("batch"):
        pass


async def test_a_writer_waits_for_the_one_before_it(locks: Locks, other: Other) -> None:
    asyncio.get_running_loop().call_later(0.1, other.process.kill)
    async with locks.account("alice", soon(5)):
        pass


def test_an_owner_of_another_machine_counts_as_alive(locks: Locks, other: Other) -> None:
    assert locks.alive(replace(other.owner, host="elsewhere", nonce="there"))


def test_a_container_that_was_killed_is_dead_though_the_next_one_has_another_name(locks: Locks, other: Other) -> None:
    before = replace(other.owner, host="3f1c9a2b7d4e")
    assert locks.alive(before)
    other.end()
    assert not locks.alive(before)


def test_an_owner_of_an_earlier_boot_is_dead(locks: Locks) -> None:
    before = replace(locks.owner, boot_id="an-earlier-boot", nonce="gone")
    assert not locks.alive(before)


def test_a_process_number_used_again_does_not_bring_the_owner_back(locks: Locks) -> None:
    assert not locks.alive(replace(locks.owner, started="1", nonce="gone"))


def test_a_living_process_is_alive_though_its_lock_file_was_removed(locks: Locks, run: str, other: Other) -> None:
    shutil.rmtree(os.path.join(run, "owners"))
    assert locks.alive(other.owner)


def test_a_lock_that_is_held_proves_life_though_the_process_cannot_be_seen(locks: Locks, other: Other) -> None:
    assert locks.alive(replace(other.owner, pid=2**22 + 5))


def test_this_process_is_alive(locks: Locks) -> None:
    assert locks.alive(locks.owner)
    assert locks.owner is locks.owner
    assert locks.owner.pid == os.getpid()


def test_an_owner_file_that_cannot_be_read_is_no_proof_of_death(locks: Locks, run: str) -> None:
    mine = locks.owner
    os.mkdir(os.path.join(run, "owners", "folder.lock"))
    assert locks.alive(replace(mine, pid=2**22 + 5, nonce="folder"))


def test_a_system_that_does_not_say_is_no_proof_of_death(locks: Locks, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = locks.owner

    def silent() -> str:
        raise OSError("no answer")

    monkeypatch.setattr(module, "boot_id", silent)
    assert locks.alive(replace(mine, nonce="gone"))


def test_closing_twice_is_harmless_and_leaves_no_file(run: str) -> None:
    locks = Locks(run, SystemClock(), SystemChance())
    assert os.path.exists(os.path.join(run, "owners", f"{locks.owner.nonce}.lock"))
    locks.close()
    locks.close()
    assert os.listdir(os.path.join(run, "owners")) == []


async def test_one_account_has_one_writer_within_a_process_too(locks: Locks) -> None:
    inside = 0
    most = 0

    async def write() -> None:
        nonlocal inside, most
        async with locks.account("alice", soon(10)):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.001)
            inside -= 1

    await asyncio.gather(*(write() for _ in range(20)))
    assert most == 1


async def test_accounts_do_not_wait_for_each_other(locks: Locks) -> None:
    async with locks.account("alice", soon(1)), locks.account("bob", soon(1)):
        pass


async def test_a_writer_that_waits_too_long_in_this_process_is_told_so(locks: Locks) -> None:
    async with locks.account("alice", soon(1)):
        begun = time.monotonic()
        with pytest.raises(Busy):
            async with locks.account("alice", soon(0.05)):
                pytest.fail("two writers")
        assert time.monotonic() - begun < 10
    async with locks.account("alice", soon(1)):
        pass


async def test_a_cancelled_waiter_does_not_keep_the_turn(locks: Locks) -> None:
    async with locks.account("alice", soon(1)):

        async def wait() -> None:
            async with locks.account("alice", soon(10)):
                pytest.fail("cancelled, and still wrote")

        waiter = asyncio.create_task(wait())
        await asyncio.sleep(0.01)
        waiter.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiter
    async with locks.account("alice", soon(1)):
        pass


async def test_a_lock_that_cannot_be_made_is_named(locks: Locks, run: str) -> None:
    os.makedirs(run)
    Path(run, "accounts").write_text("a file where the folder should be")
    with pytest.raises(Busy, match="cannot be taken"):
        async with locks.account("alice", soon(0.05)):
            pytest.fail("no lock")


def test_an_owner_that_cannot_be_announced_is_named(locks: Locks, run: str) -> None:
    os.makedirs(run)
    Path(run, "owners").write_text("a file where the folder should be")
    with pytest.raises(Busy, match="cannot be written"):
        _ = locks.owner


def test_without_proc_the_system_is_asked_by_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PROC", False)
    asked = started(os.getpid())
    assert asked
    assert asked == started(os.getpid())
    assert started(2**22 + 5) is None
    monkeypatch.setattr(module, "_ask", lambda *command: " ".join(command))
    assert boot_id() == "sysctl -n kern.bootsessionuuid"


def test_a_process_that_ended_but_is_not_yet_buried_is_gone() -> None:
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    until = time.monotonic() + 10
    while started(process.pid) is not None and time.monotonic() < until:
        time.sleep(0.01)
    assert started(process.pid) is None
    process.wait()
