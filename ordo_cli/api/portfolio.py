"""What the accounts have, over HTTP: consolidated, with every account that could not be read named beside the rows."""

from __future__ import annotations

from fastapi import APIRouter, Response

from ordo_cli import schemas
from ordo_cli.api import problems
from ordo_cli.api.answers import answer
from ordo_cli.api.auth import DeskDep
from ordo_cli.api.words import AccountQuery, InstrumentsQuery, TargetsQuery, targets_of
from ordo_cli.domain.instruments import parse_instrument
from ordo_cli.services import instruments, portfolio

router = APIRouter(tags=["portfolio"])

MISSING = problems.documented(404)


@router.get("/positions", response_model=schemas.Rows[schemas.PositionRow], responses=MISSING)
async def positions(desk: DeskDep, targets: TargetsQuery) -> Response:
    """Net positions of the day."""
    return answer(schemas.consolidated(await portfolio.positions(desk, targets_of(targets)), schemas.position_row))


@router.get("/holdings", response_model=schemas.Rows[schemas.HoldingRow], responses=MISSING)
async def holdings(desk: DeskDep, targets: TargetsQuery) -> Response:
    """Shares held."""
    return answer(schemas.consolidated(await portfolio.holdings(desk, targets_of(targets)), schemas.holding_row))


@router.get("/funds", response_model=schemas.Rows[schemas.FundsRow], responses=MISSING)
async def funds(desk: DeskDep, targets: TargetsQuery) -> Response:
    """Money free and used."""
    return answer(schemas.consolidated(await portfolio.funds(desk, targets_of(targets)), schemas.funds_row))


@router.get("/orders", response_model=schemas.Rows[schemas.OrderRow], responses=MISSING)
async def orders(desk: DeskDep, targets: TargetsQuery) -> Response:
    """The brokers' order books, each order with the leg of ours that it is."""
    return answer(schemas.consolidated(await portfolio.orders(desk, targets_of(targets)), schemas.order_row))


@router.get("/trades", response_model=schemas.Rows[schemas.TradeRow], responses=MISSING)
async def trades(desk: DeskDep, targets: TargetsQuery) -> Response:
    """Today's trades."""
    return answer(schemas.consolidated(await portfolio.trades(desk, targets_of(targets)), schemas.trade_row))


@router.get("/quotes", response_model=list[schemas.Quote], responses=problems.documented(404, 409, 502, 504))
async def quotes(desk: DeskDep, names: InstrumentsQuery, account: AccountQuery = None) -> Response:
    """Last price, bid and ask; an instrument that nobody knows is missing."""
    wanted = [parse_instrument(name) for name in names]
    found = await instruments.quotes(desk, wanted, account)
    return answer([schemas.quote(found[name]) for name in wanted if name in found])
