"""Every reason for which the exchange says no, with its code and a sentence that helps."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ordo_cli.brokers.paper.behaviours import Behaviour
from ordo_cli.brokers.paper.codes import REJECTIONS
from ordo_cli.brokers.paper.exchange import Rules
from ordo_cli.brokers.paper.hours import Hours
from ordo_cli.brokers.paper.oracle import received
from ordo_cli.domain.money import text_of
from ordo_cli.domain.orders import Product, Side
from tests.brokers.paper.fakes import Floor
from tests.fakes import FakeClock

BUY, SELL = Side.BUY, Side.SELL
FUTURE = "NFO:NIFTY24NOV26FUT"
SATURDAY_NOON = datetime(2026, 11, 21, 6, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("code", "words", "more", "sentence"),
    [
        ("INSTRUMENT_UNKNOWN", (BUY, 1, "10"), {"instrument": "NSE:NOSUCH"}, "NSE:NOSUCH is not traded here"),
        ("INSTRUMENT_UNKNOWN", (BUY, 65, "10"), {"instrument": "NFO:NIFTY17NOV26FUT"}, "not traded here"),
        ("INSTRUMENT_UNKNOWN", (BUY, 65, "10"), {"instrument": "NFO:NIFTY24NOV2626050CE"}, "not traded here"),
        ("INSTRUMENT_UNKNOWN", (BUY, 65, "10"), {"instrument": "NFO:TATA24NOV26FUT"}, "not traded here"),
        ("INSTRUMENT_UNKNOWN", (BUY, 1, "10"), {"instrument": "MCX:GOLD05DEC26FUT"}, "not traded here"),
        ("PRODUCT", (BUY, 1, "1500"), {"product": Product.NRML}, "NRML is not a product for NSE:INFY"),
        ("PRODUCT", (BUY, 1, "1500"), {"product": Product.MTF}, "MTF is not a product"),
        ("PRODUCT", (BUY, 65, "26000"), {"instrument": FUTURE, "product": Product.CNC}, "CNC is not a product for NFO"),
        ("LOT", (BUY, 66, "26000"), {"instrument": FUTURE}, "quantity 66 is not a multiple of the lot of 65"),
        ("FREEZE", (BUY, 1820, "26000"), {"instrument": FUTURE}, "quantity 1820 is above the freeze quantity of 1800"),
        ("TICK", (BUY, 1, "1500.02"), {}, "limit 1500.02 is not a multiple of the tick of 0.05"),
        ("TICK", (BUY, 1, "1500.00001"), {}, "is not a multiple of the tick"),
        ("TICK", (BUY, 1, "1510"), {"trigger": "1505.01"}, "trigger 1505.01 is not a multiple"),
        ("PRICE_BAND", (BUY, 1, "1700"), {}, "limit 1700.00 is outside today's band"),
        ("PRICE_BAND", (SELL, 1, "1200"), {}, "limit 1200.00 is outside today's band"),
        ("PRICE_BAND", (BUY, 1, "1900"), {"trigger": "1850"}, "outside today's band"),
        (
            "TRIGGER",
            (BUY, 1),
            {"trigger": "1499"},
            "a stop to buy needs a trigger at or above the last price of 1500.00",
        ),
        ("TRIGGER", (SELL, 1), {"trigger": "1501"}, "a stop to sell needs a trigger at or below the last price"),
        ("MARGIN", (BUY, 10_000, "1500"), {"product": Product.CNC}, "needs 15000000.00 and 10000000.00 is available"),
        ("MARGIN", (BUY, 40_000, "1500"), {}, "needs 12000000.00"),
        ("MARGIN", (SELL, 40_000, "1500"), {}, "needs 12000000.00"),
        ("HOLDINGS", (SELL, 1, "1500"), {"product": Product.CNC}, "sells 1 and 0 are free to sell"),
        ("REFUSED", (BUY, 1, "1500"), {"behaviour": Behaviour(refuse="REFUSED")}, "as it was told to"),
        ("LATE_FEE", (BUY, 1, "1500"), {"behaviour": Behaviour(refuse="LATE_FEE")}, "with LATE_FEE, as it was told to"),
        ("SESSION", (BUY, 1, "1500"), {"behaviour": Behaviour(expired=True)}, "session"),
    ],
)
def test_an_order_that_breaks_a_rule_is_refused_by_name(
    quiet: Floor, code: str, words: tuple[object, ...], more: dict[str, object], sentence: str
) -> None:
    given, message = quiet.refused("alice", *words, **more)
    assert given == code
    assert sentence in message


@pytest.mark.parametrize("code", sorted(REJECTIONS))
def test_every_code_can_be_rehearsed(quiet: Floor, code: str) -> None:
    assert quiet.refused("alice", BUY, 1, "1500", behaviour=Behaviour(refuse=code))[0] == code


def test_a_refused_order_stays_in_the_book_as_rejected_and_blocks_no_money(quiet: Floor) -> None:
    quiet.refused("alice", BUY, 1, "1500.02", tag="OREFUSED")
    with quiet.exchange.moment() as now:
        (row,) = quiet.exchange.book.of_day("alice", now)
        assert quiet.exchange.ledger.used("alice") == 0
    assert (row.tag, row.outcome, row.code) == ("OREFUSED", "rejected", "TICK")


def test_what_is_asked_of_one_order_counts_the_others_that_wait(quiet: Floor) -> None:
    quiet.taken("alice", BUY, 6_000, "1500", product=Product.CNC)
    assert quiet.refused("alice", BUY, 1_000, "1500", product=Product.CNC)[0] == "MARGIN"
    quiet.taken("bob", BUY, 1_000, "1500", product=Product.CNC)


def test_shares_cannot_be_promised_twice(floor: Floor) -> None:
    floor.price("1500", depth=None)
    floor.taken("alice", BUY, 10, product=Product.CNC)
    floor.taken("alice", SELL, 6, "1600", product=Product.CNC)
    assert floor.refused("alice", SELL, 6, "1600", product=Product.CNC) == (
        "HOLDINGS",
        "sells 6 and 4 are free to sell",
    )
    floor.taken("alice", SELL, 4, "1600", product=Product.CNC)


def test_closing_a_position_needs_no_money(floor: Floor) -> None:
    floor.price("1500", depth=None)
    floor.taken("alice", BUY, 32_000)
    assert floor.refused("alice", BUY, 2_000)[0] == "MARGIN"
    floor.taken("alice", SELL, 32_000)
    assert floor.refused("alice", SELL, 36_000)[0] == "MARGIN"


@pytest.mark.parametrize(
    ("side", "quantity", "more"),
    [
        (BUY, 10_000, {"limit": "1500", "product": Product.CNC}),
        (BUY, 40_000, {"limit": "1500"}),
        (SELL, 40_000, {"limit": "1500"}),
        (BUY, 40_000, {}),
        (BUY, 40_000, {"trigger": "1510"}),
        (BUY, 40_000, {"limit": "1500", "after_market": True}),
        (SELL, 1_755, {"limit": "26000", "instrument": FUTURE, "product": Product.NRML}),
    ],
)
def test_what_is_told_before_an_order_is_what_is_said_when_it_arrives(
    quiet: Floor, side: Side, quantity: int, more: dict[str, object]
) -> None:
    quiet.taken("alice", BUY, 6_000, "1500", product=Product.CNC)
    told = quiet.margin("alice", side, quantity, **more)
    assert told is not None
    sentence = f"needs {text_of(told.needed)} and {text_of(told.available)} is available"
    assert told.available == 1_000_000
    assert quiet.refused("alice", side, quantity, **more) == ("MARGIN", sentence)


def test_an_order_that_needs_no_money_is_told_so(floor: Floor) -> None:
    floor.price("1500", depth=None)
    floor.taken("alice", BUY, 10, product=Product.CNC)
    floor.taken("alice", BUY, 10)
    for words in ({"product": Product.CNC}, {"product": Product.MIS}):
        told = floor.margin("alice", SELL, 10, "1500", **words)
        assert told is not None
        assert told.needed == 0
    half = floor.margin("alice", SELL, 20, "1500")
    assert half is not None
    assert half.needed == 3_000


def test_asking_what_an_order_would_block_leaves_no_trace(quiet: Floor) -> None:
    quiet.margin("alice", BUY, 10, "1500")
    assert quiet.margin("alice", BUY, 10, "1500", instrument="NSE:NOSUCH") is None
    assert received(quiet.exchange) == []
    with quiet.exchange.moment() as now:
        assert list(quiet.exchange.book.of_day("alice", now)) == []


def test_the_second_of_two_equal_orders_is_refused_where_that_is_guarded(quiet: Floor) -> None:
    guarded = Behaviour(duplicate_sensitive=True)
    quiet.taken("alice", BUY, 1, "1400", tag="ONE", behaviour=guarded)
    assert quiet.refused("alice", BUY, 1, "1400", tag="TWO", behaviour=guarded)[0] == "DUPLICATE"
    assert quiet.refused("alice", BUY, 2, "1400", tag="ONE", behaviour=guarded)[0] == "DUPLICATE"
    quiet.taken("bob", BUY, 1, "1400", tag="ONE", behaviour=guarded)
    quiet.taken("alice", BUY, 2, "1400", tag="THREE", behaviour=guarded)
    quiet.clock.pass_(11)
    quiet.taken("alice", BUY, 1, "1400", tag="FOUR", behaviour=guarded)


def test_the_eleventh_operation_of_a_second_is_refused_where_that_is_guarded(quiet: Floor) -> None:
    strict = Behaviour(rate_limited=True)
    for _ in range(10):
        quiet.taken("alice", BUY, 1, "1400", behaviour=strict)
    assert quiet.refused("alice", BUY, 1, "1400", behaviour=strict) == ("RATE", "more than 10 operations in one second")
    quiet.clock.pass_(1.1)
    quiet.taken("alice", BUY, 1, "1400", behaviour=strict)


def test_the_market_is_always_open_unless_it_keeps_the_hours_of_the_exchange(tmp_path: Path) -> None:
    always = Floor(tmp_path / "a", FakeClock(SATURDAY_NOON))
    always.taken("alice", BUY, 1)
    strict = Floor(tmp_path / "b", FakeClock(SATURDAY_NOON), Rules(hours=Hours(exchange=True)))
    assert strict.refused("alice", BUY, 1)[0] == "MARKET_CLOSED"
    assert strict.taken("alice", BUY, 1, after_market=True).phase == "amo"
    strict.clock.pass_(47 * 3600)  # Monday 11:00
    strict.taken("alice", BUY, 1)
    strict.clock.pass_(4 * 3600 + 1_800)  # 15:30
    assert strict.refused("alice", BUY, 1)[0] == "MARKET_CLOSED"


def test_nobody_touches_the_order_of_another(quiet: Floor) -> None:
    order = quiet.taken("alice", BUY, 1, "1400")
    assert quiet.cancel("bob", order).code == "ORDER_UNKNOWN"
    assert quiet.modify("bob", order, quantity=2).code == "ORDER_UNKNOWN"
    assert quiet.now(order).phase == "book"


def test_what_is_over_can_neither_be_cancelled_nor_changed(quiet: Floor) -> None:
    order = quiet.taken("alice", BUY, 1, "1400")
    assert quiet.cancel("alice", order).code is None
    again = quiet.cancel("alice", order)
    assert (again.code, again.message) == ("NOT_OPEN", f"order {order.number} is already cancelled")
    assert quiet.modify("alice", order, quantity=2).code == "NOT_OPEN"


def test_a_change_meets_the_same_rules_and_failing_them_leaves_the_order_as_it_was(quiet: Floor) -> None:
    from decimal import Decimal

    order = quiet.taken("alice", BUY, 10, "1400")
    for changes, code in (
        ({"limit_price": Decimal("1400.01")}, "TICK"),
        ({"limit_price": Decimal(2000)}, "PRICE_BAND"),
        ({"quantity": 200_000}, "FREEZE"),
        ({"quantity": 90_000}, "MARGIN"),
        ({"trigger_price": Decimal(1450)}, "CHANGE"),
    ):
        assert quiet.modify("alice", order, **changes).code == code
    assert quiet.now(order) == order
    market = quiet.taken("bob", BUY, 10)
    assert quiet.modify("bob", market, limit_price=Decimal(1400)).code == "CHANGE"


def test_a_quantity_cannot_fall_to_what_is_filled(quiet: Floor) -> None:
    order = quiet.taken("alice", BUY, 10, "1500")
    quiet.taken("bob", SELL, 4, "1500")
    refusal = quiet.modify("alice", order, quantity=4)
    assert (refusal.code, refusal.message) == ("QUANTITY", "quantity 4 is not above the 4 that are already filled")
    assert quiet.modify("alice", order, quantity=5).code is None
    assert quiet.now(order).remaining == 1
