"""Spilled outcomes: what brokers answered while the journal could not take it, used once it can, and then let go."""

from __future__ import annotations

from contextlib import suppress

from ordo_cli.desk import Desk
from ordo_cli.domain.errors import NotFound, StoreFailed
from ordo_cli.domain.legs import Leg, LegId, Problem, Submission
from ordo_cli.domain.orders import BrokerOrderId

ENDED = frozenset({Submission.ACKED, Submission.REJECTED, Submission.UNKNOWN})
"""Outcomes behind which a sender has nothing more to write about its leg."""

LEFT = Problem("OUTCOME_SPILLED", "its outcome could not be saved when it came", "ordo fanout reconcile")
OPEN = frozenset({Submission.PLANNED, Submission.SENDING, Submission.NOT_SENT, Submission.UNKNOWN})


def answers(desk: Desk) -> dict[str, BrokerOrderId]:
    """The order ids that brokers gave, by leg; none when the file cannot be read, which `ordo doctor` says."""
    return {
        str(each["leg"]): BrokerOrderId(str(each["broker_order_id"]))
        for each in _kept(desk)
        if each.get("submission") == Submission.ACKED and each.get("broker_order_id")
    }


async def take_over(desk: Desk) -> None:
    """Let a book settle the legs whose outcome was spilled: their senders are done with them, and may live for days."""
    for each in _kept(desk):
        if each["submission"] in ENDED:
            with suppress(NotFound):  # the journal was replaced by an older one; `empty` leaves that to a person
                await desk.store.journal.move(LegId(str(each["leg"])), _left)


def _left(leg: Leg) -> Leg:
    return leg.to(Submission.UNKNOWN, problem=LEFT) if leg.submission is Submission.SENDING else leg


async def empty(desk: Desk) -> None:
    """Let the outcomes go when the journal knows what became of every leg among them, with a last row of the audit."""
    kept = _kept(desk)
    # Not found: the journal was replaced by an older one, and a person should see it. No disk: the next time.
    with suppress(NotFound, StoreFailed, OSError):
        for each in kept:
            if (await desk.store.journal.leg(LegId(str(each["leg"]))))[1].submission in OPEN:
                return
        if kept:
            words = [f"{each['leg']} {each['submission']} {each['broker_order_id'] or '-'}" for each in kept]
            await desk.store.audit.append("spill", {"outcomes": words}, {})
            desk.spill.clear(len(kept))


def _kept(desk: Desk) -> list[dict[str, str | None]]:
    try:
        return [each for each in desk.spill.kept() if {"leg", "submission", "broker_order_id"} <= each.keys()]
    except (OSError, ValueError):
        return []
