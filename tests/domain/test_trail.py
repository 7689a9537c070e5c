"""Checking the chain: whatever is changed, removed, swapped, put in or cut off is found, and where."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordo_cli.domain.audit import GENESIS, body_of, link
from ordo_cli.domain.errors import Invalid
from ordo_cli.domain.trail import Anchor, Checker, State, Stored, Verdict, line_of, read_anchors

ORIGIN = "ordo/test"


def chain(size: int, start: int = 0, word: str = "x") -> list[Stored]:
    rows: list[Stored] = []
    head = GENESIS
    for seq in range(1, size + 1):
        body = body_of(seq, "state", seq + start, actor="me", ids={"fan_out": f"f{seq % 3}"}, data={"word": word})
        head = link(head, body)
        rows.append((seq, seq + start, "state", f"f{seq % 3}", body, head))
    return rows


def anchor(rows: list[Stored], size: int) -> Anchor:
    head = rows[size - 1][5] if size else GENESIS
    return Anchor(ORIGIN, size, head.hex(), "2026-11-23T06:30:00Z")


def judged(rows: list[Stored], *anchors: Anchor) -> Verdict:
    checker = Checker(anchors)
    for start in range(0, len(rows), 7):
        if not checker.take(rows[start : start + 7]):
            break
    return checker.verdict(anchors)


def test_an_untouched_chain_is_whole() -> None:
    rows = chain(20)
    verdict = judged(rows, anchor(rows, 0), anchor(rows, 7), anchor(rows, 20))
    assert verdict == Verdict(State.WHOLE, 20, rows[-1][5].hex())
    assert judged([]).state is State.WHOLE


@given(st.integers(1, 20), st.data())
def test_an_edit_of_any_part_of_any_row_is_found_there(seq: int, data: st.DataObject) -> None:
    rows = chain(20)
    row: list[object] = list(rows[seq - 1])
    part = data.draw(st.integers(1, 5))
    row[part] = {
        1: 999,
        2: "release",
        3: None,
        4: str(row[4]).replace('"x"', '"y"'),
        5: bytes(32),
    }[part]
    rows[seq - 1] = tuple(row)  # type: ignore[assignment]  # the same six columns
    verdict = judged(rows)
    assert (verdict.state, verdict.seq, verdict.rows) == (State.BROKEN, seq, seq - 1)
    assert verdict.reason


@given(st.integers(1, 19))
def test_a_row_removed_from_the_middle_is_found(seq: int) -> None:
    rows = chain(20)
    verdict = judged(rows[: seq - 1] + rows[seq:])
    assert (verdict.state, verdict.seq) == (State.BROKEN, seq)


@given(st.integers(1, 20), st.integers(1, 20))
def test_swapped_rows_are_found(one: int, other: int) -> None:
    rows = chain(20)
    low, high = sorted((one, other))
    if low == high:
        return
    first, second = rows[low - 1], rows[high - 1]
    rows[low - 1] = (low, *second[1:])
    rows[high - 1] = (high, *first[1:])
    assert (judged(rows).state, judged(rows).seq) == (State.BROKEN, low)


@given(st.integers(1, 20))
def test_a_row_put_in_is_found(seq: int) -> None:
    rows = chain(20)
    foreign = chain(1, word="foreign")[0]
    spliced = [*rows[: seq - 1], (seq, *foreign[1:]), *((each[0] + 1, *each[1:]) for each in rows[seq - 1 :])]
    assert judged(spliced).state is State.BROKEN


@given(st.integers(0, 19))
def test_a_cut_tail_is_found_by_an_anchor_and_by_nothing_else(size: int) -> None:
    rows = chain(20)
    assert judged(rows[:size]).state is State.WHOLE
    verdict = judged(rows[:size], anchor(rows, 20))
    assert (verdict.state, verdict.seq) == (State.TRUNCATED, size + 1)
    assert "20 rows" in str(verdict.reason)


@given(st.integers(1, 20))
def test_a_chain_written_anew_is_found_by_an_anchor(size: int) -> None:
    rows, forged = chain(20), chain(20, word="forged")
    assert judged(forged).state is State.WHOLE
    verdict = judged(forged, anchor(rows, size))
    assert (verdict.state, verdict.seq) == (State.REWRITTEN, size)


def test_an_anchor_survives_being_written_and_read() -> None:
    rows = chain(3)
    known = [anchor(rows, 2), anchor(rows, 3)]
    assert read_anchors("\n".join(each.text() for each in known) + "\n\n", ORIGIN) == known


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "not json",
        "[]",
        "{}",
        anchor(chain(1), 1).text().replace("ordo-anchor-v1", "other"),
        anchor(chain(1), 1).text().replace('"size": 1', '"size": true'),
        replace(anchor(chain(1), 1), head="ab").text(),
        replace(anchor(chain(1), 1), origin="ordo/other").text(),
    ],
)
def test_what_is_no_anchor_of_ours_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        read_anchors(text, ORIGIN)


def test_a_body_that_is_not_even_ascii_breaks_the_chain() -> None:
    rows = chain(3)
    rows[1] = (*rows[1][:4], "é", rows[1][5])
    assert judged(rows).seq == 2


def test_a_line_is_read_from_its_text() -> None:
    line = line_of(chain(1)[0][4])
    assert (line.seq, line.type, line.actor, line.ids, line.data) == (
        1,
        "state",
        "me",
        {"fan_out": "f1"},
        {"word": "x"},
    )
    assert line.at.utcoffset() is not None
