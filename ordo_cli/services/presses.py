"""Presses that a full disk or a locked database kept out of the database: they are in force, and written down here."""

from __future__ import annotations

from datetime import UTC, datetime

from ordo_cli import press
from ordo_cli.cache import KILL
from ordo_cli.desk import Desk
from ordo_cli.domain.kill import Level, Scope, ScopeKind


async def write_down(desk: Desk) -> int:
    """Put every noted press into the database with its audit row; how many there were."""
    noted = list(press.pending(desk.home.run))
    for note, asked, at in noted:
        when = f"pressed at {datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}, written down later"
        reason = f"{asked.reason} ({when})" if asked.reason else when
        await desk.store.switches.engage(Scope(ScopeKind(asked.kind), asked.name), Level(asked.level), reason)
        press.forget(note)
    if noted:
        desk.cache.publish(KILL)
    return len(noted)
