"""How the server and everything behind it stands, over HTTP."""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import BaseModel

from ordo_cli import schemas
from ordo_cli.api import problems
from ordo_cli.api.answers import answer
from ordo_cli.api.auth import DeskDep
from ordo_cli.desk import Desk
from ordo_cli.domain.errors import OrdoError
from ordo_cli.domain.tokens import TokenScope
from ordo_cli.services import kill, status

router = APIRouter(tags=["status"])
open_router = APIRouter(tags=["status"])
"""What anybody may ask, a load balancer too."""


class Alive(BaseModel):
    status: str


class Ready(BaseModel):
    """Whether orders can be taken: `checks` says of each part what is wrong, or null."""

    ready: bool
    checks: dict[str, str | None]


@router.get("/status", response_model=schemas.Status)
async def everything(desk: DeskDep) -> Response:
    """Kill switch, accounts, unknown legs, last calls. Asks no broker."""
    return answer(schemas.status(await status.status(desk)))


@open_router.get("/healthz", response_model=Alive, responses=problems.documented())
async def healthz() -> Response:
    """This process answers. Nothing more is said without a token."""
    return answer({"status": "ok"})


@router.get("/readyz", response_model=Ready, responses={503: {"model": Ready, "description": "Not ready"}})
async def readyz(desk: DeskDep) -> Response:
    """Whether orders can be taken here and now, and what is in the way."""
    desk.rights.require(TokenScope.READ)
    checks = {
        "database": await _database(desk),
        "kill": await _kill(desk),
        "server": "it is stopping" if desk.stopping.is_set() else None,
    }
    ready = all(trouble is None for trouble in checks.values())
    return answer({"ready": ready, "checks": checks}, 200 if ready else 503)


async def _database(desk: Desk) -> str | None:
    try:
        return await desk.store.health()
    except OrdoError as error:
        return error.message


async def _kill(desk: Desk) -> str | None:
    try:
        found = await kill.state(desk)
    except OrdoError as error:
        return error.message
    engaged = [str(each.scope) for each in found.scopes if each.engaged and not each.scope.name]
    return "the kill switch is engaged" if engaged else None
