"""The instruments that every gateway lists: those of the paper exchange, one number each for all brokers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache

from ordo_cli.brokers.paper.listing import EQUITIES, INDICES, Listing, listings, strikes
from ordo_cli.domain.instruments import MONTHS, Kind, Right

FIRST_EQUITY, FIRST_CONTRACT = 1_000, 35_000
WEEKLY_MONTHS = "123456789OND"
CONTRACTS_EACH = 64  # numbers kept for one index and expiry
WEEKS = 64
_PLACES = {row[0]: place for place, row in enumerate(EQUITIES)}


def exchange_token(item: Listing) -> int:
    """The exchange's number of an instrument: the same at every broker and, for a year, of one instrument only."""
    if item.expiry is None:
        return FIRST_EQUITY + 7 * _PLACES[item.id.symbol]
    week = item.expiry.toordinal() // 7 % WEEKS
    place = 0
    if item.strike is not None:
        level = list(strikes(INDICES[item.underlying])).index(item.strike // 10_000)
        place = 1 + 2 * level + (item.right is Right.PUT)
    return FIRST_CONTRACT + (week * len(INDICES) + list(INDICES).index(item.underlying)) * CONTRACTS_EACH + place


def is_monthly(expiry: date) -> bool:
    """Whether it is the last of its weekday in the month."""
    return (expiry + timedelta(days=7)).month != expiry.month


def short_symbol(item: Listing) -> str:
    """As Zerodha, Fyers and m.Stock spell it: NIFTY26OCTFUT, monthly NIFTY26OCT26000CE, weekly NIFTY26O1326000CE.

    The weekly form (year, one sign for the month, day) is confirmed for Fyers; that the other two spell it alike is
    unconfirmed in their facts.
    """
    if item.expiry is None:
        return item.id.symbol
    month = MONTHS[item.expiry.month - 1]
    if item.strike is None:
        return f"{item.underlying}{item.expiry:%y}{month}FUT"
    when = f"{item.expiry:%y}{month}"
    if not is_monthly(item.expiry):
        when = f"{item.expiry:%y}{WEEKLY_MONTHS[item.expiry.month - 1]}{item.expiry:%d}"
    return f"{item.underlying}{when}{item.strike // 10_000}{item.right}"


def of_day(day: int) -> Iterator[Listing]:
    return listings(day)


@cache
def by_short_symbol(day: int) -> dict[tuple[str, str], Listing]:
    """Exchange and short symbol of everything that is traded on that day."""
    return {(str(item.id.exchange), short_symbol(item)): item for item in listings(day)}


@cache
def by_token(day: int) -> dict[int, Listing]:
    return {exchange_token(item): item for item in listings(day)}


def is_equity(item: Listing) -> bool:
    return item.kind is Kind.EQUITY
