"""Placing over HTTP: once per key, written down before it is answered, carried on when the client has gone."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from ordo_cli.api import problems
from ordo_cli.api.problems import STATUSES
from ordo_cli.cli.exits import EXIT_CODES
from ordo_cli.desk import Desk
from ordo_cli.domain import errors
from ordo_cli.domain.kill import GLOBAL
from ordo_cli.domain.values import replace
from ordo_cli.schemas.requests import PlaceOrder
from ordo_cli.services import kill, orders
from tests.api.conftest import BUY, Key

ORDERS = "/api/v1/orders"


async def place(
    client: httpx.AsyncClient, key: str, headers: dict[str, str] | None = None, **more: Any
) -> httpx.Response:
    return await client.post(ORDERS, json={**BUY, **more}, headers={"Idempotency-Key": key, **(headers or {})})


async def test_every_leg_accepted_is_201_with_the_place_where_it_is(client: httpx.AsyncClient, key: Key) -> None:
    answer = await place(client, key())
    assert answer.status_code == 201
    body = answer.json()
    assert body["outcome"] == "success"
    assert answer.headers["location"] == f"/api/v1/fanouts/{body['id']}"
    again = await client.get(answer.headers["location"])
    assert again.json() == body


async def test_anything_else_that_was_written_down_is_207(client: httpx.AsyncClient, key: Key) -> None:
    answer = await place(client, key(), targets=["alice", "bob"])
    assert (answer.status_code, answer.json()["outcome"]) == (207, "partial")


@pytest.mark.parametrize("quoted", [True, False])
async def test_the_same_key_again_sends_nothing(client: httpx.AsyncClient, key: Key, quoted: bool) -> None:
    chosen = key()
    first = await place(client, chosen)
    again = await place(client, f'"{chosen}"' if quoted else chosen)
    assert (again.status_code, again.headers["idempotent-replayed"]) == (201, "true")
    assert again.json() == first.json() | {"replayed": True}
    assert "idempotent-replayed" not in first.headers


async def test_the_same_key_for_something_else_is_422(client: httpx.AsyncClient, key: Key) -> None:
    chosen = key()
    await place(client, chosen)
    answer = await place(client, chosen, quantity=2)
    assert (answer.status_code, answer.json()["code"]) == (422, "key_conflict")


@pytest.mark.parametrize(
    "bad", [None, "", "short", '"short"', "x" * 65, "space in it", '"unclosed-quote', 'quote"inside', "käse-käse"]
)
async def test_a_key_that_is_none_is_400(client: httpx.AsyncClient, bad: str | None) -> None:
    headers = {} if bad is None else {b"Idempotency-Key": bad.encode()}
    answer = await client.post(ORDERS, json=BUY, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "key_needed")
    assert (await client.get("/api/v1/fanouts", params={"limit": 1})).json()[0]["key"] == "unknown-1"


async def test_while_the_first_is_under_way_the_same_key_is_409(client: httpx.AsyncClient, key: Key) -> None:
    chosen = key()
    slow = asyncio.ensure_future(place(client, chosen, targets=["alice", "carol"]))  # carol is silent for a while
    while not (found := (await client.get("/api/v1/fanouts", params={"limit": 1})).json()) or found[0]["key"] != chosen:
        await asyncio.sleep(0.001)
    answer = await place(client, chosen, targets=["alice", "carol"])
    assert answer.status_code in (409, 207)  # 207: it has ended in between
    if answer.status_code == 409:
        assert answer.headers["retry-after"] == "1"
        assert answer.headers["location"] == f"/api/v1/fanouts/{found[0]['id']}"
        assert answer.json()["code"] == "in_progress"
    assert (await slow).status_code == 207


async def test_respond_async_answers_when_it_is_written_down(client: httpx.AsyncClient, key: Key) -> None:
    chosen = key()
    answer = await place(client, chosen, {"Prefer": "respond-async"})
    assert answer.status_code == 202
    assert answer.headers["preference-applied"] == "respond-async"
    assert answer.json()["outcome"] == "pending"
    async with asyncio.timeout(10):
        while (await client.get(answer.headers["location"])).json()["outcome"] == "pending":
            await asyncio.sleep(0.005)
    assert (await place(client, chosen)).status_code == 201


async def test_what_the_checks_refuse_is_422_and_leaves_the_key_free(client: httpx.AsyncClient, key: Key) -> None:
    chosen = key()
    refused = await place(client, chosen, limit_price="1500.01")
    assert refused.status_code == 422
    assert refused.headers["content-type"] == "application/problem+json"
    assert (await place(client, chosen)).status_code == 201


async def test_killed_is_423(client: httpx.AsyncClient, desk: Desk, key: Key) -> None:
    await kill.engage(desk, GLOBAL)
    answer = await place(client, key())
    assert (answer.status_code, answer.json()["code"]) == (423, "kill_engaged")


async def test_a_client_that_hangs_up_stops_no_order(client: httpx.AsyncClient, key: Key) -> None:
    chosen = key()
    caller = asyncio.ensure_future(place(client, chosen, targets=["alice", "carol"]))
    while (await client.get("/api/v1/fanouts", params={"limit": 1})).json()[0]["key"] != chosen:
        await asyncio.sleep(0.001)
    caller.cancel()
    async with asyncio.timeout(10):
        while (await client.get("/api/v1/fanouts", params={"limit": 1})).json()[0]["outcome"] == "pending":
            await asyncio.sleep(0.005)
    legs = (await client.get("/api/v1/fanouts", params={"limit": 1})).json()[0]["legs"]
    assert [leg["state"] for leg in legs] == ["filled", "unknown"]


async def test_a_server_that_stops_starts_nothing_new(client: httpx.AsyncClient, desk: Desk, key: Key) -> None:
    desk.stopping.set()
    answer = await place(client, key())
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "stopping", "1")
    assert (await client.get("/api/v1/fanouts", params={"limit": 1})).json()[0]["key"] == "unknown-1"


async def test_a_dry_run_sends_nothing(client: httpx.AsyncClient) -> None:
    answer = await client.post(f"{ORDERS}/preview", json={**BUY, "targets": ["@family"]})
    assert [leg["account"] for leg in answer.json()["legs"]] == ["alice", "bob"]
    assert (await client.get("/api/v1/fanouts", params={"limit": 1})).json()[0]["key"] == "unknown-1"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("side", "BUY"),
        ("side", None),
        ("quantity", "1"),
        ("quantity", 1.0),
        ("quantity", True),
        ("quantity", 0),
        ("quantity", 1_000_000_000),
        ("limit_price", 1500),
        ("limit_price", 1500.05),
        ("limit_price", "1500.00001"),
        ("limit_price", "१५००"),
        ("limit_price", "1500\n"),
        ("limit_price", "1e3"),
        ("instrument", "infy"),
        ("instrument", "NSE:\u0410"),
        ("targets", []),
        ("targets", "alice"),
        ("targets", ["ALICE"]),
        ("targets", ["all=3"]),
        ("type", "limit"),
        ("label", "\u0000"),
        ("confirm", "yes"),
        ("something", "else"),
    ],
)
async def test_nothing_is_folded_or_guessed(client: httpx.AsyncClient, key: Key, field: str, value: object) -> None:
    answer = await client.post(ORDERS, json={**BUY, field: value}, headers={"Idempotency-Key": key()})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == problems.MEDIA_TYPE
    assert {"type", "title", "status", "detail", "code", "message", "hint"} <= answer.json().keys()


async def test_a_type_that_fits_the_prices_may_be_said(client: httpx.AsyncClient, key: Key) -> None:
    assert (await place(client, key(), type="limit", limit_price="1500")).status_code == 201


async def test_without_a_token_nothing_is_told(client: httpx.AsyncClient) -> None:
    for given in ("", "Bearer x", "Basic eA==", "Bearer ordo_" + "0" * 12 + "_" + "0" * 52):
        answer = await client.get("/api/v1/fanouts", headers={"Authorization": given})
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="ordo"')
        assert answer.json()["code"] == "unauthenticated"


def test_every_error_has_a_status_and_an_exit_code() -> None:
    """The nearest class decides, but Rejected or Refused alone may not decide for what a program must tell apart."""
    known = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, errors.OrdoError)]
    assert len(known) > 10
    assert [each.__name__ for each in known if each not in STATUSES] == []
    assert [each.__name__ for each in known if not any(kind in EXIT_CODES for kind in each.__mro__)] == []


async def test_pages_follow_each_other(client: httpx.AsyncClient) -> None:
    first = await client.get("/api/v1/fanouts", params={"limit": 2})
    assert [each["key"] for each in first.json()] == ["unknown-1", "resting-1"]
    second = await client.get(first.links["next"]["url"])
    assert [each["key"] for each in second.json()] == ["filled-1"]
    assert "next" not in second.links
    assert (await client.get("/api/v1/fanouts", params={"before": "nosuch"})).status_code == 404


async def test_one_request_reaches_a_thousand_accounts_and_no_more(desk: Desk) -> None:
    request = PlaceOrder.model_validate(BUY | {"targets": ["all"]}).request()
    assert request.most_legs == 1000
    with pytest.raises(errors.Invalid, match="more than the 1"):
        await orders.preview(desk, replace(request, most_legs=1))
