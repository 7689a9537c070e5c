"""The cache under the loop in C that the server runs on, which has transports of its own kind."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cache.conftest import Opener, until
from tests.cache.server import pretender, running
from tests.cache.test_redis import heard
from tests.cache.test_trouble import GARBAGE, HELLO, saying, works_alone

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="uvloop is not for Windows")


@pytest.fixture
def run() -> Callable[..., None]:
    import uvloop

    def runner(coroutine: object) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as made:
            made.run(asyncio.wait_for(coroutine, 30))  # type: ignore[arg-type]

    return runner


@pytest.mark.parametrize("way", ["port", "socket"])
def test_it_shares_values_counts_and_wake_ups(
    run: Callable[..., None], tmp_path: Path, cached: Opener, way: str
) -> None:
    async def work(url: str) -> None:
        async with cached(url) as one, cached(url) as other:
            await one.put("quote", b"1500", 30.0)
            assert await heard(other, "quote") == b"1500"
            assert [await one.hits("alice", 30.0), await other.hits("alice", 30.0)] == [1, 2]
            with other.subscribe("fanout/1") as wakes:
                await other.get("nothing of this name")
                one.publish("fanout/1", "leg 1")
                assert await anext(wakes) == "leg 1"

    with running(tmp_path, "--unixsocket", str(tmp_path / "r.sock")) as server:
        run(work(server.url if way == "port" else f"unix://{tmp_path}/r.sock"))


def test_it_works_alone_when_the_server_stops_and_is_back_when_it_is(
    run: Callable[..., None], tmp_path: Path, cached: Opener
) -> None:
    async def work() -> None:
        async with cached(server.url) as cache:
            server.freeze()
            await works_alone(cache)
            assert not cache.shared
            server.thaw()
            await until(lambda: cache.shared)

    with running(tmp_path) as server:
        run(work())


@pytest.mark.parametrize("garbage", GARBAGE)
def test_it_works_alone_whatever_it_is_told(run: Callable[..., None], cached: Opener, garbage: str) -> None:
    async def work() -> None:
        async with pretender(saying(GARBAGE[garbage])) as url, cached(url, connected=False) as cache:  # type: ignore[arg-type]
            await asyncio.sleep(0.01)
            await works_alone(cache)
        async with pretender(saying(HELLO, GARBAGE[garbage])) as url, cached(url) as cache:  # type: ignore[arg-type]
            assert await cache.get("anything") is None

    run(work())
