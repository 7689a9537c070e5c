"""The application over the prepared home, called without sockets; and a real server process where those matter."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
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
