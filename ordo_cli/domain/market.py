"""The market's calendar and clock: trading days in India, the hours of each exchange, when it opens next."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from enum import StrEnum

from ordo_cli.domain.instruments import CASH, Exchange
from ordo_cli.domain.values import dataclass

IST = timezone(timedelta(hours=5, minutes=30), "IST")  # no summer time, ever: the host's zone data is not needed

# Closed each year by law. The moving holidays come from the user's calendar: a day missing there only means that the
# exchange refuses, a day wrongly there would stop trading.
NATIONAL = frozenset({(1, 26), (8, 15), (10, 2)})

EQUITY_HOURS = (time(9, 15), time(15, 30))
CURRENCY_HOURS = (time(9, 0), time(17, 0))
COMMODITY_HOURS = (time(9, 0), time(23, 55))  # 23:30 while America keeps summer time; the later end is the safe one
HOURS = {
    Exchange.NSE: EQUITY_HOURS,
    Exchange.BSE: EQUITY_HOURS,
    Exchange.NFO: EQUITY_HOURS,
    Exchange.BFO: EQUITY_HOURS,
    Exchange.CDS: CURRENCY_HOURS,
    Exchange.BCD: CURRENCY_HOURS,
    Exchange.MCX: COMMODITY_HOURS,
}
PRE_OPEN = time(9, 0)  # cash segment only


class Phase(StrEnum):
    PRE_OPEN = "pre-open"
    OPEN = "open"
    CLOSED = "closed"  # when after-market orders are taken


@dataclass(frozen=True, slots=True)
class Calendar:
    """Days without trading beside weekends, and days with trading in spite of a weekend or holiday."""

    holidays: frozenset[date] = frozenset()
    sessions: frozenset[date] = frozenset()

    def trades(self, day: date) -> bool:
        if day in self.sessions:
            return True
        return day.weekday() < 5 and (day.month, day.day) not in NATIONAL and day not in self.holidays


WEEKDAYS = Calendar()


def trading_day(now: datetime) -> date:
    """The date in India; books, tags and day limits belong to it."""
    return now.astimezone(IST).date()


def last_trading_day(now: datetime, calendar: Calendar = WEEKDAYS) -> date:
    """Today in India where there is trading today, else the last day on which there was."""
    day = trading_day(now)
    while not calendar.trades(day):
        day -= timedelta(days=1)
    return day


def opens_at(exchange: Exchange, day: date) -> datetime:
    return datetime.combine(day, HOURS[exchange][0], IST).astimezone(UTC)


def closes_at(exchange: Exchange, day: date) -> datetime:
    return datetime.combine(day, HOURS[exchange][1], IST).astimezone(UTC)


def phase(exchange: Exchange, now: datetime, calendar: Calendar = WEEKDAYS) -> Phase:
    """Whether the exchange trades at this moment."""
    local = now.astimezone(IST)
    if not calendar.trades(local.date()):
        return Phase.CLOSED
    opens, closes = HOURS[exchange]
    if opens <= local.time() < closes:
        return Phase.OPEN
    return Phase.PRE_OPEN if exchange in CASH and PRE_OPEN <= local.time() < opens else Phase.CLOSED


def next_open(exchange: Exchange, now: datetime, calendar: Calendar = WEEKDAYS) -> datetime:
    """When it opens next: what an after-market order waits for. Now, when it is open."""
    if phase(exchange, now, calendar) is Phase.OPEN:
        return now
    day = trading_day(now)
    if opens_at(exchange, day) <= now:
        day += timedelta(days=1)
    while not calendar.trades(day):
        day += timedelta(days=1)
    return opens_at(exchange, day)
