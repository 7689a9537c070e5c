"""Server-sent events of a fan-out: one for each change of a leg, resumable by its number, the outcome at the end."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.security import HTTPAuthorizationCredentials
from starlette.responses import StreamingResponse

from ordo_cli import schemas
from ordo_cli.api import problems
from ordo_cli.api.auth import DeskDep, bearer
from ordo_cli.api.words import FanOutPath
from ordo_cli.desk import Desk
from ordo_cli.services import fanouts, tokens
from ordo_cli.services.following import News, follow
from ordo_cli.services.orders import Until

router = APIRouter(tags=["fan-outs"])

HEARTBEAT = 15.0  # seconds of silence after which a comment says that the connection lives
RECHECK = 1.0  # seconds between looks whether the token still counts
AGAIN = 1000  # milliseconds that a client waits before it comes back

EVENT_STREAM = "text/event-stream"
EVENT = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "description": "The number of the change in the audit"},
        "event": {"type": "string", "enum": ["leg", "outcome"]},
        "data": {
            "type": "string",
            "description": "JSON: a leg as it is now and the `change` that the event is about; at the end the fan-out",
        },
    },
}
LastId = Annotated[
    str,
    Header(alias="Last-Event-ID", pattern="^[0-9]{0,18}$", description="Go on behind this event, wherever it was read"),
]
UntilQuery = Annotated[Literal["accepted", "terminal", "filled"], Query(description="End when it is so")]


@router.get(
    "/fanouts/{id}/events",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "`leg` events, each a leg and its change, and at the end one `outcome`, the fan-out",
            "content": {EVENT_STREAM: {"schema": EVENT}},
        },
        **problems.documented(404),
    },
)
async def events(
    request: Request,
    fan_out_id: FanOutPath,
    desk: DeskDep,
    given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    last: LastId = "",
    until: UntilQuery = "terminal",
) -> StreamingResponse:
    """Every change of a leg as it happens, from the first or behind the one last seen, until nothing more will."""
    fan_out = await fanouts.show(desk, fan_out_id)  # what is wrong is said as a problem, before the stream begins
    token = given.credentials if given is not None else ""
    lines = stream(request.app.state.desk, token, follow(desk, fan_out.id, int(last or 0), Until(until)))
    return StreamingResponse(lines, media_type=EVENT_STREAM, headers={"X-Accel-Buffering": "no"})


async def stream(desk: Desk, token: str, following: AsyncIterator[News]) -> AsyncIterator[str]:
    """The events as text, with heartbeats, until the end or until the token counts no more."""
    said = checked = desk.clock.elapsed()
    yield f"retry: {AGAIN}\n\n"
    async for news in following:
        now = desk.clock.elapsed()
        if now - checked >= RECHECK:
            checked = now
            if await tokens.authenticate(desk, token) is None:
                return
        for change in news.changes:
            yield _event(change.seq, "leg", schemas.changed_leg(change.leg, change.row))
            said = now
        if news.over:
            yield _event(news.last, "outcome", schemas.fan_out(news.fan_out))
        elif now - said >= HEARTBEAT:
            yield ": heartbeat\n\n"
            said = now


def _event(seq: int, kind: str, data: Any) -> str:
    return f"id: {seq}\nevent: {kind}\ndata: {json.dumps(data, separators=(',', ':'), allow_nan=False)}\n\n"
