"""Dealing one quantity to many accounts."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordo_cli.domain.accounts import AccountId
from ordo_cli.domain.allocation import Split, allocate
from ordo_cli.domain.errors import Invalid

ALICE, BOB, CAROL = AccountId("alice"), AccountId("bob"), AccountId("carol")
THREE = {ALICE: Decimal(1), BOB: Decimal(1), CAROL: Decimal(1)}

names = st.from_regex(r"\A[a-z]{1,8}\Z").map(AccountId)
weights = st.decimals(min_value="0.001", max_value="1000", places=3)
books = st.dictionaries(names, weights, min_size=1, max_size=12)
quantities = st.integers(1, 10**9)
lots = st.integers(1, 2_000)


def test_an_own_quantity_beyond_the_whole_is_refused() -> None:
    with pytest.raises(Invalid, match="exceed 10 by 5"):
        allocate(10, THREE, Split.EQUAL, {ALICE: 15})


def test_less_than_one_lot_is_refused_when_it_is_shared() -> None:
    with pytest.raises(Invalid, match="less than one lot of 75"):
        allocate(74, THREE, Split.EQUAL, lot=75)


@pytest.mark.parametrize("quantity", [0, -1])
def test_a_quantity_that_is_not_above_zero_is_refused(quantity: int) -> None:
    with pytest.raises(Invalid):
        allocate(quantity, THREE, Split.EACH)


def test_an_own_quantity_that_is_not_above_zero_is_refused() -> None:
    with pytest.raises(Invalid):
        allocate(10, THREE, Split.EACH, {ALICE: 0})


def test_each_gives_the_whole_quantity_to_everyone_but_those_with_their_own() -> None:
    assert allocate(10, THREE, Split.EACH, {BOB: 3}).shares == {ALICE: 10, BOB: 3, CAROL: 10}


def test_equal_shares_differ_by_one_lot_at_most_and_the_first_named_gets_more() -> None:
    assert allocate(10, THREE, Split.EQUAL).shares == {ALICE: 4, BOB: 3, CAROL: 3}


def test_what_does_not_divide_into_whole_lots_is_left_and_said() -> None:
    dealt = allocate(200, {ALICE: Decimal(1), BOB: Decimal(1)}, Split.EQUAL, lot=75)
    assert dealt.shares == {ALICE: 75, BOB: 75}
    assert dealt.rest == 50


def test_an_account_whose_share_is_nothing_gets_no_leg_and_is_named() -> None:
    dealt = allocate(2, THREE, Split.EQUAL)
    assert dealt.shares == {ALICE: 1, BOB: 1}
    assert dealt.without == (CAROL,)


def test_own_quantities_are_taken_out_before_the_rest_is_shared() -> None:
    dealt = allocate(100, {ALICE: Decimal(9), BOB: Decimal(3), CAROL: Decimal(1)}, Split.WEIGHTS, {ALICE: 20})
    assert dealt.shares == {ALICE: 20, BOB: 60, CAROL: 20}


def test_own_quantities_that_use_everything_up_leave_the_others_without() -> None:
    dealt = allocate(10, THREE, Split.EQUAL, {ALICE: 10})
    assert dealt.shares == {ALICE: 10}
    assert dealt.without == (BOB, CAROL)


def test_the_largest_remainder_wins_the_odd_lot() -> None:
    dealt = allocate(10, {ALICE: Decimal("1"), BOB: Decimal("1.9"), CAROL: Decimal("1.1")}, Split.WEIGHTS)
    assert dealt.shares == {ALICE: 2, BOB: 5, CAROL: 3}  # quotas 2.5, 4.75, 2.75


def test_weights_that_binary_fractions_cannot_hold_are_dealt_exactly() -> None:
    dealt = allocate(10, {ALICE: Decimal("0.1"), BOB: Decimal("0.2"), CAROL: Decimal("0.7")}, Split.WEIGHTS)
    assert dealt.shares == {ALICE: 1, BOB: 2, CAROL: 7}


@given(quantities, books, st.sampled_from([Split.EQUAL, Split.WEIGHTS]), lots)
def test_shares_and_rest_are_the_quantity_in_whole_lots(
    quantity: int, book: dict[AccountId, Decimal], how: Split, lot: int
) -> None:
    if quantity < lot:
        with pytest.raises(Invalid):
            allocate(quantity, book, how, lot=lot)
        return
    dealt = allocate(quantity, book, how, lot=lot)
    assert sum(dealt.shares.values()) + dealt.rest == quantity
    assert 0 <= dealt.rest < lot
    assert all(share > 0 and share % lot == 0 for share in dealt.shares.values())
    assert set(dealt.shares) | set(dealt.without) == set(book)
    assert not set(dealt.shares) & set(dealt.without)
    assert list(dealt.shares) == [account for account in book if account in dealt.shares]


@given(quantities, books, lots)
def test_nobody_is_more_than_one_lot_away_from_the_exact_share(
    quantity: int, book: dict[AccountId, Decimal], lot: int
) -> None:
    if quantity < lot:
        return
    dealt = allocate(quantity, book, Split.WEIGHTS, lot=lot)
    total, dealt_lots = sum(book.values()), quantity // lot
    for account, weight in book.items():
        exact = Decimal(dealt_lots) * weight / total
        assert abs(Decimal(dealt.shares.get(account, 0) // lot) - exact) < 1


@given(quantities, books, lots)
def test_a_heavier_account_never_gets_less(quantity: int, book: dict[AccountId, Decimal], lot: int) -> None:
    if quantity < lot:
        return
    shares = allocate(quantity, book, Split.WEIGHTS, lot=lot).shares
    by_weight = sorted(book, key=lambda account: book[account])
    for lighter, heavier in pairwise(by_weight):
        if book[lighter] < book[heavier]:
            assert shares.get(lighter, 0) <= shares.get(heavier, 0)


@given(st.integers(1, 10**6), books, st.data())
def test_own_quantities_are_honoured_in_every_split(
    quantity: int, book: dict[AccountId, Decimal], data: st.DataObject
) -> None:
    some = data.draw(st.lists(st.sampled_from(sorted(book)), unique=True))
    own = {account: data.draw(st.integers(1, quantity)) for account in some}
    for how in Split:
        if how is not Split.EACH and sum(own.values()) > quantity:
            with pytest.raises(Invalid):
                allocate(quantity, book, how, own)
            continue
        shares = allocate(quantity, book, how, own).shares
        assert all(shares[account] == units for account, units in own.items())


@given(quantities, books)
def test_the_same_request_is_dealt_the_same_way(quantity: int, book: dict[AccountId, Decimal]) -> None:
    assert allocate(quantity, book, Split.WEIGHTS) == allocate(quantity, dict(book), Split.WEIGHTS)
