"""Logging in over HTTP: begin, answer what the broker asks (from any process, this one or another), end."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response

from ordo_cli import schemas
from ordo_cli.api import problems
from ordo_cli.api.answers import answer
from ordo_cli.api.auth import DeskDep, FlightsDep, ListsDep, WhileOpen
from ordo_cli.api.lists import Lists
from ordo_cli.api.words import TargetsQuery, targets_of
from ordo_cli.domain.sessions import LoginState, Standing
from ordo_cli.schemas.requests import NAME, Answer
from ordo_cli.services import login

router = APIRouter(tags=["login"])

AccountPath = Annotated[str, Path(alias="id", pattern=f"^{NAME}$", description="An account", examples=["alice"])]
WAITING: dict[int | str, dict[str, Any]] = {
    202: {"model": schemas.Login, "description": "The broker asks for something: answer it"}
}


@router.get("/logins", response_model=list[schemas.Login], responses=problems.documented(404))
async def logins(desk: DeskDep, targets: TargetsQuery) -> Response:
    """How each account stands: live until when, or what its broker waits to hear. Asks no broker."""
    return answer([schemas.login(state) for state in await login.status(desk, targets_of(targets))])


@router.post(
    "/accounts/{id}/login",
    response_model=schemas.Login,
    dependencies=[WhileOpen],
    responses={**WAITING, **problems.documented(404, 409, 502, 504)},
)
async def begin(account: AccountPath, desk: DeskDep, flights: FlightsDep, lists: ListsDep) -> Response:
    """Log the account in, unless it is live. A challenge that still waits is handed out again.

    Once it is live, its broker's list of instruments is fetched if it is not of the day: orders need it.
    """
    return _told(await flights.finish(login.begin(desk, account)), lists)


@router.post(
    "/accounts/{id}/login/answer",
    response_model=schemas.Login,
    dependencies=[WhileOpen],
    responses={**WAITING, **problems.documented(404, 409, 502, 504)},
)
async def reply(account: AccountPath, given: Answer, desk: DeskDep, flights: FlightsDep, lists: ListsDep) -> Response:
    """Answer what the broker asked. An answer is shown to it once, however often it comes."""
    return _told(await flights.finish(login.answer(desk, account, given.answer, given.challenge)), lists)


@router.delete(
    "/accounts/{id}/session",
    response_model=schemas.Login,
    responses=problems.documented(404, 409),
)
async def end(account: AccountPath, desk: DeskDep, flights: FlightsDep) -> Response:
    """End the account's session, at the broker too when it can be reached, and forget what was asked."""
    return answer(schemas.login(await flights.finish(login.end(desk, account))))


def _told(state: LoginState, lists: Lists) -> Response:
    if state.standing is Standing.LIVE:
        lists.freshen(state.account)
    return answer(schemas.login(state), 202 if state.standing is Standing.WAITING else 200)
