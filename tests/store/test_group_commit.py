"""The one writer: what gathers is committed together, and a body that refuses harms no other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from ordo_cli.domain.errors import LimitExceeded, StoreFailed
from ordo_cli.store.chain import Origin, Tell
from ordo_cli.store.driver import Ask, AskMany, Body
from tests.backends import Backend
from tests.store.making import fan_out, opened

ORIGIN = Origin("tester", 0)


def good(name: str) -> Body[str]:
    yield Ask("add_key", ("p", "v", name, "f", "x"))
    yield Tell(ORIGIN, "test", data={"name": name})
    return name


def refuses_first(name: str) -> Body[str]:
    yield Ask("switches")
    raise LimitExceeded(f"{name} is too much")


def refuses_after_writing(name: str) -> Body[str]:
    yield Ask("add_key", ("p", "v", name, "f", "x"))
    yield Tell(ORIGIN, "test", data={"name": name})
    raise LimitExceeded(f"{name} is too much")


def tells_and_refuses(name: str) -> Body[str]:
    yield Tell(ORIGIN, "test", data={"name": name})
    raise LimitExceeded(f"{name} is too much")


def breaks_a_rule(name: str) -> Body[str]:
    yield Ask("add_key", ("p", "v", name, "f", "x"))
    yield Ask("add_switch", ("nonsense", "", 0, None, 0, None, None, None))
    return name


def breaks_half_of_many(name: str) -> Body[str]:
    yield AskMany("add_key", [("p", "v", f"{name}-{number // 2}", "f", "x") for number in range(4)])
    return name


def says_something_else(name: str) -> Body[str]:
    yield Ask("add_key", ("p", "v", name))
    return name


@pytest.mark.parametrize(
    "bad",
    [
        refuses_first,
        refuses_after_writing,
        tells_and_refuses,
        breaks_a_rule,
        breaks_half_of_many,
        says_something_else,
    ],
)
async def test_a_body_that_fails_harms_no_other(
    tmp_path: Path, backend: Backend, bad: Callable[[str], Body[str]]
) -> None:
    async with opened(tmp_path / "ordo.db") as store:
        run = store.database.run
        bodies = [good, bad, good, good, bad]
        results: list[object] = await asyncio.gather(
            *(run(body, f"k{number}") for number, body in enumerate(bodies)), return_exceptions=True
        )
        assert [each for each in results if isinstance(each, str)] == ["k0", "k2", "k3"]
        assert all(isinstance(results[number], LimitExceeded | StoreFailed) for number in (1, 4))
        assert [row.data["name"] for row in await store.audit.rows({"type": "test"})] == ["k0", "k2", "k3"]
        assert backend.fetch(tmp_path / "ordo.db", "SELECT key FROM keys ORDER BY key") == [("k0",), ("k2",), ("k3",)]
        assert (await store.audit.verify()).state == "whole"


async def test_what_gathers_is_one_commit(tmp_path: Path) -> None:
    async with opened(tmp_path / "ordo.db") as store:
        seen: list[int] = []
        store.database.on_commit(lambda _, bodies: seen.append(bodies))
        await asyncio.gather(*(store.database.run(good, f"k{number}") for number in range(50)))
        assert sum(seen) == 50
        assert len(seen) <= 2


async def test_a_caller_that_gives_up_does_not_take_back_what_is_written(tmp_path: Path) -> None:
    async with opened(tmp_path / "ordo.db") as store:
        task = asyncio.create_task(store.journal.open(fan_out("aa"), duplicate_window=None))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        other = await store.journal.open(fan_out("bb"), duplicate_window=None)
        assert other.id == "bb"
        assert (await store.journal.fan_out("aa")).id == "aa"


async def test_closing_waits_for_what_was_handed_in(tmp_path: Path) -> None:
    async with opened(tmp_path / "ordo.db") as store:
        task = asyncio.create_task(store.journal.open(fan_out("aa"), duplicate_window=None))
        await asyncio.sleep(0)
    assert (await task).id == "aa"


async def test_a_bug_in_a_body_reaches_its_caller_as_it_is(tmp_path: Path) -> None:
    def buggy() -> Body[None]:
        yield Ask("no such statement")

    async with opened(tmp_path / "ordo.db") as store:
        with pytest.raises(KeyError):
            await store.database.run(buggy)
        with pytest.raises(KeyError):
            await store.database.read(buggy)
        assert await store.database.run(good, "k") == "k"


async def test_reading_never_writes(tmp_path: Path, backend: Backend) -> None:
    async with opened(tmp_path / "ordo.db") as store:
        with suppress(StoreFailed):  # PostgreSQL does not even begin to
            await store.database.read(good, "k")
        assert backend.fetch(tmp_path / "ordo.db", "SELECT count(*) FROM keys") == [(0,)]


async def test_when_the_line_is_gone_nobody_waits_for_ever(tmp_path: Path) -> None:
    async with opened(tmp_path / "ordo.db") as store:
        database = store.database
    with pytest.raises(StoreFailed, match="writer stopped"):
        await database.run(good, "k")


async def test_a_caller_that_gave_up_is_not_answered(tmp_path: Path) -> None:
    async with opened(tmp_path / "ordo.db") as store:
        tasks = [asyncio.create_task(store.database.run(good, f"k{number}")) for number in range(3)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(each) for each in results] == [str, asyncio.CancelledError, str]
        assert len(await store.audit.rows({"type": "test"})) == 3
