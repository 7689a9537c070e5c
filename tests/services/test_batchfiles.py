"""Files of orders in four formats: the same orders in each, and every mistake with its line."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ordo_cli.domain.batch import COLUMNS, Row
from ordo_cli.domain.errors import Invalid, NotFound
from ordo_cli.services import batchfiles
from ordo_cli.services.batchformats import Format

orders = st.fixed_dictionaries(
    {
        "side": st.sampled_from(["buy", "sell"]),
        "instrument": st.sampled_from(["NSE:INFY", "NSE:M&M", "NFO:NIFTY28MAR2420800CE"]),
        "qty": st.integers(1, 999_999_999),
        "to": st.lists(st.sampled_from(["alice", "@family", "bob=5", "all"]), min_size=1, unique=True),
    },
    optional={
        "limit": st.decimals(min_value="0.05", max_value=99_999, places=2).map(str),
        "amo": st.booleans(),
        "split": st.sampled_from(["each", "equal", "weights"]),
        "tag": st.text(st.characters(categories=["L", "Nd"]), min_size=1, max_size=20).filter(str.isascii),
    },
)
books = st.lists(orders, min_size=1, max_size=8)


def as_csv(book: list[dict[str, Any]]) -> str:
    file = io.StringIO()
    writer = csv.DictWriter(file, list(COLUMNS), lineterminator="\n")
    writer.writeheader()
    for order in book:
        flat = order | {"to": " ".join(order["to"])}
        writer.writerow(flat | ({"amo": str(order["amo"]).lower()} if "amo" in order else {}))
    return file.getvalue()


SPELL: dict[Format, Callable[[list[dict[str, Any]]], str]] = {
    Format.CSV: as_csv,
    Format.JSON: json.dumps,
    Format.JSONL: lambda book: "\n".join(json.dumps(order) for order in book),
    Format.YAML: lambda book: str(yaml.safe_dump(book, sort_keys=False)),
}


def read(book: list[dict[str, Any]], kind: Format) -> list[Row]:
    rows, faults = batchfiles.parse(SPELL[kind](book).encode(), kind)
    assert not faults
    return rows


@given(books)
def test_the_four_formats_spell_the_same_orders(book: list[dict[str, Any]]) -> None:
    wanted = [row.order for row in read(book, Format.CSV)]
    assert len(wanted) == len(book)
    for kind in Format:
        assert [row.order for row in read(book, kind)] == wanted


@given(st.binary(max_size=400), st.sampled_from(Format))
def test_any_bytes_are_orders_or_faults(data: bytes, kind: Format) -> None:
    rows, faults = batchfiles.parse(data, kind)
    assert rows or faults
    assert all(fault.line >= 1 for fault in faults)


@given(
    st.lists(st.sampled_from([*'{}[],:"\n-&*!|>#%@` ', "\\u", "buy", "qty", "10", "1e9", "NaN", "null"]), max_size=60),
    st.sampled_from(Format),
)
def test_any_punctuation_is_orders_or_faults(pieces: list[str], kind: Format) -> None:
    rows, faults = batchfiles.parse("".join(pieces).encode(), kind)
    assert rows or faults


@given(st.text(max_size=200), st.sampled_from(Format))
def test_any_text_is_orders_or_faults(text: str, kind: Format) -> None:
    rows, faults = batchfiles.parse(text.encode("utf-8", "surrogatepass"), kind)
    assert rows or faults


@given(books, st.data())
def test_one_broken_row_is_named_and_the_others_are_read(book: list[dict[str, Any]], data: st.DataObject) -> None:
    broken = data.draw(st.integers(0, len(book) - 1))
    book[broken] = book[broken] | {"instrument": "NYSE:IBM"}
    rows, faults = batchfiles.parse(as_csv(book).encode(), Format.CSV)
    assert [(fault.line, fault.column) for fault in faults] == [(broken + 2, "instrument")]
    assert len(rows) == len(book) - 1


def test_faults_come_in_the_order_of_the_file() -> None:
    text = "side,instrument,qty,to,key\n" + "buy,NSE:INFY,1,alice,my-key-123\n" * 2 + "hold,NSE:INFY,1,alice,\n"
    _, faults = batchfiles.parse(text.encode(), Format.CSV)
    assert [fault.line for fault in faults] == [3, 4]


def test_a_thousand_mistakes_are_enough() -> None:
    text = "side,instrument,qty,to\n" + "hold,NSE:INFY,1,alice\n" * 5_000
    _, faults = batchfiles.parse(text.encode(), Format.CSV)
    assert len(faults) == batchfiles.MOST_FAULTS + 1


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.csv", "csv"),
        ("A.JSON", "json"),
        ("a.jsonl", "jsonl"),
        ("a.ndjson", "jsonl"),
        ("a.yml", "yaml"),
        ("a.yaml", "yaml"),
    ],
)
def test_the_ending_names_the_format(name: str, kind: str) -> None:
    assert batchfiles.format_of(name, None) == kind
    assert batchfiles.format_of("a.txt", Format(kind)) == kind


def test_an_ending_that_says_nothing_is_refused() -> None:
    with pytest.raises(Invalid, match="format"):
        batchfiles.format_of("orders.xlsx", None)


def test_a_file_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        batchfiles.load(str(tmp_path / "none.csv"))
