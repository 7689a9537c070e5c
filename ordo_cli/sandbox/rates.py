"""Rate limits as brokers keep them: so many calls of a kind in a second, a minute or a day of the sandbox's clock."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from ordo_cli.domain.market import IST
from ordo_cli.domain.values import dataclass

SECOND, MINUTE, HOUR, DAY = 1, 60, 3_600, 86_400
_IST = 19_800


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `most` calls of these names in each span of the clock, counted from its full second, minute or day."""

    name: str
    calls: frozenset[str]
    most: int
    span: int


class Rates:
    """What one broker has counted. Refused calls count too."""

    def __init__(self, limits: Sequence[Limit]) -> None:
        self._limits = limits
        self._counts: dict[tuple[str, str], tuple[int, int]] = defaultdict(lambda: (0, 0))
        self.on = True

    def exceeded(self, who: str, call: str, now: datetime) -> Limit | None:
        """Count this call; the first limit that it goes beyond."""
        if not self.on:
            return None
        second = int(now.astimezone(IST).timestamp()) + _IST
        beyond = [limit for limit in self._limits if call in limit.calls and self._count(limit, who, second)]
        return beyond[0] if beyond else None

    def _count(self, limit: Limit, who: str, second: int) -> bool:
        span, count = self._counts[limit.name, who]
        count = count + 1 if span == second // limit.span else 1
        self._counts[limit.name, who] = (second // limit.span, count)
        return count > limit.most

    def clear(self) -> None:
        self._counts.clear()
