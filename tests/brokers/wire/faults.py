"""The faults, as data: what the server does after it has the whole question, and what ordo must make of it."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from tests.brokers.wire.server import Peer, Play

ACCEPTED, REJECTED, NO_ANSWER = "accepted", "rejected", "no_answer"


@dataclass(frozen=True)
class Fault:
    name: str
    play: Play
    verdict: str
    reads_all: bool = True  # False: the server goes away without reading all that its kernel had taken


def answer(body: bytes = b'{"id":"1"}', status: str = "200 OK", *more: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Content-Type: application/json", *more]
    return "\r\n".join([*lines, "", ""]).encode() + body


def chunked(*lines: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"".join(lines)


def saying(*parts: bytes, then: Callable[[Peer], Any] | None = None, pause: float = 0.0) -> Play:
    """Read the question, say these parts, do that."""

    async def play(peer: Peer) -> None:
        await peer.question()
        for part in parts:
            peer.say(part)
            await asyncio.sleep(pause)
        if then is not None:
            outcome = then(peer)
            if isinstance(outcome, Awaitable):
                await outcome

    return play


async def forever(piece: bytes, pause: float, peer: Peer) -> None:
    while True:
        peer.say(piece)
        await asyncio.sleep(pause)


def dripping(start: bytes, piece: bytes, pause: float) -> Play:
    async def play(peer: Peer) -> None:
        await peer.question()
        peer.say(start)
        await forever(piece, pause, peer)

    return play


async def close_at_once(peer: Peer) -> None:
    peer.end()


async def reset_at_once(peer: Peer) -> None:
    peer.reset()


async def reset_after_head(peer: Peer) -> None:
    await peer.head()
    peer.reset()


def packed(body: bytes, coding: str = "gzip") -> bytes:
    return answer(body, "200 OK", f"Content-Encoding: {coding}")


GOOD = b'{"id":"1"}'
REFUSAL = b'{"code":"MARGIN"}'
BIG = 10 * 1024 * 1024

FAULTS = [
    # the connection
    Fault("closed after accepting", close_at_once, NO_ANSWER, reads_all=False),
    Fault("reset after accepting", reset_at_once, NO_ANSWER, reads_all=False),
    Fault("reset after the head", reset_after_head, NO_ANSWER),
    Fault("reset after the question", saying(then=Peer.reset), NO_ANSWER),
    Fault("closed after the question", saying(then=Peer.end), NO_ANSWER),
    Fault("reset within the answer's head", saying(b"HTTP/1.1 200 O", then=Peer.reset, pause=0.02), NO_ANSWER),
    Fault("closed within the answer's head", saying(b"HTTP/1.1 200 OK\r\nContent-", then=Peer.end), NO_ANSWER),
    Fault("reset within the body", saying(answer()[:-4], then=Peer.reset, pause=0.02), NO_ANSWER),
    # silence and slowness
    Fault("silent before the head", saying(), NO_ANSWER),
    Fault("silent within the head", saying(b"HTTP/1.1 200 OK\r\nCont"), NO_ANSWER),
    Fault("silent within the body", saying(answer()[:-4]), NO_ANSWER),
    Fault("a body that drips past the limit of the whole", dripping(answer(b"x" * 9999)[:90], b" ", 0.05), NO_ANSWER),
    Fault(
        "a head that drips past the limit of the whole", dripping(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n", 0.05), NO_ANSWER
    ),
    # cut and damaged
    Fault("a body shorter than its length", saying(answer()[:-4], then=Peer.end), NO_ANSWER),
    Fault("garbage", saying(b"\x00\xff\x13\x37 nonsense\r\n\r\n"), NO_ANSWER),
    Fault("an answer of HTTP/0.9", saying(GOOD, then=Peer.end), NO_ANSWER),
    Fault("a preface of HTTP/2", saying(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + b"\x00" * 18), NO_ANSWER),
    Fault("a TLS alert in plain", saying(b"\x15\x03\x01\x00\x02\x02\x28"), NO_ANSWER),
    Fault("two lengths that differ", saying(answer(GOOD, "200 OK", "Content-Length: 3")), NO_ANSWER),
    Fault("a length that is no number", saying(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n" + GOOD), NO_ANSWER),
    Fault("a NUL in the head", saying(answer(GOOD, "200 OK", "X: a\x00b")), NO_ANSWER),
    Fault("chunks cut by the end", saying(chunked(b'a\r\n{"id":"1"}\r\n'), then=Peer.end), NO_ANSWER),
    Fault("chunks cut within one", saying(chunked(b'a\r\n{"id"'), then=Peer.end), NO_ANSWER),
    Fault("a chunk size that is none", saying(chunked(b"zz\r\n" + GOOD)), NO_ANSWER),
    Fault("a chunk longer than its size", saying(chunked(b"3\r\n" + GOOD + b"\r\n0\r\n\r\n")), NO_ANSWER),
    # statuses
    Fault("100 and then the end", saying(b"HTTP/1.1 100 Continue\r\n\r\n", then=Peer.end), NO_ANSWER),
    Fault("101", saying(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"), NO_ANSWER),
    Fault("302 to another path", saying(answer(GOOD, "302 Found", "Location: /elsewhere")), NO_ANSWER),
    Fault("307 to itself", saying(answer(GOOD, "307 Temporary Redirect", "Location: /orders")), NO_ANSWER),
    Fault("a refusal that is on the table", saying(answer(REFUSAL, "400 Bad Request")), REJECTED),
    Fault("a refusal on the table, with 200", saying(answer(REFUSAL)), REJECTED),
    Fault("a refusal that is not on the table", saying(answer(b'{"code":"ODD"}', "400 Bad Request")), NO_ANSWER),
    Fault("400 with a page", saying(answer(b"<html>no</html>", "400 Bad Request")), NO_ANSWER),
    Fault("401 without a body", saying(answer(b"", "401 Unauthorized")), NO_ANSWER),
    Fault("408", saying(answer(b"{}", "408 Request Timeout"), then=Peer.end), NO_ANSWER),
    Fault("429", saying(answer(b"{}", "429 Too Many Requests", "Retry-After: 0")), NO_ANSWER),
    Fault("500 that looks like a refusal on the table", saying(answer(REFUSAL, "500 Oops")), NO_ANSWER),
    Fault("502 with a page", saying(answer(b"<html>", "502 Bad Gateway")), NO_ANSWER),
    Fault("503 with Retry-After", saying(answer(b"{}", "503 Busy", "Retry-After: 0")), NO_ANSWER),
    Fault("504", saying(answer(b"{}", "504 Gateway Timeout")), NO_ANSWER),
    # 200 that says nothing
    Fault("200 with an empty body", saying(answer(b"")), NO_ANSWER),
    Fault("204", saying(b"HTTP/1.1 204 No Content\r\n\r\n"), NO_ANSWER),
    Fault("200 with a log-in page", saying(answer(b"<html>log in</html>")), NO_ANSWER),
    Fault("200 with cut JSON", saying(answer(GOOD[:-2])), NO_ANSWER),
    Fault("200 with NaN", saying(answer(b'{"id":NaN}')), NO_ANSWER),
    Fault("200 with bytes that are no text", saying(answer(b'{"id":"\xff"}')), NO_ANSWER),
    Fault("200 with JSON too deep to read", saying(answer(b"[" * 30_000 + b"]" * 30_000)), NO_ANSWER),
    # too much
    Fault("a head without end", dripping(b"HTTP/1.1 200 OK\r\n", b"A: " + b"b" * 4000 + b"\r\n", 0.001), NO_ANSWER),
    Fault("a large head in one piece", saying(answer(GOOD, "200 OK", "A: " + "b" * 9000)), NO_ANSWER),
    Fault("a body longer than the limit", saying(answer(b"[" + b"1," * 50_000 + b"1]")), NO_ANSWER),
    Fault("chunks without end", dripping(chunked(), b"1000\r\n" + b" " * 4096 + b"\r\n", 0.001), NO_ANSWER),
    Fault("a body without length and end", dripping(b"HTTP/1.1 200 OK\r\n\r\n", b" " * 4096, 0.001), NO_ANSWER),
    Fault(
        "early answers without end", dripping(b"", b"HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n" * 50, 0.001), NO_ANSWER
    ),
    Fault("a gzip bomb", saying(packed(gzip.compress(b" " * BIG))), NO_ANSWER),
    Fault("gzip that is cut", saying(packed(gzip.compress(GOOD)[:-6])), NO_ANSWER),
    Fault("gzip that is none", saying(packed(GOOD)), NO_ANSWER),
    Fault("gzip with something behind it", saying(packed(gzip.compress(GOOD) + b"x")), NO_ANSWER),
    Fault("a packing that was not asked for", saying(packed(GOOD, "br")), NO_ANSWER),
    # odd, and yet an answer
    Fault("an answer in single bytes", saying(*[bytes([byte]) for byte in answer()], pause=0.0005), ACCEPTED),
    Fault("an answer in chunks", saying(chunked(b'5\r\n{"id"\r\n', b'5;x=y\r\n:"1"}\r\n0\r\nT: r\r\n\r\n')), ACCEPTED),
    Fault("an answer packed", saying(packed(gzip.compress(GOOD))), ACCEPTED),
    Fault("100 and then an answer", saying(b"HTTP/1.1 100 Continue\r\n\r\n", answer()), ACCEPTED),
    Fault("an answer ended by the connection", saying(b"HTTP/1.1 200 OK\r\n\r\n" + GOOD, then=Peer.end), ACCEPTED),
    Fault("an answer of HTTP/1.0", saying(answer().replace(b"1.1", b"1.0"), then=Peer.end), ACCEPTED),
    Fault("an answer, then a reset", saying(answer(), then=Peer.reset, pause=0.02), ACCEPTED),
    Fault("two answers to one question", saying(answer() + answer(b'{"id":"2"}')), ACCEPTED),
]
