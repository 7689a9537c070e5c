"""The money for each order, asked before it is sent: a short account is told, and a broker's silence stops nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from ordo_cli.desk import Desk
from ordo_cli.domain.allocation import Split
from ordo_cli.domain.breaker import FAILURES
from ordo_cli.domain.errors import LimitExceeded, NoAnswer, SessionExpired, Unreachable
from ordo_cli.domain.fanouts import FanOut
from ordo_cli.domain.instruments import InstrumentId
from ordo_cli.domain.orders import Changes, OrderIntent, Product
from ordo_cli.domain.portfolio import Position, Quote
from ordo_cli.services import accounts, breaker, modifying, orders
from tests.fakes import INFY, FakeClock, Firm, ScriptedBroker, buy, sell, unreachable
from tests.services.conftest import Add, Opener
from tests.services.test_orders import request

READS = {"margin", "funds"}


@pytest.fixture(params=[True, False], ids=["told", "estimated"])
def told(request: pytest.FixtureRequest, firm: Firm) -> bool:
    """Whether the firm tells margins, or they are estimated from its funds."""
    firm.margins = request.param
    return firm.margins


def states(fan_out: FanOut) -> dict[str, str]:
    return {leg.account: leg.problem.code if leg.problem else leg.state for leg in fan_out.legs}


async def never() -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    "trouble",
    [Unreachable("down"), NoAnswer("silence"), SessionExpired("over"), KeyError("availabelMargin")],
    ids=lambda error: type(error).__name__,
)
async def test_a_read_that_fails_stops_no_order(desk: Desk, add: Add, told: bool, trouble: Exception) -> None:
    alice, bob = await add("alice"), await add("bob")

    async def fail() -> None:
        raise trouble

    alice.before_telling = fail
    alice.cash = bob.cash = Decimal(1)
    bob.needed = Decimal(100)
    assert states(await orders.place(desk, request(buy()))) == {"alice": "open", "bob": "MARGIN_SHORT"}


async def test_silence_about_margins_holds_an_order_up_for_one_answer_and_makes_no_price_old(
    desk: Desk, add: Add, clock: FakeClock, told: bool
) -> None:
    alice, bob = await add("alice"), await add("bob")
    alice.before_telling = never
    bob.cash, bob.needed = Decimal(1), Decimal(100)
    begin = clock.elapsed()
    placed = await orders.place(desk, request(buy(limit=None)))
    assert states(placed) == {"alice": "open", "bob": "MARGIN_SHORT"}
    assert clock.elapsed() - begin == desk.config.read_timeout


async def test_a_failed_look_at_the_positions_behind_an_estimate_stops_no_order(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    alice.cash, alice.unreadable = Decimal(1), NoAnswer("silence")
    assert states(await orders.place(desk, request(buy()))) == {"alice": "open"}


async def test_who_is_short_by_the_brokers_word_is_not_sent_even_when_confirmed(
    desk: Desk, add: Add, firm: Firm
) -> None:
    firm.margins = True
    alice, bob = await add("alice"), await add("bob")
    alice.needed = bob.needed = Decimal(15000)
    alice.cash = Decimal(9200)
    placed = await orders.place(desk, request(buy(), confirmed=True))
    assert states(placed) == {"alice": "MARGIN_SHORT", "bob": "open"}
    problem = placed.legs[0].problem
    assert problem is not None
    assert problem.message == "needs ₹15000.00 and ₹9200.00 is available"
    assert alice.book == []


async def test_an_estimate_gives_way_to_a_confirmation(desk: Desk, add: Add, clock: FakeClock) -> None:
    alice, bob = await add("alice"), await add("bob")
    alice.cash = Decimal(14999)
    assert states(await orders.place(desk, request(buy()))) == {"alice": "MARGIN_SHORT", "bob": "open"}
    clock.pass_(11)
    assert states(await orders.place(desk, request(buy(), confirmed=True))) == {"alice": "open", "bob": "open"}
    assert "margin" not in alice.log + bob.log, "a broker that cannot tell was asked"


async def test_a_broker_that_tells_has_its_word_taken_for_an_estimate_only_where_it_tells_nothing(
    desk: Desk, add: Add, firm: Firm
) -> None:
    firm.margins = True
    alice, bob = await add("alice"), await add("bob")
    alice.cash = bob.cash = Decimal(10000)
    alice.needed = Decimal(10000)
    assert states(await orders.place(desk, request(buy()))) == {"alice": "open", "bob": "MARGIN_SHORT"}
    assert READS & set(alice.log) == {"margin"}


@pytest.mark.parametrize(("held", "state"), [(10, "open"), (7, "open"), (6, "MARGIN_SHORT"), (-10, "MARGIN_SHORT")])
async def test_what_takes_off_a_position_needs_no_money(desk: Desk, add: Add, held: int, state: str) -> None:
    alice = await add("alice")
    alice.cash = Decimal(900)  # a fifth of three
    alice.position_rows = [Position(INFY, Product.MIS, held, Decimal(1500), None, Decimal(0), Decimal(0))]
    await add("bob")
    placed = await orders.place(desk, request(sell(10, product=Product.MIS)))
    assert states(placed) == {"alice": state, "bob": "open"}


async def test_no_broker_is_asked_about_what_it_cannot_be_short_of(desk: Desk, add: Add) -> None:
    alice = await add("alice")
    alice.cash = Decimal(0)
    assert states(await orders.place(desk, request(sell()))) == {"alice": "open"}
    assert not READS & set(alice.log)


async def test_a_close_is_never_held_against_money(desk: Desk, add: Add, told: bool) -> None:
    alice = await add("alice")
    alice.cash, alice.needed, alice.before_telling = Decimal(0), Decimal(15000), never
    position = Position(INFY, Product.MIS, -10, Decimal(1500), None, Decimal(0), Decimal(0))
    alice.position_rows = [position]
    leg = await orders.close_position(desk, alice.account, position, 10)
    assert leg.state == "open"
    assert not READS & set(alice.log)


async def test_a_change_is_not_held_against_money(desk: Desk, add: Add, told: bool) -> None:
    alice = await add("alice")
    leg = (await orders.place(desk, request(buy()))).legs[0]
    alice.cash, alice.needed = Decimal(0), Decimal(30000)
    assert (await modifying.modify(desk, leg.id, Changes(quantity=20))).quantity == 20


async def test_who_is_refused_for_something_else_is_not_waited_for(
    desk: Desk, add: Add, reopen: Opener, clock: FakeClock, told: bool
) -> None:
    alice, bob = await add("alice"), await add("bob")
    alice.before_telling = never
    await accounts.set_value(desk, "limits.accounts.alice.value_order_max", "100")
    begin = clock.elapsed()
    async with reopen() as later:
        assert states(await orders.place(later, request(buy()))) == {"alice": "VALUE_ORDER_MAX", "bob": "open"}
    assert clock.elapsed() == begin
    assert READS & set(bob.log)


async def test_a_fan_out_that_is_refused_whole_waits_for_nobody(
    desk: Desk, add: Add, reopen: Opener, clock: FakeClock, told: bool
) -> None:
    alice = await add("alice")
    alice.before_telling = never
    await accounts.set_value(desk, "limits.value_fanout_max", "100")
    begin = clock.elapsed()
    async with reopen() as later:
        with pytest.raises(LimitExceeded):
            await orders.place(later, request(buy()))
    assert clock.elapsed() == begin


async def test_money_is_asked_for_while_the_price_is_and_once(desk: Desk, add: Add, told: bool) -> None:
    alice = await add("alice")
    asked, alone = asyncio.Event(), ScriptedBroker.quotes

    async def tell() -> None:
        asked.set()

    async def after_the_money(instruments: Sequence[InstrumentId]) -> Mapping[InstrumentId, Quote]:
        await asked.wait()
        return await alone(alice, instruments)

    alice.before_telling = tell
    alice.quotes = after_the_money  # type: ignore[method-assign]
    alice.needed = Decimal(1)
    assert states(await orders.place(desk, request(buy()))) == {"alice": "open"}
    assert [word for word in alice.log if word in READS] == ["margin" if told else "funds"]


async def test_the_answer_to_another_quantity_counts_for_nothing(desk: Desk, add: Add, told: bool) -> None:
    alice, bob = await add("alice"), await add("bob")
    alice.cash = bob.cash = Decimal(7500)
    shared = replace(request(buy()), split=Split.EQUAL)
    assert states(await orders.place(desk, shared)) == {"alice": "open", "bob": "open"}


async def test_an_account_whose_breaker_is_open_is_spared_the_question(desk: Desk, add: Add, told: bool) -> None:
    alice, bob = await add("alice"), await add("bob")
    alice.script.extend([unreachable] * 3 * FAILURES)
    for number in range(FAILURES):
        await orders.place(desk, request(buy(number + 1)))
    alice.log.clear()
    assert states(await orders.place(desk, request(buy(50))))["alice"] == breaker.CODE
    assert not READS & set(alice.log)
    assert READS & set(bob.log)


async def test_switched_off_it_saves_the_call(desk: Desk, add: Add, reopen: Opener, told: bool) -> None:
    alice = await add("alice")
    alice.cash, alice.needed = Decimal(0), Decimal(15000)
    await accounts.set_value(desk, "limits.margin_check", "off")
    async with reopen() as later:
        assert states(await orders.place(later, request(buy()))) == {"alice": "open"}
    assert not READS & set(alice.log)


async def test_the_strictest_word_decides_who_is_asked(desk: Desk, add: Add, reopen: Opener, told: bool) -> None:
    alice, bob = await add("alice"), await add("bob")
    await accounts.set_value(desk, "limits.margin_check", "off")
    await accounts.set_value(desk, "limits.accounts.alice.margin_check", "on")
    async with reopen() as later:
        await orders.place(later, request(buy()))
    assert READS & set(alice.log)
    assert not READS & set(bob.log)


async def test_all_accounts_are_asked_side_by_side(desk: Desk, add: Add, told: bool) -> None:
    together = asyncio.Barrier(3)

    async def meet() -> None:
        await together.wait()

    for name in ("alice", "bob", "carol"):
        (await add(name)).before_telling = meet
    assert set(states(await orders.place(desk, request(buy()))).values()) == {"open"}


@pytest.mark.parametrize("intent", [buy(), buy(limit=None)], ids=["limit", "market"])
async def test_a_dry_run_shows_who_is_short(desk: Desk, add: Add, told: bool, intent: OrderIntent) -> None:
    alice = await add("alice")
    alice.cash, alice.needed = Decimal(100), Decimal(15000)
    plan = await orders.preview(desk, request(intent))
    problem = plan.proposals[0].problem(confirmed=False)
    assert problem is not None
    assert problem.code == "MARGIN_SHORT"
    assert (plan.proposals[0].problem(confirmed=True) is None) == (not told)
    assert alice.book == []
