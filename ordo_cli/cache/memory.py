"""The cache of one process: bounded, by the machine's clock, there whether or not a server is."""

from __future__ import annotations

from ordo_cli.cache.base import Channels, Health, Wakes
from ordo_cli.domain.seams import Clock

MOST = 2048  # values, and as many counts
LONGEST = 4096  # bytes of one value


class MemoryCache:
    """Values and counts of this process alone."""

    def __init__(self, clock: Clock, channels: Channels | None = None) -> None:
        self._clock = clock
        self.channels = channels or Channels()
        self._values: dict[str, tuple[float, bytes]] = {}
        self._counts: dict[str, tuple[float, int]] = {}

    async def get(self, key: str) -> bytes | None:
        until, value = self._values.get(key, (0.0, b""))
        return value if until > self._clock.elapsed() else None

    async def put(self, key: str, value: bytes, seconds: float) -> None:
        if len(value) <= LONGEST and seconds > 0:
            self._values.pop(key, None)
            _make_room(self._values, self._clock.elapsed())
            self._values[key] = self._clock.elapsed() + seconds, value

    def publish(self, channel: str, text: str = "") -> None:
        self.channels.publish(channel, text)

    def subscribe(self, channel: str) -> Wakes:
        return self.channels.subscribe(channel)

    async def hits(self, key: str, seconds: float) -> int:
        now = self._clock.elapsed()
        until, count = self._counts.get(key, (0.0, 0))
        if until <= now:
            self._counts.pop(key, None)
            _make_room(self._counts, now)
            until, count = now + seconds, 0
        self._counts[key] = until, count + 1
        return count + 1

    async def health(self) -> Health | None:
        return None


def _make_room[T](kept: dict[str, tuple[float, T]], now: float) -> None:
    """Before one more is kept: what has expired goes, and when nothing has, the oldest."""
    if len(kept) < MOST:
        return
    for key in [key for key, (until, _) in kept.items() if until <= now] or [next(iter(kept))]:
        del kept[key]
