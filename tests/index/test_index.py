"""An index gives back what was put in, notices what was damaged, and may be replaced while somebody reads it."""

from __future__ import annotations

import os
import threading
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordo_cli.domain.errors import Invalid
from ordo_cli.domain.instruments import parse_instrument
from ordo_cli.index.build import Builder, build
from ordo_cli.index.layout import Broken
from ordo_cli.index.reading import CODE, FREEZE, ID, LOT, MORE, NAME, SEGMENT, TOKEN, Index, open_index
from tests.index.rows import TODAY, few, many


def written(path: Path, *rows: tuple[object, ...]) -> Index:
    path.write_bytes(build(rows, TODAY))
    return Index(str(path))


def test_a_row_comes_back_as_it_was_put_in(small: Index) -> None:
    (row,) = small.named("NFO:NIFTY24NOV2624500CE")
    assert (row[LOT], row[FREEZE], row[SEGMENT], row[CODE]) == ("75", "1800", "NFO", "NIFTY24NOV2624500CE")
    assert small.numbered(row[TOKEN], "NFO") == [row]
    assert small.coded("INFY-EQ", "NSE")[0][ID] == "NSE:INFY"
    assert date.fromordinal(small.head.day) == TODAY


def test_every_row_is_found_by_name_code_and_number(small: Index) -> None:
    for row in few():
        assert [each[ID] for each in small.named(row.instrument)] == [row.instrument]
        assert [each[ID] for each in small.coded(row.code, row.segment)] == [row.instrument]
        assert [each[ID] for each in small.numbered(row.token, row.segment)] == [row.instrument]
    assert small.head.rows == len(list(few()))


@pytest.mark.parametrize(
    "name", ["NSE:NOBODY", "", "NSE:", "NFO:NIFTY24NOV2624500XE", "nse:infy", "\udcff", "x" * 9999]
)
def test_what_is_not_there_is_not_found(small: Index, name: str) -> None:
    assert small.named(name) == small.coded(name) == small.numbered(name) == []


def test_names_with_equal_check_sums_are_told_apart(tmp_path: Path) -> None:
    from zlib import crc32

    first, second = "NSE:PLUMLESS", "NSE:BUCKEROO"  # the classic pair has equal check sums by themselves
    same = crc32(b"plumless") == crc32(b"buckeroo")
    assert same
    index = written(
        tmp_path / "i.idx", (first, "one", "0.05", 1, "plumless", "1"), (second, "two", "0.05", 1, "buckeroo", "2")
    )
    assert index.coded("plumless")[0][ID] == first
    assert index.coded("buckeroo")[0][ID] == second


def test_one_code_in_two_segments_is_told_apart_by_the_segment(tmp_path: Path) -> None:
    index = written(
        tmp_path / "i.idx",
        ("NSE:INFY", "Infosys", "0.05", 1, "500209", "1594", "NSE"),
        ("BSE:INFY", "Infosys", "0.05", 1, "500209", "1594", "BSE"),
    )
    assert [row[ID] for row in index.numbered("1594", "BSE")] == ["BSE:INFY"]
    assert len(index.numbered("1594")) == 2


def test_a_name_that_two_rows_give_differently_is_counted_and_one_said_twice_is_one(tmp_path: Path) -> None:
    one = ("NSE:INFY", "Infosys", "0.05", 1, "INFY-EQ", "1")
    index = written(tmp_path / "i.idx", one, one, ("NSE:INFY", "Infosys", "0.05", 1, "INFY-BL", "2"))
    assert (index.head.rows, index.head.ambiguous) == (2, 1)
    assert len(index.named("NSE:INFY")) == 2


@pytest.mark.parametrize(
    "row",
    [
        ("NYSE:INFY", "", "0.05", 1, "c"),
        ("NSE:infy", "", "0.05", 1, "c"),
        ("NSE:", "", "0.05", 1, "c"),
        ("NSE:ИНФИ", "", "0.05", 1, "c"),
        ("NSE:INFY", "", "0", 1, "c"),
        ("NSE:INFY", "", "-0.05", 1, "c"),
        ("NSE:INFY", "", "5e-2", 1, "c"),
        ("NSE:INFY", "", "NaN", 1, "c"),
        ("NSE:INFY", "", "", 1, "c"),
        ("NSE:INFY", "", "0.05", 0, "c"),
        ("NSE:INFY", "", "0.05", -1, "c"),
        ("NSE:INFY", "", "0.05", 1, ""),
        ("NSE:INFY", "", "0.05", 1, "c", "t", "s", 0),
        ("NSE:INFY", "", "0.05", 1, "c", "t", "s", 1, "x"),
        ("NFO:NIFTY", "", "0.05", 1, "c"),
        ("NFO:NIFTY31FEB26FUT", "", "0.05", 1, "c"),
        ("NFO:NIFTY24NOV26CE", "", "0.05", 1, "c"),
        ("NFO:NIFTY24NOV2624500.12345CE", "", "0.05", 1, "c"),
        ("NFO:NIFTY24NOV26\u0661\u0662CE", "", "0.05", 1, "c"),
        ("NFO:24NOV2624500CE", "", "0.05", 1, "c"),
        (f"NFO:{'N' * 30}24NOV2624500CE", "", "0.05", 1, "c"),
    ],
    ids=lambda row: row[0][:24],
)
def test_a_row_that_is_no_instrument_is_left_out_and_counted(row: tuple[object, ...]) -> None:
    builder = Builder()
    builder.add(*row)  # type: ignore[arg-type]
    assert (len(builder), builder.left_out) == (0, 1)
    with pytest.raises(Broken):
        builder.finish(TODAY)


@settings(max_examples=400)
@given(st.text(st.sampled_from("NIFTY24NOV6CEPUBA.&-_15"), max_size=24), st.sampled_from(["NSE", "NFO", "MCX", "BFO"]))
def test_the_index_takes_the_names_that_the_grammar_takes_and_no_others(symbol: str, exchange: str) -> None:
    try:
        parse_instrument(f"{exchange}:{symbol}")
        good = True
    except Invalid:
        good = False
    builder = Builder()
    builder.add(f"{exchange}:{symbol}", "", "0.05", 1, "c")
    assert (len(builder) == 1) is good


def test_hostile_text_stays_in_its_field(tmp_path: Path) -> None:
    index = written(
        tmp_path / "i.idx",
        (
            "NSE:INFY",
            "In\tfo\nsys\x1b[2J",
            "0.05",
            1,
            "IN\tFY",
            "1\t2",
            "N\nSE",
            None,
            None,
            None,
            "IN\tE",
            {"a": "b\t\x1e"},
        ),
    )
    (row,) = index.named("NSE:INFY")
    assert (row[NAME], row[CODE], row[TOKEN], row[SEGMENT]) == ("In fo sys [2J", "IN FY", "1 2", "N SE")
    assert row[MORE] == "a\x1fb  "


def test_a_file_that_is_cut_anywhere_or_grown_counts_as_none(tmp_path: Path) -> None:
    data, path = build(few(), TODAY), tmp_path / "i.idx"
    for length in (0, 7, 100, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:length])
        assert open_index(str(path)) is None
    path.write_bytes(data + b"x")
    assert open_index(str(path)) is None
    path.write_bytes(b"SQLite format 3\0" + data[16:])
    assert open_index(str(path)) is None
    assert open_index(str(tmp_path / "no.idx")) is None
    assert open_index(str(tmp_path)) is None


@pytest.mark.parametrize("at", range(8, 260, 13))
def test_a_changed_bit_of_the_head_counts_as_none(tmp_path: Path, at: int) -> None:
    data, path = bytearray(build(few(), TODAY)), tmp_path / "i.idx"
    data[at] ^= 4
    path.write_bytes(data)
    index = open_index(str(path))
    assert index is None or not index.whole()


def test_a_changed_bit_anywhere_gives_no_wrong_row(tmp_path: Path) -> None:
    good = build(few(), TODAY)
    path = tmp_path / "i.idx"
    path.write_bytes(good)
    (right,) = Index(str(path)).named("NSE:INFY")
    for at in range(300, len(good), 97):
        data = bytearray(good)
        data[at] ^= 1
        path.write_bytes(data)
        index = open_index(str(path))
        if index is None:
            continue
        assert not index.whole()
        try:
            found = index.named("NSE:INFY")
        except (Broken, ValueError, IndexError):
            continue
        assert found in ([], [right])


def test_a_reader_keeps_what_it_opened_while_the_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "i.idx"
    olds = build([("NSE:INFY", "old", "0.05", 1, "c")], TODAY)
    news = build([*few(), ("NSE:NEWS", "new", "0.05", 1, "c2")], TODAY)
    path.write_bytes(olds)
    over, wrong, looks = threading.Event(), [], [0]

    def replace() -> None:
        for turn in range(300):
            beside = tmp_path / "beside"
            beside.write_bytes(news if turn % 2 else olds)
            os.replace(beside, path)
        over.set()

    def look() -> None:
        while not over.is_set():
            index = open_index(str(path))
            found = [] if index is None else index.named("NSE:INFY")
            looks[0] += 1
            if len(found) != 1 or found[0][NAME] not in ("old", "Infosys"):
                wrong.append(found)

    kept = Index(str(path))
    threads = [threading.Thread(target=work) for work in (replace, look, look)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (wrong, kept.named("NSE:INFY")[0][NAME]) == ([], "old")
    assert looks[0] > 10


def test_as_many_as_a_broker_lists_are_all_there(large: Path) -> None:
    index = Index(str(large))
    assert index.whole()
    rows = many()
    assert index.head.rows == len({row.instrument for row in rows})
    for row in rows[::997]:
        assert index.named(row.instrument)[0][ID] == row.instrument
