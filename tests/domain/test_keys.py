"""Keys and fingerprints: the same request is the same, another is another."""

from __future__ import annotations

import json
import unicodedata
import uuid
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordo_cli.domain.errors import Invalid
from ordo_cli.domain.instruments import parse_instrument
from ordo_cli.domain.keys import canonical, check_key, fingerprint, new_key
from ordo_cli.domain.orders import OrderIntent, Side

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.decimals(allow_nan=False, allow_infinity=False, places=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


class Dice:
    """Chance with a memory: the letters it was told to give."""

    def __init__(self, letters: str) -> None:
        self.letters = letters

    def token(self, length: int) -> str:
        return self.letters[:length]

    def uniform(self, low: float, high: float) -> float:
        return low


@pytest.mark.parametrize(
    "key", ["", "short", "1234567", "x" * 65, "with space", "a/b/c/d/e", "ключ-ключ", "tab\tkey1", "newline\n1"]
)
def test_a_key_outside_the_grammar_is_refused(key: str) -> None:
    with pytest.raises(Invalid, match="not a key"):
        check_key(key)


@given(st.from_regex(r"\A[A-Za-z0-9._:-]{8,64}\Z"))
def test_a_key_inside_the_grammar_is_itself(key: str) -> None:
    assert check_key(key) == key


@pytest.mark.parametrize(
    "value", [1.5, float("nan"), b"x", {1: 2}, {"a": object()}, Decimal("NaN"), {3}, datetime(2026, 1, 1)]
)
def test_a_value_without_exactly_one_spelling_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        canonical(value)


def test_names_that_differ_only_in_composition_are_refused() -> None:
    with pytest.raises(TypeError, match="composed"):
        canonical({"é": 1, unicodedata.normalize("NFD", "é"): 2})


@given(plain)
def test_the_canonical_spelling_is_ascii_json_that_reads_back(value: Any) -> None:
    spelled = canonical(value)
    assert spelled.isascii()
    assert canonical(json.loads(spelled)) == spelled


@given(st.dictionaries(st.text(st.characters(codec="ascii"), max_size=5), st.integers(-9, 9), max_size=6))
def test_the_order_of_names_does_not_matter(value: dict[str, int]) -> None:
    assert canonical(dict(reversed(value.items()))) == canonical(value)


@pytest.mark.parametrize(("one", "other"), [("1500", "1500.00"), ("1500.5", "1500.50"), ("0", "-0"), ("1E+3", "1000")])
def test_equal_amounts_have_one_spelling(one: str, other: str) -> None:
    assert canonical(Decimal(one)) == canonical(Decimal(other))


def test_moments_are_told_in_utc() -> None:
    india = timezone(timedelta(hours=5, minutes=30))
    assert canonical(datetime(2026, 1, 1, 5, 30, tzinfo=india)) == canonical(datetime(2026, 1, 1, tzinfo=UTC))
    assert canonical(date(2026, 1, 1)) == b'"2026-01-01"'


def test_another_quantity_is_another_request() -> None:
    ten = OrderIntent(Side.BUY, parse_instrument("NSE:INFY"), 10)
    eleven = OrderIntent(Side.BUY, parse_instrument("NSE:INFY"), 11)
    assert fingerprint(ten) != fingerprint(eleven)
    assert fingerprint(ten) == fingerprint(OrderIntent(Side.BUY, parse_instrument("NSE:INFY"), 10))


@given(
    st.datetimes(timezones=st.just(UTC), min_value=datetime(1970, 1, 2), max_value=datetime(2200, 1, 1)),
    st.text("0123456789abcdefghjkmnpqrstvwxyz", min_size=15, max_size=15),
)
def test_a_new_key_is_a_uuid_of_version_7_and_a_key(now: datetime, letters: str) -> None:
    key = new_key(now, Dice(letters))
    read = uuid.UUID(check_key(key))
    assert (read.version, read.variant) == (7, uuid.RFC_4122)
    assert read.int >> 80 == int(now.timestamp() * 1000)


def test_later_keys_sort_after_earlier_ones() -> None:
    now = datetime(2026, 11, 22, tzinfo=UTC)
    keys = [new_key(now + timedelta(milliseconds=step), Dice("z" * 15 if step == 0 else "0" * 15)) for step in range(3)]
    assert keys == sorted(keys)
