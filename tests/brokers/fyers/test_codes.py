"""Every table of Fyers both ways: nothing is guessed on the way out, and nothing unknown becomes something known."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from ordo_cli.brokers.codes import Codes
from ordo_cli.brokers.fyers.codes import (
    EXCHANGES,
    ORDERABLE,
    PRODUCTS,
    SIDES,
    STATES,
    TYPES,
    VALIDITIES,
    state_of,
    tag_asked,
    tag_into,
    tag_out,
)
from ordo_cli.brokers.fyers.decode import moment
from ordo_cli.domain.errors import Refused
from ordo_cli.domain.instruments import Exchange
from ordo_cli.domain.orders import OrderState, OrderType, Product, Side, Tag, Validity
from ordo_cli.domain.tags import tag_of

WIRE: dict[str, tuple[Codes[Any, Any], dict[Any, Any]]] = {
    "sides": (SIDES, {Side.BUY: 1, Side.SELL: -1}),
    "types": (TYPES, {OrderType.LIMIT: 1, OrderType.MARKET: 2, OrderType.SL_M: 3, OrderType.SL: 4}),
    "products": (
        PRODUCTS,
        {Product.CNC: "CNC", Product.MIS: "INTRADAY", Product.NRML: "MARGIN", Product.MTF: "MTF"},
    ),
    "validities": (VALIDITIES, {Validity.DAY: "DAY", Validity.IOC: "IOC"}),
}


@pytest.mark.parametrize(("codes", "expected"), WIRE.values(), ids=WIRE)
def test_a_word_goes_out_as_its_code_and_comes_back_as_itself(codes: Codes[Any, Any], expected: dict[Any, Any]) -> None:
    assert {word: codes.out(word) for word in codes.words} == expected
    assert {codes.into(code): code for code in expected.values()} == expected
    strange: tuple[object, ...] = (
        0,
        5,
        -2,
        "1",
        "2",
        True,
        1.0,
        Decimal(1),
        None,
        [],
        {},
        "",
        "cnc",
        "CO",
        "BO",
        "day",
        "GTC",
    )
    known = [(type(code), code) for code in expected.values()]
    assert [codes.into(code) for code in strange if (type(code), code) not in known] == [None] * len(strange)


def test_every_word_of_ours_has_a_code_so_that_nothing_is_promised_and_then_refused() -> None:
    assert TYPES.words == frozenset(OrderType)
    assert PRODUCTS.words == frozenset(Product)
    assert VALIDITIES.words == frozenset(Validity)
    assert SIDES.words == frozenset(Side)


# every status that there is, with and without fills
EXPECTED = {
    1: (OrderState.CANCELLED, OrderState.CANCELLED),
    2: (OrderState.FILLED, OrderState.FILLED),
    4: (OrderState.PENDING, OrderState.PENDING),
    5: (OrderState.REJECTED, OrderState.REJECTED),
    6: (OrderState.OPEN, OrderState.PARTIAL),
    7: (OrderState.EXPIRED, OrderState.EXPIRED),
}


@pytest.mark.parametrize("status", range(-5, 100))
def test_a_status_means_what_is_documented_and_any_other_is_unclear(status: int) -> None:
    without, some = EXPECTED.get(status, (OrderState.UNCLEAR, OrderState.UNCLEAR))
    assert (state_of(status, 0), state_of(status, 4)) == (without, some)


@pytest.mark.parametrize("status", ["6", "2", "", None, True, 2.0, Decimal(2), Decimal("1"), [2], {"status": 2}])
def test_a_status_of_the_wrong_type_is_unclear(status: object) -> None:
    assert state_of(status, 0) is OrderState.UNCLEAR


def test_every_state_of_ours_but_the_derived_ones_has_a_number() -> None:
    assert frozenset(OrderState) - {OrderState.PARTIAL, OrderState.UNCLEAR} == STATES.words


# tags


@pytest.mark.parametrize(
    ("echo", "tag"),
    [
        ("1:O7K2X9A03R1ABCDE", "O7K2X9A03R1ABCDE"),
        ("O7K2X9A03R1ABCDE", "O7K2X9A03R1ABCDE"),
        ("1:1:O7K2", "1:O7K2"),
        ("1:GTTmytag", "GTTmytag"),
        ("2:Untagged", None),
        ("1:Untagged", None),
        ("Untagged", None),
        ("2:O7K2X9A03R1ABCDE", None),  # the system's own
        ("1:", None),
        ("", None),
        (None, None),
        (1, None),
        (["1:O7K2"], None),
    ],
)
def test_a_tag_comes_back_without_what_fyers_puts_before_it(echo: object, tag: str | None) -> None:
    assert tag_into(echo) == tag


def test_a_tag_of_ours_fits_and_comes_back_as_itself() -> None:
    tag = tag_of(b"key", "abc-1")  # type: ignore[arg-type]
    assert tag_into(tag_asked(tag)) == tag_out(tag) == tag


@pytest.mark.parametrize("tag", ["", "Untagged", "a-b", "a b", "1:a", "x" * 31, "é", "a\n"])
def test_a_tag_that_fyers_would_not_keep_is_refused(tag: str) -> None:
    with pytest.raises(Refused) as refusal:
        tag_out(Tag(tag))
    assert refusal.value.reason == "TAG"


# exchanges


def test_every_exchange_of_ours_has_one_place_at_fyers() -> None:
    assert sorted(EXCHANGES.values()) == sorted(Exchange)
    assert {Exchange.NSE, Exchange.BSE, Exchange.NFO, Exchange.BFO} == ORDERABLE


# times


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("15-Oct-2026 09:34:38", datetime(2026, 10, 15, 4, 4, 38, tzinfo=UTC)),
        ("01-Jan-2027 00:00:00", datetime(2026, 12, 31, 18, 30, tzinfo=UTC)),
        ("29-Feb-2028 05:30:00", datetime(2028, 2, 29, 0, 0, tzinfo=UTC)),
        ("23-NOV-2026 23:59:59", datetime(2026, 11, 23, 18, 29, 59, tzinfo=UTC)),
    ],
)
def test_a_time_without_a_zone_is_that_of_india(text: str, expected: datetime) -> None:
    found = moment(text)
    assert found == expected
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "", None, 1795392000, "15-10-2026 09:34:38", "2026-10-15 09:34:38", "15-Oct-2026", "31-Feb-2026 10:00:00",
        "15-Okt-2026 09:34:38", "15-Oct-2026 24:00:00", "15-Oct-2026 09:34:38 ", "15-Oct-2026 09:34:38+05:30",
    ],
)  # fmt: skip
def test_a_time_that_is_written_otherwise_is_none(text: object) -> None:
    assert moment(text) is None
