"""A raw server on real sockets that counts every byte it receives and misbehaves as it is told."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast


class Peer(asyncio.Protocol):
    """One connection as the server sees it."""

    def __init__(self, server: RawServer) -> None:
        self._server = server
        self._arrived = asyncio.Event()
        self._transport: asyncio.Transport | None = None
        self._played: asyncio.Task[None] | None = None
        self.buffer = bytearray()
        self.received = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._server.peers.append(self)
        self._played = asyncio.ensure_future(self._server.play(self))

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        self.buffer += data
        self._arrived.set()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._played is not None:
            self._played.cancel()

    async def head(self) -> bytes:
        """Wait for the head of the next question, and take it."""
        while b"\r\n\r\n" not in self.buffer:
            await self._more()
        end = self.buffer.index(b"\r\n\r\n") + 4
        head = bytes(self.buffer[:end])
        del self.buffer[:end]
        return head

    async def question(self) -> bytes:
        """Wait for the whole of the next question, and take it."""
        head = await self.head()
        lengths = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
        length = int(lengths[0]) if lengths else 0
        while len(self.buffer) < length:
            await self._more()
        body = bytes(self.buffer[:length])
        del self.buffer[:length]
        return head + body

    async def _more(self) -> None:
        self._arrived.clear()
        await self._arrived.wait()

    def say(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.write(data)

    def end(self) -> None:
        """Close in an orderly way: what was said arrives, then the end."""
        assert self._transport is not None
        self._transport.close()

    def reset(self) -> None:
        """Break the connection: the other side gets a TCP reset."""
        assert self._transport is not None
        self._transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        self._transport.abort()

    def deaf(self) -> None:
        """Read nothing any more."""
        assert self._transport is not None
        self._transport.pause_reading()


Play = Callable[[Peer], Awaitable[Any]]


class RawServer:
    """Plays the same piece for every connection."""

    def __init__(self, play: Play) -> None:
        self._play = play
        self.peers: list[Peer] = []
        self.port = 0
        self.scheme = "http"

    async def play(self, peer: Peer) -> None:
        await self._play(peer)

    @property
    def received(self) -> int:
        """Plain bytes of HTTP that arrived, on all connections."""
        return sum(peer.received for peer in self.peers)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"


@asynccontextmanager
async def serving(play: Play, context: ssl.SSLContext | None = None, at: str = "127.0.0.1") -> AsyncIterator[RawServer]:
    """A server on a free port, over TLS if a context is given."""
    server = RawServer(play)
    listener = await asyncio.get_running_loop().create_server(lambda: Peer(server), at, 0, ssl=context)
    server.port = listener.sockets[0].getsockname()[1]
    server.scheme = "https" if context else "http"
    try:
        yield server
    finally:
        listener.close()
        for peer in server.peers:
            if peer._transport is not None:
                peer._transport.abort()
        await asyncio.sleep(0.01)
