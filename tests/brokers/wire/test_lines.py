"""A line carries one exchange at a time, serves again only after a clean one, is dropped before a byte, not after."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import httpx
import pytest

from ordo_cli.brokers.http import Http
from ordo_cli.brokers.wire import Address, Route, Timeouts, Ungated, WireTransport
from ordo_cli.domain.errors import NoAnswer, Rejected, Unreachable
from tests.brokers.wire.conftest import Carriage
from tests.brokers.wire.fakes import SHORT, Leave, http_to
from tests.brokers.wire.faults import GOOD, REFUSAL, answer, chunked, saying
from tests.brokers.wire.server import Peer, Play, RawServer, serving


async def every_question(peer: Peer) -> None:
    while True:
        await peer.question()
        peer.say(answer())


async def settled() -> None:
    await asyncio.sleep(0.03)


def first(*parts: bytes) -> tuple[list[bytes], Play]:
    """A play whose first connection answers the first question thus; all other questions are answered well."""
    questions: list[bytes] = []

    async def play(peer: Peer) -> None:
        while True:
            questions.append(await peer.question())
            if len(questions) > 1:
                peer.say(answer())
                continue
            for part in parts:
                peer.say(part)

    return questions, play


async def test_a_clean_line_is_used_again(carriage: Carriage) -> None:
    async with serving(every_question, carriage.server) as server, http_to(server, carriage.client) as http:
        for _ in range(5):
            await http.post("/orders", permit=Leave(), json={})
        assert len(server.peers) == 1


UNCLEAN = {
    "something behind the answer": [answer(), b"HTTP/1.1 200 OK\r\n"],
    "a second answer in the same piece": [answer() + answer(b'{"id":"stray"}')],
    "a wish to close": [answer(GOOD, "200 OK", "Connection: close")],
    "HTTP/1.0": [answer().replace(b"1.1", b"1.0")],
    "something behind the last chunk": [chunked(b'a\r\n{"id":"1"}\r\n0\r\n\r\nmore')],
}


@pytest.mark.parametrize("parts", UNCLEAN.values(), ids=UNCLEAN.keys())
async def test_a_line_is_never_used_again_after_an_unclean_exchange(carriage: Carriage, parts: list[bytes]) -> None:
    questions, play = first(*parts)
    async with serving(play, carriage.server) as server, http_to(server, carriage.client) as http:
        assert await http.post("/orders", permit=Leave(), json={}) == {"id": "1"}
        assert await http.post("/orders", permit=Leave(), json={}) == {"id": "1"}
        assert len(server.peers) == len(questions) == 2


async def test_a_stray_answer_on_an_idle_line_is_not_taken_for_the_next_one(carriage: Carriage) -> None:
    async def play(peer: Peer) -> None:
        await peer.question()
        peer.say(answer())
        if len(server.peers) == 1:
            await asyncio.sleep(0.01)
            peer.say(answer(b'{"id":"stray"}'))

    async with serving(play, carriage.server) as server, http_to(server, carriage.client) as http:
        await http.post("/orders", permit=Leave(), json={})
        await settled()
        assert await http.post("/orders", permit=Leave(), json={}) == {"id": "1"}
        assert len(server.peers) == 2


async def test_an_answer_before_any_question_is_not_taken(carriage: Carriage) -> None:
    async def play(peer: Peer) -> None:
        if len(server.peers) == 1:
            peer.say(answer(b'{"id":"stray"}'))
        await every_question(peer)

    async with serving(play, carriage.server) as server, http_to(server, carriage.client) as http:
        await http.warm()
        await settled()
        assert await http.post("/orders", permit=Leave(), json={}) == {"id": "1"}
        assert len(server.peers) == 2


@pytest.mark.parametrize("how", [Peer.end, Peer.reset], ids=["closed", "reset"])
async def test_a_stale_line_is_dropped_before_the_first_byte(carriage: Carriage, how: Callable[[Peer], None]) -> None:
    leave = Leave()
    async with serving(every_question, carriage.server) as server, http_to(server, carriage.client) as http:
        await http.post("/orders", permit=Leave(), json={})
        before = server.received
        how(server.peers[0])
        await settled()
        assert await http.post("/orders", permit=leave, json={}) == {"id": "1"}
        assert leave.bytes_sent == server.received - before == server.peers[1].received
        assert leave.passed == 1


async def test_a_line_that_ended_while_the_loop_was_busy_is_seen_to_be_stale() -> None:
    # The end is in the socket, and asyncio has had no turn to read it.
    async with serving(every_question) as server, http_to(server) as http:
        await http.post("/orders", permit=Leave(), json={})
        server.peers[0].end()
        await asyncio.sleep(0)  # the server's turn to close, not yet the client's to read
        leave = Leave()
        assert await http.post("/orders", permit=leave, json={}) == {"id": "1"}
        assert leave.bytes_sent == server.peers[1].received


async def test_a_line_that_breaks_after_bytes_on_its_second_use_gives_no_answer(carriage: Carriage) -> None:
    async def play(peer: Peer) -> None:
        await peer.question()
        peer.say(answer())
        await peer.question()
        peer.reset()

    leave = Leave()
    async with serving(play, carriage.server) as server, http_to(server, carriage.client) as http:
        await http.post("/orders", permit=Leave(), json={})
        before = server.received
        with pytest.raises(NoAnswer):
            await http.post("/orders", permit=leave, json={})
        assert leave.bytes_sent == server.received - before > 0
        assert len(server.peers) == 1, "never tried on another line"


async def test_a_line_is_not_trusted_after_a_while(carriage: Carriage) -> None:
    async with (
        serving(every_question, carriage.server) as server,
        http_to(server, carriage.client, idle_seconds=0.02) as http,
    ):
        await http.post("/orders", permit=Leave(), json={})
        await settled()
        await http.post("/orders", permit=Leave(), json={})
        assert len(server.peers) == 2


async def test_a_slow_answer_is_waited_for_longer_than_a_slow_reader(carriage: Carriage) -> None:
    async def play(peer: Peer) -> None:
        while True:
            await peer.question()
            await asyncio.sleep(0.1)
            peer.say(answer())

    timeouts = replace(SHORT, write=0.02)
    async with serving(play, carriage.server) as server, http_to(server, carriage.client, timeouts=timeouts) as http:
        for _ in range(3):
            assert await http.post("/orders", permit=Leave(), json={}) == {"id": "1"}


async def test_a_line_lives_on_after_a_refusal(carriage: Carriage) -> None:
    async def play(peer: Peer) -> None:
        while True:
            await peer.question()
            peer.say(answer(REFUSAL, "400 Bad Request"))

    async with serving(play, carriage.server) as server, http_to(server, carriage.client) as http:
        for _ in range(2):
            with pytest.raises(Rejected):
                await http.post("/orders", permit=Leave(), json={})
        assert len(server.peers) == 1


@pytest.mark.parametrize("warmed", [False, True], ids=["cold", "warm"])
async def test_a_hundred_legs_at_once_have_a_hundred_lines_and_share_none(carriage: Carriage, warmed: bool) -> None:
    together = asyncio.Event()
    questions = 0

    async def play(peer: Peer) -> None:
        nonlocal questions
        await peer.question()
        questions += 1
        if questions == 100:
            together.set()
        await together.wait()
        peer.say(answer())

    leaves = [Leave() for _ in range(100)]
    patient = Timeouts(connect=10, read=10, write=10, pool=10, whole=20)
    async with (
        serving(play, carriage.server) as server,
        http_to(server, carriage.client, lines=100, timeouts=patient) as http,
    ):
        if warmed:
            await http.warm(lines=100)
            assert len(server.peers) == 100
        bodies = await asyncio.gather(*(http.post("/orders", permit=leave, json={}) for leave in leaves))
        assert bodies == [{"id": "1"}] * 100
        assert len(server.peers) == 100
        sizes = {leave.bytes_sent for leave in leaves}
        assert len(sizes) == 1
        assert {peer.received for peer in server.peers} == sizes, "one question for each line"


def hurried(server: RawServer, carriage: Carriage) -> Http:
    return http_to(server, carriage.client, lines=1, timeouts=replace(SHORT, pool=0.05))


async def test_an_account_has_no_more_lines_than_it_may_and_the_next_leg_has_sent_nothing(carriage: Carriage) -> None:
    leave = Leave()
    async with serving(saying(), carriage.server) as server, hurried(server, carriage) as http:
        held = asyncio.ensure_future(http.post("/orders", permit=Leave(), json={}))
        await settled()
        with pytest.raises(Unreachable, match="in use"):
            await http.post("/orders", permit=leave, json={})
        assert leave.bytes_sent == 0
        with pytest.raises(NoAnswer):
            await held
        assert len(server.peers) == 1


async def test_a_line_that_could_not_be_opened_takes_no_place(carriage: Carriage) -> None:
    async with serving(saying(), carriage.server) as server:
        pass
    async with http_to(server, carriage.client, lines=1) as http:
        for _ in range(3):
            with pytest.raises(Unreachable, match="no connection"):
                await http.post("/orders", permit=Leave(), json={})


async def test_a_leg_that_had_to_wait_gets_the_line_that_became_free(carriage: Carriage) -> None:
    async with serving(every_question, carriage.server) as server, http_to(server, carriage.client, lines=1) as http:
        await asyncio.gather(*(http.post("/orders", permit=Leave(), json={}) for _ in range(5)))
        assert len(server.peers) == 1


async def test_warming_opens_lines_and_writes_nothing(carriage: Carriage) -> None:
    async with serving(every_question, carriage.server) as server, http_to(server, carriage.client) as http:
        await http.warm(lines=3)
        await http.warm(lines=3)
        await settled()
        assert len(server.peers) == 3
        assert server.received == 0
        server.peers[0].end()
        await settled()
        await http.warm(lines=3)
        await settled()
        assert len(server.peers) == 4, "what has become stale is replaced"


async def test_warming_can_ask_for_a_path(carriage: Carriage) -> None:
    async with serving(every_question, carriage.server) as server, http_to(server, carriage.client) as http:
        await http.warm("/profile")
        await http.post("/orders", permit=Leave(), json={})
        assert len(server.peers) == 1


async def test_warming_a_server_that_is_not_there_is_unreachable(carriage: Carriage) -> None:
    async with serving(every_question, carriage.server) as server:
        pass
    async with http_to(server, carriage.client) as http:
        with pytest.raises(Unreachable):
            await http.warm(lines=2)


async def test_closing_leaves_no_line_behind(carriage: Carriage) -> None:
    async with serving(every_question, carriage.server) as server:
        async with http_to(server, carriage.client) as http:
            await http.warm(lines=4)
        await settled()
        assert all(peer._played is not None and peer._played.cancelled() for peer in server.peers)


async def test_a_line_speaks_to_no_other_host() -> None:
    async with serving(every_question) as server, serving(every_question) as other:
        async with WireTransport(Route(Address.of(server.url))) as transport:
            for url in (f"{other.url}/orders", f"https://127.0.0.1:{server.port}/orders", "http://localhost/orders"):
                request = httpx.Request("POST", url, extensions={"ordo.permit": Ungated()})
                with pytest.raises(httpx.LocalProtocolError):
                    await transport.handle_async_request(request)
        assert server.received == other.received == 0


async def raw(server: RawServer, request: httpx.Request) -> httpx.Response:
    async with WireTransport(Route(Address.of(server.url))) as transport:
        response = await transport.handle_async_request(request)
        await response.aread()
        return response


async def test_a_question_in_pieces_is_written_at_once_with_its_length() -> None:
    async def parts() -> AsyncIterator[bytes]:
        for part in (b'{"a"', b":1}"):
            yield part

    leave = Leave()
    async with serving(saying(answer())) as server:
        request = httpx.Request("POST", f"{server.url}/orders", content=parts(), extensions={"ordo.permit": leave})
        assert (await raw(server, request)).json() == {"id": "1"}
        assert leave.bytes_sent == server.received
        assert leave.passed == 1


async def test_a_head_question_has_an_answer_without_a_body() -> None:
    async with serving(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")) as server:
        response = await raw(server, httpx.Request("HEAD", f"{server.url}/"))
        assert response.content == b""


async def test_a_line_that_was_looked_at_when_its_leg_was_cancelled_is_closed(carriage: Carriage) -> None:
    async with serving(every_question, carriage.server) as server, http_to(server, carriage.client) as http:
        await http.warm()
        transport = http._wire
        assert isinstance(transport, WireTransport)
        (line,) = transport._idle

        async def cancelled() -> bool:
            raise asyncio.CancelledError

        line.usable = cancelled  # type: ignore[method-assign]
        with pytest.raises(asyncio.CancelledError):
            await http.get("/book")
        assert line.gone
        assert await http.get("/book") is not None
