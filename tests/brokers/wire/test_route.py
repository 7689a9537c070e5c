"""Where the bytes go: the account's own way out, never in the clear, never where the environment says."""

from __future__ import annotations

import asyncio
import ssl

import pytest

from ordo_cli.brokers.http import Http
from ordo_cli.brokers.wire import Address, Route, WireTransport
from ordo_cli.brokers.wire.route import system_trust
from ordo_cli.domain.errors import Invalid, Unreachable
from tests.brokers.wire.certificates import Authority
from tests.brokers.wire.conftest import Carriage
from tests.brokers.wire.fakes import Leave, http_over
from tests.brokers.wire.faults import answer, saying
from tests.brokers.wire.server import Peer, Play, RawServer, serving
from tests.brokers.wire.test_lines import every_question


def by_way_of(server: RawServer, carriage: Carriage, *, proxy: str | None = None, local: str | None = None) -> Http:
    route = Route(Address.of(server.url), local, Address.of(proxy) if proxy else None, carriage.client)
    return http_over(WireTransport(route), server.url)


def tunnel_to(server: RawServer) -> Play:
    """A proxy that does what it should."""

    async def play(peer: Peer) -> None:
        assert (await peer.head()).startswith(f"CONNECT 127.0.0.1:{server.port} HTTP/1.1\r\n".encode())
        peer.say(b"HTTP/1.1 200 Connection established\r\n\r\n")
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)

        async def back() -> None:
            while data := await reader.read(65536):
                peer.say(data)
            peer.end()

        returning = asyncio.ensure_future(back())
        try:
            while True:
                if not peer.buffer:
                    await peer._more()
                writer.write(bytes(peer.buffer))
                peer.buffer.clear()
        finally:
            writer.close()
            returning.cancel()

    return play


async def test_a_proxy_carries_the_question_and_its_bytes_are_counted(carriage: Carriage) -> None:
    leave = Leave()
    async with serving(every_question, carriage.server) as server, serving(tunnel_to(server)) as proxy:
        async with by_way_of(server, carriage, proxy=proxy.url) as http:
            assert await http.post("/orders", permit=leave, json={}) == {"id": "1"}
            assert await http.post("/orders", permit=Leave(), json={}) == {"id": "1"}
        assert len(server.peers) == len(proxy.peers) == 1
        assert leave.bytes_sent == server.received / 2


async def test_a_proxy_gets_its_name_and_password() -> None:
    heads: list[bytes] = []

    async def play(peer: Peer) -> None:
        heads.append(await peer.head())
        peer.say(answer(b"", "407 Proxy Authentication Required"))

    async with serving(every_question) as server, serving(play) as proxy:
        proxy_url = proxy.url.replace("//", "//me:secret@")
        async with by_way_of(server, Carriage(None, None), proxy=proxy_url) as http:
            leave = Leave()
            with pytest.raises(Unreachable, match="407"):
                await http.post("/orders", permit=leave, json={})
        assert leave.bytes_sent == server.received == 0
        assert b"Proxy-Authorization: Basic bWU6c2VjcmV0" in heads[0]


BAD_PROXIES: dict[str, Play] = {
    "refuses": saying(answer(b"{}", "403 Forbidden")),
    "garbage": saying(b"what?\r\n\r\n"),
    "closes": saying(then=Peer.end),
    "resets": saying(then=Peer.reset),
    "stalls": saying(),
    "says more than its answer": saying(b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"),
    "head without end": saying(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 9000),
    "closes after its answer": saying(b"HTTP/1.1 200 OK\r\n\r\n", then=Peer.end),
}


@pytest.mark.parametrize("play", BAD_PROXIES.values(), ids=BAD_PROXIES.keys())
async def test_a_proxy_that_fails_leaves_the_broker_unreachable(authority: Authority, play: Play) -> None:
    leave = Leave()
    async with serving(every_question, authority.good) as server, serving(play) as proxy:
        carriage = Carriage(authority.good, authority.trusting)
        async with by_way_of(server, carriage, proxy=proxy.url) as http:
            with pytest.raises(Unreachable):
                await http.post("/orders", permit=leave, json={})
        assert leave.bytes_sent == server.received == 0


async def test_a_line_leaves_from_the_accounts_own_address(carriage: Carriage) -> None:
    seen: list[str] = []

    async def play(peer: Peer) -> None:
        assert peer._transport is not None
        seen.append(peer._transport.get_extra_info("peername")[0])
        await every_question(peer)

    async with (
        serving(play, carriage.server) as server,
        by_way_of(server, carriage, local="127.0.0.2") as http,
    ):
        await http.post("/orders", permit=Leave(), json={})
    assert seen == ["127.0.0.2"]


async def test_an_address_that_this_machine_has_not_is_unreachable(carriage: Carriage) -> None:
    async with (
        serving(every_question, carriage.server) as server,
        by_way_of(server, carriage, local="192.0.2.1") as http,
    ):
        with pytest.raises(Unreachable):
            await http.post("/orders", permit=Leave(), json={})
        assert server.received == 0


@pytest.mark.parametrize("url", ["http://broker.example", "ftp://broker.example", "broker.example", "https://"])
def test_a_route_in_the_clear_or_to_nowhere_is_refused(url: str) -> None:
    with pytest.raises(Invalid):
        Route(Address.of(url))


def test_a_proxy_must_be_one() -> None:
    with pytest.raises(Invalid):
        Route(Address.of("https://broker.example"), proxy=Address.of("socks5://127.0.0.1:1080"))


async def test_the_environment_diverts_nothing(
    carriage: Carriage, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(saying(then=Peer.end)) as trap:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, trap.url)
        async with serving(every_question, carriage.server) as server, by_way_of(server, carriage) as http:
            assert await http.post("/orders", permit=Leave(), json={}) == {"id": "1"}
        assert not trap.peers


def test_the_system_is_trusted_by_one_strict_context() -> None:
    context = system_trust()
    assert context is system_trust()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert context.keylog_filename is None
