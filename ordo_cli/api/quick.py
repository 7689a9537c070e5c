"""An order that is plain goes straight to the function of its route: half the time of an order was FastAPI's.

FastAPI still documents the route, and answers everything about it that is not plain: what this does not take for a good
request, or cannot read at a glance, is passed on untouched, before anything was done. So there is one place that places
and one that refuses.
"""

from __future__ import annotations

import re

from fastapi import FastAPI
from opentelemetry import trace
from pydantic import ValidationError
from starlette.types import Message, Receive, Scope, Send

from ordo_cli.api import problems
from ordo_cli.api.auth import admit, require_open
from ordo_cli.api.guard import Door
from ordo_cli.api.metrics import Counted
from ordo_cli.api.orders import KEY, place
from ordo_cli.api.settings import PREFIX
from ordo_cli.domain.errors import OrdoError
from ordo_cli.schemas.requests import PlaceOrder

HANDLER = "/orders"  # as FastAPI names its route
ORDERS = PREFIX + HANDLER
A_KEY = re.compile(f'"{KEY}"|{KEY}', re.ASCII)
BEARER = b"Bearer "


class Application(FastAPI):
    """FastAPI, with the one request that comes by the thousand taken before it."""

    quick: Quick | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.quick is not None and self.quick.takes(scope):
            await self.quick(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)

    async def whole(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The application without the quick way."""
        await super().__call__(scope, receive, send)


class Quick:
    """`POST /orders` behind the same door, with the same count, to the same function."""

    def __init__(self, app: Application, door: Door, counted: Counted) -> None:
        self._app, self._door, self._counted = app, door, counted

    def takes(self, scope: Scope) -> bool:
        """Whether it is an order. Where requests are traced it is not taken: their spans are FastAPI's."""
        return (
            scope["type"] == "http"
            and scope["path"] == ORDERS
            and scope["method"] == "POST"
            and isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began, status = self._door.now(), 500
        state = scope.setdefault("state", {})

        async def seen(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._door.let_in(self._placed, scope, receive, seen)
        finally:
            if not state.get("passed_on"):  # else it is counted already
                self._counted.http("POST", HANDLER, str(status), self._door.now() - began)

    async def _placed(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = plain(scope)
        if given is None:
            scope["state"]["passed_on"] = True
            await self._app.whole(scope, receive, send)
            return
        order, token, key, prefer = given
        app = self._app.state
        try:
            require_open(app)
            desk = await admit(app, scope, token)
            answer = await place(order, desk, app.flights, key, prefer)
        except OrdoError as error:
            answer = problems.of_error(error)
        await answer(scope, receive, send)


def plain(scope: Scope) -> tuple[PlaceOrder, str, str, str] | None:
    """The order, the token, the key and the preference of a request that has nothing strange about it."""
    state = scope["state"]
    headers: dict[bytes, bytes] = state["headers"]
    authorization, key = headers.get(b"authorization", b""), headers.get(b"idempotency-key", b"").decode("latin-1")
    repeated = len(headers) != len(scope["headers"])
    if repeated or not authorization.startswith(BEARER) or not A_KEY.fullmatch(key) or "json" not in state:
        return None
    try:
        order = PlaceOrder.model_validate(state["json"])
    except ValidationError:
        return None
    token = authorization[len(BEARER) :].decode("latin-1")
    return order, token, key, headers.get(b"prefer", b"").decode("latin-1")
