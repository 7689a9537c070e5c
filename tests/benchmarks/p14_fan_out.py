"""P14: one order to 100 accounts through the server, beside raw streams to the same broker."""

from __future__ import annotations

import asyncio
import time
from statistics import median

from tests.benchmarks.fan_out import Streams
from tests.benchmarks.loopback import Loopback, loopback
from tests.benchmarks.measure import Row
from tests.benchmarks.serving import ORDERS, Served, body, serving

NAME = "fan-out through the server"
LEGS, DELAY_MS, ROUNDS, WARM_UP = 100, 20, 15, 3


def measure() -> list[Row]:
    with loopback() as server, serving(server, DELAY_MS, LEGS) as served:
        floor, ours = asyncio.run(compare(server, served))
    return [Row(f"one order to {LEGS} accounts, whole request, broker at {DELAY_MS} ms", floor, ours, 2.6, 1.4)]


async def compare(server: Loopback, served: Served) -> tuple[float, float]:
    """Both in turn: milliseconds of the raw streams, and of the request."""
    streams, floors, taken = Streams(server, DELAY_MS), [], []
    await streams.open(LEGS)
    with served.client() as client:
        for turn in range(ROUNDS + WARM_UP):
            floor = await streams.round()
            begin = time.perf_counter()
            answer = client.post(ORDERS, json=body("all"), headers={"idempotency-key": f"p14-{begin}"})
            spent = (time.perf_counter() - begin) * 1e3
            if answer.status_code != 201:
                raise RuntimeError(answer.text[:300])
            if turn >= WARM_UP:
                floors.append(floor)
                taken.append(spent)
    await streams.close()
    return median(floors), median(taken)
