"""For every fault the counter is what the server received, and the verdict is right."""

from __future__ import annotations

import asyncio
import socket

import pytest

from ordo_cli.brokers.http import Http
from ordo_cli.brokers.wire import Timeouts
from ordo_cli.domain.errors import NoAnswer, OrdoError, Rejected, Unreachable
from tests.brokers.wire.certificates import Authority
from tests.brokers.wire.conftest import Carriage
from tests.brokers.wire.fakes import Leave, http_to
from tests.brokers.wire.faults import ACCEPTED, FAULTS, NO_ANSWER, REFUSAL, REJECTED, Fault, answer, saying
from tests.brokers.wire.server import Peer, RawServer, serving

ORDER = {"symbol": "INFY", "side": "BUY", "quantity": 10, "tag": "O1234567890ABCDE"}


async def verdict(http: Http, leave: Leave) -> str:
    try:
        body = await http.post("/orders", permit=leave, json=ORDER)
    except OrdoError as error:
        return error.code
    assert body == {"id": "1"}
    return ACCEPTED


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
async def test_the_counter_is_what_the_server_received_and_the_verdict_is_right(
    fault: Fault, carriage: Carriage
) -> None:
    leave = Leave()
    async with serving(fault.play, carriage.server) as server, http_to(server, carriage.client) as http:
        told = await verdict(http, leave)
        await asyncio.sleep(0.01)  # what is still on its way arrives
        assert (leave.bytes_sent == 0) == (told == Unreachable.code)
        if fault.reads_all:
            assert told == fault.verdict
            assert leave.bytes_sent == server.received > 0
        else:
            # It went away before it read: either we saw that in time and wrote nothing, or what we wrote was lost.
            assert told in (fault.verdict, Unreachable.code)
            assert leave.bytes_sent >= server.received
        assert leave.passed <= 1
        assert len(server.peers) <= 1, "nothing is ever sent twice"


def test_the_faults_are_many_and_different() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 22
    assert {fault.verdict for fault in FAULTS} == {ACCEPTED, REJECTED, NO_ANSWER}


# before the first byte: nothing arrives, nothing is counted


async def assert_nothing_left(http: Http, server: RawServer | None = None) -> None:
    leave = Leave()
    with pytest.raises(Unreachable):
        await http.post("/orders", permit=leave, json=ORDER)
    await asyncio.sleep(0.01)
    assert leave.bytes_sent == leave.passed == 0
    assert server is None or server.received == 0


async def test_a_refused_connection_is_unreachable(carriage: Carriage) -> None:
    async with serving(saying(), carriage.server) as server:
        pass
    async with http_to(server, carriage.client) as http:
        await assert_nothing_left(http)


async def test_a_name_that_leads_nowhere_is_unreachable(authority: Authority) -> None:
    async with (
        serving(saying(answer()), authority.good) as server,
        http_to(server, authority.trusting, host="nowhere.invalid") as http,
    ):
        await assert_nothing_left(http, server)


async def test_a_server_that_speaks_no_tls_is_unreachable(authority: Authority) -> None:
    async def greet(peer: Peer) -> None:
        peer.say(b"220 welcome\r\n")

    async with serving(greet) as server:
        server.scheme = "https"
        async with http_to(server, authority.trusting) as http:
            leave = Leave()
            with pytest.raises(Unreachable):
                await http.post("/orders", permit=leave, json=ORDER)
            assert leave.bytes_sent == leave.passed == 0
            assert all(b"POST" not in peer.buffer for peer in server.peers)  # it received a TLS hello


@pytest.mark.parametrize("which", ["untrusted", "other_name", "expired"])
async def test_a_server_that_cannot_prove_who_it_is_is_unreachable(authority: Authority, which: str) -> None:
    async with (
        serving(saying(answer()), getattr(authority, which)) as server,
        http_to(server, authority.trusting) as http,
    ):
        await assert_nothing_left(http, server)


async def test_a_good_certificate_for_another_address_is_unreachable(authority: Authority) -> None:
    async with (
        serving(saying(answer()), authority.good, at="0.0.0.0") as server,
        http_to(server, authority.trusting, host="127.0.0.2") as http,
    ):
        with pytest.raises(Unreachable, match="certificate"):
            await http.post("/orders", permit=Leave(), json=ORDER)
        assert server.received == 0


async def test_a_system_that_does_not_trust_the_authority_reaches_nobody(authority: Authority) -> None:
    async with serving(saying(answer()), authority.good) as server, http_to(server, None) as http:
        await assert_nothing_left(http, server)


async def test_a_tls_handshake_that_stalls_is_unreachable(authority: Authority) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:  # the kernel accepts, nobody answers
        server = RawServer(saying())
        server.scheme, server.port = "https", listener.getsockname()[1]
        async with http_to(server, authority.trusting) as http:
            await assert_nothing_left(http)


async def test_a_tls_handshake_that_is_reset_is_unreachable(authority: Authority) -> None:
    async def reset(peer: Peer) -> None:
        peer.reset()

    async with serving(reset) as server:
        server.scheme = "https"
        async with http_to(server, authority.trusting) as http:
            await assert_nothing_left(http)


# large questions: the server may go away with part of it unread


async def test_an_early_answer_to_a_half_read_question_is_an_answer(carriage: Carriage) -> None:
    async def play(peer: Peer) -> None:
        await peer.head()
        peer.deaf()
        peer.say(answer(REFUSAL, "400 Bad Request"))

    leave = Leave()
    patient = Timeouts()
    async with serving(play, carriage.server) as server, http_to(server, carriage.client, timeouts=patient) as http:
        with pytest.raises(Rejected):
            await http.post("/orders", permit=leave, json={"note": "x" * 8_000_000})
        assert leave.bytes_sent > server.received > 0
        assert leave.passed == 1


async def test_a_server_that_stops_reading_gives_no_answer(carriage: Carriage) -> None:
    async def play(peer: Peer) -> None:
        await peer.head()
        peer.deaf()

    leave = Leave()
    hurried = Timeouts(write=0.3, read=0.1, whole=10)
    async with serving(play, carriage.server) as server, http_to(server, carriage.client, timeouts=hurried) as http:
        with pytest.raises(NoAnswer, match="did not take"):
            await http.post("/orders", permit=leave, json={"note": "x" * 32_000_000})
        assert leave.bytes_sent > server.received > 0


async def test_a_large_question_that_is_read_is_counted_to_the_byte(carriage: Carriage) -> None:
    leave = Leave()
    patient = Timeouts()
    async with (
        serving(saying(answer()), carriage.server) as server,
        http_to(server, carriage.client, timeouts=patient) as http,
    ):
        await http.post("/orders", permit=leave, json={"note": "x" * 3_000_000})
        assert leave.bytes_sent == server.received > 3_000_000
        assert leave.passed == 1
