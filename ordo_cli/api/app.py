"""The application: every route of ordo's HTTP door, and what holds for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI

from ordo_cli.api import (
    accounts,
    audit,
    docs,
    events,
    fanouts,
    kill,
    legs,
    login,
    metrics,
    openapi,
    orders,
    portfolio,
    problems,
    status,
)
from ordo_cli.api.flights import Flights
from ordo_cli.api.guard import Door, Guard
from ordo_cli.api.limits import Limits
from ordo_cli.api.lists import Lists
from ordo_cli.api.pressing import Pressers
from ordo_cli.api.quick import Application, Quick
from ordo_cli.api.settings import PREFIX, Settings
from ordo_cli.desk import Desk
from ordo_cli.services.orders import GRACE

LANDING = GRACE + 2.0  # seconds: the grace of what is on the wire, and the time to write it down

ROUTERS: tuple[APIRouter, ...] = (
    orders.router,  # first, since each route before it costs an order 8 µs
    kill.router,
    fanouts.router,
    events.router,
    legs.router,
    portfolio.router,
    accounts.router,
    login.router,
    status.router,
    status.open_router,
    audit.router,
)
"""Every noun's routes; a new noun adds its router here."""


def make_app(desk: Desk, settings: Settings, counted: metrics.Counted | None = None) -> Application:
    """The application at this desk. Its lifespan ends with what it began: on-wire legs get their grace."""
    documented = settings.loopback
    app = Application(
        title="ordo",
        summary="One order to many broker accounts, and one command that stops everything",
        version=_version(),
        lifespan=_lifespan,
        docs_url=None,  # FastAPI's own page loads its scripts from another host; `docs` is ours
        redoc_url=None,
        openapi_url=f"{PREFIX}/openapi.json" if documented else None,
        redirect_slashes=False,
        swagger_ui_oauth2_redirect_url=None,
        responses=problems.documented(400, 401, 403, 408, 413, 415, 422, 429, 431, 500, 503),
    )
    app.state.desk, app.state.settings, app.state.flights = desk, settings, Flights()
    app.state.limits = Limits(desk, settings.rate)
    app.state.pressers, app.state.lists = Pressers(desk), Lists(desk)
    problems.install(app)
    for router in ROUTERS:
        app.include_router(router, prefix=PREFIX)
    app.include_router(metrics.router)
    app.include_router(status.open_router, include_in_schema=False)  # where probes of all kinds look for it
    if documented:
        docs.install(app)
    door, counted = Door(desk, settings), counted or metrics.Counted()
    app.add_middleware(Guard, door=door)
    metrics.install(app, counted)
    app.quick = Quick(app, door, counted)
    app.openapi = lambda: openapi.described(app)  # type: ignore[method-assign]  # FastAPI's own way to extend it
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    pressers: Pressers = app.state.pressers
    await pressers.look()  # so that a server that has just begun can be stopped without its database too
    standing_by = asyncio.ensure_future(pressers.stand_by())
    try:
        yield
    finally:
        app.state.desk.stopping.set()
        await app.state.flights.land(LANDING)
        standing_by.cancel()
        await app.state.lists.close()
        await pressers.close()


def _version() -> str:
    from importlib.metadata import version

    return version("ordo-cli")
