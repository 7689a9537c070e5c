"""Clients that race over HTTP, and workers that die under them: who was told what, and what reached the exchange."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
from collections import Counter, defaultdict
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from ordo_cli.brokers.paper import oracle
from ordo_cli.brokers.paper.exchange import Exchange
from ordo_cli.brokers.paper.messages import Received
from ordo_cli.desk import open_desk
from ordo_cli.domain.accounts import AccountId
from ordo_cli.home import find_home
from ordo_cli.machine import SystemClock
from ordo_cli.services import accounts
from tests.api.serving import PATIENCE, Server, children

ORDERS = "/api/v1/orders"
ACCOUNTS = [AccountId(f"a{number:02}") for number in range(40)]
TRIES = 400


def prepare(home: Path) -> None:
    """A home of many paper accounts."""

    async def make() -> None:
        async with open_desk(find_home({"ORDO_HOME": str(home)})) as desk:
            for name in ACCOUNTS:
                await accounts.add(desk, name, "paper", accounts.Wishes(), {})

    asyncio.run(make())


def order(number: int, quantity: int = 10) -> dict[str, object]:
    """The order of one key, for two of the accounts."""
    pair = [ACCOUNTS[number % 40], ACCOUNTS[(number + 20) % 40]]
    more = {"allow_duplicate": True, "confirm": True}
    return {"side": "buy", "instrument": "NSE:INFY", "quantity": quantity, "targets": pair, **more}


def key_of(number: int) -> str:
    return f"race-{number:06}"


@dataclass
class Told:
    """What clients were told: fan-outs by key, and how often each key was won."""

    fan_outs: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    won: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)

    def take(self, key: str, answer: httpx.Response) -> None:
        self.statuses[answer.status_code] += 1
        if answer.status_code in (201, 207):
            self.fan_outs[key].add(answer.json()["id"])
            self.won[key] += "idempotent-replayed" not in answer.headers


async def race(server: Server, clients: int, keys: int) -> Told:
    """Every client asks for every key at the same moment; one asks for something else under every tenth."""
    told = Told()
    gate = asyncio.Barrier(clients)

    async def one(client: int) -> None:
        async with httpx.AsyncClient(base_url=server.url, headers=server.bearing, timeout=PATIENCE) as line:
            for number in range(keys):
                await gate.wait()
                odd = client == 0 and number % 10 == 0
                body = order(number, 11 if odd else 10)
                told.take(
                    key_of(number),
                    await line.post(ORDERS, json=body, headers={"Idempotency-Key": key_of(number)}),
                )

    await asyncio.gather(*(one(client) for client in range(clients)))
    return told


async def place_under_fire(server: Server, placements: int, at_once: int, seed: int) -> tuple[Told, int]:
    """Place while workers are killed at random moments; each client asks again by its key until it is told."""
    told, chance, deaths = Told(), random.Random(seed), 0
    numbers, done = iter(range(placements)), asyncio.Event()

    async def client() -> None:
        for number in numbers:
            told.take(key_of(number), await _until_told(server, number))

    async def killer() -> int:
        killed = 0
        while not done.is_set():
            await asyncio.sleep(chance.uniform(0.05, 0.5))
            workers = children(server.process.pid)
            if len(workers) == 2:
                os.kill(chance.choice(workers), signal.SIGKILL)
                killed += 1
        return killed

    killing = asyncio.ensure_future(killer())
    await asyncio.gather(*(client() for _ in range(at_once)))
    done.set()
    deaths = await killing
    return told, deaths


async def _until_told(server: Server, number: int) -> httpx.Response:
    headers = {"Idempotency-Key": key_of(number), **server.bearing}
    for _ in range(TRIES):
        async with httpx.AsyncClient(base_url=server.url, timeout=PATIENCE) as line:
            try:
                answer = await line.post(ORDERS, json=order(number), headers=headers)
            except httpx.TransportError:  # its worker died; what became of it is asked by the key
                await asyncio.sleep(0.02)
                continue
        if answer.status_code in (201, 207):
            return answer
        if answer.status_code not in (409, 503):
            raise AssertionError(f"{key_of(number)}: {answer.status_code} {answer.text[:300]}")
        await asyncio.sleep(0.02)
    raise AssertionError(f"{key_of(number)} was never told what became of it")


def arrived(home: Path) -> list[Received]:
    """Every order that reached the exchange."""
    exchange = Exchange(str(home / "paper.db"), SystemClock())
    try:
        return [message for message in oracle.received(exchange) if message.kind == "place"]
    finally:
        exchange.close()


def twice(home: Path) -> list[str]:
    """Every order that arrived twice, and every key that was written down twice."""
    tags = Counter(message.tag for message in arrived(home))
    with closing(sqlite3.connect(home / "ordo.db")) as database:
        keys = Counter(key for (key,) in database.execute("SELECT key FROM fanouts"))
    wrong = [f"tag {tag} arrived {times} times" for tag, times in tags.items() if times != 1]
    return wrong + [f"key {key} has {times} fan-outs" for key, times in keys.items() if times != 1]
