"""Start-up: take over the legs of processes that died, before anything new is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from ordo_cli.desk import Desk
from ordo_cli.domain.journal import Owner
from ordo_cli.domain.legs import Block, Leg, LegId, Problem, Submission
from ordo_cli.services import presses

ORPHANED = Problem(
    Block.ORPHANED, "the ordo that planned it ended before it was sent", "place it again if it is still wanted"
)
WIDOWED = Problem(
    "OWNER_DIED", "the ordo that was sending it ended before the answer was saved", "ordo fanout reconcile"
)


async def wake(desk: Desk) -> list[Leg]:
    """Settle what dead processes left: planned legs never go out, sent ones are unknown until a book tells.

    Death is proved by the owner's free lock and a process that is gone, never by age. Gives the legs that moved.
    """
    await presses.write_down(desk)
    return await take_over(desk, await desk.store.journal.owners())


async def take_over(desk: Desk, owners: Mapping[LegId, Owner]) -> list[Leg]:
    """The same of these legs alone."""
    if not owners:
        return []
    dead = {owner for owner in set(owners.values()) if not desk.locks.alive(owner)}
    moving = (desk.store.journal.move(leg, inherit) for leg, owner in owners.items() if owner in dead)
    return await asyncio.gather(*moving)


def inherit(leg: Leg) -> Leg:
    """What a leg becomes when its owner is dead. A leg that has settled meanwhile stays as it is."""
    if leg.submission in {Submission.PLANNED, Submission.NOT_SENT}:
        return leg.to(Submission.BLOCKED, problem=ORPHANED)
    if leg.submission is Submission.SENDING:
        return leg.to(Submission.UNKNOWN, problem=WIDOWED)
    return leg
