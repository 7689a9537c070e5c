"""A real server of files on this machine, which breaks off, redirects or is slow as a test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Answer = Callable[["Server", dict[str, str], asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Server:
    """Serves one body under every path. `script` has what happens to the next questions instead of a plain answer."""

    body: bytes = b""
    etag: str = '"one"'
    modified: str = ""
    coding: str = ""
    ranges: bool = True
    script: list[Answer] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)  # the headers of each question
    paths: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.strip().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            self.asked.append(headers)
            self.paths.append(first.split(" ")[1])
            answer = self.script.pop(0) if self.script else plain
            await answer(self, headers, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def headers(self, **more: object) -> str:
        known = {
            "ETag": self.etag,
            "Last-Modified": self.modified,
            "Content-Encoding": self.coding,
            "Connection": "close",
        }
        said = {name: value for name, value in known.items() if value}
        said |= {name.replace("_", "-"): str(value) for name, value in more.items()}
        return "".join(f"{name}: {value}\r\n" for name, value in said.items())


@asynccontextmanager
async def serving(**more: object) -> AsyncIterator[Server]:
    server = Server(**more)  # type: ignore[arg-type]
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    async with listening:
        yield server


async def plain(server: Server, asked: dict[str, str], writer: asyncio.StreamWriter) -> None:
    """The file, what is left of it, or that nothing changed: as a good server does."""
    known = asked.get("if-none-match") or asked.get("if-modified-since")
    if known and known in (server.etag, server.modified):
        writer.write(f"HTTP/1.1 304 Not Modified\r\n{server.headers()}\r\n".encode())
    elif server.ranges and "range" in asked and asked.get("if-range") in (server.etag, server.modified):
        begin, whole = int(asked["range"].removeprefix("bytes=").rstrip("-")), len(server.body)
        said = server.headers(Content_Length=whole - begin, Content_Range=f"bytes {begin}-{whole - 1}/{whole}")
        writer.write(f"HTTP/1.1 206 Partial Content\r\n{said}\r\n".encode() + server.body[begin:])
    else:
        said = server.headers(Content_Length=len(server.body))
        writer.write(f"HTTP/1.1 200 OK\r\n{said}\r\n".encode() + server.body)
    await writer.drain()


def cut(at: int) -> Answer:
    """The file, broken off after so many bytes."""

    async def answer(server: Server, asked: dict[str, str], writer: asyncio.StreamWriter) -> None:
        said = server.headers(Content_Length=len(server.body))
        writer.write(f"HTTP/1.1 200 OK\r\n{said}\r\n".encode() + server.body[:at])
        await writer.drain()

    return answer


def says(status: str, body: bytes = b"", **more: object) -> Answer:
    """This status line and these headers, whatever was asked."""

    async def answer(server: Server, asked: dict[str, str], writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status}\r\n{server.headers(**more)}\r\n".encode() + body)
        await writer.drain()

    return answer


async def silent(server: Server, asked: dict[str, str], writer: asyncio.StreamWriter) -> None:
    """A head, a byte, and then nothing for as long as anybody waits."""
    writer.write(f"HTTP/1.1 200 OK\r\n{server.headers(Content_Length=10)}\r\nx".encode())
    await writer.drain()
    await asyncio.sleep(1)


def drip(pause: float) -> Answer:
    """A byte now and then, for ever: never silent, never done."""

    async def answer(server: Server, asked: dict[str, str], writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 200 OK\r\n{server.headers(Content_Length=10_000)}\r\n".encode())
        while not writer.is_closing():
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(pause)

    return answer
