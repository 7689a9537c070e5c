"""Plain sockets: an answer is read as it was meant, and whatever else comes back is silence, told with what left."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from ordo_cli.client import calls, wire
from ordo_cli.client.address import Address
from ordo_cli.client.lean import Lean
from ordo_cli.domain.errors import NoAnswer, OrdoError, Unreachable
from ordo_cli.machine import SystemChance
from tests.brokers.wire.server import Peer, serving
from tests.client.stub import FAN_OUT, Jumping, Script, said
from tests.client.test_events import event, stream
from tests.client.test_sync import at_a_socket

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


def ends(answer: bytes) -> Any:
    async def play(peer: Peer) -> None:
        peer.say(answer)
        peer.end()

    return play


def in_pieces(answer: bytes) -> Any:
    async def play(peer: Peer) -> None:
        for at in range(len(answer)):
            peer.say(answer[at : at + 1])
            await asyncio.sleep(0)
        peer.end()

    return play


async def asked(url: str, seconds: float = 2.0) -> tuple[int, bytes]:
    def work() -> tuple[int, bytes]:
        address, end = Address(url), time.monotonic() + seconds
        question = wire.question(address, "GET", "/kill", {"Accept": "application/json"})
        answer = wire.ask(address, question, end, time.monotonic, pytest.fail)
        try:
            return answer.status, answer.body(end)
        finally:
            answer.close()

    return await asyncio.to_thread(work)


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (OK + b"Content-Length: 2\r\n\r\n[]", b"[]"),
        (OK + b"content-length:2\r\nX-More: a: b\r\n\r\n[]and more", b"[]"),
        (OK + b"Connection: close\r\n\r\nto the end", b"to the end"),
        (OK + b"Content-Length: 0\r\n\r\n", b""),
        (CHUNKED + b"3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n", b"abc0123456789"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\n[]", b"[]"),
        (b"HTTP/1.1 204 Nothing\r\n\r\n", b""),
        (b"HTTP/1.0 200 OK\r\n\r\nold", b"old"),
    ],
)
async def test_an_answer_is_read_whole_however_it_is_cut(answer: bytes, body: bytes) -> None:
    for play in (ends(answer), in_pieces(answer)):
        async with serving(Script(play)) as server:
            assert (await asked(server.url))[1] == body


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 ok fine\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        OK + b"Content-Length: 5\r\n\r\n[]",
        OK + b"Content-Length: -1\r\n\r\n[]",
        OK + b"Content-Length: 9999999999999\r\n\r\n[]",
        OK + b"Content-Length: \xb2\r\n\r\n[]",
        CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n",
        CHUNKED + b"zz\r\nabc\r\n0\r\n\r\n",
        CHUNKED + b"-3\r\nabc\r\n0\r\n\r\n",
        CHUNKED + b"fffffffff\r\nabc",
        CHUNKED + b"3\r\nabc\r\n",
        OK + b"X: " + b"x" * 200_000,
    ],
)
async def test_anything_else_is_silence_after_which_it_may_have_been_done(answer: bytes) -> None:
    async with serving(Script(ends(answer))) as server:
        with pytest.raises(wire.Broken) as caught:
            await asked(server.url)
    assert caught.value.sent


async def test_a_server_that_says_nothing_is_not_waited_for_longer_than_told() -> None:
    async def silent(peer: Peer) -> None:
        peer.say(OK)

    async with serving(Script(silent)) as server:
        with pytest.raises(wire.Broken, match="in time") as caught:
            await asked(server.url, 0.2)
    assert caught.value.sent


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "unix:///no/such/socket"])
async def test_where_nobody_listens_nothing_was_sent(url: str) -> None:
    with pytest.raises(wire.Broken) as caught:
        await asked(url)
    assert not caught.value.sent


async def test_a_socket_of_this_machine_is_spoken_to(tmp_path: Path) -> None:
    async with at_a_socket(tmp_path / "s", Script(said(200, []))):
        assert await asked(f"unix://{tmp_path}/s") == (200, b"[]")


def lean(url: str, **more: Any) -> Lean:
    return Lean(Address(url), "ordo_ab_sesame", Jumping(), SystemChance(), **{"timeout": 0.3, **more})


async def test_the_lean_client_reads_its_stream_over_lost_connections() -> None:
    script = Script(stream(event(1, "leg", FAN_OUT["legs"][0])), stream(event(2, "outcome", FAN_OUT)))
    async with serving(script) as server:
        found = await asyncio.to_thread(lambda: list(lean(server.url).follow(calls.events("7f3k"))))
    assert [each.kind for each in found] == ["leg", "outcome"]
    assert [each.headers.get("last-event-id") for each in script.asked] == [None, "1"]


async def test_the_lean_client_gives_up_soon_where_nobody_is_and_on_reads() -> None:
    with pytest.raises(Unreachable, match="nothing was sent"):
        await asyncio.to_thread(lean("http://127.0.0.1:1").ask, calls.place({}, "rebalance-17"))
    async with serving(Script(ends(b""))) as server:
        client = lean(server.url)
        with pytest.raises(Unreachable):
            await asyncio.to_thread(client.ask, calls.status())
        assert sum(client.clock.waited) < 4  # type: ignore[attr-defined]
        with pytest.raises(NoAnswer, match="may have been done"):
            await asyncio.to_thread(client.ask, calls.place({}, "rebalance-17"))
        assert sum(client.clock.waited) > 30  # type: ignore[attr-defined]


async def test_what_is_refused_is_raised_by_the_lean_client_too() -> None:
    async with serving(Script(said(500, b"", kind="text/plain"))) as server:
        with pytest.raises(OrdoError, match="500"):
            await asyncio.to_thread(lambda: list(lean(server.url).follow(calls.events("7f3k"))))
