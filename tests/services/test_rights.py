"""Rights: what a token does not cover is refused whole, what it may not see is not there, and the safe side is open."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ordo_cli.desk import Desk
from ordo_cli.domain.accounts import AccountId, parse_target
from ordo_cli.domain.batch import Row
from ordo_cli.domain.errors import Invalid, LimitExceeded, NotAllowed, NotFound, OrdoError
from ordo_cli.domain.kill import GLOBAL, Level, Scope, ScopeKind
from ordo_cli.domain.legs import LegId, Submission
from ordo_cli.domain.orders import BrokerOrderId, Changes, OrderIntent, OrderState, Product
from ordo_cli.domain.portfolio import Position
from ordo_cli.domain.tokens import Rights, TokenScope
from ordo_cli.services import (
    accounts,
    audit,
    batch,
    cancelling,
    fanouts,
    instruments,
    kill,
    legs,
    modifying,
    orders,
    portfolio,
    positions,
    reconcile,
    status,
)
from ordo_cli.services.planning import OnPartial, PlaceRequest
from tests.backends import Backend
from tests.fakes import INFY, FakeClock, ScriptedBroker, buy, refusing, silent_after_accepting
from tests.services.conftest import Add, Opener

READ, TRADE, CANCEL, ENGAGE, RELEASE, ADMIN = TokenScope
BOB = Scope(ScopeKind.ACCOUNT, "bob")
FAMILY = Scope(ScopeKind.GROUP, "family")


def holding(desk: Desk, *scopes: TokenScope, only: str | None = None, most: str | None = None) -> Desk:
    """The desk with a token's holder at it."""
    named = None if only is None else tuple(parse_target(word) for word in only.split())
    rights = Rights(frozenset(scopes), named, None if most is None else Decimal(most))
    return desk.acting_as("token:t1", rights, "r-1")


def asked(*targets: str, intent: OrderIntent | None = None, **more: Any) -> PlaceRequest:
    return PlaceRequest(intent or buy(), tuple(parse_target(word) for word in targets), **more)


def held(quantity: int) -> Position:
    return Position(INFY, Product.CNC, quantity, Decimal(1500), Decimal(1500), Decimal(0), Decimal(0))


@pytest.fixture
async def two(add: Add) -> tuple[ScriptedBroker, ScriptedBroker]:
    """Alice and bob, who are a family."""
    return await add("alice", "family"), await add("bob", "family")


Two = tuple[ScriptedBroker, ScriptedBroker]
Act = Callable[[Desk, LegId], Awaitable[object]]

DEEDS: dict[str, tuple[Act, set[TokenScope]]] = {
    "place": (lambda desk, leg: orders.place(desk, asked("alice")), {TRADE}),
    "preview": (lambda desk, leg: orders.preview(desk, asked("alice")), {TRADE}),
    "batch": (lambda desk, leg: batch.judge(desk, [], []), {TRADE}),
    "run": (lambda desk, leg: batch.run(desk, [], "b"), {TRADE}),
    "modify": (lambda desk, leg: modifying.modify(desk, leg, Changes(quantity=5)), {TRADE}),
    "close": (lambda desk, leg: positions.close(desk, [parse_target("alice")]), {TRADE}),
    "cancel": (lambda desk, leg: cancelling.cancel_leg(desk, leg), {TRADE, CANCEL}),
    "cancel all": (lambda desk, leg: cancelling.cancel_all(desk, [parse_target("alice")]), {TRADE, CANCEL}),
    "cancel fan-out": (lambda desk, leg: cancelling.cancel_fan_out(desk, leg.split("-")[0]), {TRADE, CANCEL}),
    "reconcile": (lambda desk, leg: reconcile.reconcile(desk), {READ, TRADE, CANCEL}),
    "engage": (lambda desk, leg: kill.engage(desk, GLOBAL), {ENGAGE}),
    "sweep": (lambda desk, leg: kill.sweep(desk, GLOBAL, Level.CANCEL), {ENGAGE}),
    "release": (lambda desk, leg: kill.release(desk, GLOBAL, "over"), {RELEASE}),
    "kill status": (lambda desk, leg: kill.state(desk), {READ, ENGAGE, RELEASE}),
    "positions": (lambda desk, leg: portfolio.positions(desk), {READ}),
    "orders": (lambda desk, leg: portfolio.orders(desk), {READ}),
    "fan-outs": (lambda desk, leg: fanouts.recent(desk), {READ}),
    "fan-out": (lambda desk, leg: fanouts.show(desk, leg.split("-")[0]), {READ}),
    "leg": (lambda desk, leg: fanouts.leg(desk, leg), {READ}),
    "accounts": (lambda desk, leg: accounts.everyone(desk), {READ}),
    "account": (lambda desk, leg: accounts.describe(desk, "alice"), {READ}),
    "status": (lambda desk, leg: status.status(desk), {READ}),
    "quotes": (lambda desk, leg: instruments.quotes(desk, [INFY], "alice"), {READ, TRADE}),
    "dossier": (lambda desk, leg: legs.dossier(desk, leg), {READ}),
    "resolve": (lambda desk, leg: legs.resolve(desk, leg, reason="seen"), set()),
    "audit": (lambda desk, leg: audit.rows(desk), set()),
    "verify": (lambda desk, leg: audit.verify(desk), set()),
    "disable": (lambda desk, leg: accounts.enable(desk, "alice", False), set()),
    "setting": (lambda desk, leg: accounts.set_value(desk, "limits.value_order_max", "5"), set()),
}


@pytest.mark.parametrize("deed", DEEDS)
async def test_a_deed_takes_its_scope_and_no_other_will_do(desk: Desk, two: Two, deed: str) -> None:
    placed = await orders.place(desk, asked("alice"))
    act, scopes = DEEDS[deed]
    for scope in TokenScope:
        if scope in scopes | {ADMIN}:
            continue
        with pytest.raises(NotAllowed):
            await act(holding(desk, scope), placed.legs[0].id)
    for scope in [*scopes, ADMIN]:
        try:
            await act(holding(desk, scope), placed.legs[0].id)
        except NotAllowed:
            pytest.fail(f"{scope} was refused")
        except OrdoError:
            pass  # it was let in, and something else spoke against it


@pytest.mark.parametrize("targets", [["bob"], ["all"], ["@family"], ["alice", "bob"]])
async def test_a_request_that_names_an_account_outside_is_refused_whole(
    desk: Desk, two: Two, targets: list[str]
) -> None:
    other = holding(desk, TRADE, only="alice")
    for attempt in (
        lambda: orders.place(other, asked(*targets)),
        lambda: orders.preview(other, asked(*targets)),
        lambda: positions.close(other, [parse_target(word) for word in targets]),
        lambda: cancelling.cancel_all(other, [parse_target(word) for word in targets]),
    ):
        with pytest.raises(NotAllowed, match="not for bob; nothing was done"):
            await attempt()
    assert all("place" not in line.log for line in two)
    assert await desk.store.journal.fan_outs() == []


async def test_a_token_for_a_group_is_for_whoever_is_in_it_now(desk: Desk, two: Two, add: Add) -> None:
    other = holding(desk, TRADE, only="@family")
    await orders.place(other, asked("@family"))
    await accounts.edit(desk, "bob", accounts.Wishes(groups=()), {})
    with pytest.raises(NotAllowed, match="not for bob"):
        await orders.place(other, asked("all", allow_duplicate=True))


async def test_a_row_of_a_file_for_an_account_outside_is_a_fault_and_is_not_sent(desk: Desk, two: Two) -> None:
    other = holding(desk, TRADE, only="alice")
    rows = [Row(2, buy(), (parse_target("bob"),)), Row(3, buy(), (parse_target("alice"),))]
    judged = await batch.judge(other, rows, [])
    assert [(fault.line, "not for bob" in fault.message) for fault in judged.faults] == [(2, True)]
    report = await batch.run(other, rows, "b1")
    assert [result.problem.code if result.problem else None for result in report.results] == ["not_allowed", None]
    assert "place" not in two[1].log


@pytest.mark.parametrize(
    ("intent", "fits"),
    [
        (buy(10, "1500"), True),
        (buy(11, "1500"), False),
        (buy(10, "1500.05"), False),
        (buy(9, None), True),  # 9 x 1500 x 1.05 = 14175 each
        (buy(10, None), False),  # market: 10 x 1500 x 1.05 = 15750 each
    ],
)
async def test_a_fan_out_worth_more_than_the_token_may_send_is_refused(
    desk: Desk, two: Two, intent: OrderIntent, fits: bool
) -> None:
    other = holding(desk, TRADE, most="30000")
    if fits:
        assert len((await orders.place(other, asked("all", intent=intent))).legs) == 2
        return
    with pytest.raises(LimitExceeded, match="in one fan-out") as refusal:
        await orders.place(other, asked("all", intent=intent))
    assert refusal.value.reason == "TOKEN_VALUE_MAX"
    assert all("place" not in line.log for line in two)
    told = (await desk.store.audit.rows({"type": "risk"}))[-1]
    assert (told.actor, told.data["code"], told.ids) == ("token:t1", "TOKEN_VALUE_MAX", {"request": "r-1"})


async def test_the_cap_is_on_all_legs_together_and_on_each_fan_out_alone(desk: Desk, two: Two) -> None:
    other = holding(desk, TRADE, most="15000")
    await orders.place(other, asked("alice"))
    await orders.place(other, asked("bob"))
    with pytest.raises(LimitExceeded, match=r"worth ₹30000.00; this token may send up to ₹15000.00"):
        await orders.place(other, asked("alice", "bob", allow_duplicate=True))


async def test_a_change_cannot_lift_a_fan_out_over_the_cap(desk: Desk, two: Two) -> None:
    other = holding(desk, TRADE, most="30000")
    leg = (await orders.place(other, asked("all"))).legs[0]
    with pytest.raises(LimitExceeded, match=r"worth ₹31500.00") as refusal:
        await modifying.modify(other, leg.id, Changes(quantity=11))
    assert refusal.value.reason == "TOKEN_VALUE_MAX"
    assert (await modifying.modify(other, leg.id, Changes(quantity=9))).quantity == 9
    await modifying.modify(desk, leg.id, Changes(quantity=11))


async def test_a_leg_whose_worth_nobody_knows_is_beyond_any_cap() -> None:
    capped = Rights(frozenset({TRADE}), max_value=Decimal(100))
    problem = capped.beyond([Decimal(1), None])
    assert problem is not None
    assert problem.code == "TOKEN_VALUE_MAX"
    assert capped.beyond([Decimal(100)]) is None
    assert Rights(frozenset({TRADE})).beyond([None]) is None


async def test_closing_what_is_held_takes_the_scope_and_the_account_and_no_cap(desk: Desk, two: Two) -> None:
    alice, bob = two
    alice.fill = bob.fill = True
    alice.position_rows, bob.position_rows = [held(10)], [held(10)]
    other = holding(desk, TRADE, only="alice", most="1")

    async def gone() -> None:
        alice.position_rows = []

    alice.before_placing = gone
    report = await positions.close(other, [parse_target("alice")])
    assert [each.account for each in report.accounts] == ["alice"]
    assert [each.quantity for each in report.accounts[0].closed] == [10]
    with pytest.raises(NotAllowed, match="not for bob"):
        await positions.close(other)
    assert "place" not in bob.log


async def test_what_was_placed_in_part_is_taken_back_by_the_same_token(desk: Desk, two: Two) -> None:
    two[1].script = [refusing()]
    fan_out = await orders.place(holding(desk, TRADE), asked("all", on_partial=OnPartial.CANCEL_REST))
    assert [leg.working for leg in fan_out.legs] == [OrderState.CANCELLED, None]


async def test_a_cancel_needs_the_account_and_no_right_to_trade(desk: Desk, two: Two) -> None:
    fan_out = await orders.place(desk, asked("all"))
    mine, theirs = fan_out.legs
    other = holding(desk, CANCEL, only="alice")
    for attempt in (
        lambda: cancelling.cancel_leg(other, theirs.id),
        lambda: cancelling.cancel_fan_out(other, fan_out.id),
        lambda: cancelling.cancel_each(other, [theirs.id], None, announced),
        lambda: cancelling.cancel_each(other, ["99"], "bob", announced),
        lambda: modifying.modify(holding(desk, TRADE, only="alice"), theirs.id, Changes(quantity=5)),
    ):
        with pytest.raises((NotFound, NotAllowed)):
            await attempt()
    bob = await desk.store.accounts.get(AccountId("bob"))
    with pytest.raises(NotAllowed):
        await cancelling.cancel_order(other, bob, BrokerOrderId("99"))
    assert "cancel" not in two[1].log
    assert (await cancelling.cancel_leg(other, mine.id)).done


async def announced(names: list[AccountId]) -> None:
    """Nobody listens."""


async def test_a_fan_out_with_a_leg_outside_is_not_there(desk: Desk, two: Two) -> None:
    mixed = await orders.place(desk, asked("all"))
    own = await orders.place(desk, asked("alice", allow_duplicate=True))
    other = holding(desk, READ, only="alice")
    assert [each.id for each in await fanouts.recent(other)] == [own.id]
    assert (await fanouts.show(other, own.id)).id == own.id
    with pytest.raises(NotFound, match="there is no fan-out"):
        await fanouts.show(other, mixed.id)
    with pytest.raises(NotFound, match="there is no fan-out"):
        await reconcile.reconcile(other, fan_out_id=mixed.id)
    with pytest.raises(NotFound):
        await anext(fanouts.watch(other, mixed.id))
    with pytest.raises(NotFound, match="there is no leg"):
        await fanouts.leg(other, mixed.legs[1].id)
    seen, leg = await fanouts.leg(other, mixed.legs[0].id)
    assert [each.account for each in seen.legs] == [leg.account] == ["alice"]


async def test_other_peoples_ids_are_not_listed_for_a_beginning(desk: Desk, two: Two) -> None:
    ids = [(await orders.place(desk, asked("bob", allow_duplicate=True))).id for _ in range(40)]
    beginning = next(id[0] for id in ids if sum(other[0] == id[0] for other in ids) > 1)
    for ask in (fanouts.show, fanouts.leg):
        with pytest.raises(Invalid, match=f"begin with '{beginning}'$") as refusal:
            await ask(holding(desk, READ, only="alice"), beginning)
        assert not any(id in f"{refusal.value.message} {refusal.value.hint}" for id in ids)


async def test_among_many_of_others_ones_own_fan_outs_are_found(desk: Desk, two: Two, clock: FakeClock) -> None:
    own = (await orders.place(desk, asked("alice"))).id
    for _ in range(9):
        clock.pass_(1)
        await orders.place(desk, asked("bob", allow_duplicate=True))
    assert [each.id for each in await fanouts.recent(holding(desk, READ, only="alice"), 2)] == [own]
    assert [each.legs[0].account for each in await fanouts.recent(holding(desk, READ, only="bob"), 3)] == ["bob"] * 3


async def test_reads_show_the_accounts_of_the_token_and_refuse_another_that_is_named(desk: Desk, two: Two) -> None:
    two[0].position_rows, two[1].position_rows = [held(5)], [held(7)]
    other = holding(desk, READ, only="alice")
    for word in ("all", "@family", "alice"):
        found = await portfolio.positions(other, [parse_target(word)])
        assert (found.accounts, [each.row.quantity for each in found.rows]) == (("alice",), [5])
    for words in ("bob", "all bob"):
        with pytest.raises(NotAllowed, match="not for bob"):
            await portfolio.positions(other, [parse_target(word) for word in words.split()])
    with pytest.raises(NotAllowed, match="alice, bob"):
        await portfolio.funds(holding(desk, READ, only="@other"))
    assert [account.id for account, _ in await accounts.everyone(other)] == ["alice"]
    with pytest.raises(NotAllowed):
        await accounts.describe(other, "bob")


async def test_status_tells_of_the_accounts_of_the_token_only(desk: Desk, two: Two) -> None:
    two[1].script = [silent_after_accepting]
    await orders.place(desk, asked("bob"))
    await kill.engage(desk, BOB)
    mine = await status.status(holding(desk, READ, only="alice"))
    theirs = await status.status(holding(desk, READ, only="bob"))
    assert ([each.account for each in mine.accounts], mine.doubts) == (["alice"], ())
    assert ([each.account for each in theirs.accounts], len(theirs.doubts)) == (["bob"], 1)
    assert BOB not in [each.scope for each in mine.kill.scopes]
    assert (mine.kill.engaged, theirs.kill.engaged) == (False, True)


async def test_reconciling_reads_the_books_of_the_token_only(desk: Desk, two: Two) -> None:
    for line in two:
        line.script = [silent_after_accepting]
    await orders.place(desk, asked("alice"))
    await orders.place(desk, asked("bob"))
    for line in two:
        line.log.clear()
    other = holding(desk, READ, only="alice")
    found = await reconcile.reconcile(other)
    assert [leg.account for leg in found.moved] == ["alice"]
    assert two[1].log == []
    with pytest.raises(NotAllowed, match="not for bob"):
        await reconcile.reconcile(other, accounts=[AccountId("bob")])


async def test_a_price_is_asked_of_an_account_of_the_token(desk: Desk, two: Two) -> None:
    other = holding(desk, READ, only="bob")
    assert INFY in await instruments.quotes(other, [INFY])
    with pytest.raises(NotAllowed, match="not for alice"):
        await instruments.quotes(other, [INFY], "alice")
    with pytest.raises(NotFound):
        await instruments.quotes(holding(desk, READ, only="@other"), [INFY])


@pytest.mark.parametrize("scope", [GLOBAL, BOB, FAMILY])
async def test_a_press_is_never_refused_for_whose_accounts_it_stops(desk: Desk, two: Two, scope: Scope) -> None:
    other = holding(desk, ENGAGE, only="alice", most="1")
    assert (await kill.engage(other, scope, Level.BLOCK, "enough")).recorded
    row = await desk.store.switches.get(scope)
    assert (row.engaged, row.actor, row.reason) == (True, "token:t1", "enough")
    told = (await desk.store.audit.rows({"type": "kill"}))[-1]
    assert (told.actor, told.ids) == ("token:t1", {"request": "r-1"})
    with pytest.raises(OrdoError):
        await orders.place(desk, asked("bob"))


async def test_what_a_press_cleans_up_needs_no_further_right(desk: Desk, two: Two) -> None:
    fan_out = await orders.place(desk, asked("all"))
    other = holding(desk, ENGAGE, only="alice")
    await kill.engage(other, GLOBAL, Level.CANCEL)
    report = await kill.sweep(other, GLOBAL, Level.CANCEL)
    assert [each.problems for each in report.accounts] == [(), ()]
    after = await desk.store.journal.fan_out(fan_out.id)
    assert [leg.working for leg in after.legs] == [OrderState.CANCELLED, OrderState.CANCELLED]


async def test_who_pressed_is_told_even_if_it_is_written_down_later(
    desk: Desk, two: Two, reopen: Opener, backend: Backend
) -> None:
    async with backend.held(Path(desk.home.database)):
        outcome = await kill.engage(holding(desk, ENGAGE), GLOBAL, Level.BLOCK, "enough")
    assert (outcome.engaged, outcome.recorded) == (True, False)
    async with reopen() as later:
        await fanouts.recent(later)
        row = await later.store.switches.get(GLOBAL)
    assert row.engaged
    assert (row.reason or "").startswith("enough by token:t1 (pressed at")


async def test_a_release_must_not_let_an_account_outside_send(desk: Desk, two: Two) -> None:
    await kill.engage(desk, GLOBAL)
    await kill.engage(desk, FAMILY)
    await kill.engage(desk, BOB)
    other = holding(desk, RELEASE, only="alice")
    for scope in (GLOBAL, FAMILY, BOB, Scope(ScopeKind.BROKER, "acme"), Scope(ScopeKind.BROKER, "none")):
        with pytest.raises(NotAllowed):
            await kill.release(other, scope, "over")
    for scope in (GLOBAL, FAMILY):
        assert not (await kill.release(holding(desk, RELEASE, only="@family"), scope, "over")).engaged
    assert (await desk.store.switches.get(BOB)).engaged
    assert not (await kill.release(holding(desk, RELEASE, only="bob"), BOB, "over")).engaged


async def test_a_leg_of_an_account_that_is_gone_is_seen_by_its_name_only(desk: Desk, two: Two) -> None:
    two[0].fill = True
    fan_out = await orders.place(desk, asked("alice"))
    assert fan_out.legs[0].submission is Submission.ACKED
    await accounts.remove(desk, "alice")
    assert [each.id for each in await fanouts.recent(holding(desk, READ, only="alice"))] == [fan_out.id]
    assert await fanouts.recent(holding(desk, READ, only="@family")) == []
