"""Kill proof: `ordo kill` pressed at random moments of a fan-out that several processes are sending.

`python -m tests.proofs.killing RUNS SEED [LEGS [WAY…]]` prints one JSON line with what it found. Each run sends one
order to every account, from several forked processes at once, starts the real `ordo kill` at a random moment, and then
asks the exchange when each order let go its first byte: none may after the command returned. Some runs press on a full
disk, with a locked database, or while a sender stands still: anywhere, or between its last check and its first byte.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field

from ordo_cli import arming
from ordo_cli.brokers.paper import oracle
from ordo_cli.brokers.paper.exchange import Exchange
from ordo_cli.desk import open_desk
from ordo_cli.domain.accounts import Target
from ordo_cli.domain.errors import KillEngaged, StoreFailed
from ordo_cli.domain.fanouts import FanOut
from ordo_cli.domain.kill import GLOBAL
from ordo_cli.domain.legs import Submission
from ordo_cli.domain.trail import State
from ordo_cli.home import Home, home_at
from ordo_cli.machine import SystemClock
from ordo_cli.services import accounts, orders, reconcile
from ordo_cli.services.planning import PlaceRequest
from tests.fakes import buy

PROCESSES = 4
ENTRY = "from ordo_cli.__main__ import main; main()"
WAYS = ("plain", "plain", "locked", "full", "stopped", "stopped in the gate")
CLOCK = SystemClock()
AT_BROKER = {Submission.ACKED, Submission.REJECTED}


@dataclass(slots=True)
class Run:
    """What one press came to."""

    way: str
    exit_code: int
    begun: float
    returned: float
    quiet_ms: float | None
    first_bytes: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def midway(self) -> bool:
        """Whether the press met the fan-out while it was running."""
        return bool(self.first_bytes) and max(self.first_bytes) > self.begun - 0.05

    @property
    def last_ms(self) -> float:
        """Milliseconds from the start of the command to the last first byte."""
        return max(0.0, (max(self.first_bytes, default=0.0) - self.begun) * 1000)


async def prepare(home: Home, legs: int) -> None:
    """One home with so many accounts, in as many groups as there are senders."""
    async with open_desk(home) as desk:
        for number in range(legs):
            wishes = accounts.Wishes(groups=(f"g{number % PROCESSES}",))
            await accounts.add(desk, f"a{number:03}", "paper", wishes, {})


def start_sender(home: Home, group: int) -> int:
    """Fork a process that sends to its group and ends."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - the process is about to end
        asyncio.run(_send(home, group))
        code = 0
    finally:
        os._exit(code)


async def _send(home: Home, group: int) -> None:
    async with open_desk(home) as desk:
        request = PlaceRequest(buy(1, "1500"), (Target(f"@g{group}"),), key=f"the-key-of-{group}", confirmed=True)
        with suppress(
            KillEngaged, StoreFailed
        ):  # killed before it was planned: there is no fan-out then, and nothing to judge
            await orders.place(desk, request)


def press(home: Home, way: str) -> Run:
    """Run `ordo kill` and take the moments around it by the clock that the exchange uses."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ORDO_")}
    begun = CLOCK.elapsed()
    done = subprocess.run(
        [sys.executable, "-c", ENTRY, "kill"],
        env=environ | {"ORDO_HOME": home.data},
        capture_output=True,
        text=True,
        preexec_fn=_full_disk if way == "full" else None,
        check=False,
    )
    returned = CLOCK.elapsed()
    quiet = re.search(r"quiet confirmed in (\d+) ms", done.stdout)
    found = Run(way, done.returncode, begun, returned, float(quiet[1]) if quiet else None)
    if not done.stdout.startswith("ENGAGED") or "Traceback" in done.stderr:
        found.wrong.append(f"the command said {done.stdout!r} {done.stderr[-500:]!r}")
    if done.returncode not in (0, 10) or (done.returncode == 0) != (quiet is not None):
        found.wrong.append(f"exit code {done.returncode} after {done.stdout!r}")
    return found


def _full_disk() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))


@contextmanager
def trouble(home: Home, way: str, senders: list[int], luck: random.Random) -> Iterator[None]:
    """What makes this press harder; over when the command has returned."""
    if way.startswith("stopped"):
        stopped = stop(home, senders, luck, tries=1 if way == "stopped" else 60)
        try:
            yield
        finally:
            os.kill(stopped, signal.SIGCONT)
        return
    if way != "locked":
        yield
        return
    with closing(sqlite3.connect(home.database, timeout=5, isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        yield
        database.execute("ROLLBACK")


def stop(home: Home, senders: list[int], luck: random.Random, tries: int) -> int:
    """Stop one sender, in so many tries inside the gate if it can be met there."""
    while True:
        sender, tries = luck.choice(senders), tries - 1
        os.kill(sender, signal.SIGSTOP)
        if tries == 0 or sender in arming.waiting(home.run):
            return sender
        os.kill(sender, signal.SIGCONT)
        time.sleep(luck.uniform(0, 0.002))


def one(home: Home, way: str, met: int, luck: random.Random) -> Run:
    """One fan-out, one press, when that many orders have let go their first byte."""
    senders = [start_sender(home, group) for group in range(PROCESSES)]
    wait_until_sent(home, met)
    time.sleep(luck.uniform(0, 0.01))
    with trouble(home, way, senders, luck):
        found = press(home, way)
    for sender in senders:
        _, status = os.waitpid(sender, 0)
        if status:
            found.wrong.append(f"a sender ended with {status}")
    judge(home, found)
    return found


def judge(home: Home, found: Run) -> None:
    """What the exchange and the journal say of it."""
    got = received(home)
    found.first_bytes = [moment for moment, _ in got]
    late = [moment - found.returned for moment in found.first_bytes if moment > found.returned]
    if late and found.exit_code == 0:
        found.wrong.append(f"{len(late)} first bytes up to {max(late) * 1000:.1f} ms after it returned with 0")
    if len(late) > PROCESSES:  # a sender that was named may finish the one write it stood in
        found.wrong.append(f"{len(late)} first bytes after it returned with {found.exit_code}")
    arrived = Counter(account for _, account in got)
    found.wrong += [f"{account} got {times} orders" for account, times in arrived.items() if times > 1]
    fan_outs, engaged, audit = asyncio.run(_journal(home))
    if not engaged:
        found.wrong.append("the row does not say engaged")
    if audit is not State.WHOLE:
        found.wrong.append(f"the audit chain is {audit}")
    for leg in (leg for fan_out in fan_outs for leg in fan_out.legs):
        expected = AT_BROKER if arrived[leg.account] else {Submission.BLOCKED}
        if leg.submission not in expected:
            found.wrong.append(f"{leg.account} is {leg.state} with {arrived[leg.account]} received")


async def _journal(home: Home) -> tuple[list[FanOut], bool, State]:
    async with open_desk(home) as desk:
        await reconcile.reconcile(desk)
        fan_outs = await desk.store.journal.fan_outs(PROCESSES)
        return fan_outs, (await desk.store.switches.get(GLOBAL)).engaged, (await desk.store.audit.verify()).state


def received(home: Home) -> list[tuple[float, str]]:
    """When each order let go its first byte, and for whom."""
    path = os.path.join(home.data, "paper.db")
    if not os.path.exists(path):
        return []
    exchange = Exchange(path, CLOCK)
    try:
        return [(message.elapsed, message.account) for message in oracle.received(exchange) if message.kind == "place"]
    finally:
        exchange.close()


def wait_until_sent(home: Home, wanted: int, patience: float = 20.0) -> None:
    """Look into the exchange's inbox until it has so many orders. How fast a machine is never decides what is met."""
    path, until = os.path.join(home.data, "paper.db"), CLOCK.elapsed() + patience
    while CLOCK.elapsed() < until:
        if os.path.exists(path):
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as exchange, suppress(sqlite3.Error):
                if exchange.execute("SELECT count(*) FROM inbox WHERE kind = 'place'").fetchone()[0] >= wanted:
                    return
        time.sleep(0.002)


def main(runs: int, seed: int, legs: int = 200, ways: Sequence[str] = WAYS) -> dict[str, object]:
    """Run the proof and count what went wrong, how often a press met a running fan-out, and how long each took."""
    luck, found = random.Random(seed), list[Run]()
    with tempfile.TemporaryDirectory(prefix="ordo-kill-") as place:
        ready = home_at(os.path.join(place, "ready"))
        asyncio.run(prepare(ready, legs))
        for number in range(runs):
            home = home_at(os.path.join(place, str(number)))
            shutil.copytree(ready.data, home.data)
            way = ways[number % len(ways)]
            found.append(one(home, way, luck.randint(0, legs * 3 // 4), luck))
            shutil.rmtree(home.data)
    quiet = sorted(run.quiet_ms for run in found if run.quiet_ms is not None)
    lasts = sorted(run.last_ms for run in found if run.midway)
    return {
        "runs": runs,
        "seed": seed,
        "legs": legs,
        "midway": len(lasts),
        "part_sent": sum(0 < len(run.first_bytes) < legs for run in found),
        "not_confirmed": sum(run.exit_code == 10 for run in found),
        "quiet_ms": {"worst": quiet[-1], "median": quiet[len(quiet) // 2]} if quiet else None,
        "last_first_byte_ms": (
            {"worst": round(lasts[-1], 1), "median": round(lasts[len(lasts) // 2], 1)} if lasts else None
        ),
        "wrong": [f"run {number} ({run.way}): {each}" for number, run in enumerate(found) for each in run.wrong],
    }


if __name__ == "__main__":
    runs, seed, *more = sys.argv[1:]
    print(json.dumps(main(int(runs), int(seed), int(more[0]) if more else 200, more[1:] or WAYS)))
