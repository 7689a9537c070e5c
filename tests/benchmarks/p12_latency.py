"""P12: what `ordo serve` adds to the broker's own time for one order on one connection."""

from __future__ import annotations

from tests.benchmarks.loopback import loopback
from tests.benchmarks.measure import Row
from tests.benchmarks.serving import load, serving

NAME = "latency of one order over HTTP"
ACCOUNTS = 4
SECONDS = 5


def measure() -> list[Row]:
    return [added(0, 5, 3), added(20, None, None)]


def added(delay_ms: int, must: float | None, aim: float | None) -> Row:
    with loopback() as server, serving(server, delay_ms, ACCOUNTS) as served:
        load(served.url, served.token, 1, 1, ACCOUNTS)
        found = load(served.url, served.token, 1, SECONDS, ACCOUNTS)
    label = f"p50 of one order less the broker's {delay_ms} ms"
    return Row(label, None, found.p50_ms - delay_ms, must, aim, note=f"{found.per_second:.0f} orders a second")
