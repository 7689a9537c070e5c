"""P11: orders to one account each that `ordo serve` places a second, durable before and after, beside a bare echo."""

from __future__ import annotations

from tests.benchmarks.loopback import loopback
from tests.benchmarks.measure import Row
from tests.benchmarks.serving import Served, echoing, load, serving

NAME = "orders a second over HTTP"
ACCOUNTS = 64
SECONDS = 5
MANY = 10_000
BOUNDS = {16: (0.20, 0.33), 64: (0.25, 0.45)}


def measure() -> list[Row]:
    rows = []
    with loopback() as server, echoing() as floor, serving(server, 0, ACCOUNTS) as served:
        idle, answered = served.memory_mb, load(served.url, served.token, 16, 2, ACCOUNTS).answered
        load(floor, "none", 16, 1, ACCOUNTS)
        for connections, (must, aim) in BOUNDS.items():
            echo = load(floor, "none", connections, SECONDS, ACCOUNTS)
            ours = load(served.url, served.token, connections, SECONDS, ACCOUNTS)
            answered += ours.answered
            label = f"orders a second, {connections} connections, broker at 0 ms"
            note = f"p50 {ours.p50_ms:.1f} ms"
            rows.append(Row(label, echo.per_second, ours.per_second, must, aim, more_is_better=True, note=note))
        rows.append(grown(served, idle, answered))
    with loopback() as server, serving(server, 20, ACCOUNTS) as served:
        slow = load(served.url, served.token, 64, SECONDS, ACCOUNTS)
        note = f"p50 {slow.p50_ms:.1f} ms"
        rows.append(
            Row("orders a second, 64 connections, broker at 20 ms", None, slow.per_second, None, None, note=note)
        )
    return rows


def grown(served: Served, idle: float, answered: int) -> Row:
    """Memory after as many orders as a busy day has."""
    while answered < MANY:
        answered += load(served.url, served.token, 16, SECONDS, ACCOUNTS).answered
    return Row(f"memory in MB after {answered:,} orders, beside idle", idle, served.memory_mb, None, None)
