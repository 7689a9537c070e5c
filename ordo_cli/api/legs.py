"""Legs over HTTP: one with its row in the broker's book, changed, cancelled."""

from __future__ import annotations

from fastapi import APIRouter, Response

from ordo_cli import schemas
from ordo_cli.api import problems
from ordo_cli.api.answers import answer
from ordo_cli.api.auth import DeskDep, FlightsDep, WhileOpen
from ordo_cli.api.words import LegPath
from ordo_cli.desk import Desk
from ordo_cli.domain.accounts import AccountId
from ordo_cli.domain.fanouts import FanOut
from ordo_cli.domain.legs import Leg
from ordo_cli.domain.orders import Changes
from ordo_cli.schemas.requests import ChangeOrder
from ordo_cli.services import cancelling, fanouts, modifying, portfolio
from ordo_cli.services.cancelling import Cancelled

router = APIRouter(tags=["legs"])


@router.get("/legs/{id}", response_model=schemas.Order, responses=problems.documented(404))
async def show(leg_id: LegPath, desk: DeskDep) -> Response:
    """One leg: everything that is known of it, and how its broker's book shows it now."""
    fan_out, leg = await fanouts.leg(desk, leg_id)
    return answer(schemas.order(fan_out, leg, await portfolio.in_book(desk, leg)))


@router.patch(
    "/legs/{id}",
    response_model=schemas.Order,
    dependencies=[WhileOpen],
    responses=problems.documented(404, 409, 423, 502, 504),
)
async def modify(leg_id: LegPath, change: ChangeOrder, desk: DeskDep, flights: FlightsDep) -> Response:
    """Change the quantity or the prices of a working order. Sent once: after silence look before you ask again."""
    fan_out, leg = await flights.finish(_modify(desk, leg_id, change.changes(), change.confirm))
    return answer(schemas.order(fan_out, leg))


@router.delete(
    "/legs/{id}",
    response_model=schemas.CancelledOut,
    responses={
        207: {"model": schemas.CancelledOut, "description": "It was not seen to have ended; the problem says why"},
        **problems.documented(404),
    },
)
async def cancel(leg_id: LegPath, desk: DeskDep, flights: FlightsDep) -> Response:
    """Cancel what still works of it. The kill switch never stops this."""
    (done,) = await flights.finish(cancelling.cancel_each(desk, [leg_id], None, _nobody))
    return answer(schemas.cancelled(done), status_of([done]))


def status_of(done: list[Cancelled]) -> int:
    """200 when the books show that nothing of these orders works any more, else 207."""
    over = all(each.done or (each.problem is not None and each.problem.code == "ALREADY_DONE") for each in done)
    return 200 if over else 207


async def _modify(desk: Desk, leg_id: str, changes: Changes, confirmed: bool) -> tuple[FanOut, Leg]:
    fan_out, leg = await fanouts.leg(desk, leg_id)
    return fan_out, await modifying.modify(desk, leg.id, changes, confirmed=confirmed)


async def _nobody(accounts: list[AccountId]) -> None:
    """Whoever cancels over HTTP is shown no banner."""
