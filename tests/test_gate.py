"""The gate fails closed: whatever is missing, foreign, spoiled or unreadable counts as killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ordo_cli import arming
from ordo_cli import gate as gates
from ordo_cli.domain.errors import KillEngaged, Refused
from ordo_cli.domain.kill import GLOBAL, Scope, ScopeKind
from ordo_cli.gate import Gate, GatePermit, Stamps
from ordo_cli.machine import SystemClock

SCOPES = (GLOBAL, Scope(ScopeKind.BROKER, "paper"), Scope(ScopeKind.ACCOUNT, "alice"), Scope(ScopeKind.GROUP, "family"))


class HandClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.at = 1000.0

    def now(self) -> datetime:
        return datetime(2026, 11, 23, 4, 0, tzinfo=UTC)

    def elapsed(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += seconds


@pytest.fixture
def run(tmp_path: Path) -> str:
    folder = str(tmp_path / "run")
    for scope in SCOPES:
        arming.arm(folder, scope.kind, scope.name, 3, "n0nce")
    return folder


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def gate(run: str, clock: HandClock) -> Gate:
    return Gate(run, clock)


@pytest.fixture
def stamps(gate: Gate) -> Stamps:
    return gate.stamps(SCOPES)


def permit_of(gate: Gate, stamps: Stamps | None, clock: HandClock, deadline: float = 5.0) -> GatePermit:
    return gate.permit(stamps, committed_at=clock.at, deadline=clock.at + deadline)


def refusal(permit: GatePermit) -> Refused:
    with pytest.raises(Refused) as caught, permit.passing():
        pytest.fail("a byte would have left")
    assert permit.first_byte_at is None or permit.bytes_sent == 0
    return caught.value


def path_of(run: str, scope: Scope) -> Path:
    return Path(arming.path_of(run, scope.kind, scope.name))


def spoil(path: Path) -> None:
    path.write_bytes(b"K" + path.read_bytes()[1:])


def link_elsewhere(path: Path) -> None:
    target = path.with_name("elsewhere")
    path.rename(target)
    path.symlink_to(target)


def make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def make_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def give_away(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(path, 12345, 12345)


def rearm(path: Path) -> None:
    path.write_bytes(b"4 another\n")


TROUBLES: dict[str, Callable[[Path], object]] = {
    "a pipe, which nobody writes": make_pipe,
    "unlinked": lambda path: path.unlink(),
    "first byte spoiled": spoil,
    "emptied": lambda path: path.write_bytes(b""),
    "cut before the end": lambda path: path.write_bytes(b"3 n0nce"),
    "no epoch": lambda path: path.write_bytes(b"n0nce\n"),
    "no nonce": lambda path: path.write_bytes(b"3 \n"),
    "negative epoch": lambda path: path.write_bytes(b"-3 n0nce\n"),
    "far too long": lambda path: path.write_bytes(b"3 " + b"n" * 500 + b"\n"),
    "group may write": lambda path: path.chmod(0o620),
    "others may write": lambda path: path.chmod(0o602),
    "not readable": lambda path: path.chmod(0o000),
    "a link to elsewhere": link_elsewhere,
    "a second name": lambda path: os.link(path, path.with_name("second")),
    "a folder": make_folder,
    "another user's": give_away,
    "another epoch": rearm,
    "its folder open to others": lambda path: path.parent.chmod(0o777),
    "its folder gone": lambda path: shutil.rmtree(path.parent),
}


@pytest.mark.parametrize("scope", SCOPES, ids=str)
@pytest.mark.parametrize("trouble", TROUBLES)
def test_nothing_leaves_when_an_arming_file_is_in_trouble(
    run: str, gate: Gate, clock: HandClock, stamps: Stamps, scope: Scope, trouble: str
) -> None:
    TROUBLES[trouble](path_of(run, scope))
    error = refusal(permit_of(gate, stamps, clock))
    assert isinstance(error, KillEngaged)
    assert str(scope) in error.message or "lock" in error.message or "folder" in trouble
    assert error.hint


@pytest.mark.parametrize("trouble", [name for name in TROUBLES if name != "another epoch"])
def test_nothing_is_planned_when_an_arming_file_is_in_trouble(run: str, gate: Gate, trouble: str) -> None:
    TROUBLES[trouble](path_of(run, GLOBAL))
    with pytest.raises(KillEngaged):
        gate.stamps(SCOPES)


def test_an_order_without_any_scope_is_refused(gate: Gate) -> None:
    with pytest.raises(KillEngaged, match="no scope"):
        gate.stamps(())


def test_a_kill_and_a_release_between_planning_and_sending_stop_the_order(
    run: str, gate: Gate, clock: HandClock, stamps: Stamps
) -> None:
    arming.disarm(run, "account", "alice")
    arming.arm(run, "account", "alice", 4, "fresh")
    assert "released after" in refusal(permit_of(gate, stamps, clock)).message
    with permit_of(gate, gate.stamps(SCOPES), clock).passing():
        pass


def test_the_lock_file_gone_counts_as_killed(run: str, gate: Gate, clock: HandClock, stamps: Stamps) -> None:
    os.unlink(os.path.join(run, arming.LOCK))
    assert isinstance(refusal(permit_of(gate, stamps, clock)), KillEngaged)


def test_a_lock_that_another_holds_alone_counts_as_killed_within_its_limit(
    run: str, gate: Gate, clock: HandClock, stamps: Stamps
) -> None:
    held = arming.alone(run)
    begun = time.monotonic()
    try:
        assert isinstance(refusal(permit_of(gate, stamps, clock)), KillEngaged)
    finally:
        os.close(held)
    assert time.monotonic() - begun < 2


def test_a_run_folder_on_a_network_file_system_is_refused(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "network_file_system", lambda path: "nfs4")
    with pytest.raises(KillEngaged, match="nfs4"):
        gate.stamps(SCOPES)


def test_an_armed_order_passes_and_says_when(gate: Gate, clock: HandClock, stamps: Stamps) -> None:
    permit = permit_of(gate, stamps, clock)
    with permit.passing():
        assert permit.first_byte_at == clock.at
    assert stamps.epochs == dict.fromkeys(SCOPES, 3)


@pytest.mark.parametrize(
    ("age", "passes"), [(0.0, True), (0.25, True), (0.2501, False), (60.0, False), (-0.001, False)]
)
def test_a_permit_is_good_for_a_quarter_of_a_second(
    gate: Gate, clock: HandClock, stamps: Stamps, age: float, passes: bool
) -> None:
    permit = gate.permit(stamps, committed_at=clock.at, deadline=clock.at + 100)
    clock.at += age
    if passes:
        with permit.passing():
            return
    assert refusal(permit).reason == "STALE"


async def test_nothing_leaves_before_it_was_claimed(gate: Gate, clock: HandClock, stamps: Stamps) -> None:
    async def claim() -> float:
        return clock.at

    permit = gate.permit(stamps, claim=claim, deadline=clock.at + 5)
    assert refusal(permit).reason == "STALE"
    await permit.claim()
    with permit.passing():
        assert permit.first_byte_at == clock.at


async def test_a_permit_ages_from_its_claim_and_claims_once(gate: Gate, clock: HandClock, stamps: Stamps) -> None:
    claims: list[float] = []

    async def claim() -> float:
        claims.append(clock.at)
        return clock.at

    permit = gate.permit(stamps, claim=claim, deadline=clock.at + 100)
    clock.at += 60
    await permit.claim()
    clock.at += 0.26
    await permit.claim()
    assert refusal(permit).reason == "STALE"
    assert len(claims) == 1, "a second claim would make an attempt young again that may have bytes out"


async def test_nobody_claims_for_a_leg_that_was_given_up(gate: Gate, clock: HandClock, stamps: Stamps) -> None:
    async def claim() -> float:
        raise AssertionError("the journal was asked")

    permit = gate.permit(stamps, claim=claim, deadline=clock.at + 5)
    assert permit.withdraw()
    with pytest.raises(Refused) as caught:
        await permit.claim()
    assert caught.value.reason == "INTERRUPTED"


async def test_a_claim_that_is_refused_leaves_the_permit_shut(gate: Gate, clock: HandClock, stamps: Stamps) -> None:
    async def claim() -> float:
        raise KillEngaged("the switch is on")

    permit = gate.permit(stamps, claim=claim, deadline=clock.at + 5)
    with pytest.raises(KillEngaged):
        await permit.claim()
    await permit.claim()
    assert refusal(permit).reason == "STALE"


@pytest.mark.parametrize("closing", [False, True])
def test_nothing_leaves_at_or_after_its_deadline(gate: Gate, clock: HandClock, stamps: Stamps, closing: bool) -> None:
    permit = permit_of(gate, None if closing else stamps, clock, deadline=0.0)
    assert refusal(permit).reason == "DEADLINE"


def test_a_close_passes_while_everything_is_killed(run: str, gate: Gate, clock: HandClock) -> None:
    shutil.rmtree(run)
    permit = permit_of(gate, None, clock)
    with permit.passing():
        assert permit.first_byte_at == clock.at


def test_a_stale_close_does_not_leave_either(gate: Gate, clock: HandClock) -> None:
    permit = permit_of(gate, None, clock)
    clock.at += 0.3
    assert refusal(permit).reason == "STALE"


def test_a_kill_waits_for_the_sender_that_has_passed(run: str, gate: Gate, clock: HandClock, stamps: Stamps) -> None:
    inside, leave = threading.Event(), threading.Event()

    def write() -> None:
        with permit_of(gate, stamps, clock).passing():
            inside.set()
            leave.wait(5)

    sender = threading.Thread(target=write)
    sender.start()
    assert inside.wait(5)
    arming.disarm(run, "global", "")
    assert not arming.drain(run, 0.05)
    assert arming.waiting(run) == [os.getpid()] or sys.platform != "linux"
    leave.set()
    assert arming.drain(run, 2.0)
    sender.join()


STOPPED = """
import sys, time
from ordo_cli.domain.kill import GLOBAL
from ordo_cli.gate import Gate
from ordo_cli.machine import SystemClock
clock = SystemClock()
gate = Gate(sys.argv[1], clock)
permit = gate.permit(gate.stamps([GLOBAL]), committed_at=clock.elapsed(), deadline=clock.elapsed() + 60)
print("planned", flush=True)
sys.stdin.readline()
try:
    with permit.passing():
        print("SENT", flush=True)
except Exception as error:
    print(type(error).__name__, getattr(error, "reason", ""), flush=True)
"""


@pytest.fixture
def sleeper(run: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", STOPPED, run], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    yield process
    process.kill()
    process.communicate()


def test_a_process_stopped_between_check_and_write_wakes_up_too_old_to_send(sleeper: subprocess.Popen[str]) -> None:
    assert sleeper.stdout is not None
    assert sleeper.stdin is not None
    assert sleeper.stdout.readline() == "planned\n"
    sleeper.send_signal(signal.SIGSTOP)
    sleeper.stdin.write("go\n")
    sleeper.stdin.flush()
    time.sleep(0.4)
    sleeper.send_signal(signal.SIGCONT)
    assert sleeper.stdout.readline() == "Refused STALE\n"


def test_the_gate_costs_less_than_a_millisecond(gate: Gate, run: str) -> None:
    clock = SystemClock()
    real = Gate(run, clock)
    stamps = real.stamps(SCOPES)
    begun = time.perf_counter()
    for _ in range(100):
        now = clock.elapsed()
        with real.permit(stamps, committed_at=now, deadline=now + 1).passing():
            pass
    assert (time.perf_counter() - begun) / 100 < 0.005  # 40 us here; a bound that a busy machine keeps too
