"""What one process commits wakes those who wait in it and in others, at once; they look for themselves."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from ordo_cli import config
from ordo_cli.cache import KILL, channel_of
from ordo_cli.cache.redis import RedisCache
from ordo_cli.desk import Desk, open_desk
from ordo_cli.domain.accounts import AccountId, parse_target
from ordo_cli.domain.fanouts import FanOut, Outcome
from ordo_cli.domain.kill import GLOBAL
from ordo_cli.domain.legs import Leg
from ordo_cli.domain.tokens import FULL
from ordo_cli.home import Home, find_home, make
from ordo_cli.machine import SystemClock
from ordo_cli.services import accounts, kill, orders, sending
from ordo_cli.services.planning import PlaceRequest
from tests.cache.conftest import until
from tests.cache.server import Server
from tests.fakes import Firm, ScriptedBroker, buy

NEVER = 3600.0
Opener = Callable[..., AbstractAsyncContextManager[Desk]]
WATCHER = """
import asyncio, sys
from ordo_cli.desk import open_desk
from ordo_cli.domain.accounts import parse_target
from ordo_cli.home import home_at
from ordo_cli.services import orders
from ordo_cli.services.planning import PlaceRequest
from tests.fakes import buy

orders.FOLLOW = 3600.0

async def main():
    async with open_desk(home_at(sys.argv[1]), actor="test") as desk:
        request = PlaceRequest(buy(), (parse_target("all"),), key="the-same-key-again")
        found = await orders.place(desk, request, lambda leg: print(leg.state, flush=True))
        print(found.replayed, found.outcome)

asyncio.run(main())
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    found = find_home({"ORDO_HOME": str(tmp_path / "home")})
    make(found)
    return found


@pytest.fixture
def firm() -> Firm:
    return Firm(SystemClock())  # type: ignore[arg-type]  # its brokers only ask what time it is


@pytest.fixture
def opener(home: Home, firm: Firm) -> Opener:
    """Open a desk at the same home, as another process would, once its cache is at hand."""

    @asynccontextmanager
    async def open_one(url: str = "") -> AsyncIterator[Desk]:
        settings = replace(config.load(home, {}), redis_url=url, deadline_resting=NEVER)
        async with open_desk(home, config=settings, actor="test", find=firm.find) as desk:
            if isinstance(desk.cache, RedisCache):
                cache = desk.cache
                await until(lambda: cache.shared)
            yield desk

    return open_one


async def add(desk: Desk, firm: Firm, name: str) -> ScriptedBroker:
    await accounts.add(desk, name, "acme", accounts.Wishes(), {})
    return firm.line(await desk.store.accounts.get(AccountId(name)))


def request(**more: object) -> PlaceRequest:
    return PlaceRequest(buy(), (parse_target("all"),), **more)  # type: ignore[arg-type]


def held_until(event: asyncio.Event, broker: ScriptedBroker) -> asyncio.Event:
    """The broker takes its time over the next order. What comes back is set when the order is claimed and with it."""
    claimed = asyncio.Event()

    async def wait() -> None:
        claimed.set()
        await event.wait()

    broker.before_placing = wait
    return claimed


async def test_a_fan_out_sent_by_one_process_wakes_the_watcher_in_another(
    opener: Opener, firm: Firm, server: Server, home: Home
) -> None:
    """The watcher looks by itself once in an hour, so that nothing but a wake-up can tell it."""
    async with opener(server.url) as desk:
        alice, answered = await add(desk, firm, "alice"), asyncio.Event()
        claimed = held_until(answered, alice)
        placing = asyncio.ensure_future(orders.place(desk, request(key="the-same-key-again")))
        await claimed.wait()
        watcher = subprocess.Popen(
            [sys.executable, "-c", WATCHER, home.data],
            env={**os.environ, "ORDO_HOME": home.data, "ORDO_REDIS__URL": server.url, "PYTHONPATH": os.getcwd()},
            stdout=subprocess.PIPE,
            text=True,
        )
        fan_out = (await desk.store.journal.fan_outs())[0]
        await until(lambda: server.listeners(channel_of(fan_out.id)) == 1)
        answered.set()
        sent = await placing
        said, _ = await asyncio.to_thread(watcher.communicate, timeout=20)
    assert sent.outcome is Outcome.SUCCESS
    assert said.split("\n")[-2:] == ["True success", ""]
    assert "open" in said


@pytest.mark.parametrize("shared", [False, True], ids=["alone", "redis"])
async def test_a_replay_in_the_same_process_is_woken_too(
    opener: Opener, firm: Firm, url: str, shared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders, "FOLLOW", NEVER)
    async with opener(url if shared else "") as desk:
        alice, answered, told = await add(desk, firm, "alice"), asyncio.Event(), list[str]()
        claimed = held_until(answered, alice)
        first = asyncio.ensure_future(orders.place(desk, request(key="the-same-key-again")))
        await claimed.wait()
        shown: list[FanOut] = []
        somebody_else = desk.acting_as(desk.actor, FULL, "request-2")
        second = asyncio.ensure_future(
            orders.place(
                somebody_else, request(key="the-same-key-again"), lambda leg: told.append(leg.state), shown.append
            )
        )
        await until(lambda: bool(shown))
        answered.set()
        assert (await second).outcome is (await first).outcome is Outcome.SUCCESS
        assert told == ["open"]


async def test_a_watcher_whose_wake_up_never_comes_finds_it_by_looking(opener: Opener, firm: Firm) -> None:
    """Two desks that share no cache are as two processes without Redis."""
    async with opener() as desk, opener() as other:
        alice, answered = await add(desk, firm, "alice"), asyncio.Event()
        claimed = held_until(answered, alice)
        first = asyncio.ensure_future(orders.place(desk, request(key="the-same-key-again")))
        await claimed.wait()
        second = asyncio.ensure_future(orders.place(other, request(key="the-same-key-again")))
        answered.set()
        assert (await second).outcome is (await first).outcome is Outcome.SUCCESS


async def test_a_wake_up_that_lies_changes_nothing(opener: Opener, firm: Firm, server: Server) -> None:
    async with opener(server.url) as desk, opener(server.url) as other:
        alice, answered = await add(desk, firm, "alice"), asyncio.Event()
        claimed = held_until(answered, alice)
        first = asyncio.ensure_future(orders.place(desk, request(key="the-same-key-again")))
        await claimed.wait()
        told: list[Leg] = []
        second = asyncio.ensure_future(orders.place(other, request(key="the-same-key-again"), told.append))
        fan_out = (await desk.store.journal.fan_outs())[0]
        channel = f"ordo:{desk.store.install.id}:{channel_of(fan_out.id)}"
        for lie in ("rejected", '{"submission": "rejected"}', "\xff\x00", ""):
            server.tell("PUBLISH", channel, lie)
            server.tell("PUBLISH", f"ordo:{desk.store.install.id}:{KILL}", lie)
        await other.cache.get("nothing")
        assert not second.done()
        assert told == []
        answered.set()
        assert (await second).outcome is (await first).outcome is Outcome.SUCCESS


@pytest.mark.parametrize("shared", [False, True], ids=["alone", "redis"])
async def test_a_press_and_a_release_wake_who_waits(opener: Opener, url: str, shared: bool) -> None:
    async with opener(url if shared else "") as desk:
        with desk.cache.subscribe(KILL) as wakes:
            await kill.engage(desk, GLOBAL)
            await asyncio.wait_for(wakes.wait(), 10)
            await kill.release(desk, GLOBAL, "over")
            await asyncio.wait_for(wakes.wait(), 10)


async def test_a_leg_that_waits_its_turn_is_woken_by_a_press_of_another_process(
    opener: Opener, firm: Firm, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "LOOK_AGAIN", NEVER)
    async with opener(server.url) as desk, opener(server.url) as other:
        alice = await add(desk, firm, "alice")
        firm.rates = replace(firm.rates, per_minute=3, kept_for_cancels=2)
        await orders.place(desk, request(allow_duplicate=True))
        waiting = asyncio.ensure_future(orders.place(desk, request(allow_duplicate=True)))
        await until(lambda: server.listeners(KILL) == 1)
        await kill.engage(other, GLOBAL)
        fan_out = await asyncio.wait_for(waiting, 20)  # by itself it would be a minute
        assert [leg.problem.code for leg in fan_out.legs if leg.problem] == ["KILL"]
        assert len(alice.book) == 1
