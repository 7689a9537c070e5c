"""The client without asyncio: made of the other one, and it keeps the same rules."""

from __future__ import annotations

import ast
import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import ordo_cli.client
from ordo_cli.client import Ordo
from ordo_cli.domain.errors import NoAnswer
from tests.brokers.wire.server import Peer, serving
from tests.client.making import FOLDER, MADE, made
from tests.client.stub import FAN_OUT, ORDER, PRESSED, Jumping, Script, drops, said
from tests.client.test_events import event, stream
from tests.house.tree import ROOT

HEAVY = {"aiosqlite", "alembic", "fastapi", "httpx", "keyring", "pydantic", "sqlalchemy", "sqlmodel", "structlog"}


@pytest.mark.parametrize("name", MADE)
def test_it_is_made_of_the_one_for_asyncio(name: str) -> None:
    fresh, kept = made(MADE[name]), (FOLDER / name).read_text(encoding="utf-8")
    assert ast.dump(ast.parse(fresh)) == ast.dump(ast.parse(kept)), "run: python -m tests.client.making"


def ordo(url: str, **more: Any) -> Ordo:
    return Ordo(url, "ordo_ab_secret", **{"timeout": 0.3, "patience": 10.0, "clock": Jumping(), **more})


async def aside[T](work: Callable[[], T]) -> T:
    return await asyncio.to_thread(work)


async def test_it_asks_again_with_the_same_key() -> None:
    script = Script(drops, said(201, FAN_OUT))
    async with serving(script) as server:

        def work() -> str:
            with ordo(server.url) as client:
                return client.orders.place(**ORDER).outcome

        assert await aside(work) == "success"
    assert len(script.asked) == 2
    assert len({asked.key for asked in script.asked}) == 1


async def test_it_gives_up_and_says_the_key() -> None:
    async with serving(Script(drops)) as server:

        def work() -> None:
            with ordo(server.url, timeout=0.05) as client, pytest.raises(NoAnswer, match="may have been done"):
                client.orders.place(**ORDER)

        await aside(work)


async def test_it_follows_events() -> None:
    script = Script(stream(event(1, "leg", FAN_OUT["legs"][0])), stream(event(2, "outcome", FAN_OUT)))
    async with serving(script) as server:

        def work() -> list[str]:
            with ordo(server.url) as client:
                return [change.kind for change in client.fanouts.events("7f3k2m9q4x")]

        assert await aside(work) == ["leg", "outcome"]


@asynccontextmanager
async def at_a_socket(path: Path, script: Script) -> AsyncIterator[None]:
    class Server:
        def __init__(self) -> None:
            self.peers: list[Peer] = []

        async def play(self, peer: Peer) -> None:
            await script(peer)

    server: Any = Server()
    listener = await asyncio.get_running_loop().create_unix_server(lambda: Peer(server), str(path))
    yield
    listener.close()
    for peer in server.peers:
        peer.end()
    await asyncio.sleep(0.01)


async def test_it_speaks_over_a_socket_of_this_machine(tmp_path: Path) -> None:
    script = Script(said(200, PRESSED))
    async with at_a_socket(tmp_path / "s", script):

        def work() -> bool:
            with ordo(f"unix://{tmp_path}/s") as client:
                return client.kill.engage("account:alice", reason="enough").quiet

        assert await aside(work)
    assert script.asked[0].headers["host"] == "localhost"
    assert script.asked[0].told["scope"] == "account:alice"


@pytest.mark.parametrize(
    ("words", "allowed"),
    [
        ("import ordo_cli.client", set()),
        ("from ordo_cli.client import Ordo", {"httpx", "pydantic"}),
        ("from ordo_cli.client import AsyncOrdo", {"httpx", "pydantic"}),
    ],
)
def test_the_client_brings_no_server_and_no_database(words: str, allowed: set[str]) -> None:
    script = f"import sys\n{words}\nprint(*sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, set(done.stdout.split()) - allowed) == (0, set()), done.stderr


def test_a_name_that_the_sdk_has_not_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        _ = ordo_cli.client.nothing
