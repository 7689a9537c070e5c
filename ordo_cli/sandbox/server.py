"""HTTP/1.1 on loopback, byte by byte: a reply can leave whole, cut, twice, or not at all, as a fault wants it."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from enum import StrEnum
from http import HTTPStatus

import httptools

from ordo_cli.domain.errors import Busy
from ordo_cli.sandbox.wire import Reply, Request

LOOPBACK = "127.0.0.1"
LARGEST = 1 << 20  # bytes of one request
ABORT = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST at once


class Manner(StrEnum):
    """How a reply leaves."""

    WHOLE = "whole"
    NOT = "not"  # the connection ends without a byte
    HEAD_THEN_RESET = "head-then-reset"
    CUT = "cut"  # the head promises more than comes
    TWICE = "twice"


Handle = Callable[[Request], Awaitable[tuple[Reply, Manner]]]


class Listener:
    """One port of the loopback address, and the connections that came by it."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def start(self, port: int) -> None:
        """Take requests at this port; 0 takes a free one. Raises Busy when it is taken."""
        try:
            self._server = await asyncio.start_server(self._connected, LOOPBACK, port)
        except OSError as error:
            raise Busy(f"{LOOPBACK}:{port} cannot be listened on: {error}", hint="give another --port") from None
        self.port = self._server.sockets[0].getsockname()[1]

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            await Connection(reader, writer, self._handle).serve()
        finally:
            self._open.discard(writer)

    async def close(self) -> None:
        """Take nothing more, and end the connections that are open."""
        if self._server is not None:
            self._server.close()
            for writer in self._open:
                writer.transport.abort()
            await self._server.wait_closed()


class Connection:
    """One client's connection: requests in turn, each answered before the next is looked at."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handle: Handle) -> None:
        self._reader, self._writer, self._handle = reader, writer, handle
        self._parser = httptools.HttpRequestParser(self)
        self._whole: deque[tuple[Request, bool]] = deque()
        self.on_message_begin()

    async def serve(self) -> None:
        with suppress(ConnectionError, httptools.HttpParserError, _Ended):
            while data := await self._reader.read(1 << 16):
                self._size += len(data)
                if self._size > LARGEST:
                    break
                self._parser.feed_data(data)
                while self._whole:
                    await self._answer(*self._whole.popleft())
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()

    async def _answer(self, request: Request, keep: bool) -> None:
        reply, manner = await self._handle(request)
        head = _head(reply, keep and manner is Manner.WHOLE)
        body = b"" if request.method == "HEAD" else reply.body
        if manner is Manner.HEAD_THEN_RESET:
            self._writer.write(head)
            await self._writer.drain()
            self._reset()
        elif manner is Manner.CUT:
            self._writer.write(head + body[: len(body) // 2])
        elif manner is Manner.TWICE:
            self._writer.write((head + body) * 2)
        elif manner is Manner.WHOLE:
            self._writer.write(head + body)
        await self._writer.drain()
        if manner is not Manner.WHOLE or not keep:
            raise _Ended

    def _reset(self) -> None:
        connection: socket.socket = self._writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
        self._writer.transport.abort()
        raise _Ended

    # What the parser calls.

    def on_message_begin(self) -> None:
        self._target, self._headers, self._body = b"", dict[str, str](), bytearray()
        self._size = 0

    def on_url(self, part: bytes) -> None:
        self._target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1").strip()

    def on_headers_complete(self) -> None:
        if self._headers.get("expect", "").lower() == "100-continue":
            self._writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, part: bytes) -> None:
        self._body += part

    def on_message_complete(self) -> None:
        request = Request(
            method=self._parser.get_method().decode("ascii"),
            target=self._target.decode("latin-1"),
            headers=self._headers,
            body=bytes(self._body),
        )
        self._whole.append((request, bool(self._parser.should_keep_alive())))


class _Ended(Exception):
    """Nothing more is read from this connection."""


def _head(reply: Reply, keep: bool) -> bytes:
    lines = [
        f"HTTP/1.1 {reply.status} {_phrase(reply.status)}",
        f"Content-Type: {reply.content_type}",
        f"Content-Length: {len(reply.body)}",
        f"Connection: {'keep-alive' if keep else 'close'}",
        *(f"{name}: {value}" for name, value in reply.headers),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
