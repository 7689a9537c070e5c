"""P18 over HTTP: how long after `POST /kill` two busy workers still let an order go."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tests.benchmarks.loopback import Loopback, loopback
from tests.benchmarks.measure import Row
from tests.benchmarks.serving import ORDERS, Served, body, serving

NAME = "kill over HTTP to quiet"
ACCOUNTS, CLIENTS, PRESSES, DELAY_MS = 64, 8, 50, 20
BUSY = 0.15  # seconds of load before each press


def measure() -> list[Row]:
    with loopback() as server, serving(server, DELAY_MS, ACCOUNTS, "--workers", "2") as served:
        told, quiet, busy = presses(server, served)
    note = f"{busy} of {PRESSES} presses met orders on their way"
    return [
        Row("POST /kill to its answer, worst", None, max(told), 250, 100),
        Row("POST /kill to the last order arriving, worst", None, max(quiet), 250, 100, note=note),
    ]


def presses(server: Loopback, served: Served) -> tuple[list[float], list[float], int]:
    """Milliseconds from each press to its answer and to the last order, and how many met orders leaving."""
    told, quiet, busy = [], [], 0
    with loaded(served), served.client() as press, httpx.Client(base_url=server.url, verify=server.trusting) as broker:
        for _ in range(PRESSES):
            time.sleep(BUSY)
            broker.get("/arrivals")
            begun = time.perf_counter()
            answer = press.post("/api/v1/kill").raise_for_status().json()
            ended = time.perf_counter()
            if not answer["quiet"]:
                raise RuntimeError(f"not quiet: {answer}")
            time.sleep(0.05)
            seen = broker.get("/arrivals").json()
            late = (seen["last"] - ended) * 1e3
            if late > DELAY_MS:  # what left before the answer may still be on its way, but not for so long
                raise RuntimeError(f"an order arrived {late:.0f} ms after the answer")
            busy += seen["count"] > 0
            told.append((ended - begun) * 1e3)
            quiet.append(max(0.0, (seen["last"] - begun) * 1e3))
            press.post("/api/v1/kill/release", json={"scope": "global", "reason": "benchmark"}).raise_for_status()
    return told, quiet, busy


@contextmanager
def loaded(served: Served) -> Iterator[None]:
    """Clients that place one order after another, to both workers."""
    done, keys = threading.Event(), itertools.count()

    def work() -> None:
        while not done.is_set():
            with served.client() as client:  # a new connection now and then, so that either worker gets some
                for _ in range(10):
                    if done.is_set():
                        return
                    key = f"p18-{time.monotonic_ns()}-{next(keys)}"
                    account = f"a{random.randrange(ACCOUNTS)}"
                    client.post(ORDERS, json=body(account), headers={"idempotency-key": key})

    threads = [threading.Thread(target=work) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in threads:
            thread.join()
