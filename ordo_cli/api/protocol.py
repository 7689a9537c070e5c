"""HTTP/1.1 as it is let in: uvicorn's connection with bounds on the head, and refusals said as problems."""

from __future__ import annotations

import asyncio
import json
import re
from typing import cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from ordo_cli.api import problems

LARGEST_HEAD = 32 * 1024  # bytes
MOST_HEADERS = 100
MOST_CONNECTIONS = 2_000
STRANGE = re.compile(rb"(?<!\r)\n|\r(?!\n|$)|\n[ \t]|\x00")  # line ends of other kinds, lines that are folded
LINE = re.compile(rb'[A-Z]+ (?:/[!"$-~]*) HTTP/1\.[01]')  # of any request: a path, no fragment, nothing before it


class Protocol(HttpToolsProtocol):
    """One connection of a client."""

    patience = 10.0  # seconds from connecting, or from a request's first byte, to the end of its headers
    _heading = True  # what arrives belongs to a head
    _head = 0
    _tail = b""
    _line: bytes | None = b""  # the request line as far as it has come; None once it was looked at
    _refused = False
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast(asyncio.Transport, transport))
        if len(self.connections) > MOST_CONNECTIONS:
            self._end()
            return
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._waited()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        if self._heading:  # a request that is pipelined behind another is looked at less closely
            head, found, _ = data.partition(b"\r\n\r\n")
            self._head += len(head)
            if STRANGE.search(self._tail + head + (found and b"\r\n")) or not self._is_line(head + found):
                self.send_400_response("")
                return
            self._tail = head[-1:]
            if self._head > LARGEST_HEAD:
                self.refuse(431, "head_too_large", f"the headers have more than {LARGEST_HEAD // 1024} KiB")
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        if self._timer is None:
            self._wait()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._waited()
        self._heading, self._head, self._tail, self._line = False, 0, b"", b""
        if not self.url.startswith(b"/"):  # pipelined behind another, where its line was not looked at
            self.send_400_response("")
            return
        if len(self.headers) > MOST_HEADERS:
            self.refuse(431, "too_many_headers", f"there are more than {MOST_HEADERS} headers")
            return
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._heading = True
        if not self._refused:
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """What cannot be read as HTTP gets a problem too, and the connection ends."""
        self.refuse(400, "malformed", "this is not a request that can be read")

    def refuse(self, status: int, code: str, message: str) -> None:
        """Answer without the application, and end the connection."""
        if self._refused:
            return
        cycle = cast(RequestResponseCycle | None, self.cycle)
        if cycle is None or cycle.response_complete or not cycle.response_started:  # never into the middle of another
            body = json.dumps(problems.document(status, code, message)).encode()
            head = (
                f"HTTP/1.1 {status} {problems.phrase(status)}\r\ncontent-type: {problems.MEDIA_TYPE}\r\n"
                f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + body)
        self._end()

    def _is_line(self, head: bytes) -> bool:
        """False when the request line is none that is let in: an absolute form, a version of another kind."""
        if self._line is None:
            return True
        self._line += head[: LARGEST_HEAD + 1]
        line, found, _ = self._line.partition(b"\r\n")
        if found:
            self._line = None
        return not found or LINE.fullmatch(line) is not None

    def _end(self) -> None:
        self._refused = True
        self._waited()
        self.transport.close()

    def _wait(self) -> None:
        self._timer = self.loop.call_later(self.patience, self._too_slow)

    def _waited(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        self.refuse(408, "too_slow", f"the headers did not arrive within {self.patience:g} s")


def patient(seconds: float) -> type[Protocol]:
    """Connections that wait so long for a request's headers."""
    return type("Protocol", (Protocol,), {"patience": seconds})
