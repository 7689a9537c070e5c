"""The grammar of instruments: what it takes, what it refuses, and that it reads back what it writes."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordo_cli.domain.errors import Invalid
from ordo_cli.domain.instruments import (
    CASH,
    Contract,
    Exchange,
    InstrumentId,
    Kind,
    Right,
    contract_of,
    kind_of,
    parse_instrument,
    symbol_of,
)

bases = st.from_regex(r"\A[A-Z][A-Z&_-]{0,11}\Z")
expiries = st.dates(min_value=date(2000, 1, 1), max_value=date(2099, 12, 31))
strikes = st.integers(1, 9_999_999).map(Decimal) | st.decimals(min_value="0.05", max_value=99999, places=2)
derivatives = st.sampled_from(sorted(set(Exchange) - CASH))


@pytest.mark.parametrize(
    "text", ["NFO:INFY", "NFO:NIFTY", "NFO:NIFTY28MAR24", "NFO:NIFTY28MAR2420800XX", "NFO:28MAR24FUT"]
)
def test_a_derivative_must_spell_a_contract(text: str) -> None:
    with pytest.raises(Invalid, match="not a contract"):
        parse_instrument(text)


@pytest.mark.parametrize("text", ["NFO:NIFTY31FEB24FUT", "NFO:NIFTY00MAR24FUT", "NFO:NIFTY30FEB2420800CE"])
def test_a_contract_of_no_calendar_day_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="calendar"):
        parse_instrument(text)


@given(st.text())
def test_any_text_is_an_instrument_that_reads_back_or_refused(text: str) -> None:
    try:
        found = parse_instrument(text)
    except Invalid:
        return
    assert str(found) == text


@given(st.sampled_from(Exchange), st.from_regex(r"\A[A-Z0-9&_.-]{1,40}\Z"))
def test_a_well_formed_name_is_taken_or_refused_in_words(exchange: Exchange, symbol: str) -> None:
    try:
        assert parse_instrument(f"{exchange}:{symbol}") == InstrumentId(exchange, symbol)
    except Invalid:
        assert exchange not in CASH


@given(derivatives, bases, expiries)
def test_a_future_reads_back(exchange: Exchange, base: str, expiry: date) -> None:
    name = InstrumentId(exchange, symbol_of(Contract(base, expiry)))
    assert contract_of(name) == Contract(base, expiry)
    assert kind_of(name) is Kind.FUTURE


@given(derivatives, bases, expiries, strikes, st.sampled_from(Right))
def test_an_option_reads_back(exchange: Exchange, base: str, expiry: date, strike: Decimal, right: Right) -> None:
    contract = Contract(base, expiry, strike, right)
    name = InstrumentId(exchange, symbol_of(contract))
    assert contract_of(name) == contract
    assert kind_of(name) is Kind.OPTION


def test_the_examples_of_the_grammar() -> None:
    option = contract_of(parse_instrument("NFO:NIFTY28MAR2420800CE"))
    assert option == Contract("NIFTY", date(2024, 3, 28), Decimal(20800), Right.CALL)
    assert contract_of(parse_instrument("NFO:BAJAJ-AUTO28MAR24FUT")) == Contract("BAJAJ-AUTO", date(2024, 3, 28))
    assert contract_of(parse_instrument("NFO:M&M25APR241500.5PE")).strike == Decimal("1500.5")


@pytest.mark.parametrize(
    "symbol", ["INFY", "M&M", "BAJAJ-AUTO", "NIFTY_50", "20MICRONS", "3MINDIA", "SBIN-EQ", "J&KBANK"]
)
def test_shares_are_known_by_their_plain_names(symbol: str) -> None:
    assert kind_of(parse_instrument(f"NSE:{symbol}")) is Kind.EQUITY
