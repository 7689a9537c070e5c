"""The audit trail in public."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field

from ordo_cli.domain.trail import Line
from ordo_cli.schemas.base import Moment, Out


class AuditRow(Out):
    """One row: what happened to what, who did it, when and where, and how it is known."""

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)

    seq: int
    at: Moment
    type: str
    actor: str
    ids: dict[str, Any]
    before: str | None = Field(alias="from")
    after: str | None = Field(alias="to")
    evidence: str | None
    data: dict[str, Any]
    host: str
    pid: int
    boot: str


def audit_row(line: Line) -> dict[str, Any]:
    whole = AuditRow.model_validate(
        {
            "seq": line.seq,
            "at": line.at,
            "type": line.type,
            "actor": line.actor,
            "ids": dict(line.ids),
            "from": line.before,
            "to": line.after,
            "evidence": line.evidence,
            "data": dict(line.data),
            "host": line.host,
            "pid": line.pid,
            "boot": line.boot,
        }
    )
    return whole.model_dump(mode="json")
