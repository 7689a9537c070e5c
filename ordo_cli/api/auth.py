"""Who is asking: the bearer token of a request, and the desk as its holder may use it."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.datastructures import State
from starlette.types import Scope

from ordo_cli.api.flights import Flights
from ordo_cli.api.guard import KILL
from ordo_cli.api.lists import Lists
from ordo_cli.api.problems import Stopping, Unauthenticated
from ordo_cli.desk import Desk
from ordo_cli.services import tokens

HINT = "send Authorization: Bearer ordo_…; one is made by: ordo token create NAME"
bearer = HTTPBearer(auto_error=False, bearerFormat="ordo_<id>_<secret>", description="A token of `ordo token create`")


async def desk_of(request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> Desk:
    """The desk with the holder of the request's token at it. Raises Unauthenticated."""
    if given is None:
        raise Unauthenticated("this needs a token", hint=HINT)
    return await admit(request.app.state, request.scope, given.credentials)


async def admit(app: State, scope: Scope, token: str) -> Desk:
    """The same by the token's text."""
    desk: Desk = app.desk
    who = await tokens.authenticate(desk, token)
    if who is None:
        raise Unauthenticated("this token is not valid here, or not any more", hint=HINT)
    scope["state"]["actor"] = who.actor
    if scope["method"] != "POST" or scope["path"] != KILL:
        await app.limits.count(who.actor)
    return desk.acting_as(who.actor, who.rights, scope["state"]["request_id"])


async def flights_of(request: Request) -> Flights:
    """Where work goes that must not end with the request."""
    found: Flights = request.app.state.flights
    return found


async def lists_of(request: Request) -> Lists:
    """What this server fetches by itself."""
    found: Lists = request.app.state.lists
    return found


async def opened(request: Request) -> None:
    """Raises Stopping once this server has been asked to end: what is new goes elsewhere."""
    require_open(request.app.state)


def require_open(app: State) -> None:
    """The same without a request."""
    if app.desk.stopping.is_set():
        raise Stopping("this server is stopping and starts nothing new", hint="try again in a moment")


DeskDep = Annotated[Desk, Depends(desk_of)]
FlightsDep = Annotated[Flights, Depends(flights_of)]
ListsDep = Annotated[Lists, Depends(lists_of)]
WhileOpen = Depends(opened)
