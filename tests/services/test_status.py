"""Status tells what the journal and the arming files know, and never asks a broker."""

from __future__ import annotations

from decimal import Decimal

from ordo_cli.desk import Desk
from ordo_cli.domain.accounts import parse_target
from ordo_cli.domain.kill import Level, Scope, ScopeKind
from ordo_cli.services import kill, orders, status
from ordo_cli.services.planning import PlaceRequest
from ordo_cli.services.status import AccountStatus
from tests.fakes import FakeClock, buy, silent_after_accepting
from tests.services.conftest import Add


async def place(desk: Desk, *targets: str) -> None:
    await orders.place(desk, PlaceRequest(buy(), tuple(parse_target(word) for word in targets)))


async def of(desk: Desk, account: str) -> AccountStatus:
    return next(each for each in (await status.status(desk)).accounts if each.account == account)


async def test_an_unknown_leg_is_named_with_its_age_and_pauses_entries_there(
    desk: Desk, add: Add, clock: FakeClock
) -> None:
    alice = await add("alice")
    alice.script = [silent_after_accepting]
    await place(desk, "alice")
    clock.pass_(90)
    found = await status.status(desk)
    (doubt,) = found.doubts
    assert (doubt.account, doubt.state, str(doubt.instrument)) == ("alice", "unknown", "NSE:INFY")
    assert 90 <= doubt.age < 95
    assert [account for account, _ in found.paused] == ["alice"]
    assert (await of(desk, "alice")).unknown == 1


async def test_a_broker_that_cannot_be_read_does_not_matter(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    alice.unreadable = AssertionError("status asked a broker")
    assert len((await status.status(desk)).accounts) == 1
    assert not alice.log


async def test_each_account_says_which_switch_stops_it(desk: Desk, add: Add) -> None:
    await add("alice", "family")
    await add("bob")
    family = Scope(ScopeKind.GROUP, "family")
    await kill.engage(desk, family)
    alice, bob = await of(desk, "alice"), await of(desk, "bob")
    assert (alice.stopped_by, alice.level) == ((family,), Level.BLOCK)
    assert (bob.stopped_by, bob.level) == ((), None)


async def test_the_day_and_the_last_call_are_told_by_account(desk: Desk, add: Add, clock: FakeClock) -> None:
    await add("alice")
    await add("bob")
    await place(desk, "alice")
    alice, bob = await of(desk, "alice"), await of(desk, "bob")
    assert (alice.orders_today, alice.value_today, alice.open_orders) == (1, Decimal(15_000), 1)
    assert alice.last_call is not None
    assert (bob.orders_today, bob.last_call) == (0, None)
    clock.pass_(86_400)
    assert (await of(desk, "alice")).orders_today == 0


async def test_an_empty_home_has_a_status_too(desk: Desk) -> None:
    found = await status.status(desk)
    assert (found.accounts, found.doubts, found.waiting) == ((), (), 0)
