"""One fan-out over the wire, driven in three ways: raw asyncio streams (the floor), ordo's wire, and the whole service."""

from __future__ import annotations

import asyncio
import gc
import json
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from ordo_cli import arming, home
from ordo_cli.brokers.base import Permit
from ordo_cli.brokers.http import Http, Timeouts
from ordo_cli.brokers.wire import Route, WireTransport
from ordo_cli.domain.kill import GLOBAL, Scope, ScopeKind
from ordo_cli.gate import Gate, Stamps
from ordo_cli.machine import SystemChance, SystemClock
from tests.benchmarks.loopback import Arrivals, Loopback

ORDER = {"symbol": "INFY", "exchange": "NSE", "side": "BUY", "quantity": 10, "type": "MARKET", "tag": "O1234567890ABCDE"}
PATIENT = Timeouts(connect=30, write=30, read=30, pool=30, whole=60)

Round = Callable[[], Awaitable[None]]


class Streams:
    """The floor: the bytes written and read with asyncio's streams, and nothing else."""

    def __init__(self, server: Loopback, delay_ms: int) -> None:
        self._server = server
        body = json.dumps(ORDER).encode()
        head = f"POST /{delay_ms}/orders HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        self._question = f"{head}Authorization: token a:b\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        self._lines: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def open(self, legs: int) -> None:
        for _ in range(legs):
            line = await asyncio.open_connection("127.0.0.1", self._server.port, ssl=self._server.trusting)
            self._lines.append(line)

    async def round(self) -> None:
        await asyncio.gather(*(self._leg(*line) for line in self._lines))

    async def _leg(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self._question)
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.rsplit(b":", 1)[1]))

    def close(self) -> None:
        for _, writer in self._lines:
            writer.transport.abort()


class Wire:
    """Ordo's transport and gate, one account's line for each leg."""

    def __init__(self, server: Loopback, delay_ms: int, run: str) -> None:
        self._path = f"/{delay_ms}/orders"
        self._server = server
        self._clock = SystemClock()
        self._gate = Gate(run, self._clock)
        self._stamps: Stamps | None = None
        self._lines: list[Http] = []

    async def open(self, legs: int) -> None:
        self._stamps = self._gate.stamps([GLOBAL, Scope(ScopeKind.BROKER, "loopback")])
        for _ in range(legs):
            http = line_to(self._server)
            await http.warm("/profile")
            self._lines.append(http)

    async def round(self) -> None:
        await asyncio.gather(*(self._leg(http) for http in self._lines))

    async def _leg(self, http: Http) -> None:
        now = self._clock.elapsed()
        permit: Permit = self._gate.permit(self._stamps, committed_at=now, deadline=now + 30)
        answer = await http.post(self._path, permit=permit, json=ORDER)
        assert answer["status"] == "success"

    async def close(self) -> None:
        for http in self._lines:
            await http.__aexit__(None, None, None)


def line_to(server: Loopback) -> Http:
    transport = WireTransport(Route(httpx.URL(server.url), tls=server.trusting), idle_seconds=300)
    return Http(
        transport,
        server.url,
        clock=SystemClock(),
        chance=SystemChance(),
        headers={"authorization": "token a:b"},
        timeouts=PATIENT,
    )


async def arrivals(server: Loopback) -> Arrivals:
    """What the server saw since the last time this was asked."""
    async with line_to(server) as http:
        seen: Any = await http.get("/arrivals")
    return Arrivals(int(seen["count"]), float(seen["skew_ms"]), int(seen["together"]))


async def compare(server: Loopback, legs: int, delay_ms: int, rounds: int) -> tuple[list[float], list[list[Arrivals]]]:
    """Median milliseconds of a round by streams and by the wire, run in turn; and what the server saw of each round."""
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        floor, wire = Streams(server, delay_ms), Wire(server, delay_ms, armed(Path(folder)))
        stack.callback(floor.close)
        stack.push_async_callback(wire.close)
        await floor.open(legs)
        await wire.open(legs)
        await arrivals(server)
        return await in_turn(server, [floor.round, wire.round], rounds)


async def in_turn(server: Loopback, works: list[Round], rounds: int) -> tuple[list[float], list[list[Arrivals]]]:
    taken: list[list[float]] = [[] for _ in works]
    seen: list[list[Arrivals]] = [[] for _ in works]
    for turn in range(rounds + 2):
        for work, spent, saw in zip(works, taken, seen, strict=True):
            gc.collect()
            begin = time.perf_counter()
            await work()
            milliseconds = (time.perf_counter() - begin) * 1e3
            arrived = await arrivals(server)
            if turn >= 2:  # the first rounds warm caches on both sides
                spent.append(milliseconds)
                saw.append(arrived)
    return [median(each) for each in taken], seen


def armed(folder: Path) -> str:
    """A run folder with the switches released."""
    place = home.home_at(str(folder))
    home.make(place)
    arming.ready(place.run)
    arming.arm(place.run, ScopeKind.GLOBAL, "", 1, "nonce")
    arming.arm(place.run, ScopeKind.BROKER, "loopback", 1, "nonce")
    return place.run
