"""Start-up: take over the legs of processes that died, before anything new is sent."""

from __future__ import annotations

import asyncio

from ordo_cli.desk import Desk
from ordo_cli.domain.legs import Block, Leg, Problem, Submission
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
    owners = await desk.store.journal.owners()
    dead = {leg for leg, owner in owners.items() if not desk.locks.alive(owner)}
    return await asyncio.gather(*(desk.store.journal.move(leg, inherit) for leg in dead))


def inherit(leg: Leg) -> Leg:
    """What a leg becomes when its owner is dead. A leg that has settled meanwhile stays as it is."""
    if leg.submission in {Submission.PLANNED, Submission.NOT_SENT}:
        return leg.to(Submission.BLOCKED, problem=ORPHANED)
    if leg.submission is Submission.SENDING:
        return leg.to(Submission.UNKNOWN, problem=WIDOWED)
    return leg
