"""A login over HTTP brings the list of instruments that orders need, behind its answer, and never instead of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from ordo_cli.cli.main import main
from ordo_cli.desk import Desk, open_desk
from ordo_cli.domain.tokens import TokenScope
from ordo_cli.home import Home, find_home
from ordo_cli.services import masters
from tests.api.conftest import bearing, calling, token
from tests.cli import lists

LOGIN, ANSWER = "/api/v1/accounts/lara/login", "/api/v1/accounts/lara/login/answer"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with lists.serving(tmp_path / "served", monkeypatch) as served:
        yield served


@pytest.fixture
def home(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home where lara has to log in at a broker that keeps a list."""
    monkeypatch.setenv("ORDO_HOME", str(tmp_path / "home"))
    for words in ("init --secrets vault", "account add lara --broker lists --group asked"):
        assert main(words.split()) == 0
    return find_home({"ORDO_HOME": str(tmp_path / "home")})


@pytest.fixture
async def desk(home: Home) -> AsyncIterator[Desk]:
    async with open_desk(home, actor="serve") as opened:
        yield opened


async def lists_of(client: httpx.AsyncClient) -> dict[str, Any]:
    (row,) = (await client.get("/api/v1/status")).json()["instrument_lists"]
    return dict(row)


async def log_in(client: httpx.AsyncClient) -> None:
    assert (await client.post(LOGIN)).status_code == 202
    done = await client.post(ANSWER, json={"answer": "123456"})
    assert (done.status_code, done.json()["session"]) == (200, "live")


async def until_of_the_day(client: httpx.AsyncClient) -> None:
    late = time.monotonic() + 20
    while (await lists_of(client))["stale"]:
        assert time.monotonic() < late, "the list did not come"
        await asyncio.sleep(0.01)


async def test_the_list_comes_with_the_login_for_a_token_that_may_only_trade(desk: Desk) -> None:
    async with calling(desk) as client:
        client.headers.update(bearing(await token(desk, TokenScope.TRADE, TokenScope.READ)))
        assert (await lists_of(client))["stale"]
        await log_in(client)
        await until_of_the_day(client)


async def test_a_list_that_cannot_come_harms_no_login_and_the_next_word_about_it_fetches_it(
    desk: Desk, folder: Path
) -> None:
    text = (folder / "lists.csv").read_bytes()
    (folder / "lists.csv").unlink()
    async with calling(desk) as client:
        client.headers.update(bearing(await token(desk)))
        await log_in(client)
        assert (await lists_of(client))["stale"]
        (folder / "lists.csv").write_bytes(text)
        late = time.monotonic() + 20
        while (await lists_of(client))["stale"]:
            assert time.monotonic() < late, "the list did not come"
            assert (await client.post(LOGIN)).json()["session"] == "live"
            await asyncio.sleep(0.05)


async def test_a_server_that_ends_waits_for_no_list(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = asyncio.Event()

    async def endless(*given: object) -> list[masters.Synced]:
        begun.set()
        await asyncio.Event().wait()
        return []

    monkeypatch.setattr(masters, "freshen", endless)
    async with asyncio.timeout(20):
        async with calling(desk) as client:
            client.headers.update(bearing(await token(desk)))
            await log_in(client)
            await begun.wait()
