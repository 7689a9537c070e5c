"""The kill switch over HTTP: pressed before anything else is looked at, shown, released."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from ordo_cli import schemas
from ordo_cli.api import problems
from ordo_cli.api.answers import answer
from ordo_cli.api.auth import DeskDep, FlightsDep
from ordo_cli.api.flights import Flights
from ordo_cli.api.pressing import Presser, PresserDep
from ordo_cli.api.strictjson import read
from ordo_cli.desk import Stop
from ordo_cli.domain.errors import Invalid, NotFound, OrdoError
from ordo_cli.domain.kill import Level, Scope, parse_scope
from ordo_cli.domain.values import replace
from ordo_cli.press import Outcome, Press
from ordo_cli.schemas.requests import PressKill, ReleaseKill
from ordo_cli.services import kill
from ordo_cli.services.sweep import SweepReport

router = APIRouter(tags=["kill"])

NOTHING = "NOTHING WAS STOPPED"
STEP = 5.0  # seconds that one step of a clean-up may take beside the broker's time to answer
AS_THEY_WERE = "open orders and positions are as they were: press again when it can be, or use the brokers' own apps"
CUT = "the clean-up could not run: it was cut, as this server ends; what it did is in the audit, the rest is as it was"
BODY = {"requestBody": {"content": {"application/json": {"schema": PressKill.model_json_schema()}}}}


@router.get("/kill", response_model=schemas.KillState)
async def state(desk: DeskDep) -> Response:
    """How the switch stands for every scope and account; what cannot be read counts as engaged."""
    return answer(schemas.kill_state(await kill.state(desk)))


@router.post("/kill", response_model=schemas.Pressed, responses=problems.documented(404), openapi_extra=BODY)
async def engage(request: Request, presser: PresserDep, flights: FlightsDep) -> Response:
    """Stop at once: no new order leaves after this returns. Without a body everything is stopped.

    Only the scope is read before the press: whatever else a body says wrongly is said after it, and the press stands.
    While the database cannot be read, tokens that this server has read before may press; `recorded` is false then.
    """
    body = await request.body()
    return await flights.finish(_engage(presser, flights, body))


@router.post("/kill/release", response_model=schemas.Switch, responses=problems.documented(404, 409, 423))
async def release(asked: ReleaseKill, desk: DeskDep, flights: FlightsDep) -> Response:
    """Let a scope send again. Nothing that was planned before can leave."""
    scope = parse_scope(asked.scope)
    row = await flights.finish(kill.release(desk, scope, asked.reason, asked.acknowledge))
    return answer(schemas.switch(row))


async def _engage(presser: Presser, flights: Flights, body: bytes) -> Response:
    given = _object(body)
    scope = _scope(given)
    outcome = await kill.engage(presser.desk, scope, _level(given), _reason(given))
    if not outcome.known:
        raise NotFound(f"there is no {scope.kind} {scope.name}; {NOTHING}", hint="see: ordo account list")
    if not (outcome.engaged or outcome.recorded):
        message = f"{outcome.problem or 'the arming file is still there'}; {NOTHING}"
        return problems.problem(503, "not_stopped", message, "at the machine: ordo kill")
    try:
        asked = PressKill.model_validate(given)
    except ValidationError as error:
        raise Invalid(
            f"{scope} IS STOPPED, and nothing beyond it was done: {problems.sentence(error)}", code="stopped_only"
        ) from None
    swept, problem = await _sweep(presser, flights, scope, asked, outcome)
    press = Press(scope.kind.value, scope.name, int(Level[asked.level.upper()]), asked.reason)
    return answer(schemas.pressed(press, outcome, swept, problem))


async def _sweep(
    presser: Presser, flights: Flights, scope: Scope, asked: PressKill, outcome: Outcome
) -> tuple[SweepReport | None, str | None]:
    """The sweep's report, or what kept it from running: the press stands either way."""
    level = Level[asked.level.upper()]
    if level is Level.BLOCK:
        return None, None
    desk = replace(presser.desk, stopping=Stop())  # an end that begins halfway keeps no close from going
    try:
        await presser.require_word(outcome.recorded)
        with flights.sweeping(f"{asked.level} of {scope}", desk.config.read_timeout + STEP) as under_way:
            report = await kill.sweep(
                desk,
                scope,
                level,
                include_protective=asked.include_protective,
                foreign=asked.all,
                moved=under_way.moved,
            )
    except OrdoError as error:
        return None, f"the clean-up could not run: {error.message}; {AS_THEY_WERE}"
    except asyncio.CancelledError:  # by `Flights.land`, which ends with this server: whoever pressed is told
        return None, CUT
    return report, None


def _object(body: bytes) -> Mapping[str, Any]:
    """What the body says. Raises Invalid for one that cannot be read: a guess at its scope would stop the wrong one."""
    if not body.strip():
        return {}
    given = read(body)
    if not isinstance(given, dict):
        raise Invalid(f"the body is not an object; {NOTHING}", hint="send no body to stop everything")
    return given


def _scope(given: Mapping[str, Any]) -> Scope:
    word = given.get("scope", "global")
    try:
        return parse_scope(word if isinstance(word, str) else "?")
    except Invalid as error:
        raise Invalid(f"{error.message}; {NOTHING}", hint=error.hint) from None


def _level(given: Mapping[str, Any]) -> Level:
    """How far it goes; only a block where that cannot be understood."""
    word = given.get("level")
    return {"cancel": Level.CANCEL, "flatten": Level.FLATTEN}.get(word if isinstance(word, str) else "", Level.BLOCK)


def _reason(given: Mapping[str, Any]) -> str:
    word = given.get("reason")
    return "".join(letter for letter in word if letter.isprintable())[:500] if isinstance(word, str) else ""
