"""The schema: generated text, models and migrations say the same, and a file of another age is met with care."""

from __future__ import annotations

import asyncio
import multiprocessing
import sqlite3
from pathlib import Path

import pytest

from ordo_cli.domain.errors import StoreFailed
from ordo_cli.store import generate, schema, sql
from ordo_cli.store.database import SqliteDatabase
from ordo_cli.store.driver import connect
from tests.store.making import OWNER, opened


def made(path: Path) -> sqlite3.Connection:
    path.touch()
    connection = connect(str(path))
    assert schema.make_ready(connection, str(path), "now") == "created"
    return connection


def described(connection: sqlite3.Connection) -> dict[str, str]:
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    return {name: " ".join(text.split()).replace("( ", "(").replace(" )", ")") for name, text in rows}


def test_the_generated_statements_are_current() -> None:
    assert Path(sql.__file__).read_text(encoding="utf-8") == generate.source(), "run: python -m ordo_cli.store.generate"


@pytest.mark.sqlite_only
def test_every_statement_is_one_that_sqlite_understands(tmp_path: Path) -> None:
    connection = made(tmp_path / "ordo.db")
    for name, (text, names) in sql.SQLITE.items():
        assert connection.execute(f"EXPLAIN {text}", [None] * len(names)).fetchall(), name
    connection.close()


def test_both_dialects_want_the_same_parameters() -> None:
    assert sql.SQLITE.keys() == sql.POSTGRESQL.keys()
    for name, (_, names) in sql.SQLITE.items():
        assert set(names) == set(sql.POSTGRESQL[name][1]), name


@pytest.mark.sqlite_only
def test_a_fresh_file_is_what_the_migrations_make(tmp_path: Path) -> None:
    from ordo_cli.store import migrating

    fresh = made(tmp_path / "fresh.db")
    (tmp_path / "migrated.db").touch()
    migrating.upgrade(str(tmp_path / "migrated.db"))
    migrated = connect(str(tmp_path / "migrated.db"))
    assert described(fresh) == described(migrated)
    fresh.close()
    migrated.close()


@pytest.mark.sqlite_only
def test_the_models_need_no_further_migration(tmp_path: Path) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from sqlalchemy import create_engine
    from sqlmodel import SQLModel

    from ordo_cli.store import models

    made(tmp_path / "ordo.db").close()
    assert models.LegRow.__tablename__ == "legs"
    engine = create_engine(f"sqlite:///{tmp_path}/ordo.db")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), SQLModel.metadata) == []
    engine.dispose()


def test_the_known_revisions_are_all_migrations_there_are() -> None:
    from ordo_cli.store import migrating

    assert migrating.revisions() == schema.REVISIONS


@pytest.mark.sqlite_only
def test_a_database_of_a_newer_ordo_is_refused(tmp_path: Path) -> None:
    connection = made(tmp_path / "ordo.db")
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    connection = connect(str(tmp_path / "ordo.db"))
    with pytest.raises(StoreFailed, match="newer ordo") as refusal:
        schema.make_ready(connection, str(tmp_path / "ordo.db"), "now")
    assert refusal.value.reason == "STORE_NEWER"
    connection.close()


@pytest.mark.sqlite_only
def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    connection = connect(str(tmp_path / "other.db"))
    connection.execute("CREATE TABLE songs (name TEXT)")
    with pytest.raises(StoreFailed, match="not one of ordo's"):
        schema.make_ready(connection, str(tmp_path / "other.db"), "now")
    assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (1,)
    connection.close()


@pytest.mark.sqlite_only
def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ordo.db").write_bytes(b"not a database at all, but long enough to be looked at" * 20)

    async def attempt() -> None:
        async with opened(tmp_path / "ordo.db"):
            raise AssertionError("it opened")

    with pytest.raises(StoreFailed, match="not a database"):
        asyncio.run(attempt())


@pytest.mark.sqlite_only
async def test_an_older_database_is_upgraded_after_a_backup(tmp_path: Path) -> None:
    from ordo_cli.store import migrating

    file = tmp_path / "ordo.db"
    file.touch()
    migrating.upgrade(str(file), "0001")
    connection = connect(str(file))
    connection.execute("INSERT INTO install VALUES ('here', x'00', 1)")
    connection.execute("INSERT INTO keys VALUES ('me', 'place', 'k', 'f', 'x')")
    connection.execute(
        "INSERT INTO fanouts VALUES ('x', 'k', 'me', 'place', 'f', 'paper', 1, 'buy', 'NSE:INFY', 10, '1500', NULL,"
        " 'cnc', 'day', 0, NULL, NULL, 'desk\tboot-1\t4711\t123456\tnonce1')"
    )
    connection.execute(
        "INSERT INTO legs VALUES ('x', 1, 'alice', 'paper', 10, 'O1', 'entry', 'planned', NULL, 'none', NULL, 0, NULL,"
        " 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, NULL)"
    )
    assert schema.make_ready(connection, str(file), "now") == "upgraded"
    connection.close()

    backup = connect(f"{file}.before-{schema.HEAD}-now")
    assert backup.execute("SELECT version_num FROM alembic_version").fetchone() == ("0001",)
    assert backup.execute("SELECT count(*) FROM keys").fetchone() == (1,)
    backup.close()
    assert Path(f"{file}.before-{schema.HEAD}-now").stat().st_mode & 0o777 == 0o600

    async with opened(file) as store:
        assert store.became == "ready"
        kept = await store.journal.fan_out("x")
        assert (kept.key, kept.request_id, kept.legs[0].account) == ("k", None, "alice")
        assert await store.journal.owners() == {"x-1": OWNER}
        assert await store.faults() == []


@pytest.mark.sqlite_only
def test_a_migration_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    from ordo_cli.store import migrating

    (tmp_path / "ordo.db").touch()
    before = connect(str(tmp_path / "ordo.db"))
    before.execute("CREATE TABLE switches (kind TEXT)")  # in the way of the baseline, after others were made
    with pytest.raises(Exception, match="already exists"):
        migrating.upgrade(str(tmp_path / "ordo.db"))
    assert described(before) == {"switches": "CREATE TABLE switches (kind TEXT)"}
    before.close()


def first_start(path: str, line: multiprocessing.Queue[object]) -> None:
    async def start() -> str:
        async with opened(Path(path)) as store:
            return store.install.id

    line.put(asyncio.run(start()))


def test_first_starts_at_once_make_one_installation(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    line = context.Queue()
    starts = [context.Process(target=first_start, args=(str(tmp_path / "ordo.db"), line)) for _ in range(4)]
    for each in starts:
        each.start()
    found = {line.get(timeout=30) for _ in starts}
    for each in starts:
        each.join(30)
    assert len(found) == 1
    line.close()
    line.join_thread()


@pytest.mark.sqlite_only
async def test_every_promise_of_durability_is_set(tmp_path: Path) -> None:
    async with opened(tmp_path / "ordo.db") as store:
        assert isinstance(store.database, SqliteDatabase)
        said = await store.database.call(
            lambda connection: {
                name: connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            }
        )
        assert await store.health() is None
    assert said == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000}
    assert (tmp_path / "ordo.db").stat().st_mode & 0o777 == 0o600


def test_opening_loads_nothing_heavy() -> None:
    import subprocess
    import sys

    heavy = "('sqlmodel', 'sqlalchemy', 'alembic', 'pydantic', 'httpx', 'structlog')"
    script = f"import sys, ordo_cli.store.store; print([name for name in {heavy} if name in sys.modules])"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_a_press_loads_nothing_that_it_does_not_need() -> None:
    import subprocess
    import sys

    needless = "('asyncio', 'enum', 'dataclasses', 'json', 're', 'typing')"
    script = f"""import sys; at_start = set(sys.modules)
import ordo_cli.store.switches
print([name for name in {needless} if name in sys.modules and name not in at_start])"""
    said = subprocess.run([sys.executable, "-S", "-c", script], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
