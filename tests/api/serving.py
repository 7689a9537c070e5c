"""A real `ordo serve` in a process of its own, over a home of its own, and raw bytes to it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ordo_cli.desk import open_desk
from ordo_cli.domain.tokens import TokenScope
from ordo_cli.home import find_home
from ordo_cli.services import tokens
from tests.house.tree import ROOT

PATIENCE = 30.0  # seconds that a server may take to start or to end on a busy machine


@dataclass
class Server:
    """A running server, where it is, and a token that may do everything."""

    process: subprocess.Popen[str]
    home: Path
    token: str
    url: str
    said: list[str]

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def bearing(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to end, and give its exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def exchange(self, data: bytes, seconds: float = 5.0) -> bytes:
        """Send these bytes and give everything that comes back until the server ends the connection or is silent."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as line:
            return exchange(line, data, seconds)


def exchange(line: socket.socket, data: bytes, seconds: float) -> bytes:
    """What comes back for these bytes: one whole answer, or all until the connection ends."""
    answer, until = b"", time.monotonic() + seconds
    try:
        line.sendall(data)
        while not whole(answer, data) and (left := until - time.monotonic()) > 0:
            line.settimeout(left)
            piece = line.recv(65536)
            if not piece:
                break
            answer += piece
    except (TimeoutError, ConnectionResetError, BrokenPipeError):
        pass
    return answer


def whole(answer: bytes, asked: bytes) -> bool:
    head, found, body = answer.partition(b"\r\n\r\n")
    if asked.startswith(b"HEAD "):
        return bool(found)
    length = re.search(rb"(?im)^content-length: (\d+)\r?$", head)
    return bool(found and length) and len(body) >= int(length[1] if length else 0)


def status_of(answer: bytes) -> int:
    """The status of an answer; 0 when there is none."""
    found = re.match(rb"HTTP/1\.1 (\d{3}) ", answer)
    return int(found[1]) if found else 0


def a_token(home: Path, *scopes: TokenScope) -> str:
    """A token of this home, made beside the server."""

    async def make() -> str:
        async with open_desk(find_home({"ORDO_HOME": str(home)})) as desk:
            name = f"tests-{len(await tokens.everyone(desk))}"
            return (await tokens.create(desk, name, scopes or (TokenScope.ADMIN,))).text

    return asyncio.run(make())


@contextmanager
def serving(home: Path, *more: str, token: str | None = None) -> Iterator[Server]:
    """A server at this home until the block ends."""
    token = token or a_token(home)
    command = [sys.executable, "-m", "ordo_cli", "--home", str(home), "serve", "--port", "0", *more]
    process = subprocess.Popen(
        command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=environment()
    )
    assert process.stderr is not None
    said = []
    try:
        for line in process.stderr:
            said.append(line.rstrip())
            if "to end this server" in line:
                break
        found = re.search(r"ordo serves at (\S+?)(?:,| |$)", said[0]) if said else None
        assert found is not None, said
        yield Server(process, home, token, found[1], said)
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        process.stderr.close()


def children(process: int) -> list[int]:
    """The processes that this one has begun and that still live."""
    return [int(each) for each in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}
