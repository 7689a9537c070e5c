"""The kill switch's record: a press never loses to a lower one, a release makes everything older worthless."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ordo_cli.domain.accounts import Account, AccountId, BrokerName, GroupName
from ordo_cli.domain.errors import Invalid, NotFound
from ordo_cli.domain.kill import GLOBAL, Level, Scope, ScopeKind
from ordo_cli.store.now import run_now
from ordo_cli.store.picture import switches_of
from ordo_cli.store.switches import engage_body, names_something
from tests.backends import Backend
from tests.fakes import MONDAY_NOON, FakeClock
from tests.store.making import opened

if TYPE_CHECKING:
    from ordo_cli.store.switches import Row

ALICE = Account(AccountId("alice"), BrokerName("paper"), (GroupName("family"),))


async def test_a_lower_press_never_lowers_and_a_higher_one_escalates(tmp_path: Path) -> None:
    async with opened(tmp_path / "ordo.db") as store:
        for level, reached in ((Level.CANCEL, 2), (Level.BLOCK, 2), (Level.FLATTEN, 3)):
            assert await store.switches.engage(GLOBAL, level, "why") == 0
            switch = await store.switches.get(GLOBAL)
            assert (switch.engaged, switch.level, switch.reason) == (True, reached, "why")
        assert [(row.type, row.before, row.after) for row in await store.audit.rows({"type": "kill"})] == [
            ("kill", "released", "engaged:2"),
            ("kill", "engaged:2", "engaged:2"),
            ("kill", "engaged:2", "engaged:3"),
        ]


async def test_a_release_starts_a_new_epoch_and_the_level_starts_anew(tmp_path: Path) -> None:
    clock = FakeClock()
    async with opened(tmp_path / "ordo.db", clock) as store:
        await store.switches.engage(GLOBAL, Level.FLATTEN, None)
        assert await store.switches.release(GLOBAL, "all is well") == 1
        assert await store.switches.release(GLOBAL, "again") == 2
        switch = await store.switches.get(GLOBAL)
        assert (switch.engaged, switch.level, switch.epoch) == (False, None, 2)
        assert (switch.actor, switch.changed_at) == ("tester", clock.now())
        await store.switches.engage(GLOBAL, Level.BLOCK, None)
        assert (await store.switches.get(GLOBAL)).level is Level.BLOCK


async def test_a_scope_never_touched_is_released_at_epoch_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path / "ordo.db") as store:
        switch = await store.switches.get(Scope(ScopeKind.GROUP, "family"))
        assert (switch.engaged, switch.epoch, await store.switches.all()) == (False, 0, [])


async def test_a_press_without_an_event_loop_is_the_same_press(tmp_path: Path, backend: Backend) -> None:
    path = backend.where(tmp_path / "ordo.db")
    async with opened(tmp_path / "ordo.db") as store:
        await store.accounts.add(ALICE)
        press = engage_body("account", "alice", 2, "phone", "cli", MONDAY_NOON.timestamp())
        assert await asyncio.to_thread(run_now, path, press) == 0
        (switch,) = await store.switches.all()
        assert switch.scope == Scope(ScopeKind.ACCOUNT, "alice")
        assert (switch.level, switch.reason, switch.actor, switch.changed_at) == (2, "phone", "cli", MONDAY_NOON)
        assert (await store.audit.verify()).state == "whole"
        assert (await store.audit.rows({"type": "kill"}))[0].data["scope"] == "account:alice"


@pytest.mark.parametrize(
    ("kind", "name", "there"),
    [
        ("global", "", True),
        ("account", "alice", True),
        ("account", "alic", False),
        ("broker", "paper", True),
        ("broker", "zerodha", False),
        ("group", "family", True),
        ("group", "fam", False),
    ],
)
async def test_a_scope_names_something_or_not(
    tmp_path: Path, backend: Backend, kind: str, name: str, there: bool
) -> None:
    async with opened(tmp_path / "ordo.db") as store:
        await store.accounts.add(ALICE)
    path = backend.where(tmp_path / "ordo.db")
    assert await asyncio.to_thread(run_now, path, names_something(kind, name)) is there


async def test_accounts_are_kept_changed_and_forgotten_each_with_its_row(tmp_path: Path) -> None:
    from dataclasses import replace
    from decimal import Decimal

    async with opened(tmp_path / "ordo.db") as store:
        bob = replace(
            ALICE, id=AccountId("bob"), weight=Decimal("1.5"), base_url="http://127.0.0.1:1", egress="10.0.0.1"
        )
        await store.accounts.add(bob)
        await store.accounts.add(ALICE)
        with pytest.raises(Invalid, match="already an account bob"):
            await store.accounts.add(bob)
        await store.accounts.save(replace(bob, enabled=False, behaviours=("silent",)))
        await store.accounts.save(replace(bob, enabled=False, behaviours=("silent",)))
        assert await store.accounts.all() == [ALICE, replace(bob, enabled=False, behaviours=("silent",))]
        await store.accounts.remove(ALICE.id)
        for nobody in (store.accounts.get(ALICE.id), store.accounts.remove(ALICE.id), store.accounts.save(ALICE)):
            with pytest.raises(NotFound):
                await nobody
        rows = await store.audit.rows({"type": "account"})
        assert [(row.ids["account"], row.after) for row in rows] == [
            ("bob", "added"),
            ("alice", "added"),
            ("bob", "changed"),
            ("alice", "removed"),
        ]
        assert rows[2].data == {"enabled": 0, "behaviours": '["silent"]'}


def test_switches_are_read_anew_as_soon_as_one_row_is_another() -> None:
    rows: list[Row] = [("account", "a", 0, None, 1, None, None, None), ("account", "b", 1, 2, 1, None, None, None)]
    first = switches_of(rows)
    assert [(each.scope.name, each.engaged, each.epoch) for each in first] == [("a", False, 1), ("b", True, 1)]
    assert switches_of(list(rows)) is first
    pressed = switches_of([("account", "a", 1, 1, 1, None, None, None), rows[1]])
    assert [each.engaged for each in pressed] == [True, True]
    assert [each.engaged for each in switches_of(rows[:1])] == [False]
