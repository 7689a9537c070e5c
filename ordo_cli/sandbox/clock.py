"""The sandbox's time of day: the machine's, and as far ahead of it as somebody has set it."""

from __future__ import annotations

from datetime import datetime, timedelta

from ordo_cli.domain.errors import Invalid
from ordo_cli.domain.seams import Clock


class SandboxClock:
    """A clock that can be set forward, never back: what has happened at the exchange has happened."""

    def __init__(self, real: Clock) -> None:
        self._real = real
        self.ahead = timedelta()

    def now(self) -> datetime:
        return self._real.now() + self.ahead

    def elapsed(self) -> float:
        return self._real.elapsed()

    async def sleep(self, seconds: float) -> None:
        """Waiting is real, however the time of day is set."""
        await self._real.sleep(seconds)

    def advance(self, seconds: float) -> None:
        """Raises Invalid for less than nothing."""
        if not 0 <= seconds <= 366 * 86_400:
            raise Invalid("the clock goes forward only, and at most a year at once")
        self.ahead += timedelta(seconds=seconds)

    def set(self, moment: datetime) -> None:
        self.advance((moment - self.now()).total_seconds())
