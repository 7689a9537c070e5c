"""The transport: checks a line out for one exchange, writes through the gate, and keeps or drops the line."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from types import TracebackType
from typing import Self

from ordo_cli.brokers.base import Permit
from ordo_cli.brokers.later import httpx
from ordo_cli.brokers.wire.exchange import Exchange, Limits
from ordo_cli.brokers.wire.line import Line, Waits
from ordo_cli.brokers.wire.question import SAFE, Question, Reply, Timeouts, Ungated
from ordo_cli.brokers.wire.route import Route

PERMIT = "ordo.permit"
"""The name under which an httpx.Request carries its permit, among its extensions."""

IDLE_SECONDS = 20.0
"""How long an unused line is trusted. Servers close theirs later; to write while one does would cost an UNKNOWN."""


class WireTransport:
    """One account's connections to one host, each carrying one exchange at a time. Nothing is ever sent twice.

    It is a transport for an httpx.AsyncClient too, though it does not inherit from one: an order need not import httpx.
    """

    def __init__(
        self, route: Route, *, lines: int = 10, limits: Limits | None = None, idle_seconds: float = IDLE_SECONDS
    ) -> None:
        self._route = route
        self._limits = limits or Limits()
        self._idle_seconds = idle_seconds
        self._free = asyncio.Semaphore(lines)
        self._idle: list[Line] = []
        self._busy: set[Line] = set()

    async def ask(self, question: Question) -> Reply:
        """Write it once and wait for the whole answer.

        Raises httpx.TransportError, or what the permit raises: then no byte has left.
        """
        question.require_fresh_permit()
        permit, times = question.permit, question.timeouts
        exchange = Exchange(question.method.encode(), question.target, question.headers, question.body, self._limits)
        connect, started = min(times.connect, times.whole), self._loop_time()
        line = await self._check_out(times.pool, connect)
        left = times.whole - (self._loop_time() - started)
        try:
            # With the line open and the request built, so that almost nothing comes between the claim and the byte.
            await permit.claim()
            # Legs that were claimed in one commit line up here, and then leave right behind one another.
            await asyncio.sleep(0)
            line = await self._still_good(line, connect)
            answered = line.listen(exchange, Waits(times.write, times.read, left))
            # From here to the write nothing is awaited: what the permit has seen is still so when the bytes leave.
            with permit.passing():
                permit.bytes_sent += len(exchange.question)
                line.write(exchange.question)
            await answered
            return exchange.reply()
        finally:
            self._check_in(line, unused=not permit.bytes_sent, clean=exchange.clean)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The same for an httpx.AsyncClient."""
        if not self._route.leads_to(request.url):
            raise httpx.LocalProtocolError(f"{request.url.host} is not the host of this connection")
        permit: Permit | None = request.extensions.get(PERMIT)
        if permit is None and request.method not in SAFE:
            raise httpx.LocalProtocolError(f"a {request.method} needs a permit")
        body = await request.aread()
        headers = request.headers.raw
        if "transfer-encoding" in request.headers:  # the body came in pieces and is now whole: its length can be told
            headers = [pair for pair in headers if pair[0].lower() not in (b"transfer-encoding", b"content-length")]
            headers.append((b"Content-Length", b"%d" % len(body)))
        timeout = {name: limit for name, limit in request.extensions.get("timeout", {}).items() if limit is not None}
        reply = await self.ask(
            Question(
                request.method,
                request.url.raw_path,
                headers,
                body,
                permit or Ungated(),
                Timeouts(**timeout),
            )
        )
        return httpx.Response(reply.status, headers=reply.headers, content=reply.body)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def warm(self, count: int = 1, *, connect: float = 5.0) -> None:
        """Have that many lines open and idle, TLS done. Raises httpx.TransportError when one cannot be opened."""
        failure: BaseException | None = None
        idle, self._idle = self._idle, []  # taken out while they are looked at: nobody may check one out meanwhile
        for line in idle:
            if await line.usable():
                self._idle.append(line)
            else:
                line.abort()
        missing = range(count - len(self._idle))
        for opened in await asyncio.gather(*(self._open(connect) for _ in missing), return_exceptions=True):
            if isinstance(opened, BaseException):
                failure = opened
            else:
                self._keep(opened)
        if failure is not None:
            raise failure

    async def aclose(self) -> None:
        for line in (*self._idle, *self._busy):
            line.abort()
        self._idle.clear()
        # One turn of the loop, so that the sockets are closed when this returns.
        await asyncio.sleep(0)

    async def _check_out(self, pool: float, connect: float) -> Line:
        try:
            # A timer only for who must wait; to acquire what is free does not even give up the turn.
            async with asyncio.timeout(pool) if self._free.locked() else nullcontext():
                await self._free.acquire()
        except TimeoutError as error:
            raise httpx.PoolTimeout("all of the account's connections are in use") from error
        try:
            line = await self._idle_line() or await self._open(connect)
        except BaseException:
            self._free.release()
            raise
        self._busy.add(line)
        return line

    async def _still_good(self, line: Line, connect: float) -> Line:
        """This line, or a new one for one that was idle: the server may have closed it while the claim waited."""
        if await line.quiet():
            return line
        line.abort()
        if not line.idle_until:
            raise httpx.ConnectError(f"{self._route.host} closed the connection before the first byte")
        fresh = await self._open(connect)
        self._busy.discard(line)
        self._busy.add(fresh)
        return fresh

    async def _idle_line(self) -> Line | None:
        while self._idle:
            line = self._idle.pop()
            try:
                if await line.usable():
                    return line
            except BaseException:  # cancelled while it was looked at, and nobody has it any more
                line.abort()
                raise
            line.abort()
        return None

    async def _open(self, connect: float) -> Line:
        try:
            async with asyncio.timeout(connect):
                line = await self._route.open()
        except TimeoutError as error:
            raise httpx.ConnectTimeout(f"no connection to {self._route.host} in time") from error
        if line.gone:
            raise httpx.ConnectError(f"{self._route.host} closed the connection before the first byte")
        return line

    def _check_in(self, line: Line, *, unused: bool, clean: bool) -> None:
        line.rest()
        self._busy.discard(line)
        self._free.release()
        if (unused or clean) and not line.gone:
            self._keep(line)
        else:
            line.abort()

    def _loop_time(self) -> float:
        return asyncio.get_running_loop().time()

    def _keep(self, line: Line) -> None:
        line.idle_until = self._loop_time() + self._idle_seconds
        self._idle.append(line)
