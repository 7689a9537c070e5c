"""The SDK against the application itself: every call, and the errors that callers handle as in their own process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import httpx
import pytest

from ordo_cli.api.app import make_app
from ordo_cli.api.settings import Settings
from ordo_cli.client import AsyncOrdo
from ordo_cli.desk import Desk
from ordo_cli.domain.errors import (
    Invalid,
    KeyConflict,
    KillEngaged,
    LimitExceeded,
    NotFound,
    OrdoError,
    Refused,
    SessionNeeded,
)
from ordo_cli.domain.tokens import TokenScope
from ordo_cli.home import Home
from tests.api.conftest import cli, desk, home, homed, names, prepared, served, token
from tests.house.tree import ROOT

__all__ = ["cli", "desk", "home", "homed", "names", "prepared"]

BASE = "http://127.0.0.1:8020"
BUY: dict[str, Any] = {"side": "buy", "instrument": "NSE:INFY", "to": "alice"}


@pytest.fixture
async def transport(desk: Desk) -> AsyncIterator[httpx.ASGITransport]:
    app = make_app(desk, Settings())
    async with app.router.lifespan_context(app):
        yield httpx.ASGITransport(app=app, raise_app_exceptions=False)


@pytest.fixture
async def ordo(desk: Desk, transport: httpx.ASGITransport) -> AsyncIterator[AsyncOrdo]:
    async with AsyncOrdo(BASE, await token(desk), transport=transport, patience=5.0) as client:
        yield client


async def test_place_watch_and_kill(ordo: AsyncOrdo) -> None:
    placed = await ordo.orders.place(**BUY, quantity=10, limit_price=Decimal("1500.00"))
    assert (placed.outcome, placed.replayed, placed.legs[0].state) == ("success", False, "filled")
    changes = [change async for change in ordo.fanouts.events(placed.id)]
    assert [change.kind for change in changes][-1] == "outcome"
    assert changes[-1].data == await ordo.fanouts.get(placed.id)
    pressed = await ordo.kill.engage(reason="enough")
    assert (pressed.engaged, pressed.quiet) == (True, True)
    with pytest.raises(KillEngaged):
        await ordo.orders.place(**BUY, quantity=1)


async def test_the_same_key_sends_once_and_another_payload_never(ordo: AsyncOrdo) -> None:
    first = await ordo.orders.place(**BUY, quantity=3, key="rebalance-17")
    again = await ordo.orders.place(**BUY, quantity=3, key="rebalance-17")
    assert (again.id, again.replayed, first.key) == (first.id, True, "rebalance-17")
    with pytest.raises(KeyConflict):
        await ordo.orders.place(**BUY, quantity=4, key="rebalance-17")
    assert [each.key for each in await ordo.fanouts.list(limit=100)].count("rebalance-17") == 1


async def test_who_does_not_wait_is_told_what_is_written_down(ordo: AsyncOrdo) -> None:
    begun = await ordo.orders.place(**BUY, quantity=3, wait=False, key="rebalance-17")
    assert begun.id
    again = await ordo.orders.place(**BUY, quantity=3, wait=False, key="rebalance-17")
    assert (again.id, again.replayed) == (begun.id, True)
    last = [change async for change in ordo.fanouts.events(begun.id, until="accepted")][-1]
    assert last.data.id == begun.id


async def test_a_preview_sends_nothing(ordo: AsyncOrdo) -> None:
    before = await ordo.fanouts.list(limit=100)
    plan = await ordo.orders.preview(**BUY, quantity=1_000_000)
    assert plan.problem is not None or plan.legs[0].problem is not None
    assert await ordo.fanouts.list(limit=100) == before


async def test_orders_are_changed_cancelled_and_settled(ordo: AsyncOrdo, names: dict[str, str]) -> None:
    resting = f"{names['resting']}-1"
    assert (await ordo.legs.modify(resting, limit_price="1410")).quantity == 5
    shown = await ordo.legs.get(resting)
    assert shown.book is not None
    assert shown.book.limit_price == Decimal(1410)
    assert (await ordo.legs.cancel(resting)).state == "cancelled"
    assert await ordo.fanouts.cancel(names["resting"]) == []
    found = await ordo.fanouts.reconcile(names["fanout"])
    assert [leg.account for leg in found.moved] == ["carol"]


async def test_what_accounts_have_is_read_with_every_failure_named(ordo: AsyncOrdo) -> None:
    positions = await ordo.positions()
    assert {row.account for row in positions.rows} >= {"alice"}
    assert [failure.account for failure in positions.failures] == ["dave"]
    assert (await ordo.holdings("alice")).failures == ()
    assert (await ordo.funds("alice")).rows[0].available > 0
    assert (await ordo.trades("alice")).rows[0].price == Decimal(1500)
    assert {row.account for row in (await ordo.orders.books("alice")).rows} == {"alice"}
    assert [quote.instrument for quote in await ordo.quotes("NSE:INFY", "NSE:NOPE")] == ["NSE:INFY"]
    assert [account.account for account in await ordo.accounts.list()] == ["alice", "bob", "carol", "dave"]


async def test_how_everything_stands(ordo: AsyncOrdo, names: dict[str, str]) -> None:
    status = await ordo.status()
    assert [doubt.leg for doubt in status.unknown_legs] == [f"{names['fanout']}-2"]
    rows = await ordo.audit(kind="state", leg=f"{names['fanout']}-2")
    assert [row.after for row in rows] == ["sending", "unknown"]
    pressed = await ordo.kill.engage("account:bob", "cancel", "a drill")
    assert [at.account for at in pressed.accounts] == ["bob"]
    assert [scope.scope for scope in (await ordo.kill.status()).scopes if scope.engaged] == ["account:bob"]
    assert (await ordo.kill.release("account:bob", "it was a drill")).scope == "account:bob"


async def test_errors_are_those_of_the_services(ordo: AsyncOrdo, names: dict[str, str]) -> None:
    async def expect(kind: type[OrdoError], code: str, call: object) -> None:
        with pytest.raises(kind) as caught:
            await call  # type: ignore[misc]
        assert (type(caught.value), caught.value.reason) == (kind, code)

    await expect(NotFound, "not_found", ordo.fanouts.get("0000"))
    await expect(NotFound, "not_found", ordo.positions("nobody"))
    await expect(Invalid, "invalid", ordo.orders.place(**BUY, quantity=0))
    await expect(LimitExceeded, "VALUE_FANOUT_MAX", ordo.orders.place(**BUY, quantity=10_000_000))
    await expect(Refused, "ALREADY_DONE", ordo.legs.modify(f"{names['filled']}-1", limit_price="1"))
    await expect(Refused, "not_engaged", ordo.kill.release("global", "by mistake"))


async def test_a_token_opens_what_it_may_and_no_more(desk: Desk, transport: httpx.ASGITransport) -> None:
    reader = await token(desk, TokenScope.READ, name="reader")
    async with AsyncOrdo(BASE, reader, transport=transport) as client:
        assert await client.fanouts.list()
        with pytest.raises(Refused) as caught:
            await client.orders.place(**BUY, quantity=1)
        assert caught.value.reason == "not_allowed"
    for wrong in (None, "ordo_aaaaaaaaaaaa_wrong"):
        async with AsyncOrdo(BASE, wrong, transport=transport) as client:
            with pytest.raises(SessionNeeded, match="token"):
                await client.fanouts.list()


async def test_the_example_of_the_readme_runs(desk: Desk, home: Home) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    environ = {**os.environ, "ORDO_TOKEN": await token(desk), "PYTHONPATH": str(ROOT)}
    with served(home) as url:
        done = subprocess.run(
            [sys.executable, "-c", example.replace("http://127.0.0.1:8020", url)],
            env=environ,
            capture_output=True,
            text=True,
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1].startswith(("leg", "outcome"))
