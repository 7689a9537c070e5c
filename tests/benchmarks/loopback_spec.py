"""The loopback broker as a module of an adapter: what `ordo serve` finds under its name when a benchmark starts it."""

from __future__ import annotations

import os
import ssl

from tests.benchmarks.loopback import Loopback
from tests.benchmarks.loopback_broker import Stopwatch, spec_of

AUTHORITY = os.environ["BENCH_AUTHORITY"]

SPEC = spec_of(
    Loopback(int(os.environ["BENCH_PORT"]), ssl.create_default_context(cafile=AUTHORITY), AUTHORITY),
    int(os.environ["BENCH_DELAY_MS"]),
    Stopwatch(kept=False),
)
