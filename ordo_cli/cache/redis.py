"""The cache that processes share on a Redis server. Whatever goes wrong there, this process goes on with its own.

Values are sealed with a key that only this installation knows, so that nobody else who can write to the server, nor
what is left there by accident, can make ordo believe a price.
"""

from __future__ import annotations

import asyncio
import hmac
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from ordo_cli import log
from ordo_cli.cache.base import Channels, Health, Wakes
from ordo_cli.cache.line import ANSWER, SILENCE, Line, Lost, connect
from ordo_cli.cache.memory import LONGEST, MOST, MemoryCache
from ordo_cli.domain.addresses import RedisAddress
from ordo_cli.domain.seams import Chance, Clock

FIRST_REST, LONGEST_REST = 1.0, 30.0  # seconds without it after a trouble, doubled with each further one
GATHERED = 0.005  # seconds in which wake-ups after the first leave as one: a thousand legs are not a thousand of them
EPISODE = 60.0  # seconds: troubles nearer to one another than this are one, and logged once
LONGEST_LIFE = 3600.0  # seconds; a value from there lives no longer here whatever it says
WINDOW = """
local n = redis.pcall('INCR', KEYS[1])
if type(n) ~= 'number' then redis.call('SET', KEYS[1], 1) n = 1 end
if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return n
"""


class RedisCache:
    """Values, counts and wake-ups shared by all processes of an installation; alone in this one while it is down."""

    def __init__(
        self, address: RedisAddress, name: str, secret: bytes, clock: Clock, chance: Chance, channels: Channels
    ) -> None:
        self._address, self._clock = address, clock
        self._prefix = f"ordo:{name}:"
        self._secret = hmac.digest(secret, b"cache", "sha256")
        self._me = chance.token(8)
        self._local = MemoryCache(clock, channels)
        self._channels = channels
        self._line: Line | None = None
        self._unsaid: dict[str, str] = {}  # channels with news that have not left
        self._leaving = False
        self._tried = asyncio.Event()  # the first connection stands, or could not be had
        self._rest, self._troubled_at = FIRST_REST, -EPISODE
        channels.relay, channels.listened = self._relay, self._listened

    @property
    def shared(self) -> bool:
        """Whether the server is at hand just now."""
        return self._line is not None and not self._line.ended.done()

    async def get(self, key: str) -> bytes | None:
        found = await self._local.get(key)
        if found is not None or self._line is None:
            return found
        line = self._line
        try:
            sealed = await line.ask("GET", self._prefix + key)
        except Lost:
            return None
        if sealed is not None and not isinstance(sealed, bytes):
            line.end("an answer that makes no sense")
            return None
        opened = None if sealed is None else self._open(key, sealed)
        if opened is None:
            return None
        await self._local.put(key, *opened)
        return opened[0]

    async def put(self, key: str, value: bytes, seconds: float) -> None:
        await self._local.put(key, value, seconds)
        if self._line is not None and len(value) <= LONGEST and seconds > 0:
            with suppress(Lost):
                self._line.say("SET", self._prefix + key, self._seal(key, value, seconds), "PX", _milliseconds(seconds))

    def publish(self, channel: str, text: str = "") -> None:
        self._channels.publish(channel, text)

    def subscribe(self, channel: str) -> Wakes:
        return self._channels.subscribe(channel)

    async def hits(self, key: str, seconds: float) -> int:
        here = await self._local.hits(key, seconds)
        if self._line is None:
            return here
        line = self._line
        try:
            everywhere = await line.ask("EVAL", WINDOW, 1, f"{self._prefix}hits:{key}", _milliseconds(seconds))
        except Lost:
            return here
        if not isinstance(everywhere, int):
            line.end("an answer that makes no sense")
            return here
        return max(here, everywhere)

    async def health(self) -> Health | None:
        place = str(self._address)
        try:
            line, version = await connect(self._address, _unheard)
            try:
                seconds, micros = await line.ask("TIME")
                ahead = int(seconds) + int(micros) / 1e6 - self._clock.now().timestamp()
            finally:
                await line.close()
        except Exception as error:
            return Health(place, _why(error))
        return Health(place, version=version, ahead=ahead)

    async def keep(self) -> None:
        """Hold a connection for as long as this runs, and have another after each trouble."""
        while True:
            try:
                line, _ = await connect(self._address, self._pushed)
            except Exception as error:  # of whatever kind: a cache that cannot be had is none
                why = _why(error)
            else:
                self._begin(line)
                try:
                    why = await asyncio.shield(line.ended)
                except asyncio.CancelledError:
                    self._send()
                    await line.close()
                    raise
                finally:
                    self._line = None
            is_new, rest = self._trouble()
            await self._clock.sleep(rest)
            if is_new:  # and not sooner: the first line of a log takes 60 ms, which an order may be waiting for
                log.get(__name__).warning("redis_lost", at=str(self._address), why=why)

    async def say_what_is_unsaid(self) -> None:
        """At the end: a process that was quicker than its connection still wakes the others, if that is soon."""
        if self._unsaid and not self._tried.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(ANSWER):
                    await self._tried.wait()
        self._send()

    def _begin(self, line: Line) -> None:
        self._line = line
        self._tried.set()
        try:
            for channel in self._channels.names:
                line.listen(self._prefix + channel)
        except Lost:
            return
        self._send()
        for channel in self._channels.names:
            self._channels.wake(channel)  # what was said while nobody could hear it is found by looking

    def _trouble(self) -> tuple[bool, float]:
        """Whether an episode begins with this, and the seconds to rest now."""
        self._tried.set()
        now = self._clock.elapsed()
        is_new = now - self._troubled_at > EPISODE
        self._rest = FIRST_REST if is_new else min(self._rest * 2, LONGEST_REST)
        self._troubled_at = now
        return is_new, self._rest

    def _relay(self, channel: str, text: str) -> None:
        """The first leaves after what this process is just doing, and what comes soon after it leaves together."""
        if len(self._unsaid) < MOST:
            self._unsaid[channel] = text
        if not self._leaving:
            self._leaving = True
            asyncio.get_running_loop().call_soon(self._leave)

    def _leave(self) -> None:
        if self._unsaid and self._send():
            asyncio.get_running_loop().call_later(GATHERED, self._leave)
        else:
            self._leaving = False

    def _send(self) -> bool:
        """Say what is unsaid. False when nobody is there to hear it, who will be told when he is."""
        if self._line is None:
            return False
        try:
            for channel, text in tuple(self._unsaid.items()):
                self._line.say("PUBLISH", self._prefix + channel, f"{self._me} {text}")
                del self._unsaid[channel]
        except Lost:
            return False
        return True

    def _listened(self, channel: str, listening: bool) -> None:
        if self._line is not None:
            with suppress(Lost):
                (self._line.listen if listening else self._line.listen_no_more)(self._prefix + channel)

    def _pushed(self, message: list[Any]) -> None:
        words = [part.decode("utf-8", "replace") for part in message if isinstance(part, bytes)]
        if len(words) != 3 or words[0] != "message":
            return
        _, channel, said = words
        sender, _, text = said.partition(" ")
        if sender != self._me:  # who listens here has heard it already
            self._channels.wake(channel.removeprefix(self._prefix), text)

    def _seal(self, key: str, value: bytes, seconds: float) -> bytes:
        until = b"%d" % round((self._clock.now().timestamp() + seconds) * 1000)
        return b" ".join((self._mark(key, until, value), until, value))

    def _open(self, key: str, sealed: bytes) -> tuple[bytes, float] | None:
        """The value and how long it has to live, or None for what was not sealed here, under this key."""
        mark, _, rest = sealed.partition(b" ")
        until, _, value = rest.partition(b" ")
        if not hmac.compare_digest(mark, self._mark(key, until, value)):
            return None
        left = int(until) / 1000 - self._clock.now().timestamp()
        return (value, left) if 0 < left <= LONGEST_LIFE else None

    def _mark(self, key: str, until: bytes, value: bytes) -> bytes:
        return hmac.digest(self._secret, b"\0".join((key.encode(), until, value)), "sha256").hex().encode()


@asynccontextmanager
async def open_redis(
    address: RedisAddress, name: str, secret: bytes, clock: Clock, chance: Chance, channels: Channels
) -> AsyncIterator[RedisCache]:
    """A cache that connects while others get on with their work. `name` is the installation's, `secret` its own."""
    log.hide(address.password or "")
    cache = RedisCache(address, name, secret, clock, chance, channels)
    keeping = asyncio.ensure_future(cache.keep())
    try:
        yield cache
        await cache.say_what_is_unsaid()
    finally:
        keeping.cancel()
        await asyncio.wait({keeping})


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))


def _why(error: Exception) -> str:
    """In words that hold nothing of an address or an answer."""
    if isinstance(error, Lost):
        return str(error)
    if isinstance(error, TimeoutError):
        return SILENCE
    if isinstance(error, OSError) and error.errno and error.strerror:
        vague = error.strerror.startswith("Connect call failed")  # asyncio's own words, which do not say why
        return os.strerror(error.errno) if vague else error.strerror
    if isinstance(error, OSError):
        return "it cannot be reached"
    return type(error).__name__


def _unheard(message: list[Any]) -> None:
    """A visit listens to nothing."""
