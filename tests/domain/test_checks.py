"""What speaks against an order before it is sent, each rule by its code."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from ordo_cli.domain import checks
from ordo_cli.domain.accounts import Account, AccountId, BrokerName, GroupName
from ordo_cli.domain.capabilities import Capabilities
from ordo_cli.domain.checks import Case
from ordo_cli.domain.instruments import Exchange, Instrument, Kind, parse_instrument
from ordo_cli.domain.journal import DayUse
from ordo_cli.domain.legs import Problem
from ordo_cli.domain.limits import LimitBook, Limits, MarginCheck, SelfCross
from ordo_cli.domain.orders import OrderIntent, OrderType, Product, Validity
from ordo_cli.domain.portfolio import Margin, Quote
from tests.fakes import INFY, MONDAY_NOON, buy, sell

PRICE = Decimal(1500)
ALICE = Account(AccountId("alice"), BrokerName("acme"), (GroupName("family"),))
ACME = Capabilities(
    exchanges=frozenset({Exchange.NSE, Exchange.NFO}),
    types=frozenset(OrderType) - {OrderType.SL_M},
    products=frozenset(Product) - {Product.MTF},
    validities=frozenset({Validity.DAY}),
)
QUOTE = Quote(INFY, PRICE, PRICE, PRICE, PRICE, PRICE, PRICE, PRICE, 0, MONDAY_NOON)
INSTRUMENT = Instrument(
    INFY, "Infosys", Kind.EQUITY, Decimal("0.05"), lot=1, freeze_quantity=1000,
    lower_band=Decimal(1350), upper_band=Decimal(1650),
)  # fmt: skip
FUTURE = parse_instrument("NFO:NIFTY28MAR24FUT")
CALL = parse_instrument("NFO:NIFTY28MAR2420800CE")
SHORT = Margin(Decimal(15000), Decimal("9200.5"))
GUESSED = replace(SHORT, estimated=True)
CASE = Case(
    account=ALICE,
    intent=buy(10, "1500"),
    able=ACME,
    instrument=INSTRUMENT,
    quote=QUOTE,
    limits=Limits(),
    book=LimitBook(),
    paper=False,
    use=DayUse(0, Decimal(0), 0),
    opposite=(),
    now=MONDAY_NOON,
)


def codes(case: Case, *, soft: bool = False) -> list[str]:
    return [objection.problem.code for objection in checks.objections(case) if objection.soft is soft]


def asking(intent: OrderIntent, **more: Any) -> Case:
    return replace(CASE, intent=intent, **more)


def test_a_plain_order_meets_no_objection() -> None:
    assert checks.objections(CASE) == []


@pytest.mark.parametrize(
    ("case", "code"),
    [
        (replace(CASE, instrument=None), "INSTRUMENT_UNKNOWN"),
        (replace(CASE, able=replace(ACME, exchanges=frozenset({Exchange.BSE}))), "SEGMENT_UNSUPPORTED"),
        (asking(buy(10, None, trigger_price=PRICE)), "TYPE_UNSUPPORTED"),
        (asking(buy(10, product=Product.MTF)), "PRODUCT_UNSUPPORTED"),
        (asking(buy(10, validity=Validity.IOC)), "VALIDITY_UNSUPPORTED"),
        (asking(buy(10, after_market=True)), "AMO_UNSUPPORTED"),
        (asking(buy(10, disclosed=5)), "DISCLOSED_UNSUPPORTED"),
        (asking(buy(10, product=Product.NRML)), "PRODUCT_SEGMENT"),
        (asking(replace(buy(10), instrument=FUTURE)), "PRODUCT_SEGMENT"),
        (replace(CASE, limits=Limits(instruments_restricted=frozenset({"NSE:INFY"}))), "INSTRUMENT_RESTRICTED"),
        (replace(CASE, limits=Limits(instruments_allowed=(frozenset({"NFO:*"}),))), "INSTRUMENT_RESTRICTED"),
        (replace(CASE, instrument=replace(INSTRUMENT, lot=75)), "QTY_LOT"),
        (asking(buy(20_001, "0.05")), "QTY_FREEZE"),
        (asking(buy(10, "1500.03")), "PRICE_TICK"),
        (asking(buy(10, "1349.95")), "PRICE_BAND"),
        (asking(buy(10, "1650.05")), "PRICE_BAND"),
        (asking(buy(10, "1500", trigger_price=Decimal("1499.99"))), "PRICE_TICK"),
        (asking(buy(10, None), quote=None), "LTP_UNKNOWN"),
        (asking(buy(10, None), now=MONDAY_NOON + timedelta(seconds=11)), "LTP_STALE"),
        (asking(buy(134, "1500")), "VALUE_ORDER_MAX"),
        (replace(CASE, use=DayUse(1, Decimal(2_490_000), 0)), "DAY_VALUE_MAX"),
        (replace(CASE, use=DayUse(200, Decimal(0), 0)), "DAY_ORDERS_MAX"),
        (replace(CASE, use=DayUse(60, Decimal(0), 50)), "OPEN_ORDERS_MAX"),
        (replace(CASE, limits=Limits(loss_day_max=Decimal(5000)), result=Decimal(-5000)), "LOSS_DAY_MAX"),
        (replace(CASE, limits=Limits(loss_day_max=Decimal(5000))), "LOSS_UNKNOWN"),
        (replace(CASE, unreadable=Problem("MARKET_UNREADABLE", "nobody answers")), "MARKET_UNREADABLE"),
        (asking(buy(10, "1591")), "COLLAR_EXCEEDED"),
        (asking(sell(10, "1409")), "COLLAR_EXCEEDED"),
        (replace(CASE, opposite=("bob",), limits=Limits(self_cross=SelfCross.REFUSE)), "SELF_CROSS"),
        (replace(CASE, margin=SHORT), "MARGIN_SHORT"),
        (replace(CASE, margin=Margin(Decimal("0.01"), Decimal(-500))), "MARGIN_SHORT"),
    ],
)
def test_what_is_refused(case: Case, code: str) -> None:
    assert code in codes(case)


@pytest.mark.parametrize(("units", "hint"), [(10, "the least is 75"), (80, "the nearest are 75 and 150"), (150, None)])
def test_a_quantity_between_two_lots_is_told_the_ones_beside_it(units: int, hint: str | None) -> None:
    found = checks.objections(asking(buy(units, "1"), instrument=replace(INSTRUMENT, lot=75)))
    assert next((one.problem.hint for one in found if one.problem.code == "QTY_LOT"), None) == hint


@pytest.mark.parametrize(
    ("case", "code"),
    [
        (asking(buy(10, "1546")), "COLLAR_EXCEEDED"),
        (asking(sell(10, "1454")), "COLLAR_EXCEEDED"),
        (replace(CASE, opposite=("bob",)), "SELF_CROSS"),
        (replace(CASE, margin=GUESSED), "MARGIN_SHORT"),
    ],
)
def test_what_needs_a_confirmation(case: Case, code: str) -> None:
    assert codes(case) == []
    assert codes(case, soft=True) == [code]


@pytest.mark.parametrize(
    "case",
    [
        asking(buy(10, "1400")),  # far below the market: it only waits
        asking(sell(10, "1600")),
        replace(CASE, opposite=("bob",), limits=Limits(self_cross=SelfCross.ALLOW)),
        asking(buy(10, "1591"), limits=Limits(collar_pct=None)),
        asking(buy(133, "1500")),
        replace(CASE, margin=Margin(Decimal(15000), Decimal(15000))),
        replace(CASE, margin=Margin(Decimal(0), Decimal(-500))),  # what needs nothing is not short
        replace(CASE, margin=SHORT, limits=Limits(margin_check=MarginCheck.OFF)),
        replace(CASE, margin=GUESSED, limits=Limits(margin_check=MarginCheck.OFF)),
        replace(CASE, limits=Limits(loss_day_max=Decimal(5000)), result=Decimal(-4999)),
        asking(buy(10, None)),
        asking(buy(10, "1500"), quote=None, now=MONDAY_NOON + timedelta(hours=1)),  # judged at its own price
        asking(
            buy(10, None), quote=None, limits=Limits(value_order_max=None, value_fanout_max=None, day_value_max=None)
        ),
    ],
)
def test_what_passes(case: Case) -> None:
    assert checks.objections(case) == []


def test_options_have_a_wider_collar() -> None:
    option = replace(INSTRUMENT, kind=Kind.OPTION, upper_band=None)
    assert codes(replace(CASE, instrument=option, intent=buy(10, "1700"))) == []


def test_a_market_order_is_valued_above_the_last_price() -> None:
    assert checks.value_of(buy(10, None), QUOTE) == Decimal("15750")
    assert checks.value_of(buy(10, None), None) is None
    assert checks.value_of(buy(10, None, trigger_price=Decimal(1400)), QUOTE) == Decimal(14000)


def test_a_refusal_names_the_limit_the_value_and_the_way_to_change_it() -> None:
    (objection,) = checks.objections(asking(buy(134, "1500")))
    assert "201000.00" in objection.problem.message
    assert "200000.00" in objection.problem.message
    assert "ordo config set limits.value_order_max" in (objection.problem.hint or "")


def test_an_order_without_the_money_for_it_is_told_both_amounts_and_what_helps() -> None:
    (told,) = checks.objections(replace(CASE, margin=SHORT))
    assert told.problem.message == "needs ₹15000.00 and ₹9200.50 is available"
    assert told.problem.hint == "add funds, send less, or: ordo config set limits.margin_check off"
    (guessed,) = checks.objections(replace(CASE, margin=GUESSED))
    assert guessed.problem.message == "needs about ₹15000.00, as an estimate, and ₹9200.50 is available"
    assert guessed.problem.hint == "add funds, send less, or if it is meant: --confirm"


@pytest.mark.parametrize(
    ("intent", "rupees"),
    [
        (replace(buy(75, "20000", product=Product.NRML), instrument=FUTURE), None),
        (replace(sell(75, "20000", product=Product.MIS), instrument=FUTURE), None),
        (replace(sell(75, "100", product=Product.NRML), instrument=CALL), None),
        (sell(10), None),
        (sell(10, product=Product.MTF), None),
        (buy(10), 15000),
        (buy(10, None), 15750),
        (buy(10, None, trigger_price=Decimal(1600)), 16000),
        (buy(10, product=Product.MIS), 3000),
        (sell(10, product=Product.MIS), 3000),
        (buy(10, None, product=Product.MTF), 3150),
        (replace(buy(75, "100", product=Product.NRML), instrument=CALL), 7500),
        (replace(buy(75, "100", product=Product.MIS), instrument=CALL), 7500),
    ],
)
def test_the_least_that_an_order_must_be_expected_to_block(intent: OrderIntent, rupees: int | None) -> None:
    assert checks.estimate_of(intent, QUOTE) == rupees


def test_without_a_price_there_is_no_estimate() -> None:
    assert checks.estimate_of(buy(10, None), None) is None


def test_all_legs_together_have_a_limit_of_their_own() -> None:
    assert checks.fan_out_too_big([Decimal(1), None], Decimal(1), "limits.value_fanout_max") is None
    assert checks.fan_out_too_big([Decimal(10**9)], None, "limits.value_fanout_max") is None
    problem = checks.fan_out_too_big([Decimal(1), Decimal(1)], Decimal(1), "limits.value_fanout_max")
    assert problem is not None
    assert problem.code == "VALUE_FANOUT_MAX"
    assert problem.hint is not None
    assert "limits.value_fanout_max" in problem.hint
