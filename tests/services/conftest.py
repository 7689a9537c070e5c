"""A real desk with a real journal, a clock that jumps and a firm that does as it is told; on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from ordo_cli.desk import Desk, open_desk
from ordo_cli.domain.accounts import AccountId
from ordo_cli.home import Home, find_home, make
from ordo_cli.services import accounts
from tests import backends
from tests.backends import POSTGRESQL, Backend
from tests.fakes import FakeClock, Firm, ScriptedBroker

Opener = Callable[..., AbstractAsyncContextManager[Desk]]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    backends.parametrized(metafunc, "home")


@pytest.fixture(autouse=True)
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Backend]:
    yield from backends.lent(request.param, request.node.nodeid, monkeypatch)


@pytest.fixture
def home(tmp_path: Path, backend: Backend, monkeypatch: pytest.MonkeyPatch) -> Home:
    found = find_home({"ORDO_HOME": str(tmp_path / "home")})
    make(found)
    if backend.name == POSTGRESQL:
        monkeypatch.setenv("ORDO_DATABASE__URL", backend.where(Path(found.database)))
    return found


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def firm(clock: FakeClock) -> Firm:
    return Firm(clock)


@pytest.fixture
def reopen(home: Home, clock: FakeClock, firm: Firm) -> Opener:
    """Open a desk at the same home, as another process would."""

    def opener(**more: object) -> AbstractAsyncContextManager[Desk]:
        return open_desk(home, actor="test", clock=clock, find=firm.find, **more)  # type: ignore[arg-type]

    return opener


@pytest.fixture
async def desk(reopen: Opener) -> AsyncIterator[Desk]:
    async with reopen() as opened:
        yield opened


Add = Callable[..., Awaitable[ScriptedBroker]]


@pytest.fixture
def add(desk: Desk, firm: Firm) -> Add:
    """Add an account and give its line."""

    async def adder(name: str, *groups: str) -> ScriptedBroker:
        await accounts.add(desk, name, "acme", accounts.Wishes(groups=groups), {})
        return firm.line(await desk.store.accounts.get(AccountId(name)))

    return adder
