"""P10: many legs written down in one durable transaction, beside SQLite writing the same rows and nothing else."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ordo_cli.domain.fanouts import FanOut
from ordo_cli.store.database import SqliteDatabase
from ordo_cli.store.driver import connect
from ordo_cli.store.schema import make_ready
from ordo_cli.store.sql import COLUMNS, SQLITE
from ordo_cli.store.store import Store
from tests.benchmarks.measure import Row, alternately
from tests.fakes import FakeClock
from tests.store.making import fan_out, opened, terms

NAME = "legs in one durable transaction"
TIMES = 25
PAUSE = 300.0  # seconds of the fake clock between two fan-outs, so that they are no twins
WRITTEN = {"keys": "add_key", "fanouts": "add_fan_out", "legs": "add_leg", "audit": "add_audit"}

Rows = dict[str, list[tuple[Any, ...]]]


@dataclass
class Bench:
    folder: Path
    store: Store
    clock: FakeClock
    wait: Callable[[Coroutine[Any, Any, Any]], Any]


def measure() -> list[Row]:
    return [*(_with_a_store(_opening, legs) for legs in (100, 1000)), _with_a_store(_claiming, 1000)]


def _with_a_store(work: Callable[[Bench, int], Row], legs: int) -> Row:
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
        clock = FakeClock()
        opening = opened(Path(folder) / "ordo.db", clock)
        store = runner.run(opening.__aenter__())
        try:
            return work(Bench(Path(folder), store, clock, runner.get_loop().run_until_complete), legs)
        finally:
            runner.run(opening.__aexit__(None, None, None))


def _opening(bench: Bench, legs: int) -> Row:
    """Opening a fan-out, all checks against the journal included, beside `executemany` of the rows that it writes."""
    name = _name(0)
    bench.wait(bench.store.journal.open(_made(name, legs, bench.clock), duplicate_window=10))
    database = bench.store.database
    assert isinstance(database, SqliteDatabase)
    left = bench.wait(database.call(_rows))
    batches = iter([_renamed(left, name, number) for number in range(1, TIMES + 2)])
    fan_outs = iter([_made(_name(number), legs, bench.clock) for number in range(1, TIMES + 2)])
    plain = _same_tables(bench.folder / "plain.db")
    works = (
        lambda: _write(plain, next(batches)),
        lambda: bench.wait(bench.store.journal.open(next(fan_outs), duplicate_window=10)),
    )
    floor, ours = alternately(works, TIMES)
    plain.close()
    return Row(f"{legs:,} legs in one durable transaction", floor, ours, must=1.6, aim=1.2)


def _claiming(bench: Bench, legs: int) -> Row:
    """Claims that come at once: each judged by switch, rates and limits, each with its audit row, few commits."""
    names = [_name(number) for number in range(6)]
    planned = [
        bench.wait(bench.store.journal.open(_made(name, legs, bench.clock), duplicate_window=None)) for name in names
    ]
    turns = iter(planned)

    async def claims() -> None:
        asked = terms(bench.clock)
        await asyncio.gather(*(bench.store.journal.claim(leg.id, asked) for leg in next(turns).legs))

    (spent,) = alternately([lambda: bench.wait(claims())], 5)
    return Row(f"{legs:,} claims at once", None, spent, must=None, aim=None, note=f"{spent / legs * 1000:.0f} µs each")


def _name(number: int) -> str:
    return f"f{number:03}"


def _made(name: str, legs: int, clock: FakeClock) -> FanOut:
    clock.pass_(PAUSE)
    return fan_out(name, " ".join(f"a{number}" for number in range(legs)), clock=clock)


def _rows(connection: sqlite3.Connection) -> Rows:
    order = {table: ", ".join(f'"{column}"' for column in COLUMNS[table]) for table in WRITTEN}
    found = {table: connection.execute(f"SELECT {order[table]} FROM {table}").fetchall() for table in WRITTEN}
    return {**found, "audit": found["audit"][-1:]}


def _renamed(rows: Rows, name: str, number: int) -> Rows:
    """The same rows under another fan-out's name, in the bytes that they are bound as."""

    def value(each: object) -> object:
        return each.replace(name, _name(number)) if isinstance(each, str) else each

    renamed = {table: [tuple(map(value, row)) for row in found] for table, found in rows.items()}
    return {**renamed, "audit": [(number, *row[1:]) for row in renamed["audit"]]}


def _same_tables(path: Path) -> sqlite3.Connection:
    path.touch()
    connection = connect(str(path))
    make_ready(connection, str(path), "now")
    return connection


def _write(connection: sqlite3.Connection, rows: Rows) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for table, name in WRITTEN.items():
        connection.executemany(SQLITE[name][0], rows[table])
    connection.execute("COMMIT")
