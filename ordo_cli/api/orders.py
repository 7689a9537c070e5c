"""Orders over HTTP: place one on many accounts under a key, or see what it would do."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Header, Response

from ordo_cli import schemas
from ordo_cli.api import problems
from ordo_cli.api.answers import answer
from ordo_cli.api.auth import DeskDep, FlightsDep, WhileOpen
from ordo_cli.api.flights import Flights
from ordo_cli.api.settings import PREFIX
from ordo_cli.desk import Desk
from ordo_cli.domain.fanouts import FanOut, Outcome
from ordo_cli.domain.keys import check_key
from ordo_cli.schemas.requests import PlaceOrder
from ordo_cli.services import orders
from ordo_cli.services.planning import PlaceRequest

router = APIRouter(tags=["orders"])

KEY = "[A-Za-z0-9._:-]{8,64}"
KeyHeader = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        pattern=f'^("{KEY}"|{KEY})$',
        description="The same key never sends twice: 8 to 64 of `A-Z a-z 0-9 . _ : -`, in quotes or without",
    ),
]
PreferHeader = Annotated[
    str, Header(alias="Prefer", description="`respond-async`: answer as soon as it is written down")
]
REPLAYED = {"Idempotent-Replayed": "true"}
TEXT = {"schema": {"type": "string"}}
PLACE = {"schema": {"type": "string"}, "description": "Where the fan-out is", "required": True}
HEADERS = {
    "Location": PLACE,
    "Idempotent-Replayed": {**TEXT, "description": "`true` when an earlier request with this key did it"},
}


@router.post(
    "/orders",
    status_code=201,
    response_model=schemas.FanOut,
    dependencies=[WhileOpen],
    responses={
        201: {"description": "Every leg was accepted", "headers": HEADERS},
        202: {
            "model": schemas.FanOut,
            "description": "Written down and being sent (`Prefer: respond-async`)",
            "headers": {"Location": PLACE, "Preference-Applied": TEXT},
        },
        207: {
            "model": schemas.FanOut,
            "description": "Written down; not every leg was accepted",
            "headers": HEADERS,
        },
        **problems.documented(404, 409, 423, 502),
    },
)
async def place(
    order: PlaceOrder, desk: DeskDep, flights: FlightsDep, key: KeyHeader, prefer: PreferHeader = ""
) -> Response:
    """Send one order to one or many accounts. The same key again sends nothing and answers what became of it."""
    request = order.request(check_key(key.strip('"')))
    if "respond-async" in [word.strip().lower() for word in prefer.split(",")]:
        return await _begin(desk, flights, request)
    return _told(await flights.finish(orders.place(desk, request, follow=False)))


@router.post(
    "/orders/preview",
    response_model=schemas.Preview,
    responses=problems.documented(404, 409, 423, 502),
)
async def preview(order: PlaceOrder, desk: DeskDep) -> Response:
    """What the order would do and what speaks against it. Sends nothing."""
    return answer(schemas.preview(await orders.preview(desk, order.request())))


async def _begin(desk: Desk, flights: Flights, request: PlaceRequest) -> Response:
    """Answer once the fan-out is written down; it is sent all the same."""
    written: asyncio.Future[FanOut] = asyncio.get_running_loop().create_future()

    def show(fan_out: FanOut) -> None:
        if not written.done():
            written.set_result(fan_out)

    placing = flights.begin(orders.place(desk, request, show=show, follow=False))
    await asyncio.wait({written, placing}, return_when=asyncio.FIRST_COMPLETED)
    if not written.done():
        placing.result()  # raises what refused it
    fan_out = written.result()
    if fan_out.replayed:
        return _told(fan_out)
    placing.add_done_callback(_seen)
    headers = {"Location": _place_of(fan_out), "Preference-Applied": "respond-async"}
    return answer(schemas.fan_out_text(fan_out), 202, headers)


def _told(fan_out: FanOut) -> Response:
    """What became of it; of a replay that is still being sent, that it is."""
    headers = {"Location": _place_of(fan_out), **(REPLAYED if fan_out.replayed else {})}
    if fan_out.replayed and fan_out.outcome is Outcome.PENDING:
        message = f"the first request with this key is still being carried out as fan-out {fan_out.id}"
        return problems.problem(
            409, "in_progress", message, "ask again, or follow its events", headers={**headers, **problems.SOON}
        )
    return answer(schemas.fan_out_text(fan_out), 201 if fan_out.outcome is Outcome.SUCCESS else 207, headers)


def _place_of(fan_out: FanOut) -> str:
    return f"{PREFIX}/fanouts/{fan_out.id}"


def _seen(placing: asyncio.Task[FanOut]) -> None:
    """Nobody waits for it any more: a failure after the answer is for the log alone."""
    if not placing.cancelled() and (error := placing.exception()) is not None:
        problems.bug(error)
