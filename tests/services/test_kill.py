"""The switch as it stands and as it is released: two witnesses, the stricter is believed, and a press always wins."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ordo_cli import arming, press
from ordo_cli.desk import Desk
from ordo_cli.domain.accounts import Target
from ordo_cli.domain.errors import Invalid, KillEngaged, NotFound, Refused
from ordo_cli.domain.kill import GLOBAL, Level, Scope, ScopeKind
from ordo_cli.home import Home
from ordo_cli.machine import SystemChance
from ordo_cli.press import Press
from ordo_cli.services import kill, orders, presses, startup
from ordo_cli.services.kill import ScopeState
from ordo_cli.services.planning import PlaceRequest
from ordo_cli.store.now import run_now
from ordo_cli.store.switches import engage_body
from tests.fakes import ScriptedBroker, buy, silent_after_accepting
from tests.services.conftest import Add, Opener
from tests.services.test_sweep import place

ALICE = Scope(ScopeKind.ACCOUNT, "alice")


def path_of(desk: Desk, scope: Scope = GLOBAL) -> Path:
    return Path(arming.path_of(desk.home.run, scope.kind, scope.name))


async def state_of(desk: Desk, scope: Scope = GLOBAL) -> ScopeState:
    return next(each for each in (await kill.state(desk)).scopes if each.scope == scope)


def note(home: Home, scope: Scope, reason: str = "") -> None:
    """A press that could not be written down."""
    press._note(home.run, Press(scope.kind.value, scope.name, 1, reason), 1_764_000_000.0)


# Nothing leaves.


async def test_a_running_fan_out_stops_where_it_is(desk: Desk, add: Add) -> None:
    alice, bob = await add("alice"), await add("bob")

    request = PlaceRequest(buy(), targets=_targets("alice", "bob"), confirmed=True)
    desk = replace(desk, failpoint=lambda label: _kill_at(desk.home, label, "claiming"))
    fan_out = await orders.place(desk, request)
    assert alice.book == bob.book == []
    assert fan_out.killed
    assert {leg.problem.code for leg in fan_out.legs if leg.problem} == {"KILL"}


@pytest.mark.parametrize("label", ["planned", "opened", "claiming", "claimed"])
async def test_a_press_at_any_step_before_the_first_byte_leaves_no_order(desk: Desk, add: Add, label: str) -> None:
    broker = await add("alice")
    pressing = replace(desk, failpoint=lambda at: _kill_at(desk.home, at, label))
    fan_out = await orders.place(pressing, PlaceRequest(buy(), _targets("alice"), confirmed=True))
    assert broker.book == []
    assert fan_out.killed


def _kill_at(home: Home, label: str, wanted: str) -> None:
    if label == wanted:
        arming.disarm(home.run, "global", "")


def _targets(*names: str) -> tuple[Target, ...]:
    return tuple(Target(name) for name in names)


async def test_a_row_alone_stops_too(desk: Desk, add: Add) -> None:
    broker = await add("alice")
    await desk.store.switches.engage(ALICE, Level.BLOCK, "by row")
    fan_out = await orders.place(desk, PlaceRequest(buy(), _targets("alice"), confirmed=True))
    assert broker.book == []
    assert fan_out.killed
    assert (await state_of(desk, ALICE)).why == "engaged by its row; the arming file is still there"


async def test_a_press_that_is_only_noted_is_written_down_before_anything_is_placed(desk: Desk, add: Add) -> None:
    broker = await add("alice")
    note(desk.home, ALICE, "noted")
    fan_out = await orders.place(desk, PlaceRequest(buy(), _targets("alice"), confirmed=True))
    assert broker.book == []
    assert fan_out.killed
    row = (await state_of(desk, ALICE)).row
    assert row is not None
    assert row.engaged
    assert row.reason == "noted (pressed at 2025-11-24T16:00:00Z, written down later)"


@pytest.mark.parametrize("scope", [GLOBAL, ALICE], ids=str)
async def test_an_old_arming_file_brought_back_by_hand_arms_nothing(desk: Desk, add: Add, scope: Scope) -> None:
    broker = await add("alice")
    old = path_of(desk, scope).read_bytes()
    await kill.engage(desk, scope)
    await kill.release(desk, scope, "released once")
    path_of(desk, scope).write_bytes(old)
    with pytest.raises(KillEngaged, match="epoch"):
        await place(desk, buy(), "alice")
    assert broker.book == []
    assert (await state_of(desk, scope)).why == "its arming file is of epoch 1, not 2"


# How it stands.


async def test_what_is_armed_by_file_and_row_is_armed(desk: Desk, add: Add) -> None:
    await add("alice", "family")
    found = await kill.state(desk)
    assert not found.engaged
    assert [str(each.scope) for each in found.scopes] == ["global", "broker:acme", "account:alice", "group:family"]
    assert {each.why for each in found.scopes} == {"armed"}
    assert [(each.account, each.engaged, each.level) for each in found.accounts] == [("alice", False, None)]


@pytest.mark.parametrize(
    ("trouble", "why"),
    [
        (lambda path: path.unlink(), "its arming file is missing"),
        (lambda path: path.write_bytes(b"Knot"), "its arming file cannot be trusted"),
        (lambda path: path.chmod(0o666), "its arming file cannot be trusted"),
        (lambda path: shutil.rmtree(path.parent), "its arming file is missing"),
    ],
)
async def test_a_file_in_trouble_counts_as_engaged(
    desk: Desk, add: Add, trouble: Callable[[Path], object], why: str
) -> None:
    await add("alice")
    trouble(path_of(desk, ALICE))
    found = await state_of(desk, ALICE)
    assert found.engaged
    assert found.level is Level.BLOCK
    assert found.why.startswith(why)


async def test_a_file_without_a_record_counts_as_engaged(desk: Desk, add: Add) -> None:
    await add("alice")
    state = ScopeState(ALICE, armed=True, trouble=None, row=None)
    assert state.engaged
    assert state.why == "no record of it in the database"


async def test_the_strictest_scope_decides_for_an_account(desk: Desk, add: Add) -> None:
    await add("alice", "family")
    await kill.engage(desk, ALICE, Level.CANCEL, "one")
    await kill.engage(desk, Scope(ScopeKind.GROUP, "family"), Level.FLATTEN, "two")
    found = (await kill.state(desk)).accounts[0]
    assert found.level is Level.FLATTEN
    assert [str(scope) for scope in found.by] == ["account:alice", "group:family"]
    assert (await state_of(desk, ALICE)).why == "engaged"


async def test_presses_that_the_database_missed_are_shown(desk: Desk) -> None:
    note(desk.home, GLOBAL)
    found = await kill.state(desk)
    assert found.unwritten == ("global",)
    assert found.engaged
    assert await presses.write_down(desk) == 1
    assert await presses.write_down(desk) == 0


# How it is released.


async def test_a_release_is_a_new_epoch_and_lets_nothing_planned_before_pass(desk: Desk, add: Add) -> None:
    broker = await add("alice")
    before = desk.gate.stamps([GLOBAL])
    await kill.engage(desk, GLOBAL, reason="stop")
    row = await kill.release(desk, GLOBAL, "looked at it", stamp=(await kill.state(desk)).stamp)
    assert (row.engaged, row.epoch, row.reason) == (False, 2, "looked at it")
    with pytest.raises(KillEngaged):
        desk.gate.check(before)
    await place(desk, buy(), "alice")
    assert len(broker.book) == 1


async def test_a_file_removed_by_hand_is_released_too(desk: Desk, add: Add) -> None:
    await add("alice")
    path_of(desk, ALICE).unlink()
    await kill.release(desk, ALICE, "put it back")
    assert not (await state_of(desk, ALICE)).engaged


async def test_without_its_lock_file_a_release_makes_a_new_one(desk: Desk) -> None:
    shutil.rmtree(desk.home.run)
    await kill.release(desk, GLOBAL, "the folder was deleted")
    assert not (await state_of(desk)).engaged


@pytest.mark.parametrize("reason", ["", "  "])
async def test_a_release_needs_a_reason(desk: Desk, reason: str) -> None:
    await kill.engage(desk, GLOBAL)
    with pytest.raises(Invalid, match="reason"):
        await kill.release(desk, GLOBAL, reason)
    assert (await state_of(desk)).engaged


async def test_what_is_not_engaged_is_not_released(desk: Desk, add: Add) -> None:
    await add("alice")
    with pytest.raises(Refused, match="not engaged"):
        await kill.release(desk, GLOBAL, "why not")
    with pytest.raises(NotFound):
        await kill.release(desk, Scope(ScopeKind.ACCOUNT, "bob"), "nobody")


async def test_a_home_that_was_never_armed_counts_as_engaged(desk: Desk) -> None:
    found = await state_of(desk)
    assert found.engaged
    assert not found.armed
    await kill.release(desk, GLOBAL, "first arming", stamp=(await kill.state(desk)).stamp)
    assert not (await state_of(desk)).engaged


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
async def test_only_the_owner_of_the_home_releases(desk: Desk) -> None:
    await kill.engage(desk, GLOBAL)
    os.chown(desk.home.run, 12345, 12345)
    with pytest.raises(Refused, match="another user"):
        await kill.release(desk, GLOBAL, "not mine")


async def test_unknown_legs_keep_it_engaged_until_each_is_acknowledged(desk: Desk, add: Add) -> None:
    broker: ScriptedBroker = await add("alice")
    await add("bob")
    broker.script = [silent_after_accepting]
    fan_out = await orders.place(desk, PlaceRequest(buy(), _targets("alice"), confirmed=True))
    leg = fan_out.legs[0].id
    for scope in (GLOBAL, ALICE, Scope(ScopeKind.ACCOUNT, "bob")):
        await kill.engage(desk, scope)
    await kill.release(desk, Scope(ScopeKind.ACCOUNT, "bob"), "nothing of his is unknown")
    for acknowledged in ((), (f"{leg}x",), ("",)):
        with pytest.raises(Refused, match=leg):
            await kill.release(desk, GLOBAL, "go on", acknowledged)
    assert (await state_of(desk)).engaged
    await kill.release(desk, GLOBAL, "seen at the broker", (leg,))
    assert not (await state_of(desk)).engaged


async def test_a_long_list_of_unknown_legs_is_cut_and_counted(desk: Desk, add: Add) -> None:
    names = [f"a{number}" for number in range(12)]
    for name in names:
        (await add(name)).script = [silent_after_accepting]
    await place(desk, buy(), *names)
    await kill.engage(desk, GLOBAL)
    with pytest.raises(Refused, match="and 2 more"):
        await kill.release(desk, GLOBAL, "go on")


async def test_a_press_after_the_user_looked_wins_over_the_release(desk: Desk) -> None:
    await kill.engage(desk, GLOBAL)
    seen = (await kill.state(desk)).stamp
    await kill.engage(desk, GLOBAL, reason="again")
    with pytest.raises(KillEngaged, match="again meanwhile"):
        await kill.release(desk, GLOBAL, "too late", stamp=seen)
    assert (await state_of(desk)).engaged
    assert not path_of(desk).exists()


class Pressing(SystemChance):
    """Does something in the moment between the row of a release and its file."""

    def __init__(self, then: Callable[[], object]) -> None:
        self.then = then

    def token(self, length: int) -> str:
        self.then()
        return super().token(length)


async def test_a_press_between_row_and_file_wins(desk: Desk) -> None:
    await kill.engage(desk, GLOBAL)
    between = replace(desk, chance=Pressing(lambda: press.engage(desk.home, Press())))
    with pytest.raises(KillEngaged):
        await kill.release(between, GLOBAL, "racing")
    assert (await state_of(desk)).engaged
    assert not path_of(desk).exists()


async def test_a_noted_press_between_row_and_file_wins(desk: Desk) -> None:
    await kill.engage(desk, GLOBAL)
    between = replace(desk, chance=Pressing(lambda: note(desk.home, GLOBAL)))
    with pytest.raises(KillEngaged):
        await kill.release(between, GLOBAL, "racing")
    assert not path_of(desk).exists()


async def test_a_row_written_between_row_and_file_wins(desk: Desk) -> None:
    await kill.engage(desk, GLOBAL)

    def write_row() -> None:
        run_now(desk.config.database_url, engage_body("global", "", 1, "elsewhere", "cli", 1_764_000_000.0))

    with pytest.raises(KillEngaged):
        await kill.release(replace(desk, chance=Pressing(write_row)), GLOBAL, "racing")
    assert not path_of(desk).exists()


async def test_a_file_that_cannot_be_written_leaves_it_engaged(desk: Desk, add: Add) -> None:
    await add("alice")
    await kill.engage(desk, ALICE)
    folder = path_of(desk, ALICE).parent

    def block() -> None:
        shutil.rmtree(folder)
        folder.write_text("a file where the folder should be")

    with pytest.raises(KillEngaged, match="could not be written"):
        await kill.release(replace(desk, chance=Pressing(block)), ALICE, "cannot")


async def test_of_many_presses_and_releases_at_once_the_end_is_never_armed_and_killed(
    reopen: Opener, desk: Desk
) -> None:
    """Whatever the order, row and file agree, or the file is the stricter."""
    for turn in range(30):
        await kill.engage(desk, GLOBAL)
        async with reopen() as other:
            results = await asyncio.gather(
                kill.release(other, GLOBAL, f"turn {turn}"),
                asyncio.to_thread(press.engage, desk.home, Press()),
                return_exceptions=True,
            )
        assert not [each for each in results if isinstance(each, BaseException) and not isinstance(each, Refused)]
        await startup.wake(desk)
        found = await state_of(desk)
        row = found.row
        assert row is not None
        assert not (row.engaged and found.armed), turn
