"""What the wire relies on of asyncio and httpx, so that an update that changes it is noticed here."""

from __future__ import annotations

import asyncio
import socket

import httpx
import pytest

from tests.brokers.wire.certificates import Authority


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_asyncio_hands_a_write_to_the_socket_before_it_returns(authority: Authority, tls: bool) -> None:
    """The gate is held across transport.write alone; that only means something if write does not put it off."""
    mine, theirs = socket.socketpair()
    loop = asyncio.get_running_loop()
    got = asyncio.Event()

    class Other(asyncio.Protocol):
        def data_received(self, data: bytes) -> None:
            got.set()

    serving = asyncio.ensure_future(loop.connect_accepted_socket(Other, theirs, ssl=authority.good if tls else None))
    transport, _ = await loop.create_connection(
        asyncio.Protocol,
        sock=mine,
        ssl=authority.trusting if tls else None,
        server_hostname="localhost" if tls else None,
    )
    other, _ = await serving
    other.pause_reading()
    await asyncio.sleep(0.01)
    peek = other.get_extra_info("socket").dup()  # the kernel's own word, without a turn of the loop
    transport.write(b"order")
    assert len(peek.recv(4096, socket.MSG_PEEK)) >= len(b"order")
    peek.close()
    transport.abort()
    other.abort()
    await asyncio.sleep(0)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_asyncio_tells_what_has_not_reached_the_socket(authority: Authority, tls: bool) -> None:
    """A TLS transport passes all on at once and then holds nothing: it is the socket's transport that must be asked."""
    loop = asyncio.get_running_loop()
    peers: list[asyncio.Transport] = []

    class Deaf(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            peers.append(transport)
            transport.pause_reading()

    server = await loop.create_server(Deaf, "127.0.0.1", 0, ssl=authority.good if tls else None)
    port = server.sockets[0].getsockname()[1]
    socket_transport, protocol = await loop.create_connection(asyncio.Protocol, "127.0.0.1", port)
    transport: asyncio.Transport | None = socket_transport
    if tls:
        transport = await loop.start_tls(socket_transport, protocol, authority.trusting, server_hostname="localhost")
    assert transport is not None
    transport.write(b"x" * 100)
    assert socket_transport.get_write_buffer_size() == transport.get_write_buffer_size() == 0
    transport.write(b"x" * 32_000_000)
    assert socket_transport.get_write_buffer_size() > 0
    await asyncio.sleep(0.01)
    transport.abort()
    peers[0].abort()
    server.close()
    await asyncio.sleep(0.01)


def test_httpx_keeps_a_request_as_it_was_given() -> None:
    request = httpx.Request("POST", "https://broker.example/a?b=c", headers={"x": "y"}, content=b"z")
    assert request.url.raw_path == b"/a?b=c"
    assert request.headers.raw == [(b"Host", b"broker.example"), (b"x", b"y"), (b"Content-Length", b"1")]
    assert request.extensions == {}
