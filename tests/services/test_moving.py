"""A journal moves to PostgreSQL whole or not at all, and what stays behind can send nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from ordo_cli.desk import Desk, open_desk
from ordo_cli.domain.accounts import AccountId, parse_target
from ordo_cli.domain.errors import Busy, Invalid, OrdoError, StoreFailed
from ordo_cli.domain.kill import GLOBAL
from ordo_cli.domain.legs import Submission
from ordo_cli.domain.trail import State
from ordo_cli.home import Home
from ordo_cli.services import accounts, databases, orders
from ordo_cli.services.planning import PlaceRequest
from ordo_cli.store.copies import closing as closed
from ordo_cli.store.sql import COLUMNS, KEYS
from tests import postgres
from tests.backends import Backend
from tests.fakes import FakeClock, Firm, buy
from tests.pgproxy import Proxy

pytestmark = pytest.mark.postgresql_only


@pytest.fixture
def target(backend: Backend, tmp_path: Path, home: Home, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty schema; the home itself is a file's."""
    monkeypatch.delenv("ORDO_DATABASE__URL")
    return backend.where(tmp_path / "target")


async def lived(home: Home, clock: FakeClock, firm: Firm) -> None:
    async with open_desk(home, actor="test", clock=clock, find=firm.find) as desk:
        for name in ("alice", "bob"):
            await accounts.add(desk, name, "acme", accounts.Wishes(groups=("family",)), {})
        for number in range(3):
            await orders.place(desk, PlaceRequest(buy(number + 1), (parse_target("all"),)))
        await orders.place(desk, PlaceRequest(buy(), (parse_target("alice"),), key="morning-1"))
        await desk.store.audit.append("test", {"word": "naïve ₹ \U0001f680 \n\t"})


def rows_of(home: Home) -> dict[str, list[tuple[object, ...]]]:
    with closing(sqlite3.connect(home.database)) as source:
        return {table: source.execute(ordered(table)).fetchall() for table in COLUMNS}


def ordered(table: str) -> str:
    columns, key = (", ".join(f'"{name}"' for name in names) for names in (COLUMNS[table], KEYS[table]))
    return f"SELECT {columns} FROM {table} ORDER BY {key}"


@contextmanager
def untouched(home: Home, target: str) -> Iterator[None]:
    before = rows_of(home)
    yield
    assert postgres.fetch(target, "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()") == [(0,)]
    assert rows_of(home) == before


async def test_every_row_arrives_and_the_new_journal_goes_on_where_the_old_one_was(
    home: Home, clock: FakeClock, firm: Firm, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await lived(home, clock, firm)
    before = rows_of(home)
    done = await databases.move(home, target, actor="test", clock=clock)
    after = {table: postgres.fetch(target, ordered(table)) for table in COLUMNS}
    assert after.pop("audit")[:-1] == before.pop("audit")
    assert after == before
    assert done.rows == sum(map(len, before.values())) + done.audit_rows
    monkeypatch.setenv("ORDO_DATABASE__URL", target)
    async with open_desk(home, actor="test", clock=clock, find=firm.find) as desk:
        assert (await desk.store.audit.verify()).state is State.WHOLE
        assert (await desk.store.audit.rows({"type": "copy"}))[0].data == {"from": "ordo.db", "rows": done.audit_rows}
        assert (await orders.place(desk, PlaceRequest(buy(), (parse_target("alice"),), key="morning-1"))).replayed
        (leg,) = (await orders.place(desk, PlaceRequest(buy(77), (parse_target("bob"),)))).legs
        assert leg.submission is Submission.ACKED
        assert all(finding.well for finding in await databases.check(desk))


async def test_nothing_is_sent_any_more_on_the_word_of_the_old_journal(
    home: Home, clock: FakeClock, firm: Firm, target: str
) -> None:
    await lived(home, clock, firm)
    await databases.move(home, target, actor="test", clock=clock)
    async with open_desk(home, actor="test", clock=clock, find=firm.find) as desk:
        alice = firm.line(await desk.store.accounts.get(AccountId("alice")))
        sent = len(alice.book)
        switch = await desk.store.switches.get(GLOBAL)
        assert switch.engaged
        assert "moved to postgresql" in str(switch.reason)
        (leg,) = (await orders.place(desk, PlaceRequest(buy(9), (parse_target("alice"),)))).legs
        assert (leg.submission, leg.problem and leg.problem.code) == (Submission.BLOCKED, "KILL")
        assert len(alice.book) == sent


async def test_a_target_with_anything_in_it_is_refused(home: Home, clock: FakeClock, firm: Firm, target: str) -> None:
    await lived(home, clock, firm)
    before = rows_of(home)
    postgres.execute(target, "CREATE TABLE songs (name TEXT)")
    with pytest.raises(Invalid, match="not empty"):
        await databases.move(home, target, actor="test", clock=clock)
    assert rows_of(home) == before


async def test_nothing_moves_under_a_running_ordo(home: Home, clock: FakeClock, firm: Firm, target: str) -> None:
    await lived(home, clock, firm)
    async with open_desk(home, actor="test", clock=clock, find=firm.find) as desk:
        assert isinstance(desk, Desk)
        with untouched(home, target), pytest.raises(Busy, match="another ordo is running"):
            await databases.move(home, target, actor="test", clock=clock)


async def test_whenever_the_server_dies_the_target_stays_empty_and_the_journal_as_it_was(
    home: Home, clock: FakeClock, firm: Firm, target: str
) -> None:
    await lived(home, clock, firm)
    number = 0
    with Proxy(target) as proxy:
        while True:
            number += 7
            proxy.kill_at(number)
            try:
                with untouched(home, target):
                    await databases.move(home, proxy.url, actor="test", clock=clock)
                    proxy.kill_at(0)
                    break
            except StoreFailed:
                continue
            except AssertionError:
                break  # it moved
    assert number > 40
    assert postgres.fetch(target, "SELECT count(*) FROM legs") == [(7,)]


CHANGED = {
    "another schema": ("UPDATE alembic_version SET version_num = '0001'",),
    "a newer schema": ("UPDATE alembic_version SET version_num = '9999'",),
    "a guard gone": ("DROP TRIGGER audit_is_never_deleted",),
    "a row rewritten": (
        "DROP TRIGGER audit_is_never_updated",
        "UPDATE audit SET body = replace(body, 'alice', 'mallo') WHERE seq = 3",
        "CREATE TRIGGER audit_is_never_updated BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'no'); END",
    ),
    "a text that is none": ("UPDATE accounts SET base_url = 'a' || char(0) || 'b' WHERE id = 'bob'",),
    "a number that is none": ("UPDATE accounts SET enabled = 9999999999 WHERE id = 'bob'",),
}


@pytest.mark.parametrize("change", CHANGED)
async def test_what_is_not_whole_does_not_move(
    home: Home, clock: FakeClock, firm: Firm, target: str, change: str
) -> None:
    await lived(home, clock, firm)
    with closed(sqlite3.connect(home.database, isolation_level=None)) as source:
        for statement in CHANGED[change]:
            source.execute(statement)
    with untouched(home, target), pytest.raises(OrdoError):
        await databases.move(home, target, actor="test", clock=clock)


async def test_only_a_file_moves_and_only_to_a_postgresql(
    home: Home, clock: FakeClock, firm: Firm, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Invalid, match="there is no file"):
        await databases.move(home, target, actor="test", clock=clock)
    await lived(home, clock, firm)
    with pytest.raises(Invalid, match="moves to a PostgreSQL"):
        await databases.move(home, "sqlite:////elsewhere.db", actor="test", clock=clock)
    monkeypatch.setenv("ORDO_DATABASE__URL", target)
    with pytest.raises(Invalid, match="cannot be put into a PostgreSQL"):
        databases.restore(home, home.database, actor="test")
    with pytest.raises(Invalid, match="not a database file"):
        await databases.move(home, target, actor="test", clock=clock)


async def test_a_backup_of_it_can_be_moved_back(
    home: Home,
    clock: FakeClock,
    firm: Firm,
    target: str,
    backend: Backend,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await lived(home, clock, firm)
    await databases.move(home, target, actor="test", clock=clock)
    monkeypatch.setenv("ORDO_DATABASE__URL", target)
    async with open_desk(home, actor="test", clock=clock, find=firm.find) as desk:
        done = await databases.backup(desk, str(tmp_path / "copy.db"))
        assert databases.judge(str(tmp_path / "copy.db")) == done.rows
    monkeypatch.setenv("ORDO_DATABASE__URL", f"sqlite:///{tmp_path}/copy.db")
    again = await databases.move(home, backend.where(tmp_path / "again"), actor="test", clock=clock)
    assert again.audit_rows == done.rows
