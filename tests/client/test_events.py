"""The stream of events: taken up where it was lost, ended by the outcome, given up after a long silence."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from ordo_cli.client.events import Event, Reader
from ordo_cli.client.nouns import ChangedLeg
from ordo_cli.domain.errors import NotFound, Unreachable
from tests.brokers.wire.server import Peer, serving
from tests.client.stub import FAN_OUT, Script, refused
from tests.client.test_repeating import ordo

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
LEG = FAN_OUT["legs"][0]


def event(number: int, kind: str, body: Any) -> bytes:
    return f"id: {number}\nevent: {kind}\ndata: {json.dumps(body)}\n\n".encode()


def stream(*parts: bytes) -> Callable[[Peer], Awaitable[None]]:
    async def play(peer: Peer) -> None:
        peer.say(HEAD + b"".join(parts))
        peer.end()

    return play


def test_lines_become_events() -> None:
    reader = Reader()
    lines = [": heartbeat", "", "id: 7", "event: leg", 'data: {"a":', "data:1}", "retry: 5", "other", ""]
    found = [made for line in lines if (made := reader.line(line))]
    assert found == [Event("7", "leg", '{"a":\n1}')]
    assert reader.last == "7"


def test_the_half_of_an_event_is_forgotten_with_its_connection() -> None:
    reader = Reader("3")
    for line in ("id: 4", "data: half"):
        reader.line(line)
    reader.fresh()
    assert (reader.line("data: whole"), reader.line("")) == (None, Event(None, "message", "whole"))
    assert reader.last == "3"


def test_an_event_without_an_end_is_no_event() -> None:
    reader = Reader()
    for _ in range(4):
        reader.line("data: " + "x" * 1_000_000)
    with pytest.raises(ValueError, match="without an end"):
        reader.line("data: x")


async def test_a_lost_stream_is_taken_up_where_it_was_lost() -> None:
    script = Script(
        stream(event(1, "leg", LEG | {"state": "sending"}), b"id: 2\nevent: leg\ndata: {"),
        refused(503, "stopping", None, "Retry-After: 1"),
        stream(b": heartbeat\n\n", event(2, "leg", LEG), event(3, "outcome", FAN_OUT), event(4, "leg", LEG)),
    )
    async with serving(script) as server, ordo(server.url) as client:
        changes = [each async for each in client.fanouts.events("7f3k2m9q4x")]
    assert [(each.id, each.kind) for each in changes] == [("1", "leg"), ("2", "leg"), ("3", "outcome")]
    assert changes[-1].data.id == "7f3k2m9q4x"
    assert [asked.headers.get("last-event-id") for asked in script.asked] == [None, "1", "1"]


async def test_a_change_says_what_it_was_about_and_an_older_server_does_not() -> None:
    move = {"at": "2026-11-23T04:00:00.124Z", "from": "planned", "to": "sending", "evidence": None, "attempt": 1}
    script = Script(
        stream(
            event(1, "leg", LEG | {"change": move | {"of": "tomorrow"}}),
            event(2, "leg", LEG),
            event(3, "outcome", FAN_OUT),
        )
    )
    async with serving(script) as server, ordo(server.url) as client:
        first, second, _ = [each.data async for each in client.fanouts.events("7f3k2m9q4x")]
    assert isinstance(first, ChangedLeg)
    assert first.change is not None
    assert (first.change.before, first.change.after, first.change.attempt) == ("planned", "sending", 1)
    assert (first.state, isinstance(second, ChangedLeg) and second.change) == ("filled", None)


async def test_a_stream_that_never_comes_back_is_given_up() -> None:
    script = Script(stream())
    async with serving(script) as server, ordo(server.url, patience=5.0) as client:
        with pytest.raises(Unreachable):
            [each async for each in client.fanouts.events("7f3k2m9q4x")]
    assert 3 <= len(script.asked) <= 10


async def test_the_events_of_nothing_are_not_found() -> None:
    script = Script(refused(404, "not_found"))
    async with serving(script) as server, ordo(server.url) as client:
        with pytest.raises(NotFound):
            [each async for each in client.fanouts.events("nothing")]
    assert len(script.asked) == 1
