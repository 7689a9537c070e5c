"""A sandbox at real sockets of this machine, with a clock that stands still until a test moves it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from ordo_cli.sandbox.accounts import SandboxAccount
from ordo_cli.sandbox.desk import Desk
from ordo_cli.sandbox.sandbox import GATEWAYS, Sandbox, Settings, serving
from tests.fakes import FakeClock

MORNING = datetime(2026, 11, 23, 4, 30, tzinfo=UTC)  # Monday, 10:00 in India


class Running:
    """A sandbox and what a test does with it."""

    def __init__(self, sandbox: Sandbox, clock: FakeClock, told: list[str], http: httpx.AsyncClient) -> None:
        self.sandbox, self.clock, self.told, self.http = sandbox, clock, told, http

    def desk(self, broker: str) -> Desk:
        return self.sandbox.desks[broker]

    def account(self, broker: str, number: int = 0) -> SandboxAccount:
        return self.desk(broker).accounts[number]

    def url(self, broker: str, path: str) -> str:
        return f"http://127.0.0.1:{self.desk(broker).port}{path}"

    async def ask(self, name: str, **query: str) -> Any:
        answer = await self.http.get(self.url(next(iter(self.sandbox.desks)), f"/_sandbox/{name}"), params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def change(self, name: str, **given: object) -> Any:
        answer = await self.http.post(self.url(next(iter(self.sandbox.desks)), f"/_sandbox/{name}"), json=given)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def hold(self, instrument: str, price: str | None, depth: int | None = None) -> None:
        await self.change("price", instrument=instrument, price=price, depth=depth)

    def pass_(self, seconds: float = 1.0) -> None:
        """Let the time of day go on, so that rate limits count from nothing."""
        self.clock.pass_(seconds)


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    clock, told = FakeClock(MORNING), list[str]()
    settings = Settings(folder=str(tmp_path / "sandbox"), brokers=GATEWAYS, port=0, seed=7)
    async with serving(settings, clock, told.append) as sandbox, httpx.AsyncClient(trust_env=False) as http:
        yield Running(sandbox, clock, told, http)
