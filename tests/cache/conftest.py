"""A Redis for the session that nobody harms, one for each test that does, and caches that are connected."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from ordo_cli.cache.base import Channels
from ordo_cli.cache.redis import RedisCache, open_redis
from ordo_cli.domain.addresses import redis_address
from ordo_cli.domain.seams import Clock
from ordo_cli.machine import SystemChance, SystemClock
from tests.cache.server import GIVEN, PATIENCE, Server, running

SECRET = b"known to this installation alone"
Opener = Callable[..., AbstractAsyncContextManager[RedisCache]]


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if os.environ.get(GIVEN):
        yield os.environ[GIVEN]
        return
    with running(tmp_path_factory.mktemp("redis")) as server:
        yield server.url


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with running(tmp_path) as one:
        yield one


@pytest.fixture
def name() -> str:
    """The installation of this test, which shares nothing with any other."""
    return SystemChance().token(12)


@pytest.fixture
def cached(name: str) -> Opener:
    """Open a cache, as each process of one installation would."""

    @asynccontextmanager
    async def opener(
        url: str, *, connected: bool = True, secret: bytes = SECRET, clock: Clock | None = None
    ) -> AsyncIterator[RedisCache]:
        address = redis_address(url)
        async with open_redis(address, name, secret, clock or SystemClock(), SystemChance(), Channels()) as cache:
            if connected:
                await until(lambda: cache.shared)
            yield cache

    return opener


async def until(true: Callable[[], bool]) -> None:
    """Wait for what is to come, however long a busy machine takes."""
    async with asyncio.timeout(PATIENCE):
        while not true():
            await asyncio.sleep(0.002)
