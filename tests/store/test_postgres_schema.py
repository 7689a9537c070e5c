"""The schema in PostgreSQL: the generated text and the migrations make the same, and what is of another age is met."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ordo_cli.domain.errors import StoreFailed
from ordo_cli.store import migrating, schema, sql
from ordo_cli.store.postgres import health
from ordo_cli.store.postgres import schema as there
from ordo_cli.store.postgres.connecting import Line, Place, close, connect
from tests.backends import Backend
from tests.store.making import fan_out, opened

pytestmark = pytest.mark.postgresql_only
ROOT = Path(__file__).parents[2]

COLUMNS = """
SELECT table_name, ordinal_position, column_name, data_type, is_nullable, collation_name,
       replace(column_default, current_schema() || '.', '')
  FROM information_schema.columns WHERE table_schema = current_schema() ORDER BY 1, 2
"""
INDEXES = """
SELECT tablename, indexname, replace(indexdef, current_schema() || '.', '')
  FROM pg_indexes WHERE schemaname = current_schema() ORDER BY 1, 2
"""
CONSTRAINTS = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
  FROM pg_constraint WHERE connamespace = current_schema()::regnamespace ORDER BY 1, 2
"""
TRIGGERS = """
SELECT tgname, replace(pg_get_triggerdef(pg_trigger.oid), current_schema() || '.', ''), prosrc FROM pg_trigger
  JOIN pg_proc ON pg_proc.oid = tgfoid WHERE pronamespace = current_schema()::regnamespace ORDER BY 1
"""


def described(backend: Backend, path: Path) -> list[object]:
    return [backend.fetch(path, question) for question in (COLUMNS, INDEXES, CONSTRAINTS, TRIGGERS)]


@asynccontextmanager
async def line_to(place: Place) -> AsyncIterator[Line]:
    line = await connect(place, 5)
    try:
        yield line
    finally:
        await close(line)


async def test_a_fresh_database_is_what_the_migrations_make(tmp_path: Path, backend: Backend) -> None:
    async with opened(tmp_path / "fresh"):
        pass
    assert await migrating.upgrade_postgresql(Place(backend.where(tmp_path / "migrated")))
    assert not await migrating.upgrade_postgresql(Place(backend.where(tmp_path / "migrated"))), "nothing is left to do"
    fresh, migrated = (described(backend, tmp_path / name) for name in ("fresh", "migrated"))
    assert fresh == migrated
    assert len(fresh) == 4
    assert all(fresh)


async def test_every_text_is_ordered_by_its_bytes_as_in_sqlite(tmp_path: Path, backend: Backend) -> None:
    async with opened(tmp_path / "ordo.db") as store:
        for name in ("ab1", "AB2", "ab-3", "ab4"):
            await store.journal.open(fan_out(name), duplicate_window=None)
        assert (await store.journal.fan_out("ab1")).id == "ab1"
        assert (await store.journal.fan_out("AB")).id == "AB2"
    texts = [row for row in backend.fetch(tmp_path / "ordo.db", COLUMNS) if row[3] == "text"]
    assert len(texts) > 50
    assert {row[5] for row in texts} == {"C"}


async def test_every_statement_is_one_that_postgresql_understands(tmp_path: Path, backend: Backend) -> None:
    async with opened(tmp_path / "ordo.db"), line_to(Place(backend.where(tmp_path / "ordo.db"))) as line:
        for name, (text, names) in sql.POSTGRESQL.items():
            prepared = await line.prepare(text)
            assert len(prepared.get_parameters()) == len(names), name


async def test_a_database_of_a_newer_ordo_is_refused(tmp_path: Path, backend: Backend) -> None:
    async with opened(tmp_path / "ordo.db"):
        pass
    backend.execute(tmp_path / "ordo.db", "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreFailed, match="newer ordo") as refusal:
        async with opened(tmp_path / "ordo.db"):
            raise AssertionError("it opened")
    assert refusal.value.reason == "STORE_NEWER"


async def test_a_database_of_another_program_is_left_alone(tmp_path: Path, backend: Backend) -> None:
    backend.execute(tmp_path / "ordo.db", "CREATE TABLE songs (name TEXT)")
    with pytest.raises(StoreFailed, match="not one of ordo's"):
        async with opened(tmp_path / "ordo.db"):
            raise AssertionError("it opened")
    assert backend.fetch(tmp_path / "ordo.db", there.TABLES)[0][1] == 1


async def test_an_older_database_is_upgraded_and_says_so(tmp_path: Path, backend: Backend) -> None:
    path = tmp_path / "ordo.db"
    await migrating.upgrade_postgresql(Place(backend.where(path)), "0001")
    backend.execute(path, "INSERT INTO keys VALUES ('me', 'place', 'k', 'f', 'x')")
    async with opened(path) as store:
        assert store.became == "upgraded"
        assert [row.after for row in await store.audit.rows({"type": "migration"})] == ["created", "upgraded"]
        assert await store.faults() == []
    assert backend.fetch(path, "SELECT version_num FROM alembic_version") == [(schema.HEAD,)]
    assert backend.fetch(path, "SELECT key FROM keys") == [("k",)]


async def test_a_migration_that_fails_leaves_nothing_behind(tmp_path: Path, backend: Backend) -> None:
    path = tmp_path / "ordo.db"
    await migrating.upgrade_postgresql(Place(backend.where(path)), "0001")
    backend.execute(path, "CREATE TABLE challenges (id TEXT)")  # in the way of the second one, after others were made
    before = described(backend, path)
    with pytest.raises(StoreFailed, match="already exists"):
        async with opened(path):
            raise AssertionError("it opened")
    assert described(backend, path) == before
    assert backend.fetch(path, "SELECT version_num FROM alembic_version") == [("0001",)]


FIRST = """
import asyncio, sys
from tests.store.making import opened
async def main():
    sys.stdin.readline()
    async with opened(sys.argv[1]) as store:
        print(store.install.id, store.became)
asyncio.run(main())
"""


@pytest.mark.parametrize("before", [None, "0001"])
async def test_six_first_starts_at_once_make_one_installation(
    tmp_path: Path, backend: Backend, before: str | None
) -> None:
    url = backend.where(tmp_path / "ordo.db")
    if before is not None:
        await migrating.upgrade_postgresql(Place(url), before)
    starts = [
        subprocess.Popen(
            [sys.executable, "-c", FIRST, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        for _ in range(6)
    ]
    for start in starts:
        assert start.stdin is not None
        start.stdin.write("go\n")
        start.stdin.flush()
    said = [(await asyncio.to_thread(start.communicate, timeout=200))[0].split() for start in starts]
    assert {start.returncode for start in starts} == {0}
    assert len({install for install, _ in said}) == 1
    became = sorted(word for _, word in said)
    assert became == sorted([{None: "created", "0001": "upgraded"}[before], *["ready"] * 5])


async def test_what_the_schema_lost_is_named(tmp_path: Path, backend: Backend) -> None:
    path = tmp_path / "ordo.db"
    async with opened(path) as store:
        await store.journal.open(fan_out("aa"), duplicate_window=None)
        assert await store.faults() == []
        backend.execute(
            path,
            "ALTER TABLE audit DISABLE TRIGGER audit_is_never_changed",
            "DROP INDEX ix_legs_unsettled",
            "ALTER TABLE legs DROP CONSTRAINT legs_fan_out_fkey",
            "DELETE FROM fanouts",
        )
        assert await store.faults() == [
            "the index ix_legs_unsettled is missing",
            "the trigger audit_is_never_changed is missing",
            "3 rows of legs belong to no fanouts",
        ]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"synchronous_commit": "off"}, "synchronous_commit is off"),
        ({"fsync": "off"}, "fsync is off"),
        ({"full_page_writes": "off"}, "full_page_writes is off"),
        ({"server_encoding": "SQL_ASCII"}, "cannot hold every text"),
        ({"synchronous_commit": "remote_apply", "fsync": "on"}, None),
    ],
)
def test_what_weakens_the_promise_of_durability_is_named(settings: dict[str, str], said: str | None) -> None:
    found = health.weakness(settings)
    assert (found is None) if said is None else said in str(found)


async def test_every_promise_of_durability_is_set_whatever_the_server_says(tmp_path: Path, backend: Backend) -> None:
    async with opened(tmp_path / "ordo.db") as store:
        assert await store.health() is None
        assert "every commit reaches its disk" in await store.described()
    async with line_to(Place(backend.where(tmp_path / "ordo.db") + "&synchronous_commit=off")) as line:
        assert await line.fetchval("SHOW synchronous_commit") == "on"
        await line.execute("SET synchronous_commit = off")
        assert "synchronous_commit" in str(await health.trouble_of(line))
        assert "NOT DURABLE" in await health.described(line, Place(backend.where(tmp_path / "ordo.db")))


async def test_a_search_path_that_leads_nowhere_is_said(tmp_path: Path, backend: Backend) -> None:
    with pytest.raises(StoreFailed, match="names no schema"):
        async with opened(backend.where(tmp_path / "ordo.db") + "_not_there"):
            raise AssertionError("it opened")


def test_a_file_needs_no_asyncpg() -> None:
    script = """
import asyncio, sys, tempfile
from tests.store.making import opened
async def main():
    async with opened(tempfile.mkdtemp() + "/ordo.db") as store:
        await store.journal.fan_outs()
import builtins
kept = builtins.__import__
def refusing(name, *rest):
    assert not name.startswith("asyncpg"), name
    return kept(name, *rest)
builtins.__import__ = refusing
asyncio.run(main())
"""
    environ = {"PATH": "/usr/bin:/bin", "ORDO_HOME": "/nowhere"}
    script = script.replace("from tests.store.making import opened\n", OPENED)
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT, env=environ)


OPENED = """
from contextlib import asynccontextmanager
from ordo_cli.machine import SystemChance, SystemClock, SystemDisk
from ordo_cli.store.store import open_store
def opened(path):
    return open_store(path, clock=SystemClock(), chance=SystemChance(), disk=SystemDisk(), actor="t")
"""
