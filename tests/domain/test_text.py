"""Text of others on a terminal, in a log and in a spreadsheet."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordo_cli.domain.text import LIMIT, clean, csv_cell

INTRODUCERS = st.sampled_from(
    [
        "\x1b",
        "\x1b[",
        "\x1b]",
        "\x1bP",
        "\x9b",
        "\x9d",
        "\x90",
        "\x07",
        "\x1b\\",
        "\x9c",
        "31m",
        "2J",
        ";",
        "\r",
        "\n",
        "x",
    ]
)
hostile = st.one_of(st.text(), st.lists(INTRODUCERS).map("".join), st.text(st.characters(max_codepoint=0x2100)))


@given(hostile)
def test_nothing_that_a_terminal_obeys_or_nobody_sees_is_left(text: str) -> None:
    for letter in clean(text):
        assert unicodedata.category(letter) not in {"Cc", "Cf", "Cs", "Zl", "Zp"}, f"U+{ord(letter):04X}"


def test_no_control_or_format_character_of_unicode_survives() -> None:
    for code in range(0x110000):
        if unicodedata.category(chr(code)) in {"Cc", "Cf", "Cs", "Zl", "Zp"}:
            assert not {chr(code)} & set(clean(f"a{chr(code)}"))


@given(hostile)
def test_cleaning_twice_changes_nothing(text: str) -> None:
    assert clean(clean(text)) == clean(text)


@given(hostile, st.integers(1, 600))
def test_the_result_is_one_line_of_limited_length_that_can_be_written(text: str, limit: int) -> None:
    cleaned = clean(text, limit)
    assert len(cleaned) <= limit
    assert len(cleaned.splitlines()) <= 1
    cleaned.encode("utf-8")


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=LIMIT))
def test_plain_text_is_left_alone(text: str) -> None:
    assert clean(text) == text


@pytest.mark.parametrize(
    "text", ["₹1,500.05 में खरीदें", "RELIANCE रिलायंस", "naïve café", "価格", "M&M", "[bold]x[/bold]"]
)
def test_words_of_people_survive(text: str) -> None:
    assert clean(text) == text


def test_the_whole_sequence_goes_and_the_words_beside_it_stay() -> None:
    assert clean("a\x1b[31;1mred\x1b[0m\x1b]0;title\x07b\x1bPpayload\x1b\\c") == "aredbc"


def test_an_unclosed_sequence_cannot_hide_the_rest_of_a_message() -> None:
    assert clean("refused\x1b]0; because of the limit") == "refused]0; because of the limit"


def test_a_line_break_becomes_a_space_so_that_no_row_can_be_forged() -> None:
    assert clean("refused\r\nalice ACKED 10") == "refused alice ACKED 10"


@pytest.mark.parametrize(
    "bomb",
    ["\x1b]" * 50_000, "\x90" * 100_000, "\x1bP" * 50_000, "\x1b[" + "0;" * 50_000, "\x9b" * 100_000, "\x1b" * 100_000],
)
def test_hostile_text_is_cleaned_in_linear_time(bomb: str) -> None:
    begun = time.perf_counter()
    clean(bomb, 10_000)
    assert time.perf_counter() - begun < 10.0


@given(hostile)
def test_no_cell_of_csv_begins_as_a_formula(text: str) -> None:
    assert csv_cell(text).lstrip()[:1] not in {*"=+-@\t\r", "\uff1d", "\uff0b", "\uff0d", "\uff20"}


@given(st.text(st.characters(categories=["Ll", "Lu", "Nd"]), min_size=1, max_size=40))
def test_an_innocent_cell_is_left_alone(text: str) -> None:
    assert csv_cell(text) == text


@pytest.mark.parametrize(
    "cell", ["=cmd|' /C calc'!A0", "@SUM(1)", "+1+1", "-2", "\t=1", "\r=1", " =1", "\u200b=1", "\x00=1", "\uff1d1"]
)
def test_a_formula_is_disarmed(cell: str) -> None:
    assert csv_cell(cell).startswith("'")
