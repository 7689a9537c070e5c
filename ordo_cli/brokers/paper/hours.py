"""When the paper market is open: always, or in the hours of the exchange; and when its day ends."""

from __future__ import annotations

from collections.abc import Iterator

from ordo_cli.brokers.paper.amounts import SECOND, day_of, midnight
from ordo_cli.domain.values import dataclass

OPEN = (9 * 60 + 15) * 60 * SECOND
CLOSE = (15 * 60 + 30) * 60 * SECOND


@dataclass(frozen=True, slots=True)
class Hours:
    """`exchange` follows 09:15 to 15:30 on weekdays in India; otherwise a trading day is a whole calendar day."""

    exchange: bool = False

    def trading(self, day: int) -> bool:
        return not self.exchange or (day + 3) % 7 < 5  # 1 January 1970 was a Thursday

    def opens(self, day: int) -> int:
        """The opening: when queued after-market orders are let in."""
        return midnight(day) + OPEN

    def closes(self, day: int) -> int:
        return midnight(day) + CLOSE if self.exchange else midnight(day + 1)

    def is_open(self, at: int) -> bool:
        day = day_of(at)
        return not self.exchange or (self.trading(day) and self.opens(day) <= at < self.closes(day))

    def order_day(self, at: int, after_market: bool) -> int:
        """The trading day that an order received now belongs to."""
        day = day_of(at)
        if after_market:
            while at >= self.opens(day) or not self.trading(day):
                day += 1
        return day

    def boundaries(self, after: int, until: int) -> Iterator[tuple[int, str, int]]:
        """What turns in `after < time <= until`, in order: (time, "open", "close" or "midnight", of which day)."""
        for day in range(day_of(after) - 1, day_of(until) + 1):
            for at, kind in ((self.opens(day), "open"), (self.closes(day), "close"), (midnight(day + 1), "midnight")):
                if after < at <= until and (kind == "midnight" or self.trading(day)):
                    yield at, kind, day


ALWAYS = Hours()
