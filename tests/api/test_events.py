"""Events of a fan-out: each change once, resumed exactly, also of what another process sends, until the outcome."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from ordo_cli.api.events import stream
from ordo_cli.desk import Desk, open_desk
from ordo_cli.domain.tokens import TokenScope
from ordo_cli.domain.values import replace
from ordo_cli.home import Home
from ordo_cli.services import cancelling, tokens
from ordo_cli.services.following import follow
from tests.api.conftest import BUY, Key, bearing, token
from tests.api.serving import Server, serving

Event = tuple[int, str, Any]


async def events(
    client: httpx.AsyncClient, fan_out: str, last: int | None = None, until: str = "terminal"
) -> list[Event]:
    """Every event until the stream ends."""
    headers = {} if last is None else {"Last-Event-ID": str(last)}
    answer = await client.get(f"/api/v1/fanouts/{fan_out}/events", headers=headers, params={"until": until})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    return parsed(answer.text)


def parsed(text: str) -> list[Event]:
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith((":", "retry")))
        if fields:
            found.append((int(fields["id"]), fields["event"], json.loads(fields["data"])))
    return found


async def test_every_change_of_a_leg_is_one_event_and_the_outcome_is_the_last(
    client: httpx.AsyncClient, key: Key
) -> None:
    placed = await client.post("/api/v1/orders", json=BUY, headers={"Idempotency-Key": key()})
    found = await events(client, placed.json()["id"])
    assert [kind for _, kind, _ in found] == ["leg", "leg", "outcome"]  # sending, acknowledged
    numbers = [number for number, _, _ in found]
    assert numbers[:-1] == sorted(set(numbers[:-1]))
    assert found[-1][2] == (await client.get(f"/api/v1/fanouts/{placed.json()['id']}")).json()
    told = [dict(data) for _, kind, data in found if kind == "leg"]
    changes = [each.pop("change") for each in told]
    assert told == [found[-1][2]["legs"][0]] * 2  # each leg as it is now, and beside it what the event is about
    assert [(each["from"], each["to"]) for each in changes] == [("planned", "sending"), ("sending", "acked:filled")]


async def test_an_event_says_what_its_row_of_the_audit_says(client: httpx.AsyncClient, key: Key) -> None:
    placed = await client.post("/api/v1/orders", json=BUY, headers={"Idempotency-Key": key()})
    found = await events(client, placed.json()["id"])
    rows = {
        row["seq"]: row for row in (await client.get("/api/v1/audit", params={"fanout": placed.json()["id"]})).json()
    }
    legs = [(number, data["change"]) for number, kind, data in found if kind == "leg"]
    assert len(legs) == 2
    for number, change in legs:
        row = rows[number]
        assert change == {name: row[name] for name in ("at", "from", "to", "evidence")} | {"attempt": 1}


async def test_an_event_of_an_earlier_attempt_says_which_it_was(
    client: httpx.AsyncClient, desk: Desk, key: Key
) -> None:
    """The leg beside it is already further."""
    placed = await client.post("/api/v1/orders", json=BUY, headers={"Idempotency-Key": key()})
    first, second = [data for _, kind, data in await events(client, placed.json()["id"]) if kind == "leg"]
    assert first["state"] == second["state"] == "filled"
    assert (first["change"]["to"], first["change"]["evidence"]) == ("sending", None)
    assert second["change"]["evidence"] == "response"


async def test_it_is_resumed_exactly_behind_any_event(client: httpx.AsyncClient, key: Key) -> None:
    placed = await client.post("/api/v1/orders", json=BUY, headers={"Idempotency-Key": key()})
    whole = await events(client, placed.json()["id"])
    for at, (number, _, _) in enumerate(whole[:-1]):
        assert await events(client, placed.json()["id"], number) == whole[at + 1 :]
    assert await events(client, placed.json()["id"], whole[-1][0]) == whole[-1:]


@pytest.mark.parametrize("last", ["x", "-1", "1.5", "1" * 19])
async def test_a_number_that_is_none_is_refused(client: httpx.AsyncClient, names: dict[str, str], last: str) -> None:
    answer = await client.get(f"/api/v1/fanouts/{names['filled']}/events", headers={"Last-Event-ID": last})
    assert answer.status_code == 400


async def test_nobody_follows_what_is_not_there_or_not_his(client: httpx.AsyncClient, desk: Desk) -> None:
    assert (await client.get("/api/v1/fanouts/nosuch/events")).status_code == 404
    assert (await client.get("/api/v1/fanouts/nosuch/events", headers={"Authorization": ""})).status_code == 401
    weak = bearing(await token(desk, TokenScope.KILL_ENGAGE, name="weak"))
    assert (await client.get("/api/v1/fanouts/nosuch/events", headers=weak)).status_code == 403


async def test_until_accepted_ends_while_the_order_rests(client: httpx.AsyncClient, names: dict[str, str]) -> None:
    found = await events(client, names["resting"], until="accepted")
    assert found[-1][1] == "outcome"
    assert found[-1][2]["legs"][0]["state"] == "open"


async def lines(answer: httpx.Response) -> AsyncIterator[Event]:
    block = ""
    async for line in answer.aiter_lines():
        block += line + "\n"
        if not line:
            for event in parsed(block):
                yield event
            block = ""


@pytest.fixture
def server(homed: Path, home: Home) -> Iterator[Server]:
    with serving(homed) as found:
        yield found


async def test_what_another_process_sends_is_seen_as_it_happens(
    server: Server, home: Home, names: dict[str, str]
) -> None:
    """The server follows; this process, another one, cancels the resting order."""
    async with open_desk(home, actor="elsewhere") as desk, httpx.AsyncClient(base_url=server.url) as client:
        client.headers.update(server.bearing)
        route = f"/api/v1/fanouts/{names['resting']}/events"
        async with client.stream("GET", route, timeout=30) as answer:
            cancel = asyncio.ensure_future(cancelling.cancel_fan_out(desk, names["resting"]))
            seen = [event async for event in lines(answer)]
            await cancel
    assert seen[-1][1] == "outcome"
    assert seen[-1][2]["legs"][0]["state"] == "cancelled"


async def test_an_event_that_is_replayed_says_the_same_move_as_it_said_live(
    server: Server, home: Home, names: dict[str, str]
) -> None:
    async with open_desk(home, actor="elsewhere") as desk, httpx.AsyncClient(base_url=server.url) as client:
        client.headers.update(server.bearing)
        route = f"/api/v1/fanouts/{names['resting']}/events"
        live: list[Event] = []
        cancel: asyncio.Task[object] | None = None
        async with client.stream("GET", route, timeout=30) as answer:
            async for event in lines(answer):
                live.append(event)
                if (
                    cancel is None and event[2]["change"]["to"] == "acked:open"
                ):  # what has been is told; now it moves on
                    cancel = asyncio.ensure_future(cancelling.cancel_fan_out(desk, names["resting"]))
        assert cancel is not None
        await cancel
        moves = [(number, data["change"]) for number, kind, data in live if kind == "leg"]
        assert live[0][2]["state"] == "open"  # then; replayed below, the same event carries the cancelled leg
        for at, (number, _) in enumerate(moves):
            later = await events(client, names["resting"], number)
            assert [(each, data["change"]) for each, kind, data in later if kind == "leg"] == moves[at + 1 :]
        again = [(each, data["change"]) for each, kind, data in await events(client, names["resting"]) if kind == "leg"]
        assert again == moves
        assert {data["state"] for _, kind, data in await events(client, names["resting"]) if kind == "leg"} == {
            "cancelled"
        }


async def test_a_stream_ends_when_its_token_is_revoked_and_when_the_server_stops(
    server: Server, home: Home, names: dict[str, str]
) -> None:
    route = f"/api/v1/fanouts/{names['resting']}/events"
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        async with open_desk(home) as desk:
            made = await tokens.create(desk, "soon-gone", [TokenScope.READ])
            async with client.stream("GET", route, headers=bearing(made.text)) as answer:
                await tokens.revoke(desk, "soon-gone")
                assert [kind async for _, kind, _ in lines(answer)].count("outcome") == 0
        async with client.stream("GET", route, headers=server.bearing) as answer:
            server.process.terminate()
            assert [kind async for _, kind, _ in lines(answer)].count("outcome") == 0
    assert server.process.wait(30) == 0


async def test_silence_is_broken_by_heartbeats(desk: Desk, names: dict[str, str]) -> None:
    """The clock is moved, and nobody waits: each look of the follower is a quarter of a minute later."""

    class Hasty:
        at = 0.0

        def now(self) -> Any:
            return desk.clock.now()

        def elapsed(self) -> float:
            self.at += 4.0
            return self.at

        async def sleep(self, seconds: float) -> None:
            await asyncio.sleep(0)

    text = await token(desk)
    hasty = replace(desk, clock=Hasty())
    beats = 0
    async for part in stream(hasty, text, follow(hasty, names["resting"])):
        beats += part == ": heartbeat\n\n"
        if beats == 3:
            break
    assert beats == 3
