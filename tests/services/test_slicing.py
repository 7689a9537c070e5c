"""Slicing: above the freeze quantity an account's order becomes several, each a leg with a tag of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordo_cli.desk import Desk
from ordo_cli.domain.accounts import Target
from ordo_cli.domain.errors import LimitExceeded
from ordo_cli.domain.fanouts import FanOut, Outcome
from ordo_cli.domain.instruments import Instrument, Kind
from ordo_cli.domain.legs import Block, Purpose, Submission
from ordo_cli.domain.limits import LimitBook, Limits
from ordo_cli.domain.orders import Changes
from ordo_cli.domain.slicing import MOST_SLICES, slices
from ordo_cli.domain.values import replace
from ordo_cli.services import fanouts, modifying, orders, reconcile
from ordo_cli.services.planning import PlaceRequest, share
from tests.fakes import INFY, ScriptedBroker, buy, lost_on_the_way, refusing, silent_after_accepting
from tests.services.conftest import Add, Opener

FREEZE = {"lot": 25, "freeze_quantity": 110}  # so that four lots are the most for one order
Frozen = Callable[..., Awaitable[ScriptedBroker]]


@pytest.fixture
def frozen(add: Add) -> Frozen:
    """Add an account whose broker takes no more than four lots of 25 in one order."""

    async def adder(name: str, **more: object) -> ScriptedBroker:
        line = await add(name)
        line.facts = FREEZE | more
        return line

    return adder


def asking(quantity: int, *targets: str, **more: object) -> PlaceRequest:
    words = tuple(map(Target, targets or ("alice",)))
    limit = more.pop("limit", "15")
    return PlaceRequest(buy(quantity, limit), words, **more)  # type: ignore[arg-type]


def quantities(fan_out: FanOut) -> list[int]:
    return [leg.quantity for leg in fan_out.legs]


@given(st.integers(1, 100_000), st.integers(1, 200), st.integers(1, 3_000))
def test_slices_are_whole_lots_at_most_the_freeze_quantity_and_together_the_whole(
    lots: int, lot: int, freeze: int
) -> None:
    found = slices(
        lots * lot, Instrument(INFY, "Infosys", Kind.EQUITY, Decimal("0.05"), lot=lot, freeze_quantity=freeze)
    )
    assert sum(found) == lots * lot
    assert all(each > 0 and each % lot == 0 for each in found)
    assert max(found) <= freeze or (freeze < lot and len(found) == 1)


async def test_a_quantity_above_the_freeze_becomes_legs_with_their_own_ids_and_tags(desk: Desk, frozen: Frozen) -> None:
    alice = await frozen("alice")
    fan_out = await orders.place(desk, asking(275))
    assert quantities(fan_out) == [100, 100, 75] == [row.quantity for row in alice.book]
    assert len({leg.id for leg in fan_out.legs}) == len({leg.tag for leg in fan_out.legs}) == 3
    assert [row.tag for row in alice.book] == [leg.tag for leg in fan_out.legs]
    assert [leg.submission for leg in fan_out.legs] == [Submission.ACKED] * 3


async def test_the_summary_counts_the_legs_and_is_computed_from_them(
    desk: Desk, frozen: Frozen, reopen: Opener
) -> None:
    alice = await frozen("alice")
    alice.script = [None, refusing()]
    fan_out = await orders.place(desk, asking(275))
    assert (fan_out.summary.legs, fan_out.summary.accepted, fan_out.summary.refused) == (3, 2, 1)
    assert fan_out.outcome is Outcome.PARTIAL
    async with reopen() as other:
        assert (await fanouts.show(other, fan_out.id)).summary == fan_out.summary


async def test_only_the_accounts_above_their_brokers_freeze_are_sliced(desk: Desk, frozen: Frozen, add: Add) -> None:
    await frozen("alice")
    request = PlaceRequest(buy(50, "15"), (Target("alice", 125), Target("bob")))
    bob = await frozen("bob")
    fan_out = await orders.place(desk, request)
    assert [(leg.account, leg.quantity) for leg in fan_out.legs] == [("alice", 100), ("alice", 25), ("bob", 50)]
    assert [row.quantity for row in bob.book] == [50]


async def test_a_quantity_at_the_freeze_stays_one_order(desk: Desk, frozen: Frozen) -> None:
    await frozen("alice", lot=1, freeze_quantity=100)
    assert quantities(await orders.place(desk, asking(100))) == [100]


async def test_the_value_of_an_order_is_judged_on_the_whole_quantity(desk: Desk, frozen: Frozen) -> None:
    alice = await frozen("alice")
    limits(desk, value_order_max=Decimal(4_000))  # each slice of 1,500 would pass
    assert await refusal(desk, asking(275)) == "VALUE_ORDER_MAX"
    assert alice.book == []


async def test_the_value_of_the_day_is_judged_on_the_whole_quantity(desk: Desk, frozen: Frozen) -> None:
    alice = await frozen("alice")
    limits(desk, day_value_max=Decimal(4_000))
    assert await refusal(desk, asking(275)) == "DAY_VALUE_MAX"
    assert alice.book == []


async def test_each_slice_counts_in_the_day_for_what_it_is_worth_itself(desk: Desk, frozen: Frozen) -> None:
    await frozen("alice")
    await orders.place(desk, asking(275))
    (use,) = (await desk.store.journal.day_uses(desk.clock.now().date())).values()
    assert (use.orders, use.value) == (3, Decimal(275 * 15))


@pytest.mark.parametrize("limit", ["day_orders_max", "open_orders_max"])
async def test_limits_on_orders_count_every_slice(desk: Desk, frozen: Frozen, limit: str) -> None:
    alice = await frozen("alice")
    limits(desk, None, **{limit: 2})
    assert await refusal(desk, asking(275)) == limit.upper()
    assert alice.book == []
    limits(desk, None, **{limit: 3})
    assert len((await orders.place(desk, asking(275))).legs) == 3


async def test_slices_are_no_near_duplicates_of_each_other(desk: Desk, frozen: Frozen) -> None:
    alice = await frozen("alice")
    fan_out = await orders.place(desk, asking(200))
    assert quantities(fan_out) == [100, 100]
    assert fan_out.outcome is Outcome.SUCCESS
    assert len(alice.book) == 2


async def test_the_same_sliced_order_again_is_a_near_duplicate_as_a_whole(desk: Desk, frozen: Frozen) -> None:
    alice = await frozen("alice")
    await orders.place(desk, asking(225))
    again = await orders.place(desk, asking(225))
    assert {leg.problem.code for leg in again.legs if leg.problem} == {Block.DUPLICATE}
    assert again.outcome is Outcome.BLOCKED
    assert len(alice.book) == 3


async def test_no_half_of_a_sliced_order_goes_when_one_slice_looks_like_a_duplicate(desk: Desk, frozen: Frozen) -> None:
    alice = await frozen("alice")
    await orders.place(desk, asking(100))
    fan_out = await orders.place(desk, asking(125))
    assert fan_out.outcome is Outcome.BLOCKED
    assert [row.quantity for row in alice.book] == [100]
    meant = await orders.place(desk, replace(asking(125), allow_duplicate=True))
    assert quantities(meant) == [100, 25]


async def test_an_unknown_slice_keeps_no_sibling_back_and_then_every_new_order(desk: Desk, frozen: Frozen) -> None:
    alice = await frozen("alice")
    alice.script = [lost_on_the_way]
    fan_out = await orders.place(desk, asking(275))
    assert [leg.submission for leg in fan_out.legs] == [Submission.UNKNOWN, Submission.ACKED, Submission.ACKED]
    assert fan_out.outcome is Outcome.UNKNOWN
    later = await orders.place(desk, asking(50, limit="16"))
    assert [leg.problem.code for leg in later.legs if leg.problem] == ["UNKNOWN_PENDING"]


async def test_a_silent_slice_is_found_by_its_own_tag_and_never_sent_twice(desk: Desk, frozen: Frozen) -> None:
    alice = await frozen("alice")
    alice.script = [None, silent_after_accepting]
    fan_out = await orders.place(desk, asking(275))
    await reconcile.reconcile(desk, fan_out_id=fan_out.id)
    after = await desk.store.journal.fan_out(fan_out.id)
    assert [leg.submission for leg in after.legs] == [Submission.ACKED] * 3
    assert [row.quantity for row in alice.book] == [100, 100, 75]


async def test_the_same_key_replays_every_slice_and_sends_none(desk: Desk, frozen: Frozen) -> None:
    alice = await frozen("alice")
    first = await orders.place(desk, asking(275, key="a-key-of-mine"))
    again = await orders.place(desk, asking(275, key="a-key-of-mine"))
    assert (again.replayed, [leg.id for leg in again.legs]) == (True, [leg.id for leg in first.legs])
    assert len(alice.book) == 3


async def test_what_speaks_against_the_account_blocks_every_slice(desk: Desk, frozen: Frozen) -> None:
    alice = await frozen("alice")
    bob = await frozen("bob")
    limits(desk, accounts={"alice": {"value_order_max": Decimal(1_000)}})
    fan_out = await orders.place(desk, PlaceRequest(buy(275, "15"), (Target("alice"), Target("bob", 50))))
    assert [(leg.account, leg.submission) for leg in fan_out.legs] == [
        ("alice", Submission.BLOCKED),
        ("alice", Submission.BLOCKED),
        ("alice", Submission.BLOCKED),
        ("bob", Submission.ACKED),
    ]
    assert (alice.book, len(bob.book)) == ([], 1)


async def test_a_disclosed_quantity_is_never_more_than_its_slice(desk: Desk, frozen: Frozen) -> None:
    await frozen("alice")
    plan = await orders.preview(desk, asking(275))
    assert plan.proposals[0].slices == (100, 100, 75)
    whole = buy(275, "15", disclosed=80)
    assert [share(whole, each).disclosed for each in plan.proposals[0].slices] == [80, 80, 75]


async def test_more_slices_than_the_rates_let_out_are_refused(desk: Desk, frozen: Frozen) -> None:
    await frozen("alice")
    limits(desk, value_order_max=None, day_value_max=None, open_orders_max=None)
    assert await refusal(desk, asking(100 * MOST_SLICES + 25, limit="1")) == "QTY_FREEZE"
    assert len((await orders.place(desk, asking(100 * MOST_SLICES, limit="1"))).legs) == MOST_SLICES


async def test_a_freeze_below_one_lot_is_refused_and_not_sliced(desk: Desk, frozen: Frozen) -> None:
    await frozen("alice", freeze_quantity=20)
    assert await refusal(desk, asking(50)) == "QTY_FREEZE"


async def test_an_order_that_is_out_is_not_changed_beyond_the_freeze(desk: Desk, frozen: Frozen) -> None:
    alice = await frozen("alice")
    (leg,) = (await orders.place(desk, asking(100))).legs
    with pytest.raises(LimitExceeded) as caught:
        await modifying.modify(desk, leg.id, Changes(quantity=125))
    assert caught.value.reason == "QTY_FREEZE"
    assert [row.quantity for row in alice.book] == [100]
    assert leg.purpose is Purpose.ENTRY


async def refusal(desk: Desk, request: PlaceRequest) -> str:
    with pytest.raises(LimitExceeded) as caught:
        await orders.place(desk, request)
    return caught.value.reason


def limits(desk: Desk, accounts: dict[str, dict[str, object]] | None = None, **changed: object) -> None:
    """Other limits on this desk from here on."""
    everyone = replace(Limits(collar_pct=None), **changed)  # type: ignore[arg-type]
    object.__setattr__(desk, "config", replace(desk.config, limits=LimitBook(everyone, accounts=accounts or {})))
