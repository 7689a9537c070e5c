"""The strictest limit holds, says which setting decided it, and how to change it."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordo_cli.domain.accounts import Account, AccountId, BrokerName, GroupName
from ordo_cli.domain.errors import Invalid
from ordo_cli.domain.instruments import parse_instrument
from ordo_cli.domain.limits import RULES, LimitBook, Limits, MarginCheck, SelfCross, rule_of

ALICE = Account(AccountId("alice"), BrokerName("acme"), (GroupName("family"),))
BOB = Account(AccountId("bob"), BrokerName("acme"))
amounts = st.decimals(0, 10_000_000, places=2) | st.none()


def least(*values: Decimal | None) -> Decimal | None:
    return min((value for value in values if value is not None), default=None)


@given(amounts, amounts, amounts)
def test_the_strictest_of_everyone_group_and_account_holds(
    everyone: Decimal | None, group: Decimal | None, account: Decimal | None
) -> None:
    book = LimitBook(
        Limits(value_order_max=everyone),
        {"family": {"value_order_max": group}},
        {"alice": {"value_order_max": account}},
    )
    assert book.for_account(ALICE, paper=False).value_order_max == least(everyone, group, account)
    assert book.for_account(BOB, paper=False).value_order_max == everyone


def test_an_account_cannot_loosen_what_holds_for_everyone() -> None:
    book = LimitBook(accounts={"alice": {"day_orders_max": 5000}})
    assert book.for_account(ALICE, paper=False).day_orders_max == 200


def test_paper_accounts_may_have_ten_times_the_values_and_counts_and_nothing_else() -> None:
    live, paper = LimitBook().for_account(ALICE, paper=False), LimitBook().for_account(ALICE, paper=True)
    for name, rule in RULES.items():
        value = getattr(live, name)
        assert getattr(paper, name) == (value * 10 if rule.scaled and value is not None else value), name
    assert paper.collar_pct == 3
    assert paper.loss_day_max is None


def test_where_names_the_setting_that_decides() -> None:
    book = LimitBook(groups={"family": {"day_orders_max": 50}}, accounts={"alice": {"open_orders_max": 5}})
    assert book.where("day_orders_max", ALICE) == "limits.groups.family.day_orders_max"
    assert book.where("open_orders_max", ALICE) == "limits.accounts.alice.open_orders_max"
    assert book.where("open_orders_max", BOB) == "limits.open_orders_max"


def test_settings_that_tie_are_all_named() -> None:
    book = LimitBook(accounts={"alice": {"day_orders_max": 200}})
    assert book.how_to_change("day_orders_max", ALICE, 201) == (
        "ordo config set limits.day_orders_max 201 && ordo config set limits.accounts.alice.day_orders_max 201"
    )


def test_the_command_for_a_paper_account_gives_a_tenth_rounded_up() -> None:
    assert LimitBook().how_to_change("value_order_max", ALICE, Decimal("2000001.5"), paper=True) == (
        "ordo config set limits.value_order_max 200001"
    )


def test_the_longest_window_and_the_sternest_answer_are_the_strictest() -> None:
    book = LimitBook(
        Limits(duplicate_window=Decimal(10), self_cross=SelfCross.ASK),
        {"family": {"duplicate_window": Decimal(60)}},
        {"alice": {"self_cross": SelfCross.ALLOW, "duplicate_window": Decimal(5)}},
    )
    assert book.for_account(ALICE, paper=False).duplicate_window == 60
    assert book.for_account(ALICE, paper=False).self_cross is SelfCross.ASK


def test_an_account_cannot_switch_off_the_check_of_its_money_that_holds_for_everyone() -> None:
    off, on = {"margin_check": MarginCheck.OFF}, {"margin_check": MarginCheck.ON}
    assert LimitBook(accounts={"alice": off}).for_account(ALICE, paper=False).margin_check is MarginCheck.ON
    quiet = LimitBook(Limits(margin_check=MarginCheck.OFF), {"family": on}, {"alice": off})
    assert quiet.for_account(ALICE, paper=True).margin_check is MarginCheck.ON
    assert quiet.for_account(BOB, paper=True).margin_check is MarginCheck.OFF
    assert quiet.how_to_change("margin_check", ALICE, MarginCheck.OFF) == (
        "ordo config set limits.groups.family.margin_check off"
    )


def test_a_restricted_instrument_is_named_by_its_limit() -> None:
    limits = Limits(instruments_restricted=frozenset({"NSE:YESBANK", "NFO:*"}))
    assert limits.restricts(parse_instrument("NSE:YESBANK")) == "instruments_restricted"
    assert limits.restricts(parse_instrument("NFO:NIFTY28MAR24FUT")) == "instruments_restricted"
    assert limits.restricts(parse_instrument("NSE:INFY")) is None


def test_every_allow_list_must_have_the_instrument() -> None:
    book = LimitBook(
        Limits(instruments_allowed=(frozenset({"NSE:*"}),)),
        {},
        {"alice": {"instruments_allowed": (frozenset({"NSE:INFY", "BSE:SBIN"}),)}},
    )
    limits = book.for_account(ALICE, paper=False)
    assert limits.restricts(parse_instrument("NSE:INFY")) is None
    assert limits.restricts(parse_instrument("NSE:TCS")) == "instruments_allowed"
    assert limits.restricts(parse_instrument("BSE:SBIN")) == "instruments_allowed"
    assert book.deciding("instruments_allowed", ALICE) == [
        "limits.instruments_allowed",
        "limits.accounts.alice.instruments_allowed",
    ]


@pytest.mark.parametrize("value", [-1, "-1", "1e9", "NaN", "inf", "1_000", "٣", "", True, None, 1.5, [1], "1.23456"])
@pytest.mark.parametrize("limit", ["value_order_max", "day_orders_max", "ltp_max_age", "collar_pct"])
def test_what_is_not_a_number_of_zero_or_more_is_refused(limit: str, value: object) -> None:
    with pytest.raises(Invalid):
        rule_of(limit).read(value)


@pytest.mark.parametrize(
    ("limit", "value"),
    [
        ("day_orders_max", "1.5"),
        ("self_cross", "maybe"),
        ("margin_check", "ask"),
        ("margin_check", True),
        ("margin_check", ["on"]),
        ("self_cross", ["ask"]),
        ("instruments_allowed", ["INFY"]),
        ("instruments_allowed", ["NSE:infy"]),
        ("instruments_restricted", 7),
        ("ltp_max_age", "off"),
    ],
)
def test_values_of_another_kind_are_refused(limit: str, value: object) -> None:
    with pytest.raises(Invalid):
        rule_of(limit).read(value)


def test_a_limit_that_nobody_knows_is_refused_with_the_list() -> None:
    with pytest.raises(Invalid) as caught:
        rule_of("value_ordr_max")
    assert "value_order_max" in str(caught.value.hint)


def test_off_switches_a_limit_off() -> None:
    assert rule_of("value_order_max").read("off") is None
    assert rule_of("instruments_allowed").read("") == ()
