"""Names, groups and targets: who an order is for."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordo_cli.domain.accounts import Account, AccountId, BrokerName, GroupName, Target, check_name, choose, parse_target
from ordo_cli.domain.errors import Invalid, NotFound

PAPER = BrokerName("paper")


def account(name: str, *groups: str, enabled: bool = True) -> Account:
    return Account(AccountId(name), PAPER, tuple(GroupName(group) for group in groups), enabled=enabled)


BOOK = [
    account("alice", "family"),
    account("bob", "family", "fast"),
    account("carol"),
    account("dora", "family", enabled=False),
]


def chosen(*words: str) -> list[tuple[str, int | None]]:
    return [(found.id, quantity) for found, quantity in choose(BOOK, [parse_target(word) for word in words])]


@pytest.mark.parametrize("words", [("eve",), ("@nobody",), ("alice", "eve")])
def test_a_name_that_nobody_has_is_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(NotFound):
        chosen(*words)


def test_a_disabled_account_is_refused_by_name_and_left_out_of_groups() -> None:
    with pytest.raises(Invalid, match="disabled"):
        chosen("dora")
    assert chosen("@family") == [("alice", None), ("bob", None)]


def test_two_quantities_for_one_account_are_refused() -> None:
    with pytest.raises(Invalid, match="two quantities, 10 and 20"):
        chosen("alice=10", "alice=20")


def test_nobody_at_all_is_refused() -> None:
    with pytest.raises(NotFound, match="no account was chosen"):
        choose(BOOK, [])


@pytest.mark.parametrize(
    "word", ["@family=10", "all=10", "alice=", "alice=0", "alice=1.5", "alice=-1", "ALICE", "@", "", "@all"]
)
def test_a_target_outside_the_grammar_is_refused(word: str) -> None:
    with pytest.raises(Invalid):
        parse_target(word)


def test_each_account_is_chosen_once_in_the_order_first_named() -> None:
    assert chosen("carol", "all", "@fast", "alice") == [("carol", None), ("alice", None), ("bob", None)]


def test_a_quantity_of_its_own_holds_wherever_it_was_said() -> None:
    assert chosen("@family", "bob=7") == [("alice", None), ("bob", 7)]
    assert chosen("bob=7", "@family") == [("bob", 7), ("alice", None)]


@given(st.text())
def test_any_text_is_a_target_that_reads_back_or_refused(text: str) -> None:
    try:
        found = parse_target(text)
    except Invalid:
        return
    assert found == parse_target(str(found))


@given(st.from_regex(r"\A[a-z0-9][a-z0-9_-]{0,31}\Z").filter(lambda name: name != "all"))
def test_a_name_within_the_grammar_is_itself(name: str) -> None:
    assert check_name(name, "account") == name
    assert parse_target(name) == Target(name)


@pytest.mark.parametrize("weight", ["0", "-1", "NaN", "Infinity"])
def test_a_weight_is_a_number_above_zero(weight: str) -> None:
    with pytest.raises(Invalid, match="weight"):
        Account(AccountId("alice"), PAPER, weight=Decimal(weight))


def test_a_group_must_be_a_name_too() -> None:
    with pytest.raises(Invalid):
        account("alice", "all")
