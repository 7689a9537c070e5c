"""The audit trail over HTTP, for administrators."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response

from ordo_cli import schemas
from ordo_cli.api import problems
from ordo_cli.api.answers import answer
from ordo_cli.api.auth import DeskDep
from ordo_cli.api.words import FanOutQuery, LegQuery, LimitQuery
from ordo_cli.domain.errors import Invalid
from ordo_cli.services import audit

router = APIRouter(tags=["audit"])

TypeQuery = Annotated[
    str | None, Query(alias="type", pattern="^[a-z][a-z_-]{0,31}$", description="plan, state, kill, release …")
]
MOMENT = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})$"
SinceQuery = Annotated[
    str | None,
    Query(
        pattern=MOMENT, description="Nothing older than this moment, with its zone", examples=["2026-11-23T03:45:00Z"]
    ),
]


@router.get("/audit", response_model=list[schemas.AuditRow], responses=problems.documented(404))
async def rows(
    desk: DeskDep,
    kind: TypeQuery = None,
    fan_out: FanOutQuery = None,
    leg: LegQuery = None,
    since: SinceQuery = None,
    limit: LimitQuery = 50,
) -> Response:
    """Who did what, when, and how it is known: the latest rows that fit, oldest first."""
    start = None if since is None else _moment(since)
    found = await audit.rows(desk, kind=kind, fan_out=fan_out, leg=leg, since=start, limit=limit)
    return answer([schemas.audit_row(line) for line in found])


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Invalid(f"{text} is no moment that ever was or will be") from None
