"""Fetching the files of a master: streamed to the disk, taken up again where they broke off, and never too large."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from gzip import GzipFile
from typing import IO, Any, cast

import httpx

from ordo_cli.brokers.masters import MasterFile
from ordo_cli.brokers.wire import Address, Route
from ordo_cli.brokers.wire.route import system_trust
from ordo_cli.domain.errors import NoAnswer, Unreachable
from ordo_cli.domain.seams import Chance, Clock
from ordo_cli.domain.values import dataclass

_RANGE = re.compile(r"bytes ([0-9]{1,15})-([0-9]{1,15})/(?:([0-9]{1,15})|\*)", re.ASCII)
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})  # a download changes nothing, so that it may be asked for again
_GZIP = b"\x1f\x8b"
DAMAGE = (OSError, EOFError, zlib.error)  # what unpacking raises
LAYERS = 2  # a packed file that was packed once more on its way


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much one file may take before it counts as hostile or broken. Sizes in bytes, times in seconds."""

    wire: int = 128 << 20
    plain: int = 512 << 20
    seconds: float = 180.0  # for the whole file, every try
    silence: float = 20.0  # between two pieces
    tries: int = 3


USUAL = Bounds()


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file on this machine, and what it took to have it."""

    path: str
    received: int  # bytes that came over the network
    unchanged: bool = False  # the server says that it is still what we have


Told = Callable[[int, int | None], None]
"""Bytes that are there and, where the server tells, bytes in all."""


class _Again(Exception):
    """This try came to nothing, and another may come to something."""


async def fetch(
    file: MasterFile,
    folder: str,
    route: Route,
    *,
    headers: Mapping[str, str],
    clock: Clock,
    chance: Chance,
    bounds: Bounds = USUAL,
    told: Told = lambda done, total: None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Fetched:
    """The file, as its server has it now. Only the route's host is spoken to, and no other is followed to.

    Raises Unreachable or NoAnswer; then what was there before is still there, and what came stays for the next time.
    """
    os.makedirs(folder, mode=0o700, exist_ok=True)
    place = _Place(os.path.join(folder, file.name), file.url)
    wire = transport or _wire(route)
    host = route.base_url.host
    tried = received = 0
    waits = httpx.Timeout(bounds.silence)
    try:
        async with (
            asyncio.timeout(bounds.seconds),
            httpx.AsyncClient(transport=wire, trust_env=False, follow_redirects=False, timeout=waits) as client,
        ):
            while True:
                tried += 1
                try:
                    fetched = await _try(client, file.url, place, headers, bounds, told)
                    return Fetched(place.path, received + fetched.received, fetched.unchanged)
                except (_Again, httpx.TransportError, httpx.DecodingError) as error:
                    if tried >= bounds.tries:
                        raise _failure(host, error) from error
                await clock.sleep(chance.uniform(0.5, 1.0) * min(0.2 * 2.0**tried, 2.0))
    except TimeoutError as error:
        raise NoAnswer(f"{host} took more than {bounds.seconds:g} s for {file.name}", hint="try again") from error
    except httpx.InvalidURL as error:
        raise NoAnswer(f"the address of {file.name} cannot be used: {error}") from error


class _Place:
    """Where a file lies: whole under its name, as far as it came beside it, and what its server said of either."""

    def __init__(self, path: str, url: str) -> None:
        self.path, self.part, self._url = path, path + ".part", url

    def note(self, path: str) -> dict[str, str]:
        """What the server said of what lies there; nothing, unless it is of this very address."""
        try:
            with open(path + ".json", encoding="utf-8") as file:
                said = json.load(file)
            size = os.path.getsize(path)
        except (OSError, ValueError):
            return {}
        fits = isinstance(said, dict) and said.get("url") == self._url and size > 0
        return {str(name): str(value) for name, value in said.items()} if fits else {}

    def begin(self, response: httpx.Response) -> None:
        said = {name: response.headers.get(name, "") for name in ("etag", "last-modified", "content-encoding")}
        with _private(self.part + ".json", "wb") as file:
            file.write(json.dumps({"url": self._url, **said}).encode())

    def forget_part(self) -> None:
        for path in (self.part, self.part + ".json"):
            with suppress(FileNotFoundError):
                os.unlink(path)

    def finish(self) -> None:
        # The old note goes first: at no moment may it speak of the new file.
        with suppress(FileNotFoundError):
            os.unlink(self.path + ".json")
        os.replace(self.part, self.path)
        os.replace(self.part + ".json", self.path + ".json")


async def _try(
    client: httpx.AsyncClient, url: str, place: _Place, headers: Mapping[str, str], bounds: Bounds, told: Told
) -> Fetched:
    asked = {"accept-encoding": "gzip", "user-agent": "ordo-cli", "accept": "*/*", **headers}
    begun, whole = place.note(place.part), place.note(place.path)
    have = os.path.getsize(place.part) if _validator(begun) else 0
    if have:
        asked |= {"range": f"bytes={have}-", "if-range": _validator(begun)}
    elif whole.get("etag"):
        asked["if-none-match"] = whole["etag"]
    elif whole.get("last-modified"):
        asked["if-modified-since"] = whole["last-modified"]
    async with client.stream("GET", url, headers=asked) as response:
        if response.status_code == 304 and not have and whole:
            return Fetched(place.path, 0, unchanged=True)
        total = _total(response, have, begun, place)
        if total is not None and total > bounds.wire:
            place.forget_part()
            raise NoAnswer(f"the file at {response.url.host} is {total} bytes large; the most is {bounds.wire}")
        return await _received(response, place, have if response.status_code == 206 else 0, total, bounds, told)


def _validator(note: Mapping[str, str]) -> str:
    """What proves that two answers are pieces of one file: a strong tag, else its date."""
    tag = note.get("etag", "")
    return tag if tag.startswith('"') else note.get("last-modified", "")


def _total(response: httpx.Response, have: int, begun: Mapping[str, str], place: _Place) -> int | None:
    """How large the whole file is, where the server tells. Raises what this answer is instead of the file."""
    status, host = response.status_code, response.url.host
    length = response.headers.get("content-length", "")
    if status == 200:
        return int(length) if length.isdecimal() else None
    if status == 206 and have:
        match = _RANGE.fullmatch(response.headers.get("content-range", ""))
        same = response.headers.get("content-encoding", "") == begun.get("content-encoding", "")
        if match and int(match[1]) == have and same:
            return int(match[3]) if match[3] else int(match[2]) + 1
    if status in (206, 416):
        place.forget_part()
        raise _Again(f"{host} does not go on where it broke off")
    if 300 <= status < 400:
        raise NoAnswer(
            f"{host} sends us elsewhere (status {status}), where ordo does not follow", hint="see: ordo broker show"
        )
    if status in _AGAIN:
        raise _Again(f"{host} answered with status {status}")
    raise NoAnswer(f"{host} answered with status {status}", hint="log in first: ordo login" if status == 401 else None)


async def _received(
    response: httpx.Response, place: _Place, have: int, total: int | None, bounds: Bounds, told: Told
) -> Fetched:
    if not have:
        place.forget_part()
        place.begin(response)
    came = have
    with _private(place.part, "ab" if have else "wb") as file:
        told(came, total)
        async for piece in response.aiter_raw():
            came += len(piece)
            if came > bounds.wire:
                place.forget_part()
                raise NoAnswer(f"the file at {response.url.host} is larger than {bounds.wire} bytes")
            file.write(piece)
            told(came, total)
        file.flush()
        os.fsync(file.fileno())
    if total is not None and came < total:
        raise _Again(f"{response.url.host} broke off after {came} of {total} bytes")
    if total is not None and came > total:
        place.forget_part()
        raise _Again(f"{response.url.host} gave {came} bytes and had told {total}")
    place.finish()
    return Fetched(place.path, came - have)


def _private(path: str, mode: str) -> IO[bytes]:
    """A file for its owner alone, whatever the umask says."""
    opened = open(path, mode, opener=lambda name, flags: os.open(name, flags, 0o600))  # noqa: SIM115  with, at the call
    return cast(IO[bytes], opened)


def _wire(route: Route) -> httpx.AsyncBaseTransport:
    """httpx's own transport, as a file is streamed and no order: by the account's way out, and nothing from outside."""
    return httpx.AsyncHTTPTransport(
        verify=route.tls or system_trust(),
        trust_env=False,
        http2=False,
        retries=0,
        local_address=route.local_address,
        proxy=None if route.proxy is None else _proxy(route.proxy),
    )


def _proxy(address: Address) -> httpx.Proxy:
    login = (address.username, address.password) if address.username else None
    return httpx.Proxy(f"{address.scheme}://{address.authority}", auth=login)


def _failure(host: str, error: Exception) -> NoAnswer | Unreachable:
    what = str(error)[:200] or type(error).__name__
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError):
        return Unreachable(f"{host} cannot be reached: {what}")
    return NoAnswer(f"no whole file from {host}: {what}", hint="try again; what came is kept")


@contextmanager
def lines_of(path: str, bounds: Bounds = USUAL) -> Iterator[Iterator[str]]:
    """The lines of a file that may be packed. Reading raises ValueError for one that is damaged or too large."""
    with open(path, "rb") as file:
        stream: Any = file
        try:
            for _ in range(LAYERS):
                if stream.peek(2)[:2] != _GZIP:
                    break
                stream = io.BufferedReader(cast(io.RawIOBase, GzipFile(fileobj=stream, mode="rb")), 1 << 18)
        except DAMAGE as error:
            raise ValueError(f"the packed file is damaged: {error}") from error
        text = io.TextIOWrapper(io.BufferedReader(_Bounded(stream, bounds.plain), 1 << 18), "utf-8-sig", "replace")
        yield _read(text)


def _read(text: IO[str]) -> Iterator[str]:
    try:
        yield from text
    except DAMAGE as error:
        raise ValueError(f"the packed file is damaged: {error}") from error


class _Bounded(io.RawIOBase):
    """Gives what another stream gives until that is too much."""

    def __init__(self, stream: Any, most: int) -> None:
        self._stream, self._left, self._most = stream, most, most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        got = int(self._stream.readinto(buffer))
        self._left -= got
        if self._left < 0:
            raise ValueError(f"the unpacked file is larger than {self._most} bytes")
        return got
