"""The cache: a few answers for a moment, wake-ups between processes, counts for limits. It is never the truth."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ordo_cli.cache.base import KILL, Cache, Channels, Health, Wakes, channel_of
from ordo_cli.cache.memory import MemoryCache
from ordo_cli.domain.addresses import redis_address
from ordo_cli.domain.seams import Chance, Clock

__all__ = ["KILL", "Cache", "Channels", "Health", "MemoryCache", "Wakes", "channel_of", "open_cache"]


@asynccontextmanager
async def open_cache(
    url: str, name: str, secret: bytes, clock: Clock, chance: Chance, channels: Channels
) -> AsyncIterator[Cache]:
    """The cache of this process, shared through the Redis at `url` if one is named. Raises Invalid for a wrong one."""
    if not url:
        yield MemoryCache(clock, channels)
        return
    address = redis_address(url)
    try:
        from ordo_cli.cache.redis import open_redis  # hiredis, an extra
    except ImportError:
        yield _Without(clock, channels, str(address))
        return
    async with open_redis(address, name, secret, clock, chance, channels) as cache:
        yield cache


class _Without(MemoryCache):
    """What is left when a server is named and the library that speaks to it is not installed."""

    def __init__(self, clock: Clock, channels: Channels, place: str) -> None:
        super().__init__(clock, channels)
        self._place = place

    async def health(self) -> Health:
        return Health(self._place, "the library for it is not installed: pip install 'ordo-cli[redis]'")
