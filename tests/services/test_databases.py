"""The database as a file: a copy is judged before it is trusted, and a restore leaves ordo stopped."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from ordo_cli import arming
from ordo_cli.domain.errors import Busy, Invalid, StoreFailed
from ordo_cli.domain.kill import GLOBAL
from ordo_cli.home import Home
from ordo_cli.services import databases
from tests.fakes import FakeClock
from tests.services.conftest import Opener
from tests.store.making import fan_out


async def backed_up(reopen: Opener, path: Path) -> None:
    async with reopen() as desk:
        await desk.store.journal.open(fan_out("aa"), duplicate_window=None)
        await databases.backup(desk, str(path))
        await desk.store.journal.open(fan_out("bb"), duplicate_window=None)


async def test_a_backup_is_whole_private_and_one_file(reopen: Opener, tmp_path: Path) -> None:
    async with reopen() as desk:
        await desk.store.journal.open(fan_out("aa"), duplicate_window=None)
        done = await databases.backup(desk, str(tmp_path / "copy.db"))
        assert (await desk.store.audit.rows({"type": "backup"}))[0].data == {"rows": done.rows}
    assert done.bytes == (tmp_path / "copy.db").stat().st_size
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600
    assert databases.judge(str(tmp_path / "copy.db")) == done.rows == 2
    assert [each.name for each in tmp_path.iterdir() if "copy" in each.name] == ["copy.db"]


async def test_a_backup_is_never_written_over(reopen: Opener, tmp_path: Path) -> None:
    (tmp_path / "copy.db").write_text("mine")
    async with reopen() as desk:
        with pytest.raises(Invalid, match="not overwritten"):
            await databases.backup(desk, str(tmp_path / "copy.db"))
        with pytest.raises(Invalid, match="cannot be written"):
            await databases.backup(desk, str(tmp_path / "no" / "copy.db"))
    assert (tmp_path / "copy.db").read_text() == "mine"


@pytest.mark.sqlite_only
async def test_a_restore_brings_back_the_day_of_the_backup_and_stops_ordo(
    reopen: Opener, home: Home, clock: FakeClock, tmp_path: Path
) -> None:
    await backed_up(reopen, tmp_path / "copy.db")
    arming.arm(home.run, "global", "", 1, "nonce")
    done = databases.restore(home, str(tmp_path / "copy.db"), actor="test", clock=clock)
    assert not os.path.exists(arming.path_of(home.run, "global", ""))
    assert (done.rows, done.rows_before) == (2, 4)
    assert done.aside is not None
    assert databases.judge(done.aside) == 4
    async with reopen() as desk:
        assert [each.id for each in await desk.store.journal.fan_outs()] == ["aa"]
        switch = await desk.store.switches.get(GLOBAL)
        assert (switch.engaged, switch.reason) == (True, "restored from a backup")
        assert (await desk.store.audit.rows({"type": "restore"}))[0].data["rows_before"] == 4
        assert all(finding.well for finding in await databases.check(desk))
    assert Path(home.database).stat().st_mode & 0o777 == 0o600


@pytest.mark.sqlite_only
async def test_a_restore_needs_no_database_to_replace(reopen: Opener, home: Home, tmp_path: Path) -> None:
    await backed_up(reopen, tmp_path / "copy.db")
    for companion in ("", "-wal", "-shm"):
        Path(home.database + companion).unlink(missing_ok=True)
    done = databases.restore(home, str(tmp_path / "copy.db"), actor="test")
    assert (done.aside, done.rows_before) == (None, None)


@pytest.mark.sqlite_only
async def test_a_damaged_database_is_replaced_and_kept(reopen: Opener, home: Home, tmp_path: Path) -> None:
    await backed_up(reopen, tmp_path / "copy.db")
    Path(home.database).write_bytes(b"rubbish" * 1000)
    done = databases.restore(home, str(tmp_path / "copy.db"), actor="test")
    assert done.rows_before is None
    assert done.aside is not None
    assert Path(done.aside).read_bytes().startswith(b"rubbish")


@pytest.mark.sqlite_only
async def test_nothing_is_restored_under_a_running_ordo(reopen: Opener, home: Home, tmp_path: Path) -> None:
    await backed_up(reopen, tmp_path / "copy.db")
    async with reopen() as desk:
        assert desk.locks.owner.pid == os.getpid()
        with pytest.raises(Busy, match="another ordo is running"):
            databases.restore(home, str(tmp_path / "copy.db"), actor="test")
        assert len(await desk.store.journal.fan_outs()) == 2


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def garbled(path: Path) -> None:
    path.write_bytes(b"not a database" * 500)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-8192])


def changed(*statements: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        connection = sqlite3.connect(path, isolation_level=None)
        for statement in statements:
            connection.execute(statement)
        connection.close()

    return change


BAD = {
    "empty": emptied,
    "garbled": garbled,
    "cut": cut,
    "newer": changed("UPDATE alembic_version SET version_num = '9999'"),
    "unguarded": changed("DROP TRIGGER audit_is_never_deleted"),
    "dangling": changed("PRAGMA foreign_keys=OFF", "DELETE FROM fanouts"),
    "rewritten": changed(
        "DROP TRIGGER audit_is_never_updated",
        "UPDATE audit SET type = 'x' WHERE seq = 2",
        "CREATE TRIGGER audit_is_never_updated BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'no'); END",
    ),
}


@pytest.mark.sqlite_only
@pytest.mark.parametrize("bad", BAD)
async def test_a_backup_that_is_not_whole_changes_nothing(reopen: Opener, home: Home, tmp_path: Path, bad: str) -> None:
    await backed_up(reopen, tmp_path / "copy.db")
    BAD[bad](tmp_path / "copy.db")
    before = Path(home.database).read_bytes()
    arming.arm(home.run, "global", "", 1, "nonce")
    with pytest.raises(StoreFailed):
        databases.restore(home, str(tmp_path / "copy.db"), actor="test")
    assert Path(home.database).read_bytes() == before
    assert os.path.exists(arming.path_of(home.run, "global", ""))


@pytest.mark.sqlite_only
def test_a_file_that_is_not_there_is_no_backup(home: Home, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="there is no file"):
        databases.restore(home, str(tmp_path / "copy.db"), actor="test")


@pytest.mark.sqlite_only
async def test_a_check_names_what_is_wrong(reopen: Opener, home: Home) -> None:
    async with reopen() as desk:
        await desk.store.journal.open(fan_out("aa"), duplicate_window=None)
        assert all(finding.well for finding in await databases.check(desk))
        assert databases.upgraded(desk).became == "created"
    changed(
        "DROP TRIGGER audit_is_never_updated",
        "DROP INDEX ix_legs_unsettled",
        "UPDATE audit SET body = replace(body, 'alice', 'mallo') WHERE type = 'plan'",
        "DELETE FROM fanouts",
    )(Path(home.database))
    async with reopen() as desk:
        found = {finding.check: finding for finding in await databases.check(desk)}
        assert databases.upgraded(desk).became == "ready"
    assert not found["rows"].well
    assert "a row of legs belongs to no fanouts" in found["rows"].message
    assert "the index ix_legs_unsettled is missing" in found["rows"].message
    assert "the trigger audit_is_never_updated is missing" in found["rows"].message
    assert not found["audit"].well
    assert "row 2" in found["audit"].message
