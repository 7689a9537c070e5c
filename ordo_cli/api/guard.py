"""What every request passes before the application sees it, and what every answer carries."""

from __future__ import annotations

import re

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ordo_cli.api import problems
from ordo_cli.api.settings import Settings
from ordo_cli.desk import Desk

REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{8,64}")


class Guard:
    """The outermost middleware: an id for the request, and a problem where the application failed."""

    def __init__(self, app: ASGIApp, desk: Desk, settings: Settings) -> None:
        self._app, self._desk, self._settings = app, desk, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        name = self._name(scope)
        scope.setdefault("state", {})["request_id"] = name
        started = False

        async def signed(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message.get("headers", []), (b"x-request-id", name.encode())]
            await send(message)

        try:
            await self._app(scope, receive, signed)
        except Exception as error:
            answer = problems.bug(error)
            if not started:
                await answer(scope, receive, signed)

    def _name(self, scope: Scope) -> str:
        given = [value for header, value in scope["headers"] if header == b"x-request-id"]
        if len(given) == 1 and REQUEST_ID.fullmatch(given[0]):
            return bytes(given[0]).decode()
        return self._desk.chance.token(16)
