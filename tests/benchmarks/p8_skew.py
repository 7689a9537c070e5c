"""P8: how far apart the legs of one fan-out arrive at the broker, and how many are in flight at once."""

from __future__ import annotations

import asyncio

from tests.benchmarks.fan_out import Measured, compare
from tests.benchmarks.loopback import loopback
from tests.benchmarks.measure import Row

NAME = "skew of 100 legs"
# 10 and 6 ms where raw streams arrive within 1.4 ms of each other; a slower machine stretches both alike.
MUST, AIM = 10 / 1.4, 6 / 1.4


def measure() -> list[Row]:
    with loopback() as server:
        found = asyncio.run(compare(server, legs=100, delay_ms=100, rounds=15))
    return [
        row("first to last leg arriving, gate and journal included", found.service, found.floor, MUST, AIM),
        row("the wire and the gate alone", found.wire, found.floor),
    ]


def row(label: str, found: Measured, floor: Measured, must: float | None = None, aim: float | None = None) -> Row:
    return Row(label, floor.skew, found.skew, must, aim, note=f"{found.together} in flight at once")
