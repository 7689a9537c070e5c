"""P15: from starting `ordo serve` to its first accepted order, and what memory it takes at rest."""

from __future__ import annotations

import time
from statistics import median

from tests.benchmarks.measure import Row, compiled
from tests.benchmarks.serving import ORDERS, body, serving

NAME = "start and memory of the server"
ROUNDS = 7


def measure() -> list[Row]:
    compiled()
    started, memory = [], []
    for turn in range(ROUNDS + 1):
        first, megabytes = start()
        if turn:
            started.append(first)
            memory.append(megabytes)
    return [
        Row("start to first accepted order, paper", None, median(started), 800, 500),
        Row("memory at rest, in MB", None, median(memory), 95, 70),
    ]


def start() -> tuple[float, float]:
    """Milliseconds to the first accepted order, and MB a moment before it."""
    with serving(None, 0, 1) as served, served.client() as client:
        memory = served.memory_mb
        answer = client.post(ORDERS, json=body("a0"), headers={"idempotency-key": f"p15-{time.monotonic_ns()}"})
        spent = (time.perf_counter() - served.began) * 1e3
        if answer.status_code not in (201, 207):
            raise RuntimeError(answer.text[:300])
    return spent, memory
