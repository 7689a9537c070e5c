"""The cache of one process: it forgets in time, it cannot grow, and it wakes who listens."""

from __future__ import annotations

import asyncio

import pytest

from ordo_cli.cache import MemoryCache
from ordo_cli.cache.memory import LONGEST, MOST
from tests.fakes import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def cache(clock: FakeClock) -> MemoryCache:
    return MemoryCache(clock)


async def test_what_has_expired_is_not_given(cache: MemoryCache, clock: FakeClock) -> None:
    await cache.put("quote", b"1500", 1.0)
    clock.pass_(0.999)
    assert await cache.get("quote") == b"1500"
    clock.pass_(0.001)
    assert await cache.get("quote") is None


@pytest.mark.parametrize("seconds", [0.0, -1.0])
async def test_what_has_no_life_is_not_kept(cache: MemoryCache, seconds: float) -> None:
    await cache.put("quote", b"1500", seconds)
    assert await cache.get("quote") is None


async def test_what_is_too_long_is_not_kept(cache: MemoryCache) -> None:
    await cache.put("long", b"x" * (LONGEST + 1), 1.0)
    assert await cache.get("long") is None


async def test_it_holds_no_more_than_it_may_and_forgets_the_expired_first(cache: MemoryCache, clock: FakeClock) -> None:
    await cache.put("lasting", b"1", 100.0)
    for number in range(MOST - 1):
        await cache.put(f"short {number}", b"1", 1.0)
    clock.pass_(2.0)
    await cache.put("one more", b"1", 100.0)
    assert await cache.get("lasting") == b"1"
    for number in range(MOST):
        await cache.put(f"another {number}", b"1", 100.0)
    assert await cache.get("lasting") is None
    assert await cache.get(f"another {MOST - 1}") == b"1"


async def test_hits_are_counted_in_a_window_from_the_first(cache: MemoryCache, clock: FakeClock) -> None:
    assert [await cache.hits("alice", 10.0) for _ in range(3)] == [1, 2, 3]
    assert await cache.hits("bob", 10.0) == 1
    clock.pass_(9.9)
    assert await cache.hits("alice", 10.0) == 4
    clock.pass_(0.1)
    assert await cache.hits("alice", 10.0) == 1


async def test_no_number_of_names_makes_the_counts_grow(cache: MemoryCache) -> None:
    for number in range(MOST + 10):
        assert await cache.hits(str(number), 10.0) == 1
    assert await cache.hits(str(MOST + 9), 10.0) == 2


async def test_a_wake_up_between_subscribing_and_waiting_is_not_lost(cache: MemoryCache) -> None:
    with cache.subscribe("fanout/1") as wakes:
        cache.publish("fanout/1", "leg 1")
        assert await anext(wakes) == "leg 1"


async def test_many_wake_ups_at_once_are_one(cache: MemoryCache) -> None:
    with cache.subscribe("fanout/1") as wakes:
        for number in range(100):
            cache.publish("fanout/1", str(number))
        assert await anext(wakes) == "99"
        waiting = asyncio.ensure_future(anext(wakes))
        await asyncio.sleep(0)
        assert not waiting.done()
        waiting.cancel()


async def test_a_wake_up_is_for_everybody_on_its_channel_and_for_nobody_else(cache: MemoryCache) -> None:
    with cache.subscribe("kill") as one, cache.subscribe("kill") as two, cache.subscribe("fanout/1") as other:
        cache.publish("kill")
        assert (await anext(one), await anext(two)) == ("", "")
        waiting = asyncio.ensure_future(anext(other))
        await asyncio.sleep(0)
        assert not waiting.done()
        waiting.cancel()


async def test_who_closes_is_let_go_and_hears_no_more(cache: MemoryCache) -> None:
    wakes = cache.subscribe("kill")
    waiting = asyncio.ensure_future(anext(wakes, "the end"))
    await asyncio.sleep(0)
    await wakes.aclose()
    wakes.close()
    assert await waiting == "the end"
    cache.publish("kill")
    assert [text async for text in wakes] == []
    assert cache.channels.names == []


async def test_it_has_no_server_to_be_well_or_ill(cache: MemoryCache) -> None:
    assert await cache.health() is None
