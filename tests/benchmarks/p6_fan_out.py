"""P6: one order to 100 accounts at a broker that takes 20 ms, from the first byte to the last answer."""

from __future__ import annotations

import asyncio

from tests.benchmarks.fan_out import compare
from tests.benchmarks.loopback import loopback
from tests.benchmarks.measure import Row

NAME = "fan-out to 100 accounts"


def measure() -> list[Row]:
    with loopback() as server:
        found = asyncio.run(compare(server, legs=100, delay_ms=20, rounds=15))
    floor = found.floor.milliseconds
    return [
        Row("100 legs at 20 ms, gate and journal included", floor, found.service.milliseconds, must=2.4, aim=1.4),
        Row("of that, the wire and the gate alone", floor, found.wire.milliseconds, must=None, aim=None),
        Row("the whole call: plan, check, write down, send, record", floor, found.whole, must=None, aim=None),
    ]
