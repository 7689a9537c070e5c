"""P7: the fan-out again at a slower broker, and to five times as many accounts."""

from __future__ import annotations

import asyncio

from tests.benchmarks.fan_out import compare
from tests.benchmarks.loopback import loopback
from tests.benchmarks.measure import Row

NAME = "fan-out: slower broker, more accounts"


def measure() -> list[Row]:
    with loopback() as server:
        slow = asyncio.run(compare(server, legs=100, delay_ms=100, rounds=7))
        many = asyncio.run(compare(server, legs=500, delay_ms=20, rounds=7))
    return [
        Row("100 legs at 100 ms", slow.floor.milliseconds, slow.service.milliseconds, must=1.3, aim=1.1),
        Row("500 legs at 20 ms", many.floor.milliseconds, many.service.milliseconds, must=7.5, aim=2.0),
        Row("of that, the wire and the gate alone", many.floor.milliseconds, many.wire.milliseconds, None, None),
    ]
