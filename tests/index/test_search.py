"""Searching: a few words find what a trader means, what is ambiguous is listed, and no text does harm."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordo_cli.index.layout import EXCHANGES
from ordo_cli.index.reading import ID, Index
from ordo_cli.index.search import beginning, search


def found(index: Index, text: str, limit: int = 10, exchange: str | None = None) -> list[str]:
    return [row[ID] for _, row in search(index, text, limit, exchange)]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("infy", "NSE:INFY"),
        ("NSE:INFY", "NSE:INFY"),
        ("bse:infy", "BSE:INFY"),
        ("infosys", "NSE:INFY"),
        ("infy bse", "BSE:INFY"),
        ("state bank", "NSE:SBIN"),
        ("m&m", "NSE:M&M"),
        ("bajaj auto", "NSE:BAJAJ-AUTO"),
        ("20microns", "NSE:20MICRONS"),
        ("20 microns", "NSE:20MICRONS"),
        ("maruti", "NSE:MARUTI"),
        ("bse", "NSE:BSE"),
        ("INE009A01021", "NSE:INFY"),
        ("reliance fut", "NFO:RELIANCE24NOV26FUT"),
        ("reliancefut", "NFO:RELIANCE24NOV26FUT"),
        ("reliance dec fut", "NFO:RELIANCE29DEC26FUT"),
        ("reliance december future", "NFO:RELIANCE29DEC26FUT"),
        ("nifty 24500 ce nov", "NFO:NIFTY24NOV2624500CE"),
        ("NIFTY NOV 24500 CALL", "NFO:NIFTY24NOV2624500CE"),
        ("nifty 24500 put dec", "NFO:NIFTY29DEC2624500PE"),
        ("nifty24nov24500ce", "NFO:NIFTY24NOV2624500CE"),
        ("nifty24nov2624500ce", "NFO:NIFTY24NOV2624500CE"),
        ("nifty26nov24500ce", "NFO:NIFTY24NOV2624500CE"),
        ("nifty 24 nov 24500 ce", "NFO:NIFTY24NOV2624500CE"),
        ("nifty 24nov26 24500ce", "NFO:NIFTY24NOV2624500CE"),
        ("nifty 29 dec 2026 24500 pe", "NFO:NIFTY29DEC2624500PE"),
        ("nifty24500ce", "NFO:NIFTY24NOV2624500CE"),
        ("bank nifty 52000 pe", "NFO:BANKNIFTY24NOV2652000PE"),
        ("banknifty52000pe", "NFO:BANKNIFTY24NOV2652000PE"),
        ("nifty bank 52000 pe dec", "NFO:BANKNIFTY29DEC2652000PE"),
        ("nfo:nifty 24500 ce", "NFO:NIFTY24NOV2624500CE"),
        ("BAJAJ-AUTO-EQ", "NSE:BAJAJ-AUTO"),
    ],
)
def test_what_is_meant_comes_first(small: Index, text: str, first: str) -> None:
    assert found(small, text)[0] == first


def test_an_ambiguous_name_lists_all_that_it_may_be(small: Index) -> None:
    assert {"NSE:TATASTEEL", "NSE:TATAPOWER", "BSE:TATASTEEL", "BSE:TATAPOWER"} <= set(found(small, "tata"))
    assert found(small, "nifty 24500 ce")[:2] == ["NFO:NIFTY24NOV2624500CE", "NFO:NIFTY29DEC2624500CE"]


@pytest.mark.parametrize(
    "text", ["nifty 99999 ce", "nifty 24500 ce jan", "zzz", "", " ", ":", "nifty 24510 ce", "ИНФИ"]
)
def test_what_nobody_lists_is_not_replaced_by_something_near_it(small: Index, text: str) -> None:
    assert found(small, text) == []


def test_shares_come_before_futures_and_these_before_options(small: Index) -> None:
    assert found(small, "reliance", 5) == [
        "NSE:RELIANCE",
        "BSE:RELIANCE",
        "NFO:RELIANCE24NOV26FUT",
        "NFO:RELIANCE29DEC26FUT",
        "NFO:RELIANCE24NOV261400CE",
    ]


def test_one_exchange_alone_can_be_asked(small: Index) -> None:
    assert found(small, "reliance", 2, "BSE") == ["BSE:RELIANCE"]
    assert all(name.startswith("NFO:") for name in found(small, "reliance", 5, "NFO"))


@pytest.mark.parametrize(
    ("word", "first", "count"),
    [
        ("NSE:IN", "NSE:INFY", 1),
        ("NSE:M", "NSE:M&M", 2),
        ("NSE:M&", "NSE:M&M", 1),
        ("NFO:NIFTY24", "NFO:NIFTY24NOV26FUT", 61),
        ("NFO:NIFTY24NOV2624500", "NFO:NIFTY24NOV2624500CE", 2),
        ("NFO:BANKNIFTY29DEC26F", "NFO:BANKNIFTY29DEC26FUT", 1),
        ("NYSE:IN", None, 0),
        ("NSE", None, 0),
        ("NSE:in", None, 0),
        ("NFO:ЫЫ", None, 0),
    ],
)
def test_a_word_is_completed_from_the_index(small: Index, word: str, first: str | None, count: int) -> None:
    names = beginning(small, word)
    assert (names[0] if names else None, len(names)) == (first, count)
    assert all(name.startswith(word) for name in names)


@settings(max_examples=500, deadline=None)
@given(
    st.text(max_size=60)
    | st.lists(
        st.sampled_from(
            ["nifty", "24500", "ce", "nov", "24nov26", "fut", "NSE:", "&", "m&m", "1.5", "9" * 12, "2026", "-"]
        ),
        max_size=12,
    ).map(" ".join)
    | st.text(st.sampled_from("NIFTYNOVDECEPU0123456789.:-& "), max_size=300)
)
def test_no_text_breaks_the_search(small: Index, text: str) -> None:
    for limit in (1, 7):
        names = found(small, text, limit)
        assert len(names) <= limit
        assert len(set(names)) == len(names)
    beginning(small, text)


@pytest.mark.parametrize(
    "text", ["a", "q 24500 ce", "nifty 24500 ce", "limited", "q", "24500 ce", "industries fut", "1"]
)
def test_even_the_vaguest_text_is_soon_answered(large: Path, text: str) -> None:
    index = Index(str(large))
    spent = []
    for _ in range(3):
        begin = time.perf_counter()
        search(index, text)
        spent.append(time.perf_counter() - begin)
    assert min(spent) < 0.5  # ten times the aim: whether it grows with the list, not how fast the machine is


def test_every_exchange_of_the_grammar_is_known() -> None:
    from ordo_cli.domain.instruments import Exchange

    assert tuple(Exchange) == EXCHANGES
