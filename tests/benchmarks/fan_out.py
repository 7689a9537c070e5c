"""One fan-out over TLS, driven in three ways: raw asyncio streams (the floor), ordo's wire, and the whole service."""

from __future__ import annotations

import asyncio
import gc
import json
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any, Protocol

from ordo_cli.brokers.http import Http
from ordo_cli.desk import Desk, open_desk
from ordo_cli.domain.accounts import AccountId, Target
from ordo_cli.domain.errors import Rejected
from ordo_cli.domain.fanouts import Outcome
from ordo_cli.domain.instruments import parse_instrument
from ordo_cli.domain.kill import scopes_over
from ordo_cli.domain.orders import OrderIntent, Side, Tag
from ordo_cli.home import home_at
from ordo_cli.services import accounts, orders
from ordo_cli.services.planning import PlaceRequest
from tests.benchmarks.loopback import Arrivals, Loopback
from tests.benchmarks.loopback_broker import NAME, Stopwatch, encode, line_to, spec_of

INTENT = OrderIntent(Side.BUY, parse_instrument("NSE:INFY"), 1, limit_price=Decimal("1500.00"))
ORDER = encode(INTENT, Tag("O1234567890ABCDE"))
WARM_UP = 3


class Way(Protocol):
    """A way to send one order to every account."""

    async def open(self, legs: int) -> None: ...

    async def round(self) -> float:
        """Send to all, and give the milliseconds from the first byte to the last answer."""
        ...

    async def close(self) -> None: ...


class Streams:
    """The floor: the bytes written and read with asyncio's streams, and nothing else."""

    def __init__(self, server: Loopback, delay_ms: int) -> None:
        self._server = server
        body = json.dumps({**ORDER, "price": 1500}).encode()
        head = f"POST /{delay_ms}/orders HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        self._question = f"{head}Authorization: token a:b\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        self._lines: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def open(self, legs: int) -> None:
        for _ in range(legs):
            line = await asyncio.open_connection("127.0.0.1", self._server.port, ssl=self._server.trusting)
            self._lines.append(line)

    async def round(self) -> float:
        begin = time.perf_counter()
        await asyncio.gather(*(self._leg(*line) for line in self._lines))
        return (time.perf_counter() - begin) * 1e3

    async def _leg(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self._question)
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.rsplit(b":", 1)[1]))

    async def close(self) -> None:
        for _, writer in self._lines:
            writer.transport.abort()


class Wire:
    """Ordo's transport and gate, one account's line for each leg; nothing is planned or remembered."""

    def __init__(self, server: Loopback, delay_ms: int, desk: Desk) -> None:
        self._path = f"/{delay_ms}/orders"
        self._server, self._desk = server, desk
        self._lines: list[Http] = []

    async def open(self, legs: int) -> None:
        for _ in range(legs):
            http = line_to(self._server)
            await http.warm("/profile")
            self._lines.append(http)
        account, *_ = await self._desk.store.accounts.all()
        self._stamps = self._desk.gate.stamps(scopes_over(account))

    async def round(self) -> float:
        begin = time.perf_counter()
        await asyncio.gather(*(self._leg(http) for http in self._lines))
        return (time.perf_counter() - begin) * 1e3

    async def _leg(self, http: Http) -> None:
        now = self._desk.clock.elapsed()
        permit = self._desk.gate.permit(self._stamps, committed_at=now, deadline=now + 30)
        await http.post(self._path, permit=permit, json=ORDER)

    async def close(self) -> None:
        for http in self._lines:
            await http.__aexit__(None, None, None)


class Service:
    """The service that `ordo buy` calls: checks, journal, claims, gate, wire, outcomes, all durable."""

    def __init__(self, desk: Desk, watch: Stopwatch) -> None:
        self._desk, self._watch = desk, watch
        self.whole: list[float] = []  # milliseconds of each call of `place`, planning and last commit included

    async def open(self, legs: int) -> None:
        assert len(await self._desk.store.accounts.all()) == legs

    async def round(self) -> float:
        request = PlaceRequest(INTENT, (Target("all"),), allow_duplicate=True, confirmed=True)
        begin = time.perf_counter()
        fan_out = await orders.place(self._desk, request)
        self.whole.append((time.perf_counter() - begin) * 1e3)
        if fan_out.outcome is not Outcome.SUCCESS:
            raise Rejected(next(str(leg.problem) for leg in fan_out.legs if leg.problem))
        return self._watch.milliseconds()

    async def close(self) -> None: ...


@dataclass
class Measured:
    """What the rounds of one way came to."""

    taken: list[float] = field(default_factory=list)
    seen: list[Arrivals] = field(default_factory=list)

    @property
    def milliseconds(self) -> float:
        return median(self.taken)

    @property
    def skew(self) -> float:
        return median(arrived.skew_ms for arrived in self.seen)

    @property
    def together(self) -> int:
        """The fewest, of all rounds, that were in flight at once."""
        return min(arrived.together for arrived in self.seen)


@dataclass
class Compared:
    """The three ways, measured in turn; and the median of the service's whole calls."""

    floor: Measured
    wire: Measured
    service: Measured
    whole: float


async def compare(server: Loopback, legs: int, delay_ms: int, rounds: int) -> Compared:
    """Send the same order to as many accounts in all three ways, in turn."""
    watch = Stopwatch()
    async with desk_with(server, legs, delay_ms, watch) as desk, AsyncExitStack() as stack:
        service = Service(desk, watch)
        ways: list[Way] = [Streams(server, delay_ms), Wire(server, delay_ms, desk), service]
        for way in ways:
            stack.push_async_callback(way.close)
            await way.open(legs)
        floor, wire, served = await in_turn(server, ways, rounds)
        return Compared(floor, wire, served, median(service.whole[WARM_UP:]))


async def in_turn(server: Loopback, ways: Sequence[Way], rounds: int) -> list[Measured]:
    measured = [Measured() for _ in ways]
    async with line_to(server) as control:
        for turn in range(rounds + WARM_UP):  # the first rounds open connections and fill caches
            for way, record in zip(ways, measured, strict=True):
                gc.collect()
                await control.get("/arrivals")
                milliseconds = await way.round()
                seen: Any = await control.get("/arrivals")
                if turn >= WARM_UP:
                    record.taken.append(milliseconds)
                    record.seen.append(Arrivals(int(seen["count"]), float(seen["skew_ms"]), int(seen["together"])))
    return measured


@asynccontextmanager
async def desk_with(server: Loopback, legs: int, delay_ms: int, watch: Stopwatch) -> AsyncIterator[Desk]:
    """A desk in a throw-away home, with that many accounts at the loopback broker."""
    spec = spec_of(server, delay_ms, watch)
    with tempfile.TemporaryDirectory() as folder:
        async with open_desk(home_at(str(Path(folder) / "home")), find=lambda name: spec) as desk:
            for number in range(legs):
                await accounts.add(desk, AccountId(f"a{number}"), NAME, accounts.Wishes(), {})
            yield desk
