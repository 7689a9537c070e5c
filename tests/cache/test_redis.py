"""The cache on a real Redis: shared by the processes of one installation, and believed only by them."""

from __future__ import annotations

import asyncio

import pytest

from ordo_cli.cache.redis import RedisCache
from tests.cache.conftest import Opener, until
from tests.cache.server import Server


async def heard(cache: RedisCache, key: str) -> bytes | None:
    """What another process finds once what was put has arrived."""
    found = await cache.get(key)
    for _ in range(200):
        if found is not None:
            return found
        await asyncio.sleep(0.002)
        found = await cache.get(key)
    return None


async def test_a_value_that_one_process_puts_another_gets(url: str, cached: Opener) -> None:
    async with cached(url) as one, cached(url) as other:
        await one.put("quote", b'{"last":"1500"}', 30.0)
        assert await heard(other, "quote") == b'{"last":"1500"}'


async def test_a_value_leaves_the_server_when_its_time_is_up(server: Server, cached: Opener, name: str) -> None:
    async with cached(server.url) as one:
        await one.put("quote", b"1", 30.0)
        await until(lambda: server.tell("EXISTS", f"ordo:{name}:quote") == 1)
        assert 29_000 < server.tell("PTTL", f"ordo:{name}:quote") <= 30_000


async def test_every_key_and_channel_carries_the_name_of_the_installation(
    server: Server, cached: Opener, name: str
) -> None:
    async with cached(server.url) as one:
        await one.put("quote", b"1", 30.0)
        await one.hits("alice", 30.0)
        with one.subscribe("kill"):
            await until(lambda: server.tell("PUBSUB", "CHANNELS") == [f"ordo:{name}:kill".encode()])
        await until(lambda: server.tell("PUBSUB", "CHANNELS") == [])
        keys = set(server.tell("KEYS", "*"))
    assert keys == {f"ordo:{name}:quote".encode(), f"ordo:{name}:hits:alice".encode()}


@pytest.mark.parametrize("trouble", ["another key", "another secret", "altered", "never sealed", "empty", "a list"])
async def test_what_was_not_sealed_here_under_this_key_is_not_believed(
    server: Server, cached: Opener, name: str, trouble: str
) -> None:
    async with cached(server.url) as one:
        await one.put("quote/INFY", b'{"last":"1500"}', 30.0)
        await until(lambda: server.tell("EXISTS", f"ordo:{name}:quote/INFY") == 1)
    key = f"ordo:{name}:quote/INFY"
    sealed = server.tell("GET", key)
    secret = b"known to this installation alone"
    if trouble == "another key":
        key = f"ordo:{name}:quote/TCS"
        server.tell("SET", key, sealed)
    elif trouble == "another secret":
        secret = b"another"
    elif trouble == "altered":
        server.tell("SET", key, sealed.replace(b"1500", b"1600"))
    elif trouble == "never sealed":
        server.tell("SET", key, b'{"last":"1500"}')
    elif trouble == "empty":
        server.tell("SET", key, b"")
    else:
        server.tell("DEL", key)
        server.tell("RPUSH", key, "1500")
    async with cached(server.url, secret=secret) as other:
        assert await other.get(key.rpartition(":")[2]) is None
        assert other.shared, "one bad key is no reason to do without the others"
        await other.put("quote/INFY", b"new", 30.0)
        await until(lambda: server.tell("GET", f"ordo:{name}:quote/INFY").endswith(b" new"))


async def test_a_value_whose_time_is_up_is_not_believed_though_the_server_kept_it(
    server: Server, cached: Opener, name: str
) -> None:
    async with cached(server.url) as one:
        await one.put("quote", b"1500", 0.2)
        await until(lambda: server.tell("PERSIST", f"ordo:{name}:quote") == 1)
    async with cached(server.url) as other:
        assert server.tell("EXISTS", f"ordo:{name}:quote") == 1
        await asyncio.sleep(0.2)
        assert await other.get("quote") is None


async def test_a_wake_up_reaches_every_process_at_once(url: str, cached: Opener) -> None:
    async with cached(url) as one, cached(url) as other:
        with one.subscribe("fanout/1") as here, other.subscribe("fanout/1") as there:
            await settled(other, one)
            one.publish("fanout/1", "leg 1")
            assert await anext(here) == "leg 1"
            assert await anext(there) == "leg 1"


async def test_who_listens_here_hears_once_what_was_said_here(url: str, cached: Opener) -> None:
    async with cached(url) as one:
        with one.subscribe("fanout/1") as here, one.subscribe("done") as done:
            await settled(one, one)
            one.publish("fanout/1", "leg 1")
            assert await anext(here) == "leg 1"
            await settled(one, one)
            waiting = asyncio.ensure_future(anext(here))
            await asyncio.sleep(0)
            assert not waiting.done()
            waiting.cancel()
            done.close()


async def settled(listener: RedisCache, speaker: RedisCache) -> None:
    """Everything said before this on both connections has been worked through by the server."""
    await listener.get("nothing of this name")
    await speaker.get("nothing of this name")


async def test_hits_are_counted_over_all_processes(url: str, cached: Opener) -> None:
    async with cached(url) as one, cached(url) as other:
        counts = await asyncio.gather(*(each.hits("alice", 30.0) for each in [one, other] * 50))
        assert sorted(counts) == list(range(1, 101))


async def test_a_window_of_hits_ends(server: Server, cached: Opener, name: str) -> None:
    async with cached(server.url) as one, cached(server.url) as other:
        await one.hits("alice", 30.0)
        await other.hits("alice", 30.0)
        assert 29_000 < server.tell("PTTL", f"ordo:{name}:hits:alice") <= 30_000
        server.tell("PEXPIRE", f"ordo:{name}:hits:alice", 0)
        async with cached(server.url) as third:
            assert await third.hits("alice", 30.0) == 1


@pytest.mark.parametrize("garbage", ["text", "list", "no end"])
async def test_garbage_in_a_count_is_counted_over(server: Server, cached: Opener, name: str, garbage: str) -> None:
    key = f"ordo:{name}:hits:alice"
    if garbage == "list":
        server.tell("RPUSH", key, "x")
    else:
        server.tell("SET", key, "text" if garbage == "text" else 5)
    async with cached(server.url) as one:
        assert await one.hits("alice", 30.0) == (6 if garbage == "no end" else 1)
        assert one.shared
        assert server.tell("PTTL", key) > 0


async def test_its_health_says_the_version_and_the_clock(url: str, cached: Opener) -> None:
    async with cached(url) as one:
        health = await one.health()
    assert health is not None
    assert (health.trouble, health.version.split(".")[0] >= "7", abs(health.ahead) < 60) == (None, True, True)


async def test_a_process_that_is_quicker_than_its_connection_still_wakes_the_others(url: str, cached: Opener) -> None:
    async with cached(url) as other:
        with other.subscribe("fanout/1") as there:
            await settled(other, other)
            async with cached(url, connected=False) as one:
                one.publish("fanout/1", "leg 1")
            assert await anext(there) == "leg 1"


async def test_a_value_of_the_other_process_is_kept_here_no_longer_than_it_lives(
    server: Server, cached: Opener, name: str
) -> None:
    async with cached(server.url) as one, cached(server.url) as other:
        await one.put("quote", b"1500", 0.3)
        assert await heard(other, "quote") == b"1500"
        server.kill()
        await asyncio.sleep(0.3)
        assert await other.get("quote") is None


async def test_a_thousand_changes_at_once_are_a_few_wake_ups(server: Server, cached: Opener) -> None:
    async with cached(server.url) as one, cached(server.url) as other:
        with other.subscribe("fanout/1") as there:
            await settled(other, one)
            for number in range(1000):
                one.publish("fanout/1", str(number))
                if number % 10 == 0:
                    await asyncio.sleep(0)
            while await anext(there) != "999":
                pass
    said = next(line for line in server.tell("INFO", "commandstats").split(b"\n") if b"cmdstat_publish" in line)
    assert int(said.partition(b"calls=")[2].partition(b",")[0]) < 100
