"""Fan-outs that were placed: the recent ones, one whole, and one as it changes."""

from __future__ import annotations

from collections.abc import AsyncIterator

from ordo_cli.desk import Desk
from ordo_cli.domain.accounts import AccountId
from ordo_cli.domain.fanouts import FanOut
from ordo_cli.domain.legs import Leg
from ordo_cli.domain.tokens import TokenScope
from ordo_cli.services import covered, reconcile
from ordo_cli.services.orders import Until, reached
from ordo_cli.services.startup import wake

EVERY = 1.0  # seconds between two looks of a watch


async def recent(
    desk: Desk, limit: int = 20, account: AccountId | None = None, before: str | None = None
) -> list[FanOut]:
    """The newest fan-outs first, optionally those with a leg of one account, or those older than one."""
    desk.rights.require(TokenScope.READ)
    await wake(desk)
    return await covered.fan_outs(desk, limit, account, before)


async def show(desk: Desk, fan_out_id: str) -> FanOut:
    """One fan-out as the journal has it, by its id or the beginning of it."""
    desk.rights.require(TokenScope.READ)
    await wake(desk)
    return await covered.fan_out(desk, fan_out_id)


async def leg(desk: Desk, leg_id: str) -> tuple[FanOut, Leg]:
    """One leg by its id or the beginning of it, with the fan-out it belongs to."""
    desk.rights.require(TokenScope.READ)
    await wake(desk)
    return await covered.leg(desk, leg_id)


async def watch(desk: Desk, fan_out_id: str, until: Until = Until.TERMINAL) -> AsyncIterator[FanOut]:
    """The fan-out now, and again whenever something of it changed, until every leg has ended or the user stops."""
    fan_out = await show(desk, fan_out_id)
    yield fan_out
    while not reached(fan_out, until) and not desk.stopping.is_set():
        await desk.clock.sleep(EVERY)
        await reconcile.reconcile(desk, fan_out_id=fan_out.id)
        after = await desk.store.journal.fan_out(fan_out.id)
        if after != fan_out:
            fan_out = after
            yield fan_out
