"""One connection to a Redis server: what is asked, answered in order, and what it pushes. It ends at the first trouble.

Only the parser is a library's. The usual client takes 100 ms to import, which a terminal that sends an order would pay,
and keeps its own time-outs, pools and repeats, where a cache must rather be given up at once.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import deque
from collections.abc import Callable
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any, cast

from hiredis import PushNotification, Reader, ReplyError, pack_command

from ordo_cli.domain.addresses import RedisAddress

if TYPE_CHECKING:
    from ssl import SSLContext

ANSWER = 0.04  # seconds that somebody waits for an answer
OPENING = 2.0  # seconds for a connection and its greeting, which nobody waits for
MOST_WAITING, MOST_UNSENT, MOST_UNREAD = 10_000, 1 << 20, 1 << 20  # questions, bytes, bytes: more, and it is no cache
SILENCE = "no answer in time"
CLOSED = "closed"
OF_ONE_KEY = "WRONGTYPE"  # the one refusal that says nothing of the server: somebody else wrote this key
NOT_ENOUGH = object()

Pushed = Callable[[list[Any]], None]
Word = str | int | float | bytes | memoryview


class Lost(Exception):
    """This connection is of no more use, and why, in words that hold nothing of what was sent or received."""


class Line(asyncio.Protocol):
    """A connection that speaks RESP3. `ended` comes true with the reason, once."""

    def __init__(self, pushed: Pushed) -> None:
        self._pushed = pushed
        self._reader = Reader(notEnoughData=NOT_ENOUGH)
        self._unread = 0
        self._waiting: deque[asyncio.Future[Any] | None] = deque()
        self._transport: asyncio.Transport | None = None
        loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[str] = loop.create_future()
        self._gone: asyncio.Future[None] = loop.create_future()

    async def ask(self, *words: Word, within: float = ANSWER) -> Any:
        """The answer. Raises Lost when there is none in time, or it is a refusal."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._send(words, answer)
        try:
            async with asyncio.timeout(within):
                return await answer
        except TimeoutError:
            if answer.done() and not answer.cancelled():
                return answer.result()  # it came while this process was busy
            self.end(SILENCE)
            raise Lost(SILENCE) from None

    def say(self, *words: Word) -> None:
        """The same, and nobody waits for it; a refusal ends the line."""
        self._send(words, None)

    def listen(self, channel: str) -> None:
        self._write(("SUBSCRIBE", channel))  # answered by a push

    def listen_no_more(self, channel: str) -> None:
        self._write(("UNSUBSCRIBE", channel))

    def end(self, why: str) -> None:
        """Give the connection up; whoever waits hears why."""
        if not self.ended.done():
            self.ended.set_result(why)
        if self._transport is not None:
            self._transport.abort()
        while self._waiting:
            answer = self._waiting.popleft()
            if answer is not None and not answer.done():
                answer.set_exception(Lost(why))

    async def close(self) -> None:
        """Let what was said leave, but not for long."""
        if self._transport is None:
            return
        self._transport.close()
        await asyncio.wait({self._gone}, timeout=ANSWER)
        self.end(CLOSED)
        await asyncio.wait({self._gone}, timeout=ANSWER)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one without inheriting from it

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._gone.done():
            self._gone.set_result(None)
        self.end("closed by the other side" if exc is None else type(exc).__name__)

    def data_received(self, data: bytes) -> None:
        self._unread += len(data)
        try:
            self._reader.feed(data)
            while (answer := self._reader.gets()) is not NOT_ENOUGH and not self.ended.done():
                self._unread = 0
                self._take(answer)
        except Exception as error:  # whatever it is that it speaks, it is not Redis
            self.end(f"an answer that makes no sense ({type(error).__name__})")
        if self._unread > MOST_UNREAD:
            self.end("an answer that does not end")

    def _take(self, answer: Any) -> None:
        if isinstance(answer, PushNotification):
            self._pushed(answer)
        elif not self._waiting:
            self.end(f"refused: {_code(answer)}" if isinstance(answer, ReplyError) else "an answer to nothing")
        else:
            self._tell(self._waiting.popleft(), answer)

    def _tell(self, waiting: asyncio.Future[Any] | None, answer: Any) -> None:
        code = _code(answer) if isinstance(answer, ReplyError) else None
        if code is not None and code != OF_ONE_KEY:
            self.end(f"refused: {code}")
        if waiting is None or waiting.done():
            return
        if code is None:
            waiting.set_result(answer)
        else:
            waiting.set_exception(Lost(f"refused: {code}"))

    def _send(self, words: tuple[Word, ...], answer: asyncio.Future[Any] | None) -> None:
        if len(self._waiting) >= MOST_WAITING:
            self.end(SILENCE)
        self._write(words)
        self._waiting.append(answer)

    def _write(self, words: tuple[Word, ...]) -> None:
        """Raises Lost when the line has ended."""
        if self._transport is None or self.ended.done():
            raise Lost(CLOSED)
        self._transport.write(pack_command(words))  # type: ignore[arg-type]  # its stub means a tuple of any length
        if self._transport.get_write_buffer_size() > MOST_UNSENT:
            self.end("nothing is read")
            raise Lost("nothing is read")


async def connect(address: RedisAddress, pushed: Pushed) -> tuple[Line, str]:
    """A line that has been greeted and the server's version. Raises Lost, OSError or TimeoutError."""
    made: list[Line] = []

    def make() -> Line:
        made.append(Line(pushed))
        return made[-1]

    try:
        async with asyncio.timeout(OPENING):
            await _open(address, make)
            line = made[-1]
            login = ("AUTH", address.username or "default", address.password) if address.password else ()
            greeting = await line.ask("HELLO", 3, *login, "SETNAME", "ordo", within=OPENING)
            if address.database:
                await line.ask("SELECT", address.database, within=OPENING)
            if not isinstance(greeting, dict) or greeting.get(b"proto") != 3:
                raise Lost("an answer that makes no sense")
            return line, bytes(greeting.get(b"version", b"")).decode("ascii", "replace")[:20]
    except BaseException:
        for line in made:
            line.end(CLOSED)
        raise


async def _open(address: RedisAddress, make: Callable[[], Line]) -> None:
    loop = asyncio.get_running_loop()
    if address.path:
        await loop.create_unix_connection(make, address.path)
        return
    places = await _addresses_of(address.host, address.port)
    for place in places:
        with suppress(OSError) if place != places[-1] else nullcontext():
            if address.tls:
                await loop.create_connection(make, place, address.port, ssl=_trusted(), server_hostname=address.host)
            else:
                await loop.create_connection(make, place, address.port)
            return


def _trusted() -> SSLContext:
    import ssl  # 12 ms with truststore, for the one server in a hundred that is far away

    import truststore

    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


async def _addresses_of(host: str, port: int) -> list[str]:
    """The host by its numbers. A name server may take half a minute to say nothing.

    The loop's own way asks in a thread that the end of the process waits for; this one may be left behind.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[str]] = loop.create_future()

    def tell(set_it: Callable[[Any], None], value: object) -> None:
        if not answer.done():
            set_it(value)

    def look() -> None:
        said: tuple[Callable[[Any], None], object]
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            said = answer.set_result, list(dict.fromkeys(str(place[4][0]) for place in found))
        except Exception as error:
            said = answer.set_exception, error
        with suppress(RuntimeError):  # nobody is there any more
            loop.call_soon_threadsafe(tell, *said)

    threading.Thread(target=look, name="redis-address", daemon=True).start()
    return await answer


def _code(error: ReplyError) -> str:
    """The first word of a refusal, which is Redis's own; what follows may be anybody's."""
    word = str(error).partition(" ")[0]
    return word if word.isascii() and word.isalpha() and word.isupper() and len(word) <= 20 else "in no known word"
