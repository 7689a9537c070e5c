"""P17: following the audit chain, in rows a second, beside hashing the same texts and nothing else."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
import time
from pathlib import Path
from statistics import median

from ordo_cli.store.audit import telling
from ordo_cli.store.chain import Origin, Tell
from ordo_cli.store.store import Store
from tests.benchmarks.measure import Row
from tests.store.making import opened

NAME = "audit verify"
ROWS, TOGETHER, TIMES = 50_000, 2_000, 5


def measure() -> list[Row]:
    return asyncio.run(_measure())


async def _measure() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        async with opened(Path(folder) / "ordo.db") as store:
            await _fill(store)
            spent = median([await _verified(store) for _ in range(TIMES)])
            bare = median([await _hashed(store) for _ in range(TIMES)])
    return [
        Row("audit verify, thousand rows a second", 1, ROWS / spent / 1000, must=100, aim=200, more_is_better=True),
        Row("audit verify beside reading and hashing", bare * 1000, spent * 1000, must=None, aim=None),
    ]


async def _fill(store: Store) -> None:
    """Rows as sending writes them."""
    for start in range(0, ROWS, TOGETHER):
        tells = [_row(number) for number in range(start, start + TOGETHER)]
        await asyncio.gather(*(store.database.run(telling, tell) for tell in tells))


def _row(number: int) -> Tell:
    fan_out = f"{number // 100:010}"
    leg = f"{fan_out}-{number % 100}"
    return Tell(
        Origin(
            "cli:trader", 1_795_415_400_000_000 + number, host="desk", boot="b" * 36, pid=4711, elapsed=number / 1e3
        ),
        "state",
        ids={"fan_out": fan_out, "leg": leg, "attempt": 1, "account": f"account{number % 100}"},
        before="sending",
        after="acked:open",
        evidence="response",
        data={"broker_order_id": f"2611230000{number:06}"},
    )


async def _verified(store: Store) -> float:
    begin = time.perf_counter()
    verdict = await store.audit.verify()
    assert verdict.rows >= ROWS
    assert verdict.state == "whole"
    return time.perf_counter() - begin


async def _hashed(store: Store) -> float:
    begin = time.perf_counter()
    async for page in store.audit.pages():
        for row in page:
            hashlib.sha256(row[4].encode()).digest()
    return time.perf_counter() - begin
