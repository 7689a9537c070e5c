"""Consolidated reads: every account is in the rows or in the failures, and one's trouble is its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from ordo_cli.desk import Desk
from ordo_cli.domain.accounts import Target
from ordo_cli.domain.errors import Invalid, NotFound, SessionExpired
from ordo_cli.domain.orders import BrokerOrderId, Product
from ordo_cli.domain.portfolio import Position
from ordo_cli.services import instruments, orders, portfolio, targets
from ordo_cli.services.planning import PlaceRequest
from ordo_cli.services.portfolio import Consolidated
from tests.fakes import INFY, buy
from tests.services.conftest import Add

Read = Callable[[Desk], Awaitable[Consolidated[Any]]]


def held(quantity: int) -> Position:
    zero = Decimal(0)
    return Position(INFY, Product.CNC, quantity, Decimal(1500), None, zero, zero)


async def test_each_account_is_read_and_named(desk: Desk, add: Add) -> None:
    (await add("alice")).position_rows.append(held(5))
    (await add("bob")).position_rows.append(held(-3))
    await add("carol")
    found = await portfolio.positions(desk)
    assert [(row.account, row.broker, row.row.quantity) for row in found.rows] == [
        ("alice", "acme", 5),
        ("bob", "acme", -3),
    ]
    assert found.accounts == ("alice", "bob", "carol")
    assert found.failures == ()


async def test_an_account_that_cannot_be_read_is_named_and_hides_nobody(desk: Desk, add: Add) -> None:
    (await add("alice")).position_rows.append(held(5))
    (await add("bob")).unreadable = SessionExpired("the session is over", hint="ordo login bob")
    found = await portfolio.positions(desk)
    assert [row.account for row in found.rows] == ["alice"]
    assert [(failure.account, failure.problem.code, failure.problem.hint) for failure in found.failures] == [
        ("bob", "session_expired", "ordo login bob")
    ]


async def test_a_bug_of_one_adapter_is_that_accounts_failure(desk: Desk, add: Add) -> None:
    (await add("alice")).position_rows.append(held(5))
    (await add("bob")).unreadable = KeyError("netQty")
    found = await portfolio.positions(desk)
    assert len(found.rows) == 1
    (failure,) = found.failures
    assert (failure.account, failure.problem.code) == ("bob", "bug")
    assert "KeyError" in failure.problem.message


@pytest.mark.parametrize("read", [portfolio.holdings, portfolio.trades, portfolio.funds, portfolio.orders])
async def test_every_read_asks_every_account(desk: Desk, add: Add, read: Read) -> None:
    for name in ("alice", "bob"):
        await add(name)
    found = await read(desk)
    assert found.accounts == ("alice", "bob")
    assert found.failures == ()


async def test_a_book_that_cannot_be_read_is_named(desk: Desk, add: Add) -> None:
    await add("alice")
    (await add("bob")).unreadable = SessionExpired("the session is over")
    assert [failure.account for failure in (await portfolio.orders(desk)).failures] == ["bob"]


async def test_targets_choose_the_accounts(desk: Desk, add: Add) -> None:
    for name in ("alice", "bob"):
        await add(name, "family")
    await add("carol")
    found = await portfolio.funds(desk, [Target("@family")])
    assert found.accounts == ("alice", "bob")
    with pytest.raises(NotFound):
        await portfolio.funds(desk, [Target("nobody")])


async def test_an_order_of_ours_is_named_by_its_leg_and_a_foreign_one_is_not(desk: Desk, add: Add) -> None:
    line = await add("alice")
    fan_out = await orders.place(desk, PlaceRequest(buy(), (Target("alice"),)))
    line.book.append(replace(line.book[0], order_id=BrokerOrderId("foreign"), tag=None))
    found = await portfolio.orders(desk)
    assert [(row.row.report.order_id, row.row.leg) for row in found.rows] == [
        (fan_out.legs[0].broker_order_id, fan_out.legs[0].id),
        ("foreign", None),
    ]


async def test_a_tag_tells_whose_an_order_is_when_its_number_never_came(desk: Desk, add: Add) -> None:
    line = await add("alice")
    leg = (await orders.place(desk, PlaceRequest(buy(), (Target("alice"),)))).legs[0]
    line.book[:] = [replace(line.book[0], order_id=BrokerOrderId("another"))]
    assert [row.row.leg for row in (await portfolio.orders(desk)).rows] == [leg.id]


async def test_a_leg_is_shown_as_its_book_has_it(desk: Desk, add: Add) -> None:
    line = await add("alice")
    leg = (await orders.place(desk, PlaceRequest(buy(), (Target("alice"),)))).legs[0]
    row = await portfolio.in_book(desk, leg)
    assert isinstance(row, tuple)
    assert (row.account, row.row.leg, row.row.report.order_id) == ("alice", leg.id, leg.broker_order_id)
    line.unreadable = SessionExpired("the session is over")
    problem = await portfolio.in_book(desk, leg)
    assert not isinstance(problem, tuple)
    assert problem is not None
    assert problem.code == "session_expired"
    line.unreadable, line.book[:] = None, []
    assert await portfolio.in_book(desk, leg) is None


async def test_prices_are_asked_of_the_first_account_that_can_tell(desk: Desk, add: Add) -> None:
    with pytest.raises(NotFound, match="no account can tell prices"):
        await instruments.quotes(desk, [INFY])
    await add("alice", "family")
    await add("bob", "family")
    assert INFY in await instruments.quotes(desk, [INFY])
    assert INFY in await instruments.quotes(desk, [INFY], "bob")
    with pytest.raises(Invalid, match="single account"):
        await instruments.quotes(desk, [INFY], "@family")


async def test_live_is_said_as_soon_as_one_account_is(desk: Desk, add: Add) -> None:
    await add("alice")
    assert (
        targets.mode_of(desk, await targets.chosen(desk, [Target("all")]))
        == desk.spec((await desk.store.accounts.all())[0]).mode
    )
