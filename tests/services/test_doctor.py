"""The doctor finds what is wrong, says how to mend it, and is stopped by nothing."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ordo_cli import arming
from ordo_cli.desk import Desk, open_desk
from ordo_cli.domain.kill import Level, parse_scope
from ordo_cli.home import Home
from ordo_cli.machine import SystemDisk
from ordo_cli.services import accounts, doctor, kill, setup
from ordo_cli.services.accounts import Wishes
from ordo_cli.services.doctor import Level as Verdict
from tests.fakes import FakeClock


@pytest.fixture
async def desk(home: Home) -> AsyncIterator[Desk]:
    async with open_desk(home, actor="test") as opened:
        await accounts.add(opened, "alice", "paper", Wishes(groups=("family",)), {})
        yield opened


async def found(home: Home, check: str, **more: object) -> tuple[Verdict, str, str]:
    """The worst verdict of one check."""
    order = [Verdict.FAIL, Verdict.WARN, Verdict.OK]
    verdicts = [each for each in await doctor.examine(home, **more) if each.check == check]  # type: ignore[arg-type]
    worst = min(verdicts, key=lambda each: order.index(each.verdict))
    assert worst.verdict is Verdict.OK or worst.mend, "what is wrong says how to mend it"
    return worst.verdict, worst.message, worst.mend or ""


async def test_a_home_that_is_well_has_no_complaint(desk: Desk, home: Home) -> None:
    verdicts = await doctor.examine(home)
    assert {each.verdict for each in verdicts} == {Verdict.OK}
    assert len(verdicts) >= 12


async def test_a_home_that_was_never_set_up_is_told_how(home: Home) -> None:
    assert (await found(home, "config"))[2] == "ordo init"
    assert (await found(home, "kill switch"))[::2] == (Verdict.WARN, "ordo init")


async def test_a_broken_config_does_not_stop_it(desk: Desk, home: Home) -> None:
    SystemDisk().write(home.config_file, b"[limits]\nvalue_ordr_max = 1\n")
    verdict, message, _ = await found(home, "config")
    assert verdict is Verdict.FAIL
    assert "line 2" in message
    assert (await found(home, "disk"))[0] is Verdict.OK
    assert (await found(home, "database"))[0] is Verdict.FAIL


async def test_a_config_that_others_may_write_or_read_is_red(desk: Desk, home: Home) -> None:
    os.chmod(home.config_file, 0o666)
    assert (await found(home, "config"))[0] is Verdict.FAIL
    os.chmod(home.config_file, 0o644)
    verdict, message, mend = await found(home, "files")
    assert verdict is Verdict.FAIL
    assert home.config_file in message
    assert mend == f"chmod 600 {home.config_file}"


async def test_a_folder_that_others_may_enter_is_red(desk: Desk, home: Home) -> None:
    os.chmod(home.run, 0o755)
    assert (await found(home, "folders"))[::2] == (Verdict.FAIL, f"chmod 700 {home.run}")


async def test_a_clock_that_jumps_is_red(desk: Desk, home: Home) -> None:
    class Jumping(FakeClock):
        def now(self) -> datetime:
            self.pass_(3)
            return datetime(2026, 11, 23, tzinfo=UTC)

    assert (await found(home, "clock", clock=Jumping()))[0] is Verdict.FAIL


async def test_records_from_the_future_are_red(home: Home) -> None:
    tomorrow = FakeClock(datetime.now(UTC) + timedelta(days=1))
    async with open_desk(home, actor="test", clock=tomorrow) as ahead:
        await setup.initialise(ahead, None)
    assert (await found(home, "time of records"))[0] is Verdict.FAIL


async def test_a_full_disk_is_red(desk: Desk, home: Home) -> None:
    class Full(SystemDisk):
        def free(self, path: str) -> tuple[int, int]:
            return 63 << 20, 100 << 30

    class OnePercent(SystemDisk):
        def free(self, path: str) -> tuple[int, int]:
            return 900 << 20, 100 << 30

    assert (await found(home, "disk", disk=Full()))[0] is Verdict.FAIL
    assert (await found(home, "disk", disk=OnePercent()))[0] is Verdict.FAIL


@pytest.mark.sqlite_only
async def test_a_damaged_database_is_red(home: Home) -> None:
    async with open_desk(home, actor="test") as opened:
        await setup.initialise(opened, None)
    with open(home.database, "r+b") as file:
        file.write(b"not a database at all" * 10)
    for beside in ("-wal", "-shm"):
        Path(home.database + beside).unlink(missing_ok=True)
    assert (await found(home, "database"))[0] is Verdict.FAIL


@pytest.mark.sqlite_only
async def test_a_damaged_page_is_red(home: Home) -> None:
    async with open_desk(home, actor="test") as opened:
        for number in range(40):
            await accounts.add(opened, f"a{number}", "paper", Wishes(groups=("family",)), {})
    with sqlite3.connect(home.database) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        roots = [row[0] for row in database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'accounts'")]
        size = database.execute("PRAGMA page_size").fetchone()[0]
    database.close()
    with open(home.database, "r+b") as file:
        file.seek(roots[0] * size - size // 4)  # where the rows are; the middle of a page may be free
        file.write(b"\xff" * (size // 4))
    assert (await found(home, "database"))[0] is Verdict.FAIL


async def test_a_pressed_switch_is_a_warning_and_tells_how_to_release(desk: Desk, home: Home) -> None:
    await kill.engage(desk, parse_scope("account:alice"), Level.BLOCK, "enough")
    verdict, message, mend = await found(home, "kill switch")
    assert verdict is Verdict.WARN
    assert "account:alice is stopped" in message
    assert mend == "ordo kill release --scope account:alice"


async def test_an_arming_file_removed_by_hand_is_a_warning(desk: Desk, home: Home) -> None:
    os.unlink(arming.path_of(home.run, "global", ""))
    verdict, message, mend = await found(home, "kill switch")
    assert verdict is Verdict.WARN
    assert "no record says so" in message
    assert mend == "ordo kill release --scope global"


async def test_a_record_and_a_file_that_disagree_are_red(desk: Desk, home: Home) -> None:
    await desk.store.switches.engage(parse_scope("group:family"), Level.BLOCK, "row alone")
    verdict, message, mend = await found(home, "kill switch")
    assert verdict is Verdict.FAIL
    assert "its arming file is there" in message
    assert mend == "ordo kill --scope group:family"


async def test_an_epoch_that_disagrees_is_red(desk: Desk, home: Home) -> None:
    arming.arm(home.run, "account", "alice", 7, "abc")
    verdict, message, _ = await found(home, "kill switch")
    assert verdict is Verdict.FAIL
    assert "epoch 7" in message


async def test_an_arming_file_that_cannot_be_trusted_is_red(desk: Desk, home: Home) -> None:
    os.chmod(arming.path_of(home.run, "global", ""), 0o622)
    assert (await found(home, "kill switch"))[0] is Verdict.FAIL


async def test_spilled_outcomes_are_red(desk: Desk, home: Home) -> None:
    with open(desk.spill.path, "r+b") as file:
        file.write(b'{"leg": "x-1"}\n')
    assert (await found(home, "spill"))[::2] == (Verdict.FAIL, "ordo fanout reconcile")


async def test_an_egress_that_this_machine_does_not_have_is_red(desk: Desk, home: Home) -> None:
    await accounts.edit(desk, "alice", Wishes(egress="127.0.0.1"), {})
    assert (await found(home, "egress"))[0] is Verdict.OK
    await accounts.edit(desk, "alice", Wishes(egress="203.0.113.7"), {})
    assert (await found(home, "egress"))[0] is Verdict.FAIL
    await accounts.edit(desk, "alice", Wishes(egress="http://proxy.example:3128"), {})
    assert (await found(home, "egress"))[0] is Verdict.OK


async def test_limits_for_nobody_are_a_warning(desk: Desk, home: Home) -> None:
    await accounts.set_value(desk, "limits.accounts.alcie.day_orders_max", "5")
    verdict, message, _ = await found(home, "limits")
    assert verdict is Verdict.WARN
    assert "alcie" in message


async def test_a_vault_without_its_key_is_red(desk: Desk, home: Home) -> None:
    await setup.initialise(desk, setup.propose(desk, "vault", None, None))
    assert (await found(home, "secrets"))[0] is Verdict.OK
    os.unlink(os.path.join(home.config, "vault.key"))
    assert (await found(home, "secrets"))[0] is Verdict.FAIL
