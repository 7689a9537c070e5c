"""A desk that somebody else works at: keys are theirs, orders carry their request, the rest of the desk is the same."""

from __future__ import annotations

import pytest

from ordo_cli.desk import Desk
from ordo_cli.domain.accounts import Target
from ordo_cli.domain.errors import KeyConflict
from ordo_cli.domain.tokens import FULL, Rights, TokenScope
from ordo_cli.services import orders
from ordo_cli.services.planning import PlaceRequest
from tests.fakes import buy
from tests.services.conftest import Add

TRADER = Rights(frozenset({TokenScope.TRADE}))
ALICE = (Target("alice"),)


def test_the_terminal_may_do_everything(desk: Desk) -> None:
    assert (desk.rights, desk.request_id) == (FULL, None)


async def test_an_order_carries_the_request_that_it_came_by(desk: Desk, add: Add) -> None:
    await add("alice")
    fan_out = await orders.place(desk.acting_as("token:t1", TRADER, "r-1"), PlaceRequest(buy(), ALICE))
    assert (fan_out.principal, fan_out.request_id) == ("token:t1", "r-1")
    assert (await desk.store.journal.fan_out(fan_out.id)).request_id == "r-1"
    told = await desk.store.audit.rows({"fan_out": fan_out.id})
    assert {(line.actor, line.ids["request"]) for line in told} == {("token:t1", "r-1")}


async def test_a_key_belongs_to_whoever_used_it(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    one, other = desk.acting_as("token:t1", TRADER), desk.acting_as("token:t2", TRADER)
    request = PlaceRequest(buy(), ALICE, key="the-same-key", allow_duplicate=True)
    first = await orders.place(one, request)
    assert (await orders.place(one, request)).id == first.id
    assert (await orders.place(other, request)).id != first.id
    assert alice.log.count("place") == 2
    with pytest.raises(KeyConflict):
        await orders.place(one, PlaceRequest(buy(11), ALICE, key="the-same-key"))


def test_everything_else_of_the_desk_is_shared(desk: Desk) -> None:
    other = desk.acting_as("token:t1", TRADER)
    assert other.stopping is desk.stopping
    assert other.lines is desk.lines
    assert other.store.database is desk.store.database
