"""At the door: limits that hold for everything but a press, slow senders that are let go, ids that are sane."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from ordo_cli.api.settings import Settings
from ordo_cli.brokers.base import BrokerSpec
from ordo_cli.desk import Desk
from ordo_cli.domain.values import replace
from ordo_cli.home import Home
from tests.api.conftest import bearing, calling, token
from tests.api.serving import Server, exchange, serving, status_of

FANOUTS = "/api/v1/fanouts"


@pytest.fixture(scope="module")
def impatient(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("slow") / "home"
    shutil.copytree(prepared, home)
    with serving(home, "--patience", "0.2") as found:
        yield found


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"GET /api/v1/fanouts HT",
        b"GET /api/v1/fanouts HTTP/1.1\r\nHost: localhost\r\nX-A: b",
        b"DELETE /x HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{",
    ],
    ids=["says nothing", "stops in the line", "stops in a header", "stops in the body"],
)
def test_who_does_not_finish_a_request_is_let_go(impatient: Server, begun: bytes) -> None:
    with socket.create_connection(("127.0.0.1", impatient.port)) as line:
        answer = exchange(line, begun, 10)
        assert status_of(answer) == 408
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "too_slow"
        assert line.recv(1) == b""  # and the connection is closed


def test_a_request_that_comes_byte_by_byte_is_let_go_too(impatient: Server) -> None:
    with socket.create_connection(("127.0.0.1", impatient.port)) as line:
        line.settimeout(10)
        answer = b""
        for letter in b"GET /api/v1/fanouts HTTP/1.1\r\nX-A: " + b"a" * 100_000:
            try:
                line.send(bytes([letter]))
                line.settimeout(0.02)
                answer = line.recv(65536)
                break
            except TimeoutError:
                continue
        assert status_of(answer) == 408


def test_one_connection_may_ask_many_times(impatient: Server) -> None:
    with httpx.Client(base_url=impatient.url, headers=impatient.bearing) as client:
        for _ in range(20):
            assert client.get(FANOUTS).status_code == 200


async def test_a_token_has_its_rate_and_a_press_is_never_too_many(home: Home, desk: Desk) -> None:
    text = await token(desk)
    async with calling(desk, Settings(rate=3)) as client:
        client.headers.update(bearing(text))
        answers = [await client.get(FANOUTS) for _ in range(8)]
        late = [answer for answer in answers if answer.status_code == 429]
        assert late
        assert (late[0].headers["retry-after"], late[0].json()["code"]) == ("1", "too_many_requests")
        assert {(await client.post("/api/v1/kill")).status_code for _ in range(4)} == {200}


async def test_who_has_no_token_has_a_rate_too(desk: Desk) -> None:
    async with calling(desk, Settings(rate=2)) as client:
        answers = [(await client.get(FANOUTS)).status_code for _ in range(8)]
        assert answers[:4] == [401] * 4
        assert 429 in answers


@pytest.mark.parametrize(("given", "kept"), [("trace-12345678", True), ("x", False), ("a b c d e f g", False)])
async def test_a_sane_request_id_is_kept_and_stands_in_the_audit(
    client: httpx.AsyncClient, desk: Desk, given: str, kept: bool
) -> None:
    answer = await client.post(
        "/api/v1/orders",
        json={"side": "buy", "instrument": "NSE:INFY", "quantity": 1, "targets": ["alice"]},
        headers={"X-Request-ID": given, "Idempotency-Key": "request-id-1"},
    )
    name = answer.headers["x-request-id"]
    assert (name == given) is kept
    rows = (await client.get("/api/v1/audit", params={"fanout": answer.json()["id"]})).json()
    assert {row["ids"]["request"] for row in rows} == {name}
    assert {row["actor"].partition(":")[0] for row in rows} == {"token"}


async def test_a_bug_is_a_problem_without_its_stack(desk: Desk) -> None:
    def find(name: str) -> BrokerSpec:
        raise RuntimeError("the secret is 4711")

    text = await token(desk)
    async with calling(replace(desk, find=find)) as client:
        answer = await client.get("/api/v1/accounts", headers=bearing(text))
    assert (answer.status_code, answer.json()["code"]) == (500, "bug")
    assert answer.headers["content-type"] == "application/problem+json"
    assert "4711" not in answer.text
    assert "Traceback" not in answer.text


async def test_the_docs_are_there_only_for_this_machine(desk: Desk) -> None:
    async with calling(desk) as client:
        assert (await client.get("/docs")).status_code == 200
        assert (await client.get("/api/v1/openapi.json")).status_code == 200
    async with calling(desk, Settings(host="10.0.0.1", expose=True, tls_cert="c", tls_key="k")) as client:
        for path in ("/docs", "/redoc", "/openapi.json", "/api/v1/openapi.json"):
            assert (await client.get(path, headers={"Host": "10.0.0.1:8020"})).status_code == 404


async def test_health_says_nothing_and_readiness_says_all(client: httpx.AsyncClient, desk: Desk) -> None:
    for path in ("/healthz", "/api/v1/healthz"):
        answer = await client.get(path, headers={"Authorization": ""})
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert (await client.get("/api/v1/readyz", headers={"Authorization": ""})).status_code == 401
    ready = await client.get("/api/v1/readyz")
    assert (ready.status_code, ready.json()["ready"]) == (200, True)
    await client.post("/api/v1/kill")
    ready = await client.get("/api/v1/readyz")
    assert (ready.status_code, ready.json()["checks"]["kill"]) == (503, "the kill switch is engaged")
