"""One HTTP/1.1 question and its answer, without a socket: h11 knows the grammar, the limits are ours."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import h11
import httpx

_NOT_PASSED_ON = frozenset({b"content-encoding", b"content-length", b"transfer-encoding"})
"""True of the bytes on the wire, no longer of the body that is handed out: joined, and unpacked."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of an answer is read before it counts as hostile or broken."""

    head: int = 32 * 1024
    body: int = 16 * 1024 * 1024  # also of the unpacked body


class Exchange:
    """Makes the bytes of a question, then takes the bytes of the answer until it is whole.

    Every breach of the grammar or of a limit raises httpx.RemoteProtocolError, a body that cannot be unpacked
    httpx.DecodingError; a question that cannot be written, httpx.LocalProtocolError before there is a byte of it.
    """

    def __init__(
        self, method: bytes, target: bytes, headers: list[tuple[bytes, bytes]], body: bytes, limits: Limits
    ) -> None:
        self._tunnel = method == b"CONNECT"
        self._limits = limits
        self._h11 = h11.Connection(h11.CLIENT, max_incomplete_event_size=limits.head)
        try:
            self.question = self._write(h11.Request(method=method, target=target, headers=headers), body)
        except h11.LocalProtocolError as error:
            raise httpx.LocalProtocolError(str(error)) from error
        self._received = 0
        self._head: h11.Response | None = None
        self._body = bytearray()
        self.whole = False

    def _write(self, request: h11.Request, body: bytes) -> bytes:
        parts = [self._h11.send(request)]
        if body:
            parts.append(self._h11.send(h11.Data(data=body)))
        parts.append(self._h11.send(h11.EndOfMessage()))
        return b"".join(part for part in parts if part)

    def feed(self, data: bytes) -> None:
        """Take what the socket gave; b"" is its end. `whole` tells whether more is needed."""
        self._received += len(data)
        if self._received > self._limits.head + self._limits.body:
            raise httpx.RemoteProtocolError("the answer is larger than the limit")
        try:
            self._h11.receive_data(data)
            while not self.whole and self._take(self._h11.next_event()):
                pass
        except h11.RemoteProtocolError as error:
            raise httpx.RemoteProtocolError(f"not a valid HTTP/1.1 answer: {error}") from error

    def _take(self, event: object) -> bool:
        match event:
            case h11.Data():
                self._body += event.data
                if len(self._body) > self._limits.body:
                    raise httpx.RemoteProtocolError("the body is larger than the limit")
            case h11.EndOfMessage():
                self.whole = True
            case h11.Response():
                self._check_head(event)
                self._head = event
                self.whole = self._tunnel
            case h11.InformationalResponse():
                self._check_head(event)
                if event.status_code == 101:  # never asked for; what follows would not be HTTP
                    raise httpx.RemoteProtocolError("the server switched protocols")
            case _:  # NEED_DATA, PAUSED
                return False
        return True

    def _check_head(self, head: h11.Response | h11.InformationalResponse) -> None:
        # h11 limits a head only while it is incomplete; one that arrived in a single piece is measured here.
        if sum(len(name) + len(value) + 4 for name, value in head.headers) > self._limits.head:
            raise httpx.RemoteProtocolError("the head is larger than the limit")

    @property
    def clean(self) -> bool:
        """Nothing is left over on either side, so that the connection may carry another exchange."""
        return self._h11.our_state is h11.DONE and self._h11.their_state is h11.DONE and not self.left_over

    @property
    def left_over(self) -> bool:
        """More arrived than the answer, or the connection has ended behind it."""
        data, ended = self._h11.trailing_data
        return bool(data) or ended

    @property
    def status(self) -> int:
        assert self._head is not None
        return self._head.status_code

    def header(self, name: bytes) -> bytes | None:
        """The first value of a header, its name in lower case."""
        assert self._head is not None
        return next((value for key, value in self._head.headers if key == name), None)

    def answer(self) -> httpx.Response:
        """The whole answer, unpacked, in httpx's type."""
        assert self._head is not None
        body = _unpacked(bytes(self._body), self.header(b"content-encoding"), self._limits.body)
        headers = [pair for pair in self._head.headers if pair[0] not in _NOT_PASSED_ON]
        return httpx.Response(self._head.status_code, headers=headers, content=body)


def _unpacked(body: bytes, coding: bytes | None, limit: int) -> bytes:
    if coding is None or coding.lower() == b"identity" or not body:
        return body
    if coding.lower() not in (b"gzip", b"x-gzip"):  # the only one we ask for
        raise httpx.DecodingError("the body is packed in a way that was not asked for")
    unpack = zlib.decompressobj(wbits=31)
    try:
        plain = unpack.decompress(body, limit + 1)
    except zlib.error as error:
        raise httpx.DecodingError(f"the body cannot be unpacked: {error}") from error
    if len(plain) > limit:
        raise httpx.DecodingError("the unpacked body is larger than the limit")
    if not unpack.eof or unpack.unused_data:
        raise httpx.DecodingError("the packed body is cut or has something behind it")
    return plain
