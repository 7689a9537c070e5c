"""Margins: what orders would block and what is there for it, asked of every broker at once before anything is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ordo_cli import log
from ordo_cli.brokers.base import Broker
from ordo_cli.desk import Desk
from ordo_cli.domain import checks
from ordo_cli.domain.accounts import AccountId
from ordo_cli.domain.checks import Case
from ordo_cli.domain.exits import opening
from ordo_cli.domain.limits import MarginCheck
from ordo_cli.domain.portfolio import Margin


async def read(desk: Desk, cases: Sequence[Case]) -> dict[AccountId, Margin]:
    """What could be learnt in the time that a broker has for one answer.

    An account whose broker did not tell is missing: that stops no order, for the exchange judges it then.
    """
    asked = [case for case in cases if case.limits.margin_check is MarginCheck.ON]
    if not asked:
        return {}
    loop = asyncio.get_running_loop()  # begun at once: what is near, as paper is, has answered then
    reads = [asyncio.Task(_one(desk, case), loop=loop, eager_start=True) for case in asked]
    if not all(each.done() for each in reads):
        patience = asyncio.ensure_future(_give_up(desk, reads))
        try:
            await asyncio.wait(reads)
        finally:
            patience.cancel()
    return {
        case.account.id: told
        for case, read in zip(asked, reads, strict=True)
        if not read.cancelled() and (told := read.result()) is not None
    }


async def _give_up(desk: Desk, reads: Sequence[asyncio.Future[Margin | None]]) -> None:
    """An adapter may repeat a read that fails, and an order must not wait for all of that."""
    await desk.clock.sleep(desk.config.read_timeout)
    for each in reads:
        each.cancel()


async def _one(desk: Desk, case: Case) -> Margin | None:
    try:
        broker = await desk.lines.to(case.account)
        told = await broker.margin(case.intent) if case.able.margins else None
        return await _estimate(broker, case) if told is None else told
    except Exception as error:  # whatever it is, it is no reason to hold up this order or another
        log.get(__name__).warning("margin_not_read", account=case.account.id, error=type(error).__name__)
        return None


async def _estimate(broker: Broker, case: Case) -> Margin | None:
    needed = checks.estimate_of(case.intent, case.quote)
    if needed is None:
        return None
    available = (await broker.funds()).available
    if needed > available:
        # What takes off a position needs no money, and getting out is the last thing to hinder.
        needed = needed * opening(case.intent, await broker.positions()) / case.intent.quantity
    return Margin(needed, available, estimated=True)
