"""Fan-outs over HTTP: the recent ones, one whole, cancelled, settled by the books."""

from __future__ import annotations

from fastapi import APIRouter, Response

from ordo_cli import schemas
from ordo_cli.api import problems
from ordo_cli.api.answers import answer
from ordo_cli.api.auth import DeskDep, FlightsDep
from ordo_cli.api.legs import status_of
from ordo_cli.api.settings import PREFIX
from ordo_cli.api.words import AccountQuery, BeforeQuery, FanOutPath, LimitQuery
from ordo_cli.domain.accounts import AccountId
from ordo_cli.services import cancelling, fanouts, reconcile

router = APIRouter(tags=["fan-outs"])


@router.get(
    "/fanouts",
    response_model=list[schemas.FanOut],
    responses={
        200: {
            "headers": {"Link": {"schema": {"type": "string"}, "description": "The next page, while there may be one"}}
        },
        **problems.documented(404),
    },
)
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


@router.get("/fanouts/{id}", response_model=schemas.FanOut, responses=problems.documented(404))
async def show(fan_out_id: FanOutPath, desk: DeskDep) -> Response:
    """One fan-out with its legs."""
    return answer(schemas.fan_out(await fanouts.show(desk, fan_out_id)))


@router.post(
    "/fanouts/{id}/cancel",
    response_model=list[schemas.CancelledOut],
    responses={
        207: {"model": list[schemas.CancelledOut], "description": "Not everything was seen to have ended"},
        **problems.documented(404, 502),
    },
)
async def cancel(fan_out_id: FanOutPath, desk: DeskDep, flights: FlightsDep) -> Response:
    """Cancel every leg that still works. The kill switch never stops this."""
    done = await flights.finish(cancelling.cancel_fan_out(desk, fan_out_id))
    return answer([schemas.cancelled(each) for each in done], status_of(done))


@router.post("/fanouts/{id}/reconcile", response_model=schemas.Reconciled, responses=problems.documented(404))
async def settle(fan_out_id: FanOutPath, desk: DeskDep, flights: FlightsDep) -> Response:
    """Look in the brokers' books what became of its unsettled legs. Sends nothing."""
    return answer(schemas.reconciled(await flights.finish(reconcile.reconcile(desk, fan_out_id=fan_out_id))))
