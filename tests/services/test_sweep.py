"""The sweep: drain, cancel, look, re-read, close, look; it believes the books and never turns a position around."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ordo_cli.brokers.base import Permit
from ordo_cli.desk import Desk
from ordo_cli.domain.accounts import Target
from ordo_cli.domain.errors import NoAnswer, SecretsUnavailable, SessionExpired, Unreachable
from ordo_cli.domain.kill import GLOBAL, Level, Scope, ScopeKind
from ordo_cli.domain.orders import BrokerOrderId, OrderIntent, OrderReport, OrderState, OrderType, Product, Side, Tag
from ordo_cli.domain.portfolio import Position
from ordo_cli.services import accounts, kill, orders, positions
from ordo_cli.services.planning import PlaceRequest
from ordo_cli.services.sweep import AccountSweep, SweepReport
from tests.backends import Backend
from tests.fakes import INFY, MONDAY_NOON, FakeClock, ScriptedBroker, buy, sell, silent_after_accepting
from tests.services.conftest import Add, Opener

ALICE = Scope(ScopeKind.ACCOUNT, "alice")


class Died(BaseException):
    """The process that was sending went away in this moment."""


def held(quantity: int, product: Product = Product.CNC) -> Position:
    return Position(INFY, product, quantity, Decimal(1500), Decimal(1500), Decimal(0), Decimal(0))


def row(number: str, side: Side = Side.BUY, quantity: int = 10, **more: object) -> OrderReport:
    """An order in the book that ordo did not place, unless a tag says otherwise."""
    fields: dict[str, object] = {
        "order_id": BrokerOrderId(number),
        "state": OrderState.OPEN,
        "instrument": INFY,
        "side": side,
        "quantity": quantity,
        "type": OrderType.LIMIT,
        "product": Product.CNC,
        "validity": buy().validity,
        "limit_price": Decimal(1500),
        "placed_at": MONDAY_NOON,
    }
    return OrderReport(**(fields | more))  # type: ignore[arg-type]


def stop(number: str, side: Side = Side.SELL, quantity: int = 10, **more: object) -> OrderReport:
    return row(number, side, quantity, type=OrderType.SL_M, limit_price=None, trigger_price=Decimal(1400), **more)


Fill = Callable[[int], int]


def filling(how_much: Fill = lambda asked: asked) -> Callable[[ScriptedBroker, OrderIntent, Tag, Permit], OrderReport]:
    """Orders fill as far as this says, and the position follows."""

    def trouble(broker: ScriptedBroker, intent: OrderIntent, tag: Tag, permit: Permit) -> OrderReport:
        report = broker.receive(intent, tag, permit)
        return fill(broker, report.order_id, how_much(intent.quantity))

    return trouble


def fill(broker: ScriptedBroker, order_id: BrokerOrderId, quantity: int) -> OrderReport:
    report = broker.row(order_id)
    state = OrderState.FILLED if quantity == report.quantity else OrderState.PARTIAL if quantity else OrderState.OPEN
    before = sum(position.quantity for position in broker.position_rows)
    broker.position_rows = [held(before + report.side.sign * quantity)]
    return broker.put(replace(report, state=state, filled_quantity=quantity, average_price=Decimal(1500)))


async def place(desk: Desk, intent: OrderIntent, *names: str) -> None:
    await orders.place(desk, PlaceRequest(intent, tuple(Target(name) for name in names), confirmed=True))


async def swept(desk: Desk, scope: Scope, level: Level, **more: Any) -> SweepReport:
    await kill.engage(desk, scope, level)
    return await kill.sweep(desk, scope, level, **more)


def of(report: SweepReport, account: str = "alice") -> AccountSweep:
    return next(each for each in report.accounts if each.account == account)


def sells(broker: ScriptedBroker) -> list[int]:
    return [each.quantity for each in broker.book if each.side is Side.SELL]


# What goes wrong.


async def test_positions_that_cannot_be_read_are_never_called_flat(
    desk: Desk, add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = await add("alice")

    async def unreadable() -> list[Position]:
        raise NoAnswer("no answer within 15 s")

    monkeypatch.setattr(broker, "positions", unreadable)
    report = await swept(desk, GLOBAL, Level.FLATTEN)
    assert not report.clean
    assert "nobody knows whether it is flat" in of(report).left[0]
    assert of(report).problems[0].code == "no_answer"
    assert broker.log.count("place") == 0


async def test_a_book_that_cannot_be_read_is_named_and_the_other_accounts_go_on(desk: Desk, add: Add) -> None:
    alice, bob = await add("alice"), await add("bob")
    await place(desk, buy(), "alice", "bob")
    alice.unreadable = SessionExpired("log in to alice first")
    report = await swept(desk, GLOBAL, Level.CANCEL)
    assert not of(report).clean
    assert "log in to alice first" in of(report).problems[-1].message
    assert of(report, "bob").clean
    assert [each.state for each in bob.book] == [OrderState.CANCELLED]


async def test_a_bug_in_one_account_is_that_accounts_own(desk: Desk, add: Add, monkeypatch: pytest.MonkeyPatch) -> None:
    broker, _ = await add("alice"), await add("bob")

    async def broken() -> list[OrderReport]:
        raise ZeroDivisionError

    monkeypatch.setattr(broker, "orders", broken)
    report = await swept(desk, GLOBAL, Level.CANCEL)
    assert of(report).problems[0].message == "not finished: ZeroDivisionError"
    assert not of(report).clean
    assert of(report, "bob").clean


async def test_a_cancel_that_is_never_taken_is_left_and_said(desk: Desk, add: Add) -> None:
    broker = await add("alice")
    await place(desk, buy(), "alice")
    broker.cancel_trouble = [Unreachable("connection refused")] * 100
    report = await swept(desk, GLOBAL, Level.CANCEL)
    assert not report.clean
    assert of(report).cancelled == ()
    assert of(report).left == (f"order {broker.book[0].order_id} is open",)


async def test_a_close_that_never_fills_is_taken_back_each_round_and_the_account_is_not_called_flat(
    desk: Desk, add: Add
) -> None:
    broker = await add("alice")
    broker.position_rows = [held(10)]
    broker.script = [filling(lambda asked: 0)] * 20
    report = await swept(desk, GLOBAL, Level.FLATTEN)
    assert not report.clean
    assert of(report).left == ("10 NSE:INFY cnc",)
    assert sells(broker) == [10] * 5
    assert {each.state for each in broker.book} == {OrderState.CANCELLED}


async def test_a_close_of_which_nobody_knows_is_not_sent_a_second_time(desk: Desk, add: Add) -> None:
    broker = await add("alice")
    broker.position_rows = [held(10)]

    def silent(broker: ScriptedBroker, intent: OrderIntent, tag: Tag, permit: Permit) -> None:
        broker.hidden.add(BrokerOrderId(f"alice-{len(broker.book) + 1}"))
        silent_after_accepting(broker, intent, tag, permit)

    broker.script = [silent]
    report = await swept(desk, GLOBAL, Level.FLATTEN)
    assert sells(broker) == [10]
    assert not report.clean
    assert any("may still become an order" in text for text in of(report).left)


async def test_a_close_that_is_refused_is_named(desk: Desk, add: Add) -> None:
    from tests.fakes import refusing

    broker = await add("alice")
    broker.position_rows = [held(10)]
    broker.script = [refusing("MARGIN")] * 10
    report = await swept(desk, GLOBAL, Level.FLATTEN)
    assert of(report).problems[0].code == "MARGIN"
    assert of(report).left == ("10 NSE:INFY cnc",)


async def test_a_leg_that_stays_on_the_wire_is_waited_for_and_then_named(
    desk: Desk, add: Add, reopen: Opener, clock: FakeClock
) -> None:
    await add("alice")

    def stuck(label: str) -> None:
        if label == "claimed":
            raise Died

    async with reopen(failpoint=stuck) as other:
        with contextlib.suppress(Died):
            await place(other, buy(), "alice")
        begun = clock.elapsed()
        report = await swept(desk, GLOBAL, Level.CANCEL)
        assert clock.elapsed() - begun >= 5
    assert not report.clean
    assert "is sending" in of(report).left[0]


async def test_a_journal_that_cannot_be_written_does_not_stop_a_cancel(desk: Desk, add: Add, backend: Backend) -> None:
    broker = await add("alice")
    await place(desk, buy(), "alice")
    broker.cancel_trouble = [Unreachable("connection refused")]
    await kill.engage(desk, GLOBAL, Level.CANCEL)
    with backend.unwritable(Path(desk.home.database)):
        report = await kill.sweep(desk, GLOBAL, Level.CANCEL)
    assert [each.state for each in broker.book] == [OrderState.CANCELLED]
    said = [problem.message for problem in of(report).problems]
    assert any("could not be written down" in message for message in said)
    assert any("connection refused" in message for message in said)


async def test_an_order_whose_line_is_down_is_named_and_left(
    desk: Desk, add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = await add("alice")
    await place(desk, buy(), "alice")

    async def logged_out(order_id: BrokerOrderId) -> OrderReport:
        raise SecretsUnavailable("the vault is locked")

    monkeypatch.setattr(broker, "cancel", logged_out)
    report = await swept(desk, GLOBAL, Level.CANCEL)
    assert "the vault is locked" in of(report).problems[0].message
    assert not report.clean


async def test_a_close_that_cannot_even_be_planned_is_named(desk: Desk, add: Add, backend: Backend) -> None:
    broker = await add("alice")
    broker.position_rows = [held(10)]
    with backend.unwritable(Path(desk.home.database)):
        report = await kill.sweep(desk, GLOBAL, Level.FLATTEN)
    assert "NSE:INFY could not be closed" in of(report).problems[0].message
    assert of(report).left == ("10 NSE:INFY cnc",)
    assert broker.book == []


# What is spared.


async def test_a_stop_that_protects_a_position_stays_and_one_beyond_it_goes(desk: Desk, add: Add) -> None:
    broker = await add("alice")
    broker.position_rows = [held(10)]
    broker.book = [
        stop("protects"),
        stop("beyond"),
        stop("same side", Side.BUY),
        stop("other product", product=Product.MIS),
    ]
    report = await swept(desk, GLOBAL, Level.CANCEL, foreign=True)
    assert of(report).kept == ("protects",)
    assert of(report).cancelled == ("beyond", "same side", "other product")
    assert report.clean


async def test_a_stop_goes_when_that_is_asked_for(desk: Desk, add: Add) -> None:
    broker = await add("alice")
    broker.position_rows = [held(-10)]
    broker.book = [stop("protects", Side.BUY)]
    report = await swept(desk, GLOBAL, Level.CANCEL, foreign=True, include_protective=True)
    assert of(report).cancelled == ("protects",)


async def test_without_the_positions_no_stop_is_touched(desk: Desk, add: Add, monkeypatch: pytest.MonkeyPatch) -> None:
    broker = await add("alice")
    broker.book = [stop("stop"), row("entry")]

    async def unreadable() -> list[Position]:
        raise NoAnswer("no answer within 15 s")

    monkeypatch.setattr(broker, "positions", unreadable)
    report = await swept(desk, GLOBAL, Level.CANCEL, foreign=True)
    assert of(report).cancelled == ("entry",)
    assert of(report).kept == ("stop",)
    assert "the positions could not be read" in of(report).problems[0].message


async def test_orders_that_ordo_did_not_place_stay_unless_all_is_said(desk: Desk, add: Add) -> None:
    broker = await add("alice")
    await place(desk, buy(), "alice")
    broker.book.append(row("foreign"))
    report = await swept(desk, GLOBAL, Level.CANCEL)
    assert of(report).cancelled == ("alice-1",)
    assert of(report).kept == ("foreign",)
    report = await swept(desk, GLOBAL, Level.CANCEL, foreign=True)
    assert of(report).cancelled == ("foreign",)


async def test_stops_go_only_after_the_account_is_seen_flat(desk: Desk, add: Add) -> None:
    broker = await add("alice")
    broker.position_rows = [held(10)]
    broker.book = [stop("protects")]
    broker.script = [filling()]
    report = await swept(desk, GLOBAL, Level.FLATTEN, foreign=True)
    assert report.clean
    assert of(report).cancelled == ("protects",)
    steps = [step for step in broker.log if step in ("place", "cancel")]
    assert steps == ["place", "cancel"]


async def test_only_what_the_scope_covers_is_touched_disabled_accounts_included(desk: Desk, add: Add) -> None:
    alice, bob, carol = await add("alice", "family"), await add("bob", "family"), await add("carol")
    await place(desk, buy(), "alice", "bob", "carol")
    await accounts.enable(desk, "bob", False)
    report = await swept(desk, Scope(ScopeKind.GROUP, "family"), Level.CANCEL)
    assert [each.account for each in report.accounts] == ["alice", "bob"]
    assert {each.state for each in alice.book + bob.book} == {OrderState.CANCELLED}
    assert [each.state for each in carol.book] == [OrderState.OPEN]


async def test_to_block_alone_touches_no_order(desk: Desk, add: Add) -> None:
    broker = await add("alice")
    await place(desk, buy(), "alice")
    report = await swept(desk, GLOBAL, Level.BLOCK)
    assert report == SweepReport(())
    assert "cancel" not in broker.log


# How a position is closed.


async def test_a_close_is_sized_from_the_position_after_the_cancels(
    desk: Desk, add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = await add("alice")
    await place(desk, buy(10), "alice")
    cancel = broker.cancel

    async def cancel_too_late(order_id: BrokerOrderId) -> OrderReport:
        if broker.row(order_id).filled_quantity == 0:
            fill(broker, order_id, 4)  # the race: some of it traded before the cancel arrived
        return await cancel(order_id)

    monkeypatch.setattr(broker, "cancel", cancel_too_late)
    broker.script = [filling()]
    report = await swept(desk, GLOBAL, Level.FLATTEN)
    assert report.clean
    assert sells(broker) == [4]
    assert [(closed.quantity, str(closed.instrument)) for closed in of(report).closed] == [(4, "NSE:INFY")]


async def test_what_a_close_did_not_fill_is_closed_in_the_next_round_and_never_more(desk: Desk, add: Add) -> None:
    broker = await add("alice")
    broker.position_rows = [held(-10)]
    broker.script = [filling(lambda asked: 3), filling(lambda asked: 3), filling()]
    report = await swept(desk, GLOBAL, Level.FLATTEN)
    assert report.clean
    assert [each.quantity for each in broker.book] == [10, 7, 4]
    assert sum(each.filled_quantity for each in broker.book) == 10


async def test_an_exit_that_is_working_already_is_not_sent_again(desk: Desk, add: Add) -> None:
    broker = await add("alice")
    broker.position_rows = [held(10)]
    broker.book = [
        row("theirs", Side.SELL, 4),
        stop("half gone", quantity=3, state=OrderState.PARTIAL, filled_quantity=1),
    ]
    broker.script = [filling()]
    await swept(desk, GLOBAL, Level.FLATTEN)
    assert broker.book[2].quantity == 4  # 10, less 4 of theirs, less 2 of a stop that has begun to trade


async def test_a_position_above_the_freeze_quantity_is_closed_in_slices(desk: Desk, add: Add) -> None:
    broker = await add("alice")
    broker.last_price = Decimal(1)
    broker.position_rows = [held(250_000)]
    broker.script = [filling()] * 3
    report = await swept(desk, GLOBAL, Level.FLATTEN)
    assert sells(broker) == [100_000, 100_000, 50_000]
    assert report.clean


async def test_a_close_leaves_while_everything_is_killed(desk: Desk, add: Add) -> None:
    broker = await add("alice")
    broker.position_rows = [held(10)]
    broker.script = [filling()]
    report = await swept(desk, ALICE, Level.FLATTEN)
    assert report.clean
    assert (await kill.state(desk)).accounts[0].engaged


async def test_a_position_is_closed_without_the_switch(desk: Desk, add: Add) -> None:
    alice, bob = await add("alice"), await add("bob")
    for broker in (alice, bob):
        broker.position_rows = [held(10)]
        broker.script = [filling()]
    report = await positions.close(desk, [Target("alice")], INFY)
    assert [each.account for each in report.accounts] == ["alice"]
    assert report.clean
    assert bob.position_rows == [held(10)]
    assert not (await kill.state(desk)).engaged


async def test_only_the_named_instrument_is_closed(desk: Desk, add: Add) -> None:
    from ordo_cli.domain.instruments import parse_instrument

    broker = await add("alice")
    broker.position_rows = [held(10)]
    report = await positions.close(desk, [Target("alice")], parse_instrument("NSE:TCS"))
    assert report.clean
    assert broker.book == []


async def test_sells_are_cancelled_like_buys(desk: Desk, add: Add) -> None:
    broker = await add("alice")
    await place(desk, sell(5), "alice")
    await swept(desk, GLOBAL, Level.CANCEL)
    assert [each.state for each in broker.book] == [OrderState.CANCELLED]
