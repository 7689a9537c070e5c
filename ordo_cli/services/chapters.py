"""What the audit says of clean-ups: a row when one begins, and one when it ends or is cut."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ordo_cli import log
from ordo_cli.desk import Desk
from ordo_cli.domain.errors import StoreFailed
from ordo_cli.domain.trail import Line

if TYPE_CHECKING:
    from ordo_cli.services.sweep import AccountSweep

NOTED_S = 1.0  # how long a sweep waits at its end for the journal to take down what became of it
RECENT = 100  # rows of the audit about clean-ups that are looked through
TYPE = "sweep"
BEGUN, CLEAN, LEFT, CUT = "begun", "clean", "left", "cut"


class Chapter:
    """What the audit says of one clean-up. No cancel waits for its rows; a journal that says no is left alone."""

    def __init__(self, desk: Desk, facts: Mapping[str, str]) -> None:
        self._desk, self._facts = desk, facts
        self._rows: list[asyncio.Task[None]] = []

    def note(self, state: str, accounts: Sequence[object] = ()) -> None:
        self._rows.append(asyncio.ensure_future(self._write(state, accounts)))

    async def end(self, state: str, accounts: Sequence[AccountSweep]) -> None:
        told = [_told(each) for each in accounts]
        if state == CUT:
            log.get(__name__).error("sweep_cut", **self._facts, accounts=told)
        if self._rows:
            self.note(state, told)
            await asyncio.wait(self._rows, timeout=NOTED_S)

    async def _write(self, state: str, accounts: Sequence[object]) -> None:
        try:
            await self._desk.store.audit.append(TYPE, {**self._facts, "state": state, "accounts": accounts})
        except StoreFailed as error:
            log.get(__name__).error("sweep_unwritten", **self._facts, state=state, error=error.message)


def _told(at: AccountSweep) -> dict[str, object]:
    return {
        "account": str(at.account),
        "cancelled": len(at.cancelled),
        "closed": [f"{each.quantity} {each.instrument}" for each in at.closed],
        "left": list(at.left),
    }


async def unfinished(desk: Desk) -> list[Line]:
    """The newest row of each scope whose last clean-up was cut or never ended: that of a process that was killed."""
    last: dict[str, Line] = {}
    for row in await desk.store.audit.rows({"type": TYPE}, RECENT):
        last[row.data["scope"]] = row
    return [row for row in last.values() if row.data["state"] in (BEGUN, CUT)]
