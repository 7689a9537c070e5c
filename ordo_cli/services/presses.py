"""Presses that a full disk or a locked database kept out of the database: they are in force, and written down here."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from ordo_cli import press
from ordo_cli.cache import KILL
from ordo_cli.desk import Desk
from ordo_cli.domain.kill import Level, Scope, ScopeKind

OWN_TIME = 15.0  # seconds that a press has for its row itself, with the most that a silent database can take of them


async def retry(desk: Desk) -> int:
    """Write down what no press writes any more by itself: other hosts are stopped by the row, and by nothing else."""
    return await write_down(desk, OWN_TIME)


async def write_down(desk: Desk, age: float = 0.0) -> int:
    """Put every noted press of at least this age into the database with its audit row; how many there were."""
    now = desk.clock.now().timestamp()
    noted = [each for each in press.pending(desk.home.run) if age <= 0 or now - each[2] >= age]
    for note, asked, at in noted:
        if not os.path.exists(note):
            continue  # another process was first, and a release may have followed
        when = f"pressed at {datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}, written down later"
        reason = f"{asked.reason} ({when})" if asked.reason else when
        await desk.store.switches.engage(Scope(ScopeKind(asked.kind), asked.name), Level(asked.level), reason)
        press.forget(note)
    if noted:
        desk.cache.publish(KILL)
    return len(noted)
