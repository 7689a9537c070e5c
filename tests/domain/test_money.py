"""Money is exact, and numbers are read from strict text."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordo_cli.domain.errors import Invalid
from ordo_cli.domain.money import money, parse_price, parse_quantity, shown, text_of

amounts = st.decimals(min_value=0, max_value=99_999_999, places=4)


@pytest.mark.parametrize("value", [1.5, True, None, b"1", float("nan")])
def test_money_is_never_made_of_a_float_or_a_flag(value: Any) -> None:
    with pytest.raises(TypeError):
        money(value)


@pytest.mark.parametrize("value", ["NaN", "sNaN", "Infinity", "-Infinity"])
def test_money_is_finite(value: str) -> None:
    with pytest.raises(ValueError, match="finite"):
        money(value)


def test_ten_paise_twenty_paise_and_thirty_paise_agree() -> None:
    assert money("0.1") + money("0.2") == money("0.3")


@given(st.text())
def test_a_price_is_read_exactly_or_refused(text: str) -> None:
    try:
        price = parse_price(text)
    except Invalid:
        return
    assert text.isascii()
    assert price > 0
    assert price == Decimal(text)


@given(amounts.filter(lambda amount: amount > 0))
def test_what_is_written_reads_back_as_the_same_price(amount: Decimal) -> None:
    assert parse_price(text_of(amount)) == amount


@given(amounts)
def test_an_amount_is_shown_in_plain_digits_with_two_decimals_at_least(amount: Decimal) -> None:
    whole, dot, fraction = text_of(amount).partition(".")
    assert whole.isdigit()
    assert dot == "."
    assert 2 <= len(fraction) <= 4


@pytest.mark.parametrize(
    ("value", "expected"), [("1E+3", "1000.00"), ("0.05", "0.05"), ("1.2300", "1.23"), ("7", "7.00")]
)
def test_amounts_are_shown_without_exponents_or_idle_zeros(value: str, expected: str) -> None:
    assert text_of(Decimal(value)) == expected


@given(st.integers(1, 999_999_999))
def test_a_whole_number_of_units_is_itself(units: int) -> None:
    assert parse_quantity(str(units)) == units


@given(st.text())
def test_a_quantity_is_plain_digits_above_zero_or_refused(text: str) -> None:
    try:
        units = parse_quantity(text)
    except Invalid:
        return
    assert text.isascii()
    assert text.isdigit()
    assert 1 <= units <= 999_999_999


def test_somebodys_text_is_shortened_and_quoted_in_a_message() -> None:
    assert shown("x" * 10_000) == "'" + "x" * 40 + "…'"
    assert "\x1b" not in shown("\x1b[2J")
