"""The gate's rules for a transport that does not know them, such as httpx.MockTransport."""

from __future__ import annotations

import httpx

from ordo_cli.brokers.wire.question import Question, Reply

_BEFORE_A_BYTE = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)


class StandIn:
    """Asks by any httpx transport.

    It cannot see bytes, so all are counted before the question is handed over, and taken back only for the errors
    that by their meaning come before the first byte.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, origin: str) -> None:
        self._inner, self._origin = inner, origin

    async def ask(self, question: Question) -> Reply:
        """As `WireTransport.ask`."""
        question.require_fresh_permit()
        permit, size = question.permit, len(question.target) + len(question.body)
        url = self._origin + question.target.decode("ascii")
        request = httpx.Request(question.method, url, headers=question.headers, content=question.body)
        await permit.claim()
        with permit.passing():
            permit.bytes_sent += size
        try:
            response = await self._inner.handle_async_request(request)
            body = await response.aread()
        except _BEFORE_A_BYTE:
            permit.bytes_sent -= size
            raise
        headers = [(name.lower(), value) for name, value in response.headers.raw]
        return Reply(response.status_code, headers, body)

    async def warm(self, count: int = 1, *, connect: float | None = None) -> None:
        """There is nothing to open."""

    async def aclose(self) -> None:
        await self._inner.aclose()
