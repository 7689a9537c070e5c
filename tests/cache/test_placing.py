"""Redis fails at every step of placing, in every way: what becomes of the orders is what becomes of them without it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ordo_cli import brokers, config
from ordo_cli.brokers.base import BrokerSpec
from ordo_cli.cache import line
from ordo_cli.cache.line import SILENCE, Line, Lost
from ordo_cli.cache.redis import RedisCache
from ordo_cli.desk import Desk, open_desk
from ordo_cli.domain.accounts import AccountId, parse_target
from ordo_cli.domain.errors import OrdoError
from ordo_cli.domain.fanouts import FanOut
from ordo_cli.domain.kill import GLOBAL
from ordo_cli.domain.orders import OrderIntent
from ordo_cli.home import find_home
from ordo_cli.machine import SystemClock
from ordo_cli.services import accounts, cancelling, instruments, kill, orders, portfolio
from ordo_cli.services.planning import PlaceRequest
from tests.cache.conftest import until
from tests.cache.server import Server, pretender, running
from tests.cache.test_trouble import GARBAGE, HELLO, hanging_up, saying, silence
from tests.fakes import INFY, Firm, buy, refusing, silent_after_accepting

STEPS = ("asking for prices", "planned", "opened", "claiming", "claimed", "answered", "recorded")
NAMES = ("alice", "bob", "carol")


def flooded_with_garbage(server: Server) -> None:
    for key in server.tell("KEYS", "*"):
        server.tell("SET", key, b"\x00garbage")


TROUBLES: dict[str, Callable[[Server], object]] = {
    "killed": Server.kill,
    "stopped": Server.freeze,
    "shut down": lambda server: server.tell("SHUTDOWN", "NOSAVE"),
    "flushed": lambda server: server.tell("FLUSHALL"),
    "thrown out": lambda server: server.tell("CLIENT", "KILL", "TYPE", "normal"),
    "another password": lambda server: server.tell("ACL", "SETUSER", "default", "resetpass", ">another"),
    "out of memory": lambda server: server.tell("CONFIG", "SET", "maxmemory", "1"),
    "garbage in every key": flooded_with_garbage,
}


class Day:
    """A morning's work at one desk, told as what does not hang on ids and times."""

    def __init__(self, desk: Desk, said: list[object]) -> None:
        self.desk, self.said = desk, said

    async def work(self) -> list[object]:
        await self.place("first-key-of-the-day", buy(limit=None))
        await self.place("first-key-of-the-day", buy(limit=None))
        await self.place("first-key-of-the-day", buy(11, limit=None))
        second = await self.place("second-key-of-the-day", buy(12, limit=None))
        if second is not None:
            self.said.append(len(await cancelling.cancel_fan_out(self.desk, second.id)))
        await self.place("too-large-a-key", buy(99_999, limit=None))
        self.said.append(sorted(row.account for row in (await portfolio.funds(self.desk)).rows))
        self.said.append(len(await instruments.quotes(self.desk, [INFY])))
        await kill.engage(self.desk, GLOBAL)
        await self.place("third-key-of-the-day", buy(13, limit=None))
        self.said.append((await kill.state(self.desk)).engaged)
        return self.said

    async def place(self, key: str, intent: OrderIntent) -> FanOut | None:
        request = PlaceRequest(intent, (parse_target("all"),), key=key, allow_duplicate=True)
        try:
            found = await orders.place(self.desk, request)
        except OrdoError as error:
            self.said.append((key, error.code, error.reason))
            return None
        legs = [(leg.account, leg.state, leg.quantity, leg.problem and leg.problem.code) for leg in found.legs]
        self.said.append((key, found.replayed, found.outcome, sorted(legs)))
        return found


class Steps:
    """Brings the trouble when one step is reached for the first time."""

    def __init__(self, step: str, trouble: Callable[[], object]) -> None:
        self.step, self.trouble, self.done = step, trouble, False

    def __call__(self, label: str) -> None:
        if label == self.step and not self.done:
            self.done = True
            self.trouble()


async def a_day(folder: Path, kind: str, url: str = "", steps: Steps | None = None) -> tuple[list[object], Firm]:
    """The same accounts and the same work, with or without Redis, with a trouble at one step of it."""
    home = find_home({"ORDO_HOME": str(folder)})
    firm = Firm(SystemClock())  # type: ignore[arg-type]  # its brokers only ask what time it is
    find: Callable[[str], BrokerSpec] = firm.find if kind == "scripted" else brokers.spec
    steps = steps or Steps("never", lambda: None)
    settings = replace(config.load(home, {}), redis_url=url)
    async with open_desk(home, config=settings, actor="test", find=find, failpoint=steps) as desk:
        for name in NAMES:
            await accounts.add(desk, name, "acme" if kind == "scripted" else "paper", accounts.Wishes(), {})
        if kind == "scripted":
            lines = [firm.line(await desk.store.accounts.get(AccountId(name))) for name in NAMES]
            lines[1].script = [refusing(), refusing()]
            lines[2].script = [silent_after_accepting]
            asked = lines[0].quotes

            async def quotes(instruments: Any) -> Any:
                steps("asking for prices")
                return await asked(instruments)

            lines[0].quotes = quotes  # type: ignore[method-assign]
        if isinstance(desk.cache, RedisCache) and steps.step != "before it is connected":
            cache = desk.cache
            with suppress(TimeoutError):
                async with asyncio.timeout(0.5):
                    await until(lambda: cache.shared)
        return await Day(desk, []).work(), firm


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[object]]:
    """What becomes of everything where there is no Redis."""
    folder = tmp_path_factory.mktemp("plain")
    return {kind: asyncio.run(a_day(folder / kind, kind))[0] for kind in ("scripted", "paper")}


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> set[Line]:
    """The connections on which somebody waited for an answer in vain; after one, none is waited on for a while."""
    found: set[Line] = set()
    ask = Line.ask

    async def counted(self: Line, *words: Any, within: float = line.ANSWER) -> Any:
        try:
            return await ask(self, *words, within=within)
        except Lost as error:
            if str(error) == SILENCE and within == line.ANSWER:
                found.add(self)
            raise

    monkeypatch.setattr(Line, "ask", counted)
    return found


def sent(firm: Firm) -> dict[str, int]:
    return {name: each.log.count("place") for name, each in firm.lines.items()}


async def test_with_redis_everything_is_as_without(
    server: Server, tmp_path: Path, plain: dict[str, list[object]]
) -> None:
    for kind in ("scripted", "paper"):
        assert (await a_day(tmp_path / kind, kind, server.url))[0] == plain[kind]


@pytest.mark.parametrize(("trouble", "step"), list(itertools.product(TROUBLES, STEPS)))
async def test_whatever_befalls_redis_at_whatever_step(
    server: Server, tmp_path: Path, plain: dict[str, list[object]], waits: set[Line], trouble: str, step: str
) -> None:
    steps = Steps(step, lambda: TROUBLES[trouble](server))
    said, firm = await a_day(tmp_path / "home", "scripted", server.url, steps)
    assert steps.done
    assert said == plain["scripted"]
    assert sent(firm) == {"alice": 2, "bob": 2, "carol": 1}
    assert len(waits) <= 1


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_whatever_befalls_redis_on_paper(
    server: Server, tmp_path: Path, plain: dict[str, list[object]], trouble: str
) -> None:
    for step in STEPS[1:]:
        said, _ = await a_day(tmp_path / step, "paper", server.url, Steps(step, lambda: TROUBLES[trouble](server)))
        assert said == plain["paper"]
        server.kill()
        server.start()


@pytest.mark.parametrize("garbage", ["silence", "hanging up", *GARBAGE])
async def test_whatever_answers_in_the_place_of_redis(
    tmp_path: Path, plain: dict[str, list[object]], waits: set[Line], garbage: str
) -> None:
    answers = {"silence": silence, "hanging up": hanging_up}
    answer = answers.get(garbage) or saying(HELLO, *[GARBAGE.get(garbage, b"")] * 20)
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(pretender(answer))  # type: ignore[arg-type]
        said, firm = await a_day(tmp_path / "home", "scripted", url)
    assert said == plain["scripted"]
    assert sent(firm) == {"alice": 2, "bob": 2, "carol": 1}
    assert len(waits) <= 1


async def test_redis_gone_from_the_start(tmp_path: Path, plain: dict[str, list[object]]) -> None:
    with running(tmp_path) as server:
        url = server.url
    said, _ = await a_day(tmp_path / "home", "scripted", url)
    assert said == plain["scripted"]
