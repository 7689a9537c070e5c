"""The drill: a real `ordo kill` against real senders, in a home of its own that is gone afterwards."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import threading

from ordo_cli import arming
from ordo_cli.config import load
from ordo_cli.desk import Desk, open_desk
from ordo_cli.domain.errors import OrdoError
from ordo_cli.domain.kill import GLOBAL
from ordo_cli.domain.seams import Clock
from ordo_cli.domain.values import dataclass
from ordo_cli.gate import Gate, Stamps
from ordo_cli.home import home_at
from ordo_cli.services.setup import arm_new

SENDERS = 4
BEFORE_S, AFTER_S = 0.2, 0.3  # how long senders run before the press, and are still watched after it returned
PACE_S = 0.0005
LIMIT_MS = 250.0


@dataclass(frozen=True, slots=True)
class Drill:
    """How long each step took, and how many sends passed the gate before the command and after it returned."""

    unlinked_ms: float  # from the start of the command, a Python that has to start included
    quiet_ms: float  # from there to the last send; 0 when none came any more
    returned_ms: float  # from the start of the command
    sent_before: int
    sent_after: int
    recorded: bool
    exit_code: int

    @property
    def passed(self) -> bool:
        stopped = self.sent_before > 0 and self.sent_after == 0 and self.quiet_ms <= LIMIT_MS
        return stopped and self.recorded and self.exit_code == 0


async def drill(desk: Desk) -> Drill:
    """Rehearse a press of everything. Nothing of the real home is touched, and nothing is sent to any broker."""
    os.makedirs(desk.home.run, mode=0o700, exist_ok=True)
    # Beside the real arming files, so that the same disk is measured.
    with tempfile.TemporaryDirectory(prefix="drill-", dir=desk.home.run) as folder:
        home = home_at(folder)
        # Without the environment: a database that it names is the real one.
        async with open_desk(home, config=load(home, {}), actor="drill") as stage:
            await arm_new(stage, (GLOBAL,))
            return await _rehearse(stage)


async def _rehearse(stage: Desk) -> Drill:
    stamps = stage.gate.stamps((GLOBAL,))
    done = threading.Event()
    path = arming.path_of(stage.home.run, "global", "")
    senders = [
        asyncio.create_task(asyncio.to_thread(_send, stage.gate, stamps, stage.clock, done)) for _ in range(SENDERS)
    ]
    watcher = asyncio.create_task(asyncio.to_thread(_watch, path, stage.clock, done))
    try:
        await stage.clock.sleep(BEFORE_S)
        begun = stage.clock.elapsed()
        exit_code = await _press(stage.home.data)
        returned = stage.clock.elapsed()
        await stage.clock.sleep(AFTER_S)
    finally:
        done.set()
    sent = [moment for moments in await asyncio.gather(*senders) for moment in moments]
    gone = await watcher
    return Drill(
        unlinked_ms=_milliseconds(begun, gone),
        quiet_ms=_milliseconds(gone, max(sent, default=gone)),
        returned_ms=_milliseconds(begun, returned),
        sent_before=sum(moment < begun for moment in sent),
        sent_after=sum(moment > returned for moment in sent),
        recorded=(await stage.store.switches.get(GLOBAL)).engaged,
        exit_code=exit_code,
    )


async def _press(folder: str) -> int:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ORDO_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "ordo_cli",
        *("kill", "--home", folder, "--reason", "drill"),
        env=environ,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    return await process.wait()


def _send(gate: Gate, stamps: Stamps, clock: Clock, done: threading.Event) -> list[float]:
    """Pass the gate as often as it lets one through; the moments of the passes."""
    passed = []
    while not done.wait(PACE_S):
        now = clock.elapsed()
        permit = gate.permit(stamps, committed_at=now, deadline=now + 1)
        try:
            with permit.passing():
                passed.append(clock.elapsed())
        except OrdoError:
            continue
    return passed


def _watch(path: str, clock: Clock, done: threading.Event) -> float:
    """The moment when the arming file was gone."""
    while os.path.lexists(path) and not done.wait(PACE_S):
        pass
    return clock.elapsed()


def _milliseconds(begun: float, moment: float) -> float:
    return round(max(0.0, moment - begun) * 1000, 3)
