"""The quick way of an order: what it answers and counts is what FastAPI's way answers and counts."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from opentelemetry import trace

from ordo_cli.api.app import make_app
from ordo_cli.api.metrics import Counted
from ordo_cli.api.quick import HANDLER, ORDERS, Application
from ordo_cli.api.settings import Settings
from ordo_cli.desk import Desk
from ordo_cli.domain.kill import GLOBAL
from ordo_cli.domain.tokens import TokenScope
from ordo_cli.services import kill
from tests.api.conftest import BASE, BUY, bearing, token

OWN = re.compile(r'"(id|tag|key|sent_at|answered_at|created_at|latency_ms|broker_order_id)":("[^"]*"|[0-9.]+)')
GOOD = {"Idempotency-Key": "the-same-key-for-it"}

REQUESTS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "placed": ({}, GOOD),
    "partial": ({"targets": ["alice", "bob"]}, GOOD),
    "a quoted key": ({}, {"Idempotency-Key": '"the-same-key-for-it"'}),
    "no key": ({}, {}),
    "a key that is none": ({}, {"Idempotency-Key": "short"}),
    "a key with a line end": ({}, {"Idempotency-Key": "the-same-key-for-it\t"}),
    "asynchronous": ({}, {**GOOD, "Prefer": "respond-async"}),
    "an unknown field": ({"nonsense": 1}, GOOD),
    "a number as text": ({"quantity": "1"}, GOOD),
    "a price as a number": ({"limit_price": 1500.0}, GOOD),
    "nobody": ({"targets": ["zoe"]}, GOOD),
    "an empty target": ({"targets": []}, GOOD),
    "too much": ({"quantity": 900_000, "limit_price": "1500"}, GOOD),
    "contradicting": ({"type": "market", "limit_price": "1500"}, GOOD),
    "another scheme": ({}, {**GOOD, "Authorization": "Basic abc"}),
    "nobody's token": ({}, {**GOOD, "Authorization": f"Bearer ordo_{'0' * 12}_{'0' * 52}"}),
    "no token": ({}, {**GOOD, "Authorization": ""}),
    "a small bearer": ({}, {**GOOD, "Authorization": "bearer "}),
}


@pytest.fixture(params=[True, False], ids=["quick", "whole"])
def quick(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def application(desk: Desk, quick: bool, counted: Counted | None = None) -> Application:
    app = make_app(desk, Settings(), counted)
    if not quick:
        app.quick = None
    return app


async def answered(desk: Desk, app: Application, body: dict[str, Any], headers: dict[str, str]) -> httpx.Response:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        bearer = bearing(await token(desk, TokenScope.TRADE, name=f"t{id(app)}"))
        said = {name: value for name, value in {**bearer, **headers}.items() if value}
        answer = await client.post(ORDERS, json={**BUY, **body}, headers=said)
    desk.stopping.clear()
    return answer


def plainly(answer: httpx.Response) -> tuple[int, dict[str, str], str]:
    """The answer without what no two orders share."""
    own = {"x-request-id", "location", "content-length"}
    headers = {name: value for name, value in answer.headers.items() if name not in own}
    return answer.status_code, headers, OWN.sub("", answer.text)


@pytest.mark.parametrize("name", REQUESTS)
async def test_both_ways_answer_alike(desk: Desk, name: str) -> None:
    body, headers = REQUESTS[name]
    body = {**body, "allow_duplicate": True}
    ways = [await answered(desk, application(desk, way), body, headers) for way in (True, False)]
    assert plainly(ways[0]) == plainly(ways[1])


@pytest.mark.parametrize("name", ["placed", "no key", "an unknown field", "nobody's token"])
async def test_each_request_is_counted_once_whichever_way_it_went(desk: Desk, quick: bool, name: str) -> None:
    counted = Counted()
    answer = await answered(desk, application(desk, quick, counted), *REQUESTS[name])
    labels = {"method": "POST", "handler": HANDLER, "status": str(answer.status_code)}
    assert counted.registry.get_sample_value("http_requests_total", labels) == 1
    seconds = {"method": "POST", "handler": HANDLER}
    assert counted.registry.get_sample_value("http_request_duration_seconds_count", seconds) == 1


async def test_a_replay_is_one_whichever_way_came_first(desk: Desk) -> None:
    text = await token(desk, TokenScope.TRADE)
    answers = []
    for way in (True, False, True):
        transport = httpx.ASGITransport(app=application(desk, way))
        async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
            answers.append(await client.post(ORDERS, json=BUY, headers={**bearing(text), **GOOD}))
    assert [answer.json()["replayed"] for answer in answers] == [False, True, True]
    assert len({answer.json()["id"] for answer in answers}) == 1


async def test_the_switch_stops_both(desk: Desk, quick: bool) -> None:
    await kill.engage(desk, GLOBAL)
    answer = await answered(desk, application(desk, quick), *REQUESTS["placed"])
    assert (answer.status_code, answer.json()["code"]) == (423, "kill_engaged")


def test_where_requests_are_traced_all_go_the_whole_way(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    scope = {"type": "http", "method": "POST", "path": ORDERS}
    app = application(desk, quick=True)
    assert app.quick is not None
    assert app.quick.takes(scope)
    assert not app.quick.takes({**scope, "method": "GET"})
    assert not app.quick.takes({**scope, "path": f"{ORDERS}/preview"})
    monkeypatch.setattr(trace, "get_tracer_provider", trace.NoOpTracerProvider)
    assert not app.quick.takes(scope)
