"""Following a fan-out from any place in its history, whoever is sending it: by the audit, which has a row a change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TYPE_CHECKING

from ordo_cli.cache.base import Wakes, channel_of
from ordo_cli.domain.errors import OrdoError
from ordo_cli.domain.fanouts import FanOut, Outcome
from ordo_cli.domain.legs import Leg
from ordo_cli.domain.trail import Line
from ordo_cli.domain.values import dataclass
from ordo_cli.services import fanouts, reconcile
from ordo_cli.services.orders import Until, reached

if TYPE_CHECKING:
    from ordo_cli.desk import Desk

LOOK = 0.1  # seconds between looks at the journal; who shares a cache with the sender is woken sooner
BOOKS = 1.0  # seconds between looks in the brokers' books while legs are working


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a leg as its audit row has it, for ever, and the leg as it is now."""

    row: Line
    leg: Leg

    @property
    def seq(self) -> int:
        return self.row.seq


@dataclass(frozen=True, slots=True)
class News:
    """What has changed since the last look, perhaps nothing; `over` when nothing more will that was asked for."""

    changes: tuple[Change, ...]
    fan_out: FanOut
    last: int  # the newest audit row seen
    over: bool = False


async def follow(desk: Desk, fan_out_id: str, after: int = 0, until: Until = Until.TERMINAL) -> AsyncIterator[News]:
    """Every change behind the audit row `after`, as it happens, until what is waited for is reached or ordo stops.

    Two who follow from the same row see the same changes, in whatever process and however late; the leg beside one is
    the leg of the moment, and may be ahead of it.
    """
    fan_out = await fanouts.show(desk, fan_out_id)
    last, looked = after, desk.clock.elapsed()
    with desk.cache.subscribe(channel_of(fan_out.id)) as wakes:
        while True:
            news = await _look(desk, fan_out, last, until)
            fan_out, last = news.fan_out, news.last
            yield news
            if news.over or desk.stopping.is_set():
                return
            await _rest(desk, wakes)
            if desk.clock.elapsed() - looked >= BOOKS:
                looked = desk.clock.elapsed()
                await _read_books(desk, fan_out)


async def _look(desk: Desk, before: FanOut, last: int, until: Until) -> News:
    """Rows before legs, so that a leg is never older than its row; and the end only when no row can be missing."""
    fan_out = await desk.store.journal.fan_out(before.id)
    over = reached(fan_out, until)
    lines = await desk.store.audit.of_fan_out(fan_out.id, last)
    if not lines:
        return News((), fan_out, last, over)
    fan_out = await desk.store.journal.fan_out(before.id)
    legs = {leg.id: leg for leg in fan_out.legs}
    moved = [line for line in lines if line.after is not None and line.ids.get("leg") in legs]
    return News(tuple(Change(line, legs[line.ids["leg"]]) for line in moved), fan_out, lines[-1].seq, over)


async def _read_books(desk: Desk, fan_out: FanOut) -> None:
    """Ask the brokers what became of it, once for all who follow."""
    if fan_out.outcome is Outcome.PENDING or await desk.cache.hits(f"books/{fan_out.id}", BOOKS * 0.9) > 1:
        return
    with suppress(OrdoError):  # the next look may have more luck, and the journal tells in the meantime
        await reconcile.reconcile(desk, fan_out_id=fan_out.id)


async def _rest(desk: Desk, wakes: Wakes) -> None:
    waiting = [asyncio.ensure_future(each) for each in (wakes.wait(), desk.clock.sleep(LOOK), desk.stopping.wait())]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waiting:
            each.cancel()
