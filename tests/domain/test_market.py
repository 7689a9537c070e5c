"""Trading days and hours in India, whatever the host's zone is."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordo_cli.domain.instruments import Exchange
from ordo_cli.domain.market import Calendar, Phase, closes_at, next_open, opens_at, phase, trading_day

MONDAY = date(2026, 11, 23)
moments = st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2035, 1, 1), timezones=st.just(UTC))


def at(hour: int, minute: int, day: date = MONDAY) -> datetime:
    """That time of the clock in India."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(hours=hour - 5, minutes=minute - 30)


@pytest.mark.parametrize(
    ("exchange", "hour", "minute", "expected"),
    [
        (Exchange.NSE, 8, 59, Phase.CLOSED),
        (Exchange.NSE, 9, 0, Phase.PRE_OPEN),
        (Exchange.NSE, 9, 14, Phase.PRE_OPEN),
        (Exchange.NSE, 9, 15, Phase.OPEN),
        (Exchange.NSE, 15, 29, Phase.OPEN),
        (Exchange.NSE, 15, 30, Phase.CLOSED),
        (Exchange.NFO, 9, 10, Phase.CLOSED),
        (Exchange.CDS, 9, 0, Phase.OPEN),
        (Exchange.CDS, 17, 0, Phase.CLOSED),
        (Exchange.MCX, 23, 0, Phase.OPEN),
        (Exchange.MCX, 23, 55, Phase.CLOSED),
    ],
)
def test_each_exchange_has_its_hours(exchange: Exchange, hour: int, minute: int, expected: Phase) -> None:
    assert phase(exchange, at(hour, minute)) is expected


def test_the_trading_day_is_the_date_in_india() -> None:
    assert trading_day(datetime(2026, 11, 22, 18, 29, tzinfo=UTC)) == date(2026, 11, 22)
    assert trading_day(datetime(2026, 11, 22, 18, 30, tzinfo=UTC)) == date(2026, 11, 23)


@pytest.mark.parametrize("day", [date(2026, 11, 21), date(2026, 11, 22), date(2026, 1, 26), date(2026, 10, 2)])
def test_nothing_trades_at_weekends_and_on_national_holidays(day: date) -> None:
    assert phase(Exchange.NSE, at(11, 0, day)) is Phase.CLOSED


def test_a_calendar_closes_a_day_and_opens_a_special_session() -> None:
    calendar = Calendar(holidays=frozenset({MONDAY}), sessions=frozenset({date(2026, 11, 22)}))
    assert phase(Exchange.NSE, at(11, 0), calendar) is Phase.CLOSED
    assert phase(Exchange.NSE, at(11, 0, date(2026, 11, 22)), calendar) is Phase.OPEN


def test_an_order_of_friday_evening_waits_for_monday() -> None:
    assert next_open(Exchange.NSE, at(18, 0, date(2026, 11, 20))) == opens_at(Exchange.NSE, MONDAY)
    assert next_open(Exchange.NSE, at(8, 0)) == opens_at(Exchange.NSE, MONDAY)
    assert next_open(Exchange.NSE, at(11, 0)) == at(11, 0)


@given(moments, st.sampled_from(Exchange))
def test_at_the_next_opening_it_is_open(now: datetime, exchange: Exchange) -> None:
    opening = next_open(exchange, now)
    assert opening >= now
    assert phase(exchange, opening) is Phase.OPEN


@given(moments, st.sampled_from(Exchange))
def test_it_is_open_between_opening_and_closing_of_a_trading_day_and_never_else(
    now: datetime, exchange: Exchange
) -> None:
    day = trading_day(now)
    within = opens_at(exchange, day) <= now < closes_at(exchange, day) and Calendar().trades(day)
    assert (phase(exchange, now) is Phase.OPEN) == within
