"""What every request passes before the application sees it: for whom it is, where it comes from, what it has."""

from __future__ import annotations

import asyncio
import re
from collections import Counter

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ordo_cli import log
from ordo_cli.api import problems
from ordo_cli.api.limits import Limits
from ordo_cli.api.problems import Malformed
from ordo_cli.api.settings import PREFIX, Settings
from ordo_cli.api.strictjson import read
from ordo_cli.desk import Desk
from ordo_cli.domain.errors import OrdoError

LARGEST = 256 * 1024  # bytes of a body
MOST_AT_ONCE = 512  # requests under way in one process; a press is always one more
KILL = f"{PREFIX}/kill"

ONCE = frozenset(
    {
        b"host",
        b"content-length",
        b"content-type",
        b"transfer-encoding",
        b"authorization",
        b"idempotency-key",
        b"origin",
        b"sec-fetch-site",
    }
)
REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{8,64}")
SECRET_NAMES = re.compile(
    rb"(?:^|[&;])(?:[a-z_-]*token|api[_-]?key|authorization|auth|bearer|secret|password|passwd|otp|pin)=", re.IGNORECASE
)
SECRET = re.compile(rb"ordo_[0-9a-z]{12}_[0-9a-z]{20,}", re.IGNORECASE)
JSON_TYPE = re.compile(rb'application/json\s*(?:;\s*charset\s*=\s*"?utf-8"?\s*)?', re.IGNORECASE)


class Guard:
    """The middleware around the whole application: what is not inside the door yet goes through it."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app, self._door = app, door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or (scope["type"] == "http" and "request_id" in scope.get("state", {})):
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._door.let_in(self._app, scope, receive, send)


class Door:
    """Refuses in problems, names each request and logs it."""

    def __init__(self, desk: Desk, settings: Settings) -> None:
        self._desk, self._settings = desk, settings
        self._hosts, self._limits = settings.hosts, Limits(desk, settings.rate)
        self._under_way = 0
        self._prefix, self._named = desk.chance.token(10), 0
        self._log = log.get("ordo_cli.api.access")

    def now(self) -> float:
        """The elapsed clock, by which requests are timed."""
        return self._desk.clock.elapsed()

    async def let_in(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on to this application, with what was read of it in its state, or refuse it."""
        began, name, status = self._desk.clock.elapsed(), self._name(scope), 0
        scope.setdefault("state", {})["request_id"] = name

        async def signed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", name.encode()), *ALWAYS]
            await send(message)

        self._under_way += 1
        try:
            await self._guarded(app, scope, receive, signed)
        except Exception as error:
            answer = problems.bug(error)
            if not status:
                await answer(scope, receive, signed)
        finally:
            self._under_way -= 1
            self._write_down(scope, name, status, began)

    async def _guarded(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        headers = scope["state"]["headers"] = dict(scope["headers"])
        try:
            self._look_at(scope, headers)
            await self._limit(scope)
            body = await self._body(scope, headers, receive)
        except OrdoError as error:
            await problems.of_error(error)(scope, receive, send)
            return
        except Refusal as refusal:
            await refusal.response(scope, receive, send)
            return
        if body is not None:
            await app(scope, _again(body, receive), send)

    def _look_at(self, scope: Scope, headers: dict[bytes, bytes]) -> None:
        """Raises what is wrong with the head of a request."""
        if len(headers) != len(scope["headers"]):
            seen = Counter(name for name, _ in scope["headers"])
            for name in ONCE:
                if seen[name] > 1:
                    raise Malformed(f"the header {name.decode()} comes {seen[name]} times")
        if b"content-length" in headers and b"transfer-encoding" in headers:
            raise Malformed("a body has a length or is chunked, not both")
        host = headers.get(b"host", b"").decode("latin-1")
        if b"host" not in headers:
            raise Malformed("the request does not say what host it is for")
        if host.lower() not in self._hosts:
            raise Refusal(400, "unknown_host", "this server is not called that", "start it with --allow-host NAME")
        if headers.get(b"sec-fetch-site") == b"cross-site":
            raise Refusal(403, "cross_site", "another site's page may not call this")
        origin = headers.get(b"origin", b"").decode("latin-1")
        if b"origin" in headers and origin not in self._settings.origins and origin != f"{scope['scheme']}://{host}":
            raise Refusal(403, "unknown_origin", "pages of that origin may not call this", "--origin allows one")
        query = scope["query_string"]
        if (query and (SECRET_NAMES.search(query) or SECRET.search(query))) or SECRET.search(
            scope.get("raw_path") or b""
        ):
            raise Malformed(
                "a secret does not belong in an address, which is written down everywhere",
                hint="send Authorization: Bearer …, and make a new token: this one has been seen",
            )

    async def _limit(self, scope: Scope) -> None:
        """Raises for more requests than one may make at once or in a second; a press is never too many."""
        if scope["method"] == "POST" and scope["path"] == KILL:
            return
        if self._under_way > MOST_AT_ONCE:
            raise Refusal(503, "busy", "too many requests are under way", "try again in a moment", problems.SOON)
        client = scope.get("client")
        await self._limits.count(f"address/{client[0] if client else 'local'}", self._settings.rate_of_address)

    async def _body(self, scope: Scope, headers: dict[bytes, bytes], receive: Receive) -> bytes | None:
        """The whole body, which is JSON or nothing; None when the client has gone. Raises what is wrong with it."""
        length = headers.get(b"content-length", b"0")
        if int(length) > LARGEST if length.isdigit() and len(length) < 20 else True:
            raise _too_large()
        if length == b"0" and b"transfer-encoding" not in headers:
            return b""
        if headers.get(b"content-encoding", b"identity").lower() != b"identity":
            raise Refusal(415, "encoded_body", "bodies come as they are, not compressed")
        if not JSON_TYPE.fullmatch(headers.get(b"content-type", b"")):
            raise Refusal(415, "not_json", "a body is JSON here", "send Content-Type: application/json")
        patience = self._settings.patience
        try:
            async with asyncio.timeout(patience):
                body = await _received(receive)
        except TimeoutError:
            raise Refusal(408, "too_slow", f"the body did not arrive within {patience:g} s", headers=CLOSE) from None
        if body is not None and body.strip():
            scope["state"]["json"] = read(body)
        return body

    def _name(self, scope: Scope) -> str:
        """The request's id: the client's own if it is sane, else a new one."""
        given = [value for header, value in scope["headers"] if header == b"x-request-id"]
        if len(given) == 1 and REQUEST_ID.fullmatch(given[0]):
            return bytes(given[0]).decode()
        self._named += 1
        return f"{self._prefix}{self._named:06x}"

    def _write_down(self, scope: Scope, name: str, status: int, began: float) -> None:
        client = scope.get("client")
        self._log.info(
            "request",
            request=name,
            method=scope["method"],
            path=scope["path"],
            status=status,
            ms=round((self._desk.clock.elapsed() - began) * 1000, 1),
            client=client[0] if client else None,
            who=scope["state"].get("actor", "").partition(":")[2] or None,
        )


ALWAYS = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
)


class Refusal(Exception):
    """A request that goes no further, and the problem that says why."""

    def __init__(
        self, status: int, code: str, message: str, hint: str | None = None, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.response: Response = problems.problem(status, code, message, hint, headers=headers)


CLOSE = {"Connection": "close"}


async def _received(receive: Receive) -> bytes | None:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        part = message.get("body", b"")
        size += len(part)
        if size > LARGEST:
            raise _too_large()
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


def _too_large() -> Refusal:
    return Refusal(413, "too_large", f"a body has at most {LARGEST // 1024} KiB", headers=CLOSE)


def _again(body: bytes, receive: Receive) -> Receive:
    """The body once more for the application, and after it whatever else comes."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
