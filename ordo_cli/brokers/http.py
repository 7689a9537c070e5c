"""HTTP for the adapters: the one place where httpx's errors become ordo's and an answer becomes plain data."""

from __future__ import annotations

import asyncio
import copy
import json as jsonlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from decimal import Decimal
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar
from urllib.parse import urlencode

from ordo_cli.brokers.base import Permit
from ordo_cli.brokers.later import httpx
from ordo_cli.brokers.wire import Address, Question, Reply, Timeouts, Ungated, WireTransport
from ordo_cli.brokers.wire.question import SAFE
from ordo_cli.domain.errors import NoAnswer, OrdoError, Unreachable
from ordo_cli.domain.pacing import AskedTooOften, Pace
from ordo_cli.domain.seams import Chance, Clock
from ordo_cli.domain.values import dataclass

if TYPE_CHECKING:
    from ordo_cli.brokers.wire.standin import StandIn

T = TypeVar("T")

READ_ATTEMPTS = 4
LONGEST_RETRY_AFTER = 30.0
"""Seconds. A broker that wants a read to wait longer gets no second one; the user is told instead."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a broker said: the status, the headers in lower case, and the JSON body with decimals as Decimal."""

    status: int
    headers: Mapping[str, str]
    body: Any


Classify = Callable[[Answer], OrdoError | None]
"""An adapter's table of answers. It is asked about 2xx and 4xx alone, and gives the error that an answer surely means.

None is the default row: a 2xx goes back to the adapter, and everything else is NoAnswer, for it may have happened.
"""


def nothing_is_certain(answer: Answer) -> OrdoError | None:
    """The table of a broker of whom nothing is known yet."""
    return None


class Http:
    """One account's line to one broker. Every call raises Unreachable, NoAnswer or what `classify` gives, and no other
    error of the network.

    A write goes out at most once, under the permit that it must be given: a leg's own, or `Ungated()` for cancels and
    logins. Reads are repeated, each time in its turn where the broker takes only so many.
    """

    def __init__(
        self,
        transport: WireTransport | httpx.AsyncBaseTransport,
        base_url: str,
        *,
        clock: Clock,
        chance: Chance,
        classify: Classify = nothing_is_certain,
        headers: Mapping[str, str] | None = None,
        timeouts: Timeouts | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._address = Address.of(base_url)
        self._wire = transport if isinstance(transport, WireTransport) else _stand_in(transport, self._address)
        self._host = self._address.host
        self._clock = clock
        self._chance = chance
        self._classify = classify
        self._timeouts = timeouts or Timeouts()
        self._pace = pace
        self.headers = {"accept": "application/json", "accept-encoding": "gzip", "user-agent": "ordo-cli"}
        self.headers.update(headers or {})

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._wire.aclose()

    def judging(self, classify: Classify) -> Http:
        """The same line, whose answers are judged by another table."""
        other = copy.copy(self)
        other._classify = classify
        return other

    # reads

    async def get(self, path: str, *, params: Mapping[str, str] | None = None) -> Any:
        """The JSON that is there; asked for up to four times."""
        return await self._repeat(lambda: self._read(path, params, self._patient))

    async def download(self, path: str, *, params: Mapping[str, str] | None = None) -> bytes:
        """A file as it is, such as a list of instruments; asked for up to four times."""
        return await self._repeat(lambda: self._read(path, params, self._file))

    async def warm(self, path: str | None = None, *, lines: int = 1) -> None:
        """Open connections ahead of orders; with a path, also ask for it once, which no order then has to wait for."""
        try:
            await self._wire.warm(lines, connect=self._timeouts.connect)
        except httpx.TransportError as error:
            raise Unreachable(f"{self._host} cannot be reached: {error}") from error
        if path is not None:
            await self._read(path, None, self._judged)

    # writes

    async def post(
        self,
        path: str,
        *,
        permit: Permit,
        json: object = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """The JSON that answers it. `json` may hold Decimals, never floats."""
        return await self.write("POST", path, permit=permit, json=json, form=form, headers=headers)

    async def write(
        self,
        method: str,
        path: str,
        *,
        permit: Permit,
        json: object = None,
        form: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """As `post`, with any method: PUT to modify, DELETE to cancel."""
        if json is not None:
            content, kind = encode_json(json).encode(), "application/json"
        else:
            content, kind = urlencode(form or {}).encode(), "application/x-www-form-urlencoded"
        every = {"content-type": kind, **(headers or {})} if content else headers
        return self._judged(await self._send(method, path, params, permit, content, every))

    # one exchange

    async def _read(self, path: str, params: Mapping[str, str] | None, judge: Callable[[Reply], T]) -> T:
        if self._pace is not None:
            await self._pace.turn()
        return judge(await self._send("GET", path, params, Ungated(), b"", None))

    async def _send(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        permit: Permit,
        content: bytes,
        headers: Mapping[str, str] | None,
    ) -> Reply:
        try:
            target = self._address.target(path, params)
            every = {"host": self._address.authority, **self.headers, **(headers or {})}
            if content or method not in SAFE:
                every["content-length"] = str(len(content))
            pairs = [(name.encode(), value.encode()) for name, value in every.items()]
            return await self._wire.ask(Question(method, target.encode(), pairs, content, permit, self._timeouts))
        except (OrdoError, asyncio.CancelledError):
            raise  # what the permit says, for which no legs need wait until httpx has been imported
        except httpx.HTTPError as error:
            # The count decides, never the kind of error: the same reset comes before a byte and after all of them.
            what = str(error)[:200] or type(error).__name__
            if permit.bytes_sent == 0:
                raise Unreachable(f"nothing was sent to {self._host}: {what}") from error
            raise _Again(f"no answer from {self._host}: {what}") from error

    def _judged(self, reply: Reply) -> Any:
        status = reply.status
        # 408 speaks of a wait, and not of what was waited for.
        if status == 408 or (not 200 <= status < 300 and not 400 <= status < 500):
            self._unclear(reply, f"answered with status {status}")
        try:
            body = decode_json(reply.body)
        except (ValueError, RecursionError) as error:
            self._unclear(reply, f"gave an answer that is not JSON (status {status})", error)
        problem = self._classify(Answer(status, _texts(reply), body))
        if problem is not None:
            raise problem
        if status >= 400:
            self._unclear(reply, f"answered with status {status}, whose meaning is not certain")
        return body

    def _patient(self, reply: Reply) -> Any:
        if reply.status == 429:  # a table says what becomes of an order that is one too many; a read only waits
            self._unclear(reply, "is asked too often (status 429)")
        return self._judged(reply)

    def _file(self, reply: Reply) -> bytes:
        if reply.status != 200:
            self._unclear(reply, f"answered with status {reply.status}")
        return reply.body

    def _unclear(self, reply: Reply, what: str, cause: Exception | None = None) -> NoReturn:
        status = reply.status
        if status >= 500 or status == 429 or status < 300:
            raise _Again(f"{self._host} {what}", retry_after=_texts(reply).get("retry-after")) from cause
        raise NoAnswer(f"{self._host} {what}") from cause

    # reads again

    async def _repeat(self, read: Callable[[], Awaitable[T]]) -> T:
        try:
            return await read()
        except AskedTooOften:
            raise
        except (Unreachable, _Again) as error:  # all others are never asked again
            failed: OrdoError | None = error
        import stamina  # 15 ms, which a read that is answered at once need not pay

        # It would report each repetition through structlog, whose default is standard output: the user's results.
        stamina.instrumentation.set_on_retry_hooks(())
        failures = 0

        def pause(error: Exception) -> bool | float:
            nonlocal failures
            failures += 1
            return self._pause(error, failures)

        async for attempt in stamina.retry_context(on=pause, attempts=READ_ATTEMPTS, timeout=None):
            with attempt:
                if failed is not None:  # the first of the attempts has been made already
                    first, failed = failed, None
                    raise first
                return await read()
        raise AssertionError("stamina raises the last error")

    def _pause(self, error: Exception, failures: int) -> bool | float:
        """Seconds until a read is asked again, or False: not again."""
        if not isinstance(error, Unreachable | _Again) or isinstance(error, AskedTooOften):
            return False
        wished = error.seconds(self._clock.now()) if isinstance(error, _Again) else None
        if wished is not None:
            return wished if wished <= LONGEST_RETRY_AFTER else False
        return self._chance.uniform(0.5, 1.0) * min(0.2 * 2.0**failures, 2.0)


class _Again(NoAnswer):
    """No answer, of the kind that another try may get; for reads only."""

    def __init__(self, message: str, *, retry_after: str | None = None) -> None:
        super().__init__(message)
        self._retry_after = retry_after

    def seconds(self, now: datetime) -> float | None:
        """How long the broker wants us to wait, given in seconds or as a date."""
        if self._retry_after is None:
            return None
        try:
            return max(0.0, float(int(self._retry_after)))
        except ValueError:
            from email.utils import parsedate_to_datetime  # 8 ms, which no order waits for
        try:
            return max(0.0, (parsedate_to_datetime(self._retry_after) - now).total_seconds())
        except (ValueError, TypeError):  # no date, or one without a time zone
            return None


async def after_write[R](look: Awaitable[R], done: str) -> R:
    """What a look shows after a write that the broker took. Whatever keeps it from being seen, the write has happened:
    raises NoAnswer and no error that says that nothing was sent, or that it was refused."""
    try:
        return await look
    except OrdoError as error:
        raise NoAnswer(f"{done}, but what the order is now could not be read: {error.message}") from error


def _stand_in(transport: httpx.AsyncBaseTransport, address: Address) -> StandIn:
    from ordo_cli.brokers.wire.standin import StandIn  # never on the way of a real order

    return StandIn(transport, f"{address.scheme}://{address.authority}")


def _texts(reply: Reply) -> dict[str, str]:
    return {name.decode("ascii"): value.decode("latin-1") for name, value in reply.headers}


def decode_json(body: bytes) -> Any:
    """JSON with decimals as Decimal. Raises ValueError for all that is not JSON, NaN and the infinities with it."""
    return _DECODER.decode(body.decode("utf-8-sig"))


def encode_json(value: object) -> str:
    """JSON with Decimals as exact numbers. A float raises TypeError: it is no amount of money."""
    if (write := _WRITERS.get(type(value))) is not None:
        return write(value)
    match value:
        case Mapping():
            return "{" + ",".join([f"{_text(str(key))}:{encode_json(item)}" for key, item in value.items()]) + "}"
        case list() | tuple():
            return "[" + ",".join(map(encode_json, value)) + "]"
        case str():  # an enum of words
            return _text(str(value))
        case int():
            return str(int(value))
    raise TypeError(f"{type(value).__name__} has no place in JSON here")


def _number(value: Decimal) -> str:
    if not value.is_finite():
        raise ValueError(f"{value} is not a number")
    return format(value, "f")


_text = jsonlib.JSONEncoder().encode
_WRITERS: Mapping[type, Callable[[Any], str]] = {
    str: _text,
    int: str,
    bool: lambda value: "true" if value else "false",
    type(None): lambda value: "null",
    Decimal: _number,
}


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


_DECODER = jsonlib.JSONDecoder(parse_float=Decimal, parse_constant=_refuse)
