"""Leave to write: the one of what the kill switch never blocks, and the gate for transports that count nothing."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import httpx

from ordo_cli.brokers.base import Permit
from ordo_cli.brokers.wire.exchange import whole_body

PERMIT = "ordo.permit"
WHOLE = "ordo.whole"
"""The names under which a request carries its permit and the seconds of its whole exchange (httpx extensions)."""

SAFE = frozenset({"GET", "HEAD"})
_BEFORE_A_BYTE = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)


class Ungated:
    """Leave for what the kill switch never blocks: reads, logins, cancels. It counts all the same."""

    __slots__ = ("bytes_sent", "first_byte_at")

    def __init__(self) -> None:
        self.bytes_sent = 0
        self.first_byte_at: float | None = None

    def passing(self) -> AbstractContextManager[None]:
        return nullcontext()


def permit_of(request: httpx.Request) -> Permit:
    """The permit that a request carries. Without one nothing that may change something leaves, nor with a used one."""
    permit: Permit | None = request.extensions.get(PERMIT)
    if permit is None:
        if request.method not in SAFE:
            raise httpx.LocalProtocolError(f"a {request.method} needs a permit")
        return Ungated()
    if permit.bytes_sent:
        raise httpx.LocalProtocolError("a permit is for one attempt, and this one has been used")
    return permit


class StandIn(httpx.AsyncBaseTransport):
    """Keeps the gate's rules for a transport that does not know them, such as httpx.MockTransport.

    It cannot see bytes, so all are counted before the request is handed over, and taken back only for the errors
    that by their meaning come before the first byte.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        permit = permit_of(request)
        size = len(request.url.raw_path) + len(await whole_body(request))
        with permit.passing():
            permit.bytes_sent += size
        try:
            response = await self._inner.handle_async_request(request)
            await response.aread()
            return response
        except _BEFORE_A_BYTE:
            permit.bytes_sent -= size
            raise

    async def aclose(self) -> None:
        await self._inner.aclose()
