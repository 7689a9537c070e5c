"""Prices repeat, move, keep inside their band, and are those of contracts that exist."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordo_cli.brokers.paper.amounts import DAY, SECOND, average, day_of, micros, midnight, moment_of, rupees, to_units
from ordo_cli.brokers.paper.feed import Feed
from ordo_cli.brokers.paper.listing import EQUITIES, INDICES, Listing, expiries, listing, listings
from ordo_cli.domain.instruments import Kind, parse_instrument
from ordo_cli.domain.money import money

NOON = micros(datetime(2026, 11, 23, 6, 30, tzinfo=UTC))
TODAY = day_of(NOON)
ALL = list(listings(TODAY))
moments = st.integers(NOON - 400 * DAY, NOON + 400 * DAY)


def test_the_same_seed_gives_the_same_prices_and_another_seed_others() -> None:
    times = range(NOON, NOON + 100 * SECOND, SECOND)
    infy = listing("NSE:INFY", TODAY)
    assert infy is not None
    first, again, other = ([Feed(seed).price(infy, at) for at in times] for seed in (1, 1, 2))
    assert first == again != other


def test_the_prices_of_seed_one_never_change_between_releases() -> None:
    feed = Feed(1)
    names = ("NSE:INFY", "NSE:SBIN", "NFO:NIFTY24NOV26FUT", "NFO:NIFTY24NOV2626000CE", "NFO:BANKNIFTY29DEC2658500PE")
    found = [str(rupees(feed.price(item, NOON))) for name in names if (item := listing(name, TODAY))]
    assert found == ["1491.10", "965.80", "26200.90", "217.00", "1059.25"]


def test_every_price_moves_within_a_minute_by_whole_ticks() -> None:
    feed = Feed()
    for item in ALL:
        prices = [feed.price(item, NOON + second * SECOND) for second in range(60)]
        assert all(price > 0 and price % item.tick == 0 for price in prices)
        assert len(set(prices)) > 1, item.id


@given(at=moments, item=st.sampled_from(ALL))
def test_a_price_and_its_touch_stay_inside_the_band_of_the_day(at: int, item: Listing) -> None:
    feed = Feed()
    known = listing(str(item.id), day_of(at))
    if known is None:
        return
    lower, upper = feed.band(item, feed.previous_close(item, day_of(at)))
    price = feed.price(item, at)
    bid, ask = feed.touch(item, price, at)
    assert lower <= price <= upper
    assert 0 < bid < ask
    assert price in (bid, ask)


@given(at=moments)
def test_a_call_and_a_put_differ_by_what_the_index_is_above_the_strike(at: int) -> None:
    day = day_of(at)
    expiry = expiries("NIFTY", Kind.OPTION, day)[1]
    name = f"NFO:NIFTY{expiry:%d%b%y}".upper()
    call, put = (listing(f"{name}26000{right}", day) for right in ("CE", "PE"))
    assert call is not None
    assert put is not None
    feed = Feed()
    assert abs((feed.price(call, at) - feed.price(put, at)) - _index(feed, at) + 26_000 * 10_000) <= 2 * call.tick


def _index(feed: Feed, at: int) -> int:
    """The index itself: a future on the last moment before it expires carries nothing."""
    from ordo_cli.brokers.paper.feed import _wave

    base = INDICES["NIFTY"].level * 10_000
    return base + base * _wave(feed.seed, "NIFTY", at // SECOND) // 1_000_000


def test_sixty_equities_and_contracts_of_two_expiries_are_listed() -> None:
    kinds = [item.kind for item in ALL]
    assert kinds.count(Kind.EQUITY) == len(EQUITIES) >= 60
    assert kinds.count(Kind.FUTURE) == 4
    assert kinds.count(Kind.OPTION) == 2 * 2 * 2 * 13
    assert len({item.id for item in ALL}) == len(ALL)


def test_every_listing_is_found_again_by_its_name_and_no_other_is() -> None:
    for item in ALL:
        assert listing(str(item.id), TODAY) == item
        assert parse_instrument(str(item.id)) == item.id
    for name in ("NSE:NOSUCH", "BSE:INFY", "NFO:NIFTY", "NFO:NIFTY25NOV26FUT", "NFO:NIFTY24NOV2626010CE", "nonsense"):
        assert listing(name, TODAY) is None


def test_isins_have_their_check_digit() -> None:
    for symbol, _, isin, _ in EQUITIES:
        if isin is not None:
            digits = "".join(str(int(sign, 36)) for sign in isin)
            total = sum(
                sum(divmod(int(digit) * (2 - place % 2), 10)) for place, digit in enumerate(reversed(digits), 1)
            )
            assert total % 10 == 0, symbol


@pytest.mark.parametrize(
    ("base", "kind", "day", "expected"),
    [
        ("NIFTY", Kind.OPTION, date(2026, 11, 23), ["2026-11-24", "2026-12-01"]),
        ("NIFTY", Kind.OPTION, date(2026, 11, 24), ["2026-11-24", "2026-12-01"]),
        ("NIFTY", Kind.OPTION, date(2026, 11, 25), ["2026-12-01", "2026-12-08"]),
        ("NIFTY", Kind.FUTURE, date(2026, 11, 25), ["2026-12-29", "2027-01-26"]),
        ("BANKNIFTY", Kind.OPTION, date(2026, 11, 1), ["2026-11-24", "2026-12-29"]),
    ],
)
def test_contracts_expire_on_tuesdays_and_new_ones_follow(
    base: str, kind: Kind, day: date, expected: list[str]
) -> None:
    number = day.toordinal() - date(1970, 1, 1).toordinal()
    assert [str(expiry) for expiry in expiries(base, kind, number)] == expected


@given(st.decimals(min_value=0, max_value=99_999_999, places=4))
def test_prices_survive_the_exchanges_whole_numbers(price: Decimal) -> None:
    assert rupees(to_units(price)) == price


def test_a_price_too_fine_for_the_exchange_is_on_no_tick() -> None:
    assert to_units(money("1500.00001")) % 100 != 0


@given(st.integers(-(10**15), 10**15), st.integers(1, 10**6))
def test_an_average_is_off_by_half_a_hundredth_of_a_paisa_at_most(value: int, quantity: int) -> None:
    assert abs(average(value, quantity) * quantity - rupees(value)) * 20_000 <= quantity


def test_a_day_in_india_begins_at_half_past_six_in_the_evening_before() -> None:
    assert moment_of(midnight(TODAY)) == datetime(2026, 11, 22, 18, 30, tzinfo=UTC)
    assert day_of(midnight(TODAY)) == TODAY
    assert day_of(midnight(TODAY) - 1) == TODAY - 1
