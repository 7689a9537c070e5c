"""The application over the prepared home, called without sockets; and a real server process where those matter."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import httpx
import pytest

from ordo_cli.api.app import make_app
from ordo_cli.api.settings import Settings
from ordo_cli.desk import Desk, open_desk
from ordo_cli.domain.tokens import TokenScope
from ordo_cli.home import Home, find_home
from ordo_cli.services import tokens
from tests.cli.conftest import Run, cli, homed, names, prepared
from tests.house.tree import ROOT

__all__ = ["Run", "cli", "homed", "names", "prepared"]

BASE = "http://127.0.0.1:8020"
BUY = {"side": "buy", "instrument": "NSE:INFY", "quantity": 1, "targets": ["alice"]}


async def token(desk: Desk, *scopes: TokenScope, name: str = "test", **more: object) -> str:
    """A token's text, good for everything unless its scopes are said."""
    made = await tokens.create(desk, name, scopes or (TokenScope.ADMIN,), **more)  # type: ignore[arg-type]
    return made.text


def bearing(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


@pytest.fixture
def home(homed: Path) -> Home:
    return find_home({"ORDO_HOME": str(homed)})


@pytest.fixture
async def desk(home: Home) -> AsyncIterator[Desk]:
    async with open_desk(home, actor="serve") as opened:
        yield opened


@asynccontextmanager
async def calling(desk: Desk, settings: Settings | None = None, **more: object) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application at this desk."""
    app = make_app(desk, settings or Settings())
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        yield client


@pytest.fixture
async def client(desk: Desk) -> AsyncIterator[httpx.AsyncClient]:
    """A client with a token that may do everything."""
    async with calling(desk) as found:
        found.headers.update(bearing(await token(desk)))
        yield found


Key = Callable[[], str]


@pytest.fixture
def key() -> Key:
    """A fresh idempotency key each time."""
    numbers = iter(range(1_000_000))
    return lambda: f"test-key-{next(numbers):06}"


@contextmanager
def served(home: Home) -> Iterator[str]:
    """A server process of its own at this home, and its address."""
    environ = {**os.environ, "ORDO_HOME": str(home.data), "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-m", "ordo_cli", "serve", "--port", "0"]
    with subprocess.Popen(words, env=environ, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            line = next(line for line in process.stderr if "http://" in line)
            yield "http://" + line.partition("http://")[2].split()[0].rstrip("/,")
        finally:
            process.send_signal(signal.SIGTERM)
            process.stderr.read()
