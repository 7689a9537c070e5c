"""One connection: who has it, whether it is still good, what it hears, and how long it waits."""

from __future__ import annotations

import asyncio
import select
import ssl
from collections.abc import Callable
from math import inf
from typing import cast

from ordo_cli.brokers.later import httpx
from ordo_cli.brokers.wire.exchange import Exchange
from ordo_cli.domain.values import dataclass

TURNS = 4  # of the loop, in which late bytes are read: two for what is there, as many for what comes meanwhile


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds: for the socket to take the question, between two pieces of the answer, for all of it together."""

    write: float = inf
    read: float = inf
    whole: float = inf


class Line(asyncio.Protocol):
    """A connection that carries one exchange at a time and is used again only after a clean one."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._socket: asyncio.Transport | None = None
        self._transport: asyncio.Transport | None = None  # over the socket: itself, or the TLS laid over it
        self._exchange: Exchange | None = None
        self._done: asyncio.Future[None] | None = None
        self._waits = Waits()
        self._asked_at = self._heard_at = 0.0
        self._timer: asyncio.Handle | None = None
        self._poll: select.poll | None = None
        self.gone = False
        self.idle_until = 0.0

    # what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._socket = self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._exchange is None or self._exchange.whole:
            self.abort()  # nobody asked: what comes next could be taken for the answer to another question
            return
        self._heard_at = self._loop.time()
        self._hear(data)

    def eof_received(self) -> None:
        self._ended(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended(exc)

    # what the transport calls

    def listen(self, exchange: Exchange, waits: Waits) -> asyncio.Future[None]:
        """Expect this answer; the future is done when it is whole, or raises httpx's error. No byte is written yet."""
        self._exchange, self._waits = exchange, waits
        self._asked_at = self._heard_at = self._loop.time()
        self._done = self._loop.create_future()
        self._timer = self._loop.call_soon(self._look_at_the_clock)  # after the legs that leave in this turn
        return self._done

    async def secure(self, context: ssl.SSLContext, host: str) -> None:
        """Lay TLS over what is so far a plain connection, or a tunnel, to this host."""
        assert self._socket is not None
        over = await self._loop.start_tls(self._socket, self, context, server_hostname=host)
        if over is None:  # what asyncio gives when the connection was closed at once
            raise ConnectionError("the connection was closed")
        self._transport = over

    def write(self, data: bytes) -> None:
        """Hand all of it to the socket, now."""
        assert self._transport is not None
        self._transport.write(data)

    def rest(self) -> None:
        """No longer listening; for another exchange, or for none."""
        if self._timer is not None:
            self._timer.cancel()
        if self._done is not None and not self._done.done():
            self._done.cancel()
        self._exchange = self._done = self._timer = None

    async def usable(self) -> bool:
        """Whether an idle line may carry the next exchange. A wrong no costs a handshake, a wrong yes an UNKNOWN."""
        return await self.quiet() and self._loop.time() < self.idle_until

    async def quiet(self) -> bool:
        """Whether the line lives and nothing has come in that nobody asked for."""
        for _ in range(TURNS):
            if self._quiet():
                return True
            if self.gone:
                return False
            # Unread bytes: an end, or the TLS tickets that a server sends behind its handshake. asyncio reads them and
            # tells, but whoever waits for a turn of the loop has it before what the loop finds to read in that turn.
            await asyncio.sleep(0)
        return self._quiet()

    def abort(self) -> None:
        """Close at once. Nothing that was not yet handed to the socket will be."""
        self.gone = True
        if self._transport is not None:
            self._transport.abort()

    def _quiet(self) -> bool:
        """Alive, and nothing has come in that asyncio has not read yet."""
        if self.gone or self._transport is None:
            return False
        if self._poll is None:
            # select() cannot watch descriptors above 1023, which a fan-out to many accounts reaches.
            self._poll = select.poll()
            self._poll.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)
        return not self._poll.poll(0)

    def _unsent(self) -> bool:
        """Whether part of the question still waits for the socket. TLS counts only what it has not passed on itself."""
        return any(layer and layer.get_write_buffer_size() for layer in {self._socket, self._transport})

    def _hear(self, data: bytes) -> None:
        if self._exchange is None or self._done is None or self._done.done():
            return
        try:
            self._exchange.feed(data)
        except Exception as error:  # httpx's, or that it cannot be imported
            broken = error
            self._fail(lambda: broken)
        else:
            if self._exchange.whole:
                self._done.set_result(None)

    def _ended(self, error: Exception | None) -> None:
        self.gone = True
        if self._done is None or self._done.done():  # nobody waits for an answer
            return
        if error is not None:
            self._fail(lambda: httpx.ReadError(f"the connection broke: {error}"))
            return
        self._hear(b"")  # the end of the connection is the end of a body without a length
        self._fail(lambda: httpx.RemoteProtocolError("the connection was closed before the answer was whole"))

    def _fail(self, make: Callable[[], Exception]) -> None:
        """End the waiting, whatever else goes wrong: httpx is imported by the first who needs it, and may not be."""
        if self._done is not None and not self._done.done():
            try:
                error = make()
            except Exception as trouble:
                error = trouble
            self._done.set_exception(error)
            self._done.exception()  # taken note of: whoever waited may have been cancelled

    def _look_at_the_clock(self) -> None:
        # Set anew when it rings, not for every piece that arrives; so it rings at any limit that may by then apply.
        now = self._loop.time()
        whole, write = self._asked_at + self._waits.whole, self._asked_at + self._waits.write
        read = self._heard_at + self._waits.read
        if now >= whole:
            self._fail(lambda: httpx.ReadTimeout("no whole answer in time"))
        elif now >= write and self._unsent():
            self._fail(lambda: httpx.WriteTimeout("the server did not take the request in time"))
        elif now >= read and not self._unsent():
            self._fail(lambda: httpx.ReadTimeout("no answer in time"))
        else:
            wake = min((limit for limit in (whole, write, read) if limit > now), default=inf)
            self._timer = self._loop.call_at(wake, self._look_at_the_clock) if wake < inf else None
