"""Key race: many processes place the same order under the same key in the same moment; exactly one may send it.

`python -m tests.proofs.race PROCESSES KEYS` prints one JSON line with what it found.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import sys
import tempfile
from collections import Counter, defaultdict
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path

from ordo_cli.brokers.paper import oracle
from ordo_cli.brokers.paper.exchange import Exchange
from ordo_cli.desk import open_desk
from ordo_cli.domain.accounts import AccountId, Target
from ordo_cli.domain.errors import KeyConflict
from ordo_cli.home import find_home
from ordo_cli.machine import SystemClock
from ordo_cli.services import accounts, orders
from ordo_cli.services.planning import PlaceRequest
from tests.fakes import buy

ACCOUNTS = [AccountId(f"a{number:02}") for number in range(40)]
FORK = multiprocessing.get_context("fork")

Result = tuple[int, str, bool]
"""A key's number, the fan-out that the process was given, and whether it was a replay."""


def request(number: int, odd: bool) -> PlaceRequest:
    """The order of one key, for two of the accounts; an odd process asks for one unit more under every tenth key."""
    quantity = 11 if odd and number % 10 == 0 else 10
    pair = (Target(ACCOUNTS[number % 40]), Target(ACCOUNTS[(number + 20) % 40]))
    return PlaceRequest(buy(quantity, None), pair, key=f"race-{number:06}", allow_duplicate=True, confirmed=True)


def racer(home: str, keys: int, odd: bool, barrier: Barrier, results: Queue[list[Result]]) -> None:
    async def run() -> list[Result]:
        found: list[Result] = []
        async with open_desk(find_home({"ORDO_HOME": home})) as desk:
            for number in range(keys):
                barrier.wait(60)
                try:
                    fan_out = await orders.place(desk, request(number, odd))
                    found.append((number, fan_out.id, fan_out.replayed))
                except KeyConflict:
                    found.append((number, "conflict", True))
        return found

    results.put(asyncio.run(run()))


async def prepare(home: str) -> None:
    async with open_desk(find_home({"ORDO_HOME": home})) as desk:
        for name in ACCOUNTS:
            await accounts.add(desk, name, "paper", accounts.Wishes(), {})


def main(processes: int, keys: int) -> dict[str, object]:
    """Run the race and list every key that was not won exactly once."""
    with tempfile.TemporaryDirectory(prefix="ordo-race-") as home:
        asyncio.run(prepare(home))
        barrier, results = FORK.Barrier(processes), FORK.Queue()
        racers = [
            FORK.Process(target=racer, args=(home, keys, number == 0, barrier, results)) for number in range(processes)
        ]
        for each in racers:
            each.start()
        found = [result for _ in racers for result in results.get(timeout=600)]
        for each in racers:
            each.join()
        exchange = Exchange(str(Path(home) / "paper.db"), SystemClock())
        got = Counter(message.tag for message in oracle.received(exchange) if message.kind == "place")
        exchange.close()
    return {"processes": processes, "keys": keys, "orders": sum(got.values()), "wrong": judge(found, keys, got)}


def judge(found: list[Result], keys: int, got: Counter[str | None]) -> list[str]:
    """Every key without exactly one winner, and every order that arrived twice or is missing."""
    given: dict[int, set[str]] = defaultdict(set)
    winners: Counter[int] = Counter()
    for number, fan_out, replayed in found:
        given[number] |= {fan_out} - {"conflict"}
        winners[number] += not replayed
    wrong = [f"key {number} has {len(ids)} fan-outs" for number, ids in given.items() if len(ids) != 1]
    wrong += [f"key {number} was won {winners[number]} times" for number in range(keys) if winners[number] != 1]
    wrong += [f"tag {tag} arrived {times} times" for tag, times in got.items() if times != 1]
    return wrong + [f"{sum(got.values())} orders arrived for {keys} keys"] * (sum(got.values()) != 2 * keys)


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), int(sys.argv[2]))))
