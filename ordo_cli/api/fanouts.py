"""Fan-outs over HTTP: the recent ones, one whole, cancelled, settled by the books."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from ordo_cli import schemas
from ordo_cli.api import problems
from ordo_cli.api.answers import answer
from ordo_cli.api.auth import DeskDep, FlightsDep
from ordo_cli.api.settings import PREFIX
from ordo_cli.domain.accounts import AccountId
from ordo_cli.services import cancelling, fanouts, reconcile
from ordo_cli.services.cancelling import Cancelled

router = APIRouter(tags=["fan-outs"])

ACCOUNT = r"^[a-z0-9][a-z0-9_-]{0,31}$"
IdPath = Annotated[
    str, Path(alias="id", pattern="^[0-9a-z]{1,26}$", description="A fan-out's id, or the beginning of one")
]
AccountQuery = Annotated[str | None, Query(pattern=ACCOUNT, description="Only those with a leg of this account")]
LimitQuery = Annotated[int, Query(ge=1, le=1000, description="How many at most, newest first")]
BeforeQuery = Annotated[str | None, Query(pattern="^[0-9a-z]{1,26}$", description="Only those older than this fan-out")]


@router.get("/fanouts", response_model=list[schemas.FanOut], responses=problems.documented(404, 422))
async def recent(
    desk: DeskDep, account: AccountQuery = None, limit: LimitQuery = 20, before: BeforeQuery = None
) -> Response:
    """The newest fan-outs. While there may be more, the header Link names the next page."""
    found = await fanouts.recent(desk, limit, AccountId(account) if account else None, before)
    headers = {}
    if len(found) == limit:
        also = f"&account={account}" if account else ""
        headers["Link"] = f'<{PREFIX}/fanouts?limit={limit}&before={found[-1].id}{also}>; rel="next"'
    return answer(schemas.fan_outs(found), headers=headers)


@router.get("/fanouts/{id}", response_model=schemas.FanOut, responses=problems.documented(404, 422))
async def show(fan_out_id: IdPath, desk: DeskDep) -> Response:
    """One fan-out with its legs."""
    return answer(schemas.fan_out(await fanouts.show(desk, fan_out_id)))


@router.post(
    "/fanouts/{id}/cancel",
    response_model=list[schemas.CancelledOut],
    responses={
        207: {"model": list[schemas.CancelledOut], "description": "Not everything was seen to have ended"},
        **problems.documented(404, 422, 502, 503),
    },
)
async def cancel(fan_out_id: IdPath, desk: DeskDep, flights: FlightsDep) -> Response:
    """Cancel every leg that still works. The kill switch never stops this."""
    fan_out = await fanouts.show(desk, fan_out_id)
    return cancels(await flights.finish(cancelling.cancel_fan_out(desk, fan_out.id)))


@router.post("/fanouts/{id}/reconcile", response_model=schemas.Reconciled, responses=problems.documented(404, 422, 503))
async def settle(fan_out_id: IdPath, desk: DeskDep, flights: FlightsDep) -> Response:
    """Look in the brokers' books what became of its unsettled legs. Sends nothing."""
    fan_out = await fanouts.show(desk, fan_out_id)
    return answer(schemas.reconciled(await flights.finish(reconcile.reconcile(desk, fan_out_id=fan_out.id))))


def cancels(done: list[Cancelled]) -> Response:
    """What became of cancels: 200 when the books show that nothing of them works any more."""
    over = all(each.done or (each.problem is not None and each.problem.code == "ALREADY_DONE") for each in done)
    return answer([schemas.cancelled(each) for each in done], 200 if over else 207)
