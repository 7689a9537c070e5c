"""P8: how far apart the legs of one fan-out arrive at the broker, and how many are in flight at once."""

from __future__ import annotations

import asyncio

from tests.benchmarks.fan_out import Measured, compare
from tests.benchmarks.loopback import loopback
from tests.benchmarks.measure import Row

NAME = "skew of 100 legs"


def measure() -> list[Row]:
    with loopback() as server:
        found = asyncio.run(compare(server, legs=100, delay_ms=100, rounds=15))
    return [
        row("first to last leg arriving, gate and journal included", found.service, must=10, aim=6),
        row("the wire and the gate alone", found.wire),
        row("raw streams", found.floor),
    ]


def row(label: str, found: Measured, must: float | None = None, aim: float | None = None) -> Row:
    return Row(label, None, found.skew, must, aim, note=f"{found.together} in flight at once")
