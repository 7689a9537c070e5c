"""How many requests one token and one address may make, counted for all workers where they share a cache."""

from __future__ import annotations

from ordo_cli.api.problems import TooMany
from ordo_cli.desk import Desk

WINDOW = 1.0  # seconds


class Limits:
    """Counts in windows of a second. Losing the counts costs nothing but their strictness."""

    def __init__(self, desk: Desk, rate: int) -> None:
        self._cache, self._rate = desk.cache, rate

    async def count(self, who: str, most: int | None = None) -> None:
        """One more request of this one. Raises TooMany; a limit of 0 is none."""
        most = self._rate if most is None else most
        if most and await self._cache.hits(f"rate/{who}", WINDOW) > most:
            raise TooMany(f"more than {most} requests in a second", hint="slow down, and try again in a moment")
