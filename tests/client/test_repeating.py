"""What is asked again and what never: counted at a server that loses answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from ordo_cli.client import AsyncOrdo
from ordo_cli.domain.errors import (
    Busy,
    Invalid,
    KeyConflict,
    KillEngaged,
    LimitExceeded,
    NoAnswer,
    NotFound,
    OrdoError,
    Refused,
    SessionNeeded,
    Unreachable,
)
from tests.brokers.wire.server import serving
from tests.client.stub import FAN_OUT, ORDER, PRESSED, Jumping, Script, drops, refused, said, silent

PLACED = said(201, FAN_OUT)
IN_PROGRESS = refused(409, "in_progress", None, "Retry-After: 1", "Location: /api/v1/fanouts/7f3k2m9q4x")
HANDFUL = pytest.param(said(502, b"<html>", kind="text/html"), id="a proxy lost it")


def ordo(url: str, **more: Any) -> AsyncOrdo:
    return AsyncOrdo(url, "ordo_ab_secret", **{"timeout": 0.3, "patience": 10.0, "clock": Jumping(), **more})


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(drops, id="the connection breaks"),
        pytest.param(silent, id="nothing comes"),
        pytest.param(IN_PROGRESS, id="the first is still running"),
        pytest.param(refused(429, "too_many_requests", None, "Retry-After: 1"), id="too many"),
        pytest.param(refused(503, "stopping", None, "Retry-After: 1"), id="it is stopping"),
        HANDFUL,
    ],
)
async def test_an_order_is_asked_for_again_with_the_same_key_and_the_same_bytes(first: Any) -> None:
    script = Script(first, first, PLACED)
    async with serving(script) as server, ordo(server.url) as client:
        placed = await client.orders.place(**ORDER)
    assert placed.outcome == "success"
    assert len(script.asked) == 3
    assert len({asked.key for asked in script.asked}) == 1
    assert script.asked[0].key
    assert len({asked.body for asked in script.asked}) == 1


async def test_the_key_that_was_given_is_the_key_that_is_sent() -> None:
    script = Script(drops, PLACED)
    async with serving(script) as server, ordo(server.url) as client:
        await client.orders.place(**ORDER, key="rebalance-17")
    assert [asked.key for asked in script.asked] == ["rebalance-17"] * 2


async def test_two_orders_never_share_a_key() -> None:
    script = Script(PLACED)
    async with serving(script) as server, ordo(server.url) as client:
        await asyncio.gather(*(client.orders.place(**ORDER) for _ in range(5)))
    assert len({asked.key for asked in script.asked}) == 5


@pytest.mark.parametrize("answer", [drops, silent, HANDFUL.values[0]])
async def test_when_the_time_is_up_an_order_is_unknown_and_its_key_is_told(answer: Any) -> None:
    script = Script(answer)
    async with serving(script) as server, ordo(server.url, timeout=0.05) as client:
        with pytest.raises(NoAnswer) as caught:
            await client.orders.place(**ORDER, key="rebalance-17")
    assert "may have been done" in caught.value.message
    assert "rebalance-17" in (caught.value.hint or "")
    assert {asked.key for asked in script.asked} == {"rebalance-17"}


async def test_an_order_that_nobody_could_be_asked_for_was_not_sent() -> None:
    async with serving(Script(PLACED)) as server:
        url = server.url
    async with ordo(url) as client:
        with pytest.raises(Unreachable, match="nothing was sent"):
            await client.orders.place(**ORDER)


async def test_once_it_may_have_arrived_a_server_that_is_gone_leaves_it_unknown() -> None:
    script = Script(drops)
    async with serving(script) as server:
        client = ordo(server.url)
        script.answers = [lambda peer: gone(server, peer)]
        with pytest.raises(NoAnswer):
            await client.orders.place(**ORDER)
        await client.close()


async def gone(server: Any, peer: Any) -> None:
    server.port = 0
    peer.reset()


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (refused(422, "QTY_LOT", "limit_exceeded"), LimitExceeded, "QTY_LOT"),
        (refused(422, "key_conflict"), KeyConflict, "key_conflict"),
        (refused(423, "kill_engaged"), KillEngaged, "kill_engaged"),
        (refused(404, "not_found"), NotFound, "not_found"),
        (refused(409, "session_needed"), SessionNeeded, "session_needed"),
        (refused(409, "ALREADY_DONE", "refused"), Refused, "ALREADY_DONE"),
        (refused(401, "unauthenticated"), SessionNeeded, "unauthenticated"),
        (refused(400, "malformed"), Invalid, "malformed"),
        (refused(500, "bug"), NoAnswer, "no_answer"),
        (refused(504, "no_answer"), NoAnswer, "no_answer"),
        (said(418, b"tea", kind="text/plain"), Refused, "refused"),
    ],
)
async def test_a_refusal_is_the_error_that_the_service_raised_and_is_asked_once(
    answer: bytes, kind: type[OrdoError], code: str
) -> None:
    script = Script(answer)
    async with serving(script) as server, ordo(server.url) as client:
        with pytest.raises(OrdoError) as caught:
            await client.orders.place(**ORDER)
    assert (type(caught.value), caught.value.reason) == (kind, code)
    assert len(script.asked) == 1


async def test_when_it_stays_busy_that_is_what_is_said() -> None:
    script = Script(refused(429, "too_many_requests", None, "Retry-After: 1"))
    async with serving(script) as server, ordo(server.url, patience=5.0) as client:
        with pytest.raises(Busy):
            await client.orders.place(**ORDER)
    assert 3 <= len(script.asked) <= 6


@pytest.mark.parametrize(
    "last",
    [
        refused(503, "stopping", None, "Retry-After: 1"),
        refused(429, "too_many_requests"),
        refused(401, "unauthenticated"),
        refused(403, "not_allowed"),
        IN_PROGRESS,
    ],
)
async def test_what_says_nothing_of_an_earlier_try_leaves_it_unknown(last: bytes) -> None:
    async with serving(Script(drops, last)) as server, ordo(server.url, patience=3.0) as client:
        with pytest.raises(NoAnswer, match="may have been done") as caught:
            await client.orders.place(**ORDER, key="rebalance-17")
    assert "rebalance-17" in (caught.value.hint or "")


@pytest.mark.parametrize("last", [refused(422, "QTY_LOT", "limit_exceeded"), refused(423, "kill_engaged")])
async def test_a_refusal_of_the_order_itself_speaks_for_the_earlier_try_too(last: bytes) -> None:
    async with serving(Script(drops, last)) as server, ordo(server.url) as client:
        with pytest.raises(Refused):
            await client.orders.place(**ORDER)


async def test_an_order_that_is_still_under_way_at_the_end_is_unknown() -> None:
    async with serving(Script(IN_PROGRESS)) as server, ordo(server.url, patience=3.0) as client:
        with pytest.raises(NoAnswer):
            await client.orders.place(**ORDER)


async def test_a_redirect_is_not_followed() -> None:
    script = Script(said(307, b"", "Location: http://127.0.0.1:1/api/v1/orders"))
    async with serving(script) as server, ordo(server.url) as client:
        with pytest.raises(NoAnswer, match="307"):
            await client.orders.place(**ORDER)
    assert len(script.asked) == 1


Ask = Callable[[AsyncOrdo], Awaitable[Any]]
ONCE: dict[str, Ask] = {
    "modify": lambda client: client.legs.modify("7f3k-1", limit_price="1501"),
    "release": lambda client: client.kill.release("global", "over"),
}
AGAIN: dict[str, tuple[Ask, Any]] = {
    "list": (lambda client: client.fanouts.list(), []),
    "get": (lambda client: client.fanouts.get("7f3k"), FAN_OUT),
    "cancel": (lambda client: client.fanouts.cancel("7f3k"), []),
    "kill": (lambda client: client.kill.engage(), PRESSED),
}


@pytest.mark.parametrize("name", ONCE)
@pytest.mark.parametrize("answer", [drops, silent, refused(503, "stopping", None, "Retry-After: 1")])
async def test_what_the_broker_would_do_twice_is_asked_once(name: str, answer: Any) -> None:
    script = Script(answer)
    async with serving(script) as server, ordo(server.url) as client:
        with pytest.raises(OrdoError):
            await ONCE[name](client)
    assert len(script.asked) == 1
    assert script.asked[0].key is None


@pytest.mark.parametrize("name", AGAIN)
async def test_what_changes_nothing_more_is_asked_until_it_is_answered(name: str) -> None:
    ask, body = AGAIN[name]
    script = Script(drops, refused(503, "stopping"), said(200, body))
    async with serving(script) as server, ordo(server.url) as client:
        await ask(client)
    assert len(script.asked) == 3


async def test_what_a_newer_server_adds_is_passed_over() -> None:
    newer = FAN_OUT | {"tomorrow": 1, "legs": [FAN_OUT["legs"][0] | {"tomorrow": {"deep": []}}]}
    async with serving(Script(said(201, newer))) as server, ordo(server.url) as client:
        placed = await client.orders.place(**ORDER)
    assert not hasattr(placed, "tomorrow")
    assert placed.legs[0].filled_quantity == 10


@pytest.mark.parametrize("body", [b"", b"{", {"id": 7}, FAN_OUT | {"legs": None}])
async def test_an_answer_that_means_nothing_leaves_an_order_unknown(body: Any) -> None:
    async with serving(Script(said(201, body))) as server, ordo(server.url) as client:
        with pytest.raises(NoAnswer, match="cannot be read"):
            await client.orders.place(**ORDER, key="rebalance-17")
        with pytest.raises(OrdoError, match="cannot be read"):
            await client.fanouts.list()


async def test_a_price_that_is_a_float_is_refused_before_anything_is_sent() -> None:
    script = Script(PLACED)
    async with serving(script) as server, ordo(server.url) as client:
        with pytest.raises(Invalid, match="never a float"):
            await client.orders.place(**ORDER | {"limit_price": 1500.05})
    assert script.asked == []


async def test_the_token_is_in_the_header_and_in_no_repr_and_no_error() -> None:
    script = Script(drops)
    async with serving(script) as server, ordo(server.url, timeout=0.05) as client:
        with pytest.raises(NoAnswer) as caught:
            await client.orders.place(**ORDER)
        seen = repr(client) + repr(client._line) + repr(client._line._http.headers) + repr(caught.value)
    assert "secret" not in seen + str(caught.value.hint)
    assert script.asked[0].headers["authorization"] == "Bearer ordo_ab_secret"


async def test_no_proxy_of_the_environment_sees_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with serving(Script(PLACED)) as server, ordo(server.url) as client:
        assert (await client.orders.place(**ORDER)).id == FAN_OUT["id"]


async def test_a_transport_of_the_callers_own_is_used() -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=[]))
    async with AsyncOrdo("https://desk.example", "t", transport=transport) as client:
        assert await client.fanouts.list() == []
