"""HDFC's words, both ways: what has none is refused going out and unclear coming in."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from ordo_cli.brokers import spec
from ordo_cli.brokers.codes import Codes
from ordo_cli.brokers.hdfc.codes import (
    DONE,
    ENDED,
    LIVE,
    PRODUCTS,
    RIGHTS,
    SIDES,
    TYPES,
    VALIDITIES,
    day_of,
    moment_of,
    reference_of,
    state_of,
)
from ordo_cli.domain.errors import Refused
from ordo_cli.domain.instruments import Right
from ordo_cli.domain.orders import OrderState, OrderType, Product, Side, Tag, Validity
from tests.brokers.hdfc.fakes import account


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (SIDES, {Side.BUY: "BUY", Side.SELL: "SELL"}),
        (TYPES, {OrderType.MARKET: "MARKET", OrderType.LIMIT: "LIMIT", OrderType.SL: "SL"}),
        (
            PRODUCTS,
            {Product.CNC: "DELIVERY", Product.MIS: "INTRADAY", Product.NRML: "OVERNIGHT", Product.MTF: "MTF"},
        ),
        (VALIDITIES, {Validity.DAY: "DAY", Validity.IOC: "IOC"}),
        (RIGHTS, {Right.CALL: "CE", Right.PUT: "PE"}),
    ],
)
def test_every_word_goes_out_and_comes_back(table: Codes[str, str], words: dict[str, str]) -> None:
    assert table.words == words.keys()
    assert {word: table.out(word) for word in words} == words
    assert {code: table.into(code) for code in words.values()} == {code: word for word, code in words.items()}
    foreigners: list[object] = ["", "NOSUCH", None, 1, True, [], {}]
    for foreign in foreigners:
        assert table.into(foreign) is None


def test_words_that_only_ever_come_in() -> None:
    assert (TYPES.into("SL-L"), TYPES.into("SL-M")) == (OrderType.SL, OrderType.SL_M)
    assert VALIDITIES.into("GTD") is Validity.DAY
    assert (RIGHTS.into("CALL"), RIGHTS.into("PUT")) == (Right.CALL, Right.PUT)
    for unknown in ("COLL-SELL", "ENCASH", "COVER", "NRML", "CNC", "MIS"):
        assert PRODUCTS.into(unknown) is None


def test_a_stop_that_turns_into_an_unprotected_market_order_is_never_sent() -> None:
    with pytest.raises(Refused) as refusal:
        TYPES.out(OrderType.SL_M)
    assert refusal.value.reason == "UNSUPPORTED"


def test_what_is_declared_can_be_said_and_market_is_not_declared() -> None:
    able = spec("hdfc").capabilities(account())
    assert able.types == {OrderType.LIMIT, OrderType.SL} <= TYPES.words
    assert able.products == PRODUCTS.words
    assert able.validities == VALIDITIES.words
    assert (able.tagged, able.quotes, able.margins) == (False, False, False)


WORDS = {
    "TRADED": OrderState.FILLED,
    "EXECUTED": OrderState.FILLED,
    "COMPLETE": OrderState.FILLED,
    "COMPLETED": OrderState.FILLED,
    "FULLY EXECUTED": OrderState.FILLED,
    "REJECTED": OrderState.REJECTED,
    "CANCELLED": OrderState.CANCELLED,
    "CANCELED": OrderState.CANCELLED,
    "CANCEL CONFIRMED": OrderState.CANCELLED,
    "BATCH CANCEL CONFIRMED": OrderState.CANCELLED,
    "AMO CANCEL CONFIRMED": OrderState.CANCELLED,
    "EXPIRED": OrderState.EXPIRED,
    "PENDING": OrderState.PENDING,
    "PLACED": OrderState.PENDING,
    "ACCEPTED": OrderState.PENDING,
    "RECEIVED": OrderState.PENDING,
    "OPEN PENDING": OrderState.PENDING,
    "TRANSIT": OrderState.PENDING,
    "VALIDATION PENDING": OrderState.PENDING,
    "AFTER MARKET ORDER REQ RECEIVED": OrderState.PENDING,
    "OPEN": OrderState.OPEN,
    "CONFIRMED": OrderState.OPEN,
    "MODIFIED": OrderState.OPEN,
    "MODIFY PENDING": OrderState.OPEN,
    "CANCEL PENDING": OrderState.OPEN,
    "TRIGGER PENDING": OrderState.OPEN,
    "SL TRIGGER PENDING": OrderState.OPEN,
    "PARTIALLY TRADED": OrderState.OPEN,
    "PARTIAL TRADE": OrderState.OPEN,
    "CANCEL REJECTED": OrderState.OPEN,
    "MODIFY REJECTED": OrderState.OPEN,
}


def test_no_status_word_of_the_tables_is_left_untested() -> None:
    assert WORDS.keys() == DONE | LIVE.keys() | ENDED.keys()
    assert len(DONE) + len(LIVE) + len(ENDED) == len(WORDS), "a word stands in two tables"


@pytest.mark.parametrize(("word", "state"), WORDS.items())
def test_a_status_word_in_any_of_its_spellings(word: str, state: OrderState) -> None:
    filled = 10 if state is OrderState.FILLED else 0
    for spelling in (word, word.title(), word.lower().replace(" ", "_"), word.replace(" ", "-"), f" {word} "):
        assert state_of(spelling, 10, filled, 10 - filled, 0) is state


@pytest.mark.parametrize(
    "word", ["", "UNACCEPTED", "AMO CONFIRMED", "EXCHANGE RESPONSE PENDING", "TRADE", "0", "OPEN!"]
)
def test_an_unknown_word_is_unclear_whatever_the_quantities_say(word: str) -> None:
    assert {state_of(word, 10, filled, 0, 0) for filled in (0, 4, 10)} == {OrderState.UNCLEAR}


@pytest.mark.parametrize(
    ("word", "filled", "pending", "cancelled", "state"),
    [
        ("CANCELLED", 4, 0, 6, OrderState.CANCELLED),  # the fills stay in the row
        ("REJECTED", 4, 0, 0, OrderState.REJECTED),
        ("OPEN", 4, 6, 0, OrderState.PARTIAL),
        ("PARTIALLY TRADED", 4, 6, 0, OrderState.PARTIAL),
        ("TRIGGER PENDING", 4, 6, 0, OrderState.PARTIAL),
        ("OPEN", 10, 0, 0, OrderState.FILLED),
        ("CANCEL REJECTED", 10, 0, 0, OrderState.FILLED),  # which is why it was
        ("CANCEL REJECTED", 0, 10, 0, OrderState.OPEN),
        ("TRADED", 4, 6, 0, OrderState.PARTIAL),
        ("TRADED", 4, 0, 6, OrderState.CANCELLED),
        ("TRADED", 0, 10, 0, OrderState.UNCLEAR),
        ("TRADED", 4, 0, 0, OrderState.UNCLEAR),
        ("TRADED", 11, 0, 0, OrderState.UNCLEAR),
    ],
)
def test_words_and_quantities_together(word: str, filled: int, pending: int, cancelled: int, state: OrderState) -> None:
    assert state_of(word, 10, filled, pending, cancelled) is state


def test_dates_in_all_the_forms_that_come() -> None:
    for text in ("26 NOV 2026", "26-NOV-26", "26-Nov-2026", "2026-11-26", "20261126", " 26 nov 2026 "):
        assert day_of(text) == date(2026, 11, 26)
    for text in ("", "31 NOV 2026", "26 XYZ 2026", "26/11/2026", "0", "2026-13-01", "२६ NOV 2026"):
        assert day_of(text) is None


def test_times_are_indias_and_become_utc() -> None:
    assert moment_of("23/11/2026 10:15:03") == datetime(2026, 11, 23, 4, 45, 3, tzinfo=UTC)
    assert moment_of("01/12/2026 02:00:00") == datetime(2026, 11, 30, 20, 30, tzinfo=UTC)
    for text in ("", "2026-11-23 10:15:03", "31/11/2026 10:15:03", "23/11/2026", "23/11/2026 25:00:00"):
        assert moment_of(text) is None


def test_the_number_of_a_tag_survives_every_reading_of_it() -> None:
    numbers = [reference_of(Tag(f"O{number:015d}")) for number in range(2_000)]
    assert len(set(numbers)) == len(numbers)
    for text in numbers:
        assert len(text) == 15
        assert text[0] != "0"
        assert int(text) < 2**53
        assert int(float(text)) == int(text)
    assert reference_of(Tag("O1234567890ABCDE")) == reference_of(Tag("O1234567890ABCDE"))
