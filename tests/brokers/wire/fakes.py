"""Permits, a line to a server, and a chance that never varies."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from ordo_cli.brokers.http import Answer, Http
from ordo_cli.brokers.wire import Address, Limits, Route, Timeouts, WireTransport
from ordo_cli.domain.errors import OrdoError, Rejected
from ordo_cli.machine import SystemClock
from tests.brokers.wire.server import RawServer

SHORT = Timeouts(connect=1.0, write=0.5, read=0.25, pool=0.3, whole=0.6)
SMALL = Limits(head=8 * 1024, body=64 * 1024)


class Leave:
    """A permit that counts how often it is passed, and refuses if it is told to."""

    def __init__(self, refusal: OrdoError | None = None) -> None:
        self.bytes_sent = 0
        self.first_byte_at: float | None = None
        self.claimed = self.passed = 0
        self._refusal = refusal

    async def claim(self) -> None:
        self.claimed += 1

    @contextmanager
    def passing(self) -> Iterator[None]:
        if self._refusal is not None:
            raise self._refusal
        self.passed += 1
        yield


class NoChance:
    """Waits no time between two reads."""

    def token(self, length: int) -> str:
        return "0" * length

    def uniform(self, low: float, high: float) -> float:
        return 0.0


def one_certain_refusal(answer: Answer) -> OrdoError | None:
    """A broker's table with a single row."""
    if isinstance(answer.body, dict) and answer.body.get("code") == "MARGIN":
        return Rejected("margin is short", code="MARGIN")
    return None


def http_to(
    server: RawServer,
    trusting: ssl.SSLContext | None = None,
    *,
    lines: int = 10,
    timeouts: Timeouts = SHORT,
    limits: Limits = SMALL,
    idle_seconds: float = 20.0,
    host: str = "127.0.0.1",
) -> Http:
    url = f"{server.scheme}://{host}:{server.port}"
    route = Route(Address.of(url), tls=trusting)
    transport = WireTransport(route, lines=lines, limits=limits, idle_seconds=idle_seconds)
    return http_over(transport, url, timeouts)


def http_over(transport: WireTransport | httpx.AsyncBaseTransport, url: str, timeouts: Timeouts = SHORT) -> Http:
    return Http(transport, url, clock=SystemClock(), chance=NoChance(), classify=one_certain_refusal, timeouts=timeouts)
