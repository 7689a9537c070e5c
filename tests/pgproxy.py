"""A wire to PostgreSQL that can be cut at any message: the server's end of a connection, killed for real."""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from tests import postgres

COMMIT = b"COMMIT\x00"


class Proxy:
    """Between a client and a server. Armed, it fails one message; the connections after that are whole again."""

    def __init__(self, url: str) -> None:
        self._url = url
        parts = urlsplit(url)
        self._target = (parts.hostname or "127.0.0.1", parts.port or 5432)
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0
        self._fail_at = 0
        self._lose_commit = False
        self.silent = False  # takes every message and passes none on
        self.count = 0
        self.failed = False

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    @property
    def url(self) -> str:
        host, port = self._target
        return self._url.replace(f"{host}:{port}", f"127.0.0.1:{self.port}")

    def kill_at(self, number: int) -> None:
        """End the server's side, with pg_terminate_backend, before it gets this message; 0: never."""
        self._fail_at, self.count, self.failed = number, 0, False

    def kill_all(self) -> None:
        """End every connection at the server, now."""
        asyncio.run_coroutine_threadsafe(self._kill_all(), self._loop).result(10)

    async def _kill_all(self) -> None:
        for writer in list(self._open):
            await self._terminate(writer)

    def refuse(self) -> None:
        """Be gone: nobody is let in any more, and every connection ends."""
        asyncio.run_coroutine_threadsafe(self._refuse(), self._loop).result(10)

    async def _refuse(self) -> None:
        self._server.close()
        await self._kill_all()

    def lose_the_answer_to_commit(self) -> None:
        """Let the next COMMIT through, and cut the wire before its answer comes back."""
        self._lose_commit, self.failed = True, False

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)

        async def listen() -> asyncio.Server:
            return await asyncio.start_server(self._joined, "127.0.0.1", 0)

        server = self._server = self._loop.run_until_complete(listen())
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.05))
        self._loop.close()

    async def _joined(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection(*self._target)
        both = (writer, there_writer)
        self._open.add(there_writer)
        back = asyncio.create_task(self._back(there_reader, both))
        try:
            while chunk := await reader.read(65536):
                self.count += 1
                if self._fail_at and self.count == self._fail_at:
                    self._fail_at, self.failed = 0, True
                    await self._terminate(there_writer)
                    break  # what the client still says here must not be counted as the next connection's
                if COMMIT in chunk and self._lose_commit:
                    self._lose_commit, self.failed = False, True
                    back.cancel()
                    await asyncio.wait([back])
                    there_writer.write(chunk)
                    await there_reader.read(65536)
                    break
                if not self.silent:
                    there_writer.write(chunk)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(there_writer)
            for each in both:
                each.close()

    async def _back(self, reader: asyncio.StreamReader, both: tuple[asyncio.StreamWriter, ...]) -> None:
        try:
            while chunk := await reader.read(65536):
                both[0].write(chunk)
        except OSError:
            pass
        for each in both:
            each.close()

    async def _terminate(self, writer: asyncio.StreamWriter) -> None:
        port = writer.get_extra_info("sockname")[1]
        line = await postgres.connect(self._url)
        try:
            await line.execute(
                f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE client_port = {port}"
            )
        finally:
            await line.close()
