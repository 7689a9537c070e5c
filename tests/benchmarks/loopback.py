"""A broker of the benchmarks: a TLS server on loopback in a process of its own, which answers after a given delay."""

from __future__ import annotations

import asyncio
import json
import resource
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from tests.benchmarks import dialects
from tests.brokers.wire.certificates import make_authority

ANSWER = b'{"status":"success","data":{"order_id":"%d"}}'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Loopback:
    """Where the server is, and the context that trusts it."""

    port: int
    trusting: ssl.SSLContext
    authority: str  # its certificate as a file, for other processes to trust

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What the server saw since it was last asked."""

    count: int
    skew_ms: float  # from the first question's arrival to the last one's
    together: int  # the most that were waiting for their answers at once
    last: float = 0.0  # when the last question arrived, by perf_counter, which all processes share on Linux


@contextmanager
def loopback() -> Iterator[Loopback]:
    """Run the server for as long as it is needed."""
    many_files()
    with tempfile.TemporaryDirectory() as folder:
        authority = make_authority(Path(folder))
        command = [sys.executable, "-m", "tests.benchmarks.loopback", str(Path(folder) / "good.pem")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2], text=True) as process:
            assert process.stdout is not None
            try:
                yield Loopback(int(process.stdout.readline()), authority.trusting, str(Path(folder) / "authority.pem"))
            finally:
                process.kill()


def many_files() -> None:
    """Allow this process as many connections as the machine permits."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Broker(asyncio.Protocol):
    """POST /<milliseconds>/... is answered after that delay; GET /arrivals tells what came in since the last time.

    Under /<milliseconds>/<a real broker>/ every question, a read too, is answered after it in that broker's words.
    """

    times: list[float] = []  # noqa: RUF012 - one server, one record
    waiting = 0
    together = 0
    orders = 0

    def __init__(self) -> None:
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self._buffer) >= end + 4 + length:
            self._buffer = self._buffer[end + 4 + length :]
            self._question(head)

    def _question(self, head: bytes) -> None:
        if head.startswith(b"get /arrivals"):
            self._tell()
            return
        _, delay, name, *_ = (*head.split(b" ", 2)[1].decode("latin-1").split("/"), "", "")
        if name in dialects.PLACES:
            self._in_words_of(name, head, int(delay) / 1000)
            return
        if head.startswith(b"get"):
            self._say(b"[]")
            return
        self._arrived()
        asyncio.get_running_loop().call_later(int(delay) / 1000, self._answer)

    def _in_words_of(self, name: str, head: bytes, delay: float) -> None:
        method, target, _ = head.decode("latin-1").split(" ", 2)
        question = f"{method} /{target.split('/', 3)[3]}"
        ordered = dialects.is_place(name, question)
        if ordered:
            self._arrived()

        def say() -> None:
            if ordered:
                Broker.waiting -= 1
                Broker.orders += 1
            self._say(dialects.answer(name, question, Broker.orders))

        asyncio.get_running_loop().call_later(delay, say)

    def _arrived(self) -> None:
        Broker.times.append(time.perf_counter())
        Broker.waiting += 1
        Broker.together = max(Broker.together, Broker.waiting)

    def _answer(self) -> None:
        Broker.waiting -= 1
        Broker.orders += 1
        self._say(ANSWER % Broker.orders)

    def _tell(self) -> None:
        times = Broker.times or [0.0]
        seen = {
            "count": len(Broker.times),
            "skew_ms": (max(times) - min(times)) * 1e3,
            "together": Broker.together,
            "last": times[-1],
        }
        Broker.times, Broker.together = [], 0
        self._say(json.dumps(seen).encode())

    def _say(self, body: bytes) -> None:
        if self._transport is not None:
            self._transport.write(HEAD % len(body) + body)


async def serve(certificate: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = await asyncio.get_running_loop().create_server(Broker, "127.0.0.1", 0, ssl=context, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    many_files()
    asyncio.run(serve(sys.argv[1]))
