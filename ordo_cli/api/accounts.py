"""Accounts over HTTP: whom orders can be for."""

from __future__ import annotations

from fastapi import APIRouter, Response

from ordo_cli import schemas
from ordo_cli.api.answers import answer
from ordo_cli.api.auth import DeskDep
from ordo_cli.services import accounts

router = APIRouter(tags=["accounts"])


@router.get("/accounts", response_model=list[schemas.Account])
async def everyone(desk: DeskDep) -> Response:
    """Every account that the token reaches."""
    return answer([schemas.account(account, mode) for account, mode in await accounts.everyone(desk)])
