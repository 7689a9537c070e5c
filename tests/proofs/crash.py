"""Crash proof: processes killed with -9 while they send, then judged by what the exchange got.

`python -m tests.proofs.crash RUNS SEED` prints one JSON line with what it found. Each run places one order on accounts
with every kind of trouble, in a fresh home and a forked process that dies at a labelled point or at a random moment.
Then another process takes over, and the same key is used again.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from ordo_cli.brokers.paper import oracle
from ordo_cli.brokers.paper.exchange import Exchange
from ordo_cli.desk import Desk, open_desk
from ordo_cli.domain.accounts import Target
from ordo_cli.domain.fanouts import FanOut
from ordo_cli.domain.legs import Leg, Submission
from ordo_cli.domain.trail import State
from ordo_cli.home import Home, find_home
from ordo_cli.machine import SystemClock
from ordo_cli.services import accounts, orders, reconcile
from ordo_cli.services.planning import PlaceRequest
from tests.fakes import buy

LABELS = {"planned": 1, "opened": 1, "claiming": 5, "claimed": 5, "answered": 2, "failed": 3, "recorded": 5}
TROUBLE = {
    "plain": (),
    "slow": ("latency=5",),
    "mute": ("silent=0.02",),
    "late": ("late=0.05",),
    "untagged": ("tagless",),
    "untaggedmute": ("tagless", "silent=0.02"),
    "no": ("refuse",),
    "gone": ("down",),
}
SLOW = frozenset({"untaggedmute", "gone"})  # two looks two seconds apart, and three tries: only in one run of ten
KEY = "the-one-key"
REQUEST = PlaceRequest(buy(10, "1500"), (Target("all"),), key=KEY, confirmed=True)
RESOLVABLE = frozenset(TROUBLE) - {"untagged", "untaggedmute"}


def home_at(folder: Path) -> Home:
    return find_home({"ORDO_HOME": str(folder)})


async def prepare(folder: Path, *, quick: bool) -> None:
    async with open_desk(home_at(folder)) as desk:
        for name, behaviours in TROUBLE.items():
            if not quick or name not in SLOW:
                await accounts.add(desk, name, "paper", accounts.Wishes(behaviours=behaviours), {})


def sender(folder: Path, label: str | None, occurrence: int) -> None:
    """Place the order and die on the way; runs in a process of its own."""
    left = occurrence

    def failpoint(name: str) -> None:
        nonlocal left
        if name == label:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    async def place() -> None:
        async with open_desk(home_at(folder), failpoint=failpoint) as desk:
            await orders.place(desk, REQUEST)

    asyncio.run(place())


def crash(folder: Path, luck: random.Random) -> str:
    """One process killed while it sends; gives where it died."""
    label = luck.choice((*LABELS, None, None, None))
    occurrence = luck.randint(1, LABELS.get(label or "", 1))
    child = os.fork()
    if child == 0:
        try:
            sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - the process is about to die
            sender(folder, label, occurrence)
        finally:
            os._exit(0)
    if label is None:
        time.sleep(luck.uniform(0.0, 0.1))
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    died = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    return (label or "random") if died else "survived"


async def take_over(folder: Path) -> tuple[FanOut, str | None]:
    """What the next process makes of it: it uses the same key again, reads the books, and checks the audit."""
    async with open_desk(home_at(folder)) as desk:
        await orders.place(desk, REQUEST)
        fan_out = await _settled(desk)
        verdict = await desk.store.audit.verify()
        return fan_out, None if verdict.state is State.WHOLE else str(verdict)


async def _settled(desk: Desk) -> FanOut:
    """Look until everything that a book can tell has been told."""
    fan_out = (await desk.store.journal.fan_outs(1))[0]
    for _ in range(40):
        await reconcile.reconcile(desk)
        fan_out = await desk.store.journal.fan_out(fan_out.id)
        if all(_told(leg) for leg in fan_out.legs):
            break
        await asyncio.sleep(0.02)
    return fan_out


def _told(leg: Leg) -> bool:
    return leg.submission is not Submission.UNKNOWN or leg.account not in RESOLVABLE


def judge(folder: Path, fan_out: FanOut, audit: str | None) -> list[str]:
    """Every way in which the journal and the exchange disagree."""
    exchange = Exchange(str(folder / "paper.db"), SystemClock())
    got = [message for message in oracle.received(exchange) if message.kind == "place"]
    exchange.close()
    arrived = Counter(message.account for message in got)
    wrong = [f"{account} got {times} orders" for account, times in arrived.items() if times > 1]
    for leg in fan_out.legs:
        wrong += [f"{leg.account} is {leg.submission} with {arrived[leg.account]} received"] * (
            not _agrees(leg, arrived)
        )
    return wrong + ([f"audit: {audit}"] if audit else [])


def _agrees(leg: Leg, arrived: Counter[str]) -> bool:
    there = arrived[leg.account] == 1
    if leg.submission in {Submission.ACKED, Submission.REJECTED}:
        return there
    if leg.submission is Submission.BLOCKED:
        return not there
    return leg.submission is Submission.UNKNOWN and (not there or leg.account not in RESOLVABLE)


def main(runs: int, seed: int) -> dict[str, object]:
    """Run the proof and count what went wrong, and where processes died."""
    luck, deaths, wrong = random.Random(seed), Counter[str](), list[str]()
    with tempfile.TemporaryDirectory(prefix="ordo-crash-") as place:
        usual, everything = Path(place) / "usual", Path(place) / "everything"
        asyncio.run(prepare(usual, quick=True))
        asyncio.run(prepare(everything, quick=False))
        run = 0
        while deaths.total() - deaths["survived"] < runs:  # who outlives its label is judged too, and does not count
            run += 1
            folder = Path(place) / str(run)
            shutil.copytree(everything if run % 10 == 0 else usual, folder)
            deaths[crash(folder, luck)] += 1
            wrong += [f"run {run}: {sentence}" for sentence in judge(folder, *asyncio.run(take_over(folder)))]
            shutil.rmtree(folder)
    return {"runs": runs, "seed": seed, "deaths": dict(deaths), "wrong": wrong}


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), int(sys.argv[2]))))
