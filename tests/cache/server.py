"""A Redis of the tests' own, which they may stop, flood and kill; and servers that are none."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hiredis import Reader, pack_command

PATIENCE = 10.0
GIVEN = "ORDO_TEST_REDIS_URL"  # a server that somebody else runs: it is asked, and never harmed


class Server:
    """One `redis-server` on a port of its own. It can be killed and started again at the same place."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder, self.options = folder, options
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        program = shutil.which("redis-server")
        assert program is not None
        fixed = ["--port", str(self.port), "--save", "", "--appendonly", "no", "--bind", "127.0.0.1"]
        self._process = subprocess.Popen(
            [program, *fixed, "--dir", str(self.folder), "--enable-debug-command", "local", *self.options],
            stdout=subprocess.DEVNULL,
        )
        _until(self._answers)

    def _answers(self) -> bool:
        try:
            self.tell("PING")
        except ConnectionRefusedError:
            return False
        return True

    def tell(self, *words: str | bytes | int) -> Any:
        """Ask the server itself, past ordo. Errors of Redis are given back."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as line:
            line.sendall(pack_command(words))  # type: ignore[arg-type]
            reader = Reader()
            while (answer := reader.gets()) is False:
                received = line.recv(65536)
                if not received:
                    return None
                reader.feed(received)
            return answer

    def listeners(self, channel: str) -> int:
        """How many connections listen to channels that end so."""
        names = [name for name in self.tell("PUBSUB", "CHANNELS") if name.endswith(channel.encode())]
        return sum(self.tell("PUBSUB", "NUMSUB", name)[1] for name in names)

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def freeze(self) -> None:
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.signal(signal.SIGCONT)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def require_program() -> None:
    """Skip where no Redis can be started, unless the run says that services must be there and names none."""
    if shutil.which("redis-server") is None:
        if os.environ.get("ORDO_TEST_REQUIRE_SERVICES") == "1" and not os.environ.get(GIVEN):
            pytest.fail("redis-server is not installed, and ORDO_TEST_REQUIRE_SERVICES=1 says that it must be")
        pytest.skip("redis-server is not installed")


@contextmanager
def running(folder: Path, *options: str) -> Iterator[Server]:
    require_program()
    server = Server(folder, *options)
    server.start()
    try:
        yield server
    finally:
        server.kill()


Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def pretender(answer: Answer) -> AsyncIterator[str]:
    """The URL of a server that does what it likes with each connection."""
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with suppress(ConnectionError):
            await answer(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"redis://127.0.0.1:{port}"
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await server.wait_closed()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _until(true: Callable[[], bool]) -> None:
    import time

    began = time.monotonic()
    while not true():
        assert time.monotonic() < began + PATIENCE, "the server does not come up"
        time.sleep(0.005)
