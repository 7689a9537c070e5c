"""The health check of a container: well is only who answers 200, with the certificate that was given."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ordo_cli.deploy.certificate import self_signed
from ordo_cli.deploy.health import well
from ordo_cli.machine import SystemClock


@asynccontextmanager
async def answering(line: bytes, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server that says this to everybody."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(line)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (OK, True),
        (b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", False),
        (b"something else\r\n\r\n", False),
        (b"", False),
    ],
)
async def test_only_a_200_is_well(line: bytes, expected: bool) -> None:
    async with answering(line) as port:
        assert await asyncio.to_thread(well, f"http://127.0.0.1:{port}/healthz") is expected


async def test_nobody_there_is_not_well() -> None:
    async with answering(OK) as port:
        pass
    assert not await asyncio.to_thread(well, f"http://127.0.0.1:{port}/healthz")


async def test_only_the_certificate_that_was_given_is_believed(tmp_path: Path) -> None:
    def write(name: str, data: bytes) -> Path:
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    made, key = self_signed(["127.0.0.1"], SystemClock().now())
    other, _ = self_signed(["127.0.0.1"], SystemClock().now())
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(write("made.pem", made), write("key.pem", key))
    async with answering(OK, tls) as port:
        url = f"https://127.0.0.1:{port}/healthz"
        assert await asyncio.to_thread(well, url, str(tmp_path / "made.pem"))
        assert not await asyncio.to_thread(well, url, str(write("other.pem", other)))
        assert not await asyncio.to_thread(well, url.replace("127.0.0.1", "localhost"), str(tmp_path / "made.pem"))
