"""Rows of batches and the keys that make running a file twice harmless."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordo_cli.domain.allocation import Split
from ordo_cli.domain.batch import COLUMNS, Fault, Row, column_faults, keys_of, read_row, repeated_keys
from ordo_cli.domain.keys import check_key
from ordo_cli.domain.orders import OrderType, Product, Side, Validity

DAY = date(2026, 11, 23)
PLAIN = {"side": "buy", "instrument": "NSE:INFY", "qty": "10", "to": "alice"}
cells = st.dictionaries(
    st.sampled_from(sorted(COLUMNS)), st.text(max_size=12) | st.sampled_from(["buy", "10", "alice", "NSE:INFY"])
)


def row(line: int = 2, **said: str) -> Row:
    found = read_row(line, PLAIN | said)
    assert isinstance(found, Row), found
    return found


def faults(**said: str) -> list[Fault]:
    found = read_row(2, PLAIN | said)
    assert isinstance(found, list), found
    return found


@given(cells)
def test_a_row_is_an_order_or_faults_that_name_its_line(said: dict[str, str]) -> None:
    found = read_row(7, said)
    if isinstance(found, Row):
        assert found.line == 7
        assert found.targets
    else:
        assert found
        assert all(fault.line == 7 and fault.message for fault in found)


def test_every_mistake_of_a_row_is_named_at_once() -> None:
    found = faults(side="hold", qty="1.5", limit="NaN", to="../x", amo="1")
    assert [fault.column for fault in found] == ["side", "qty", "to", "limit", "amo"]


@pytest.mark.parametrize("column", ["side", "instrument", "qty", "to"])
def test_what_every_order_needs_is_missed_when_it_is_empty(column: str) -> None:
    assert f"{column} is missing" in [fault.message for fault in faults(**{column: ""})]


def test_an_order_that_contradicts_itself_is_a_fault_of_its_line() -> None:
    (only,) = faults(limit="99", trigger="100")
    assert "at or above its trigger" in only.message


def test_every_word_of_a_row_reaches_its_order() -> None:
    found = row(
        side="sell",
        limit="100.05",
        trigger="100.10",
        to="alice;@family bob=5",
        product="mis",
        validity="day",
        amo="no",
        disclosed="5",
        split="equal",
        tag="my note",
        key="my-key-123",
    )
    intent = found.intent
    assert (intent.side, intent.type, intent.product, intent.validity) == (
        Side.SELL,
        OrderType.SL,
        Product.MIS,
        Validity.DAY,
    )
    assert (intent.limit_price, intent.trigger_price) == (Decimal("100.05"), Decimal("100.10"))
    assert (intent.quantity, intent.disclosed, intent.after_market, intent.label) == (10, 5, False, "my note")
    assert [str(target) for target in found.targets] == ["alice", "@family", "bob=5"]
    assert (found.split, found.key) == (Split.EQUAL, "my-key-123")


def test_a_misspelt_column_gets_a_suggestion() -> None:
    first, *_ = column_faults(1, ["side", "instrument", "qty", "to", "limt"])
    assert first.hint == "did you mean limit?"


def test_a_key_given_to_two_rows_is_a_fault_of_the_second() -> None:
    (only,) = repeated_keys([row(2, key="my-key-123"), row(3, key="my-key-123"), row(4)])
    assert only.line == 3


def test_the_same_file_on_the_same_day_has_the_same_keys() -> None:
    rows = [row(2), row(3, qty="11")]
    assert keys_of(rows, "morning.csv", DAY) == keys_of(rows, "morning.csv", DAY)


def test_another_day_batch_or_order_has_another_key() -> None:
    (key,) = keys_of([row()], "morning.csv", DAY)
    others = [
        keys_of([row()], "morning.csv", date(2026, 11, 24)),
        keys_of([row()], "evening.csv", DAY),
        keys_of([row(qty="11")], "morning.csv", DAY),
        keys_of([row(to="bob")], "morning.csv", DAY),
        keys_of([row(split="equal")], "morning.csv", DAY),
    ]
    assert len({key, *(other for (other,) in others)}) == 6


def test_a_row_that_moved_to_another_line_keeps_its_key() -> None:
    (key,) = keys_of([row(2)], "morning.csv", DAY)
    assert keys_of([row(9), row(10, qty="11")], "morning.csv", DAY)[0] == key


def test_a_price_written_with_idle_zeros_is_the_same_order() -> None:
    assert keys_of([row(limit="1500")], "b", DAY) == keys_of([row(limit="1500.00")], "b", DAY)


def test_identical_rows_are_as_many_orders() -> None:
    first, second = keys_of([row(2), row(3)], "morning.csv", DAY)
    assert first != second


def test_a_key_of_its_own_is_kept() -> None:
    assert keys_of([row(key="my-key-123")], "morning.csv", DAY) == ["my-key-123"]


@given(st.lists(st.integers(1, 5), min_size=1, max_size=20), st.text(max_size=20))
def test_keys_are_keys_and_all_different(quantities: list[int], batch: str) -> None:
    rows = [replace(row(qty=str(quantity)), line=line) for line, quantity in enumerate(quantities)]
    keys = keys_of(rows, batch, DAY)
    assert len(set(keys)) == len(rows)
    assert all(check_key(key) == key for key in keys)
