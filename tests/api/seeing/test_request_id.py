"""One id of a request, wherever it left a trace: its answer, the journal, every row of the audit, the log."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from ordo_cli import log
from ordo_cli.api.app import make_app
from ordo_cli.api.settings import Settings
from ordo_cli.desk import Desk
from ordo_cli.domain.legs import FanOutId
from ordo_cli.domain.tokens import TokenScope
from ordo_cli.services import tokens
from tests.services.conftest import Add

ORDER = {"side": "buy", "instrument": "NSE:INFY", "quantity": 1, "limit_price": "1500", "targets": ["all"]}


async def post(desk: Desk, path: str, body: object, **headers: str) -> httpx.Response:
    made = await tokens.create(desk, f"t{len(await tokens.everyone(desk))}", [TokenScope.ADMIN])
    transport = httpx.ASGITransport(make_app(desk, Settings()))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8020/api/v1") as client:
        return await client.post(path, json=body, headers={"Authorization": f"Bearer {made.text}", **headers})


@pytest.mark.parametrize("given", ["order-of-alice-0001", None])
async def test_an_order_can_be_followed_by_the_id_of_its_request(desk: Desk, add: Add, given: str | None) -> None:
    for name in ("alice", "bob"):
        await add(name)
    log.configure(desk.home.logs, desk.clock, "info")
    headers = {} if given is None else {"X-Request-Id": given}
    answer = await post(desk, "/orders", ORDER, **headers, **{"Idempotency-Key": "the-key-of-this-one"})
    assert answer.status_code == 201, answer.text
    name = answer.headers["x-request-id"]
    assert given is None or name == given
    placed = answer.json()
    assert (await desk.store.journal.fan_out(FanOutId(placed["id"]))).request_id == name
    rows = [line for line in await desk.store.audit.rows() if placed["id"] in str(line.ids)]
    assert len(rows) >= 1 + 2 * 2, "planned, and each leg claimed and answered"
    assert {row.ids["request"] for row in rows} == {name}
    said = [json.loads(line) for line in (Path(desk.home.logs) / "ordo.log").read_text().splitlines()]
    [access] = [line for line in said if line["event"] == "request"]
    assert access["request"] == name


async def test_a_press_is_followed_too(desk: Desk, add: Add) -> None:
    await add("alice")
    answer = await post(
        desk, "/kill", {"scope": "account:alice", "reason": "enough"}, **{"X-Request-Id": "the-press-1"}
    )
    assert answer.is_success, answer.text
    rows = [line for line in await desk.store.audit.rows() if "enough" in str(line.data)]
    assert {row.ids["request"] for row in rows} == {"the-press-1"}


@pytest.mark.parametrize("given", ["short", "x" * 65, "has space", "semi;colon", 'quote"s-are-out'])
async def test_an_id_that_could_be_mistaken_for_something_else_is_replaced(desk: Desk, add: Add, given: str) -> None:
    await add("alice")
    headers = {"X-Request-Id": given, "Idempotency-Key": "the-key-of-this-one"}
    answer = await post(desk, "/orders", ORDER, **headers)
    assert answer.status_code == 201, answer.text
    assert given not in answer.headers["x-request-id"]
