"""Drafting: the legs of a fan-out as they are written down, one for each order that an account's quantity becomes."""

from __future__ import annotations

from ordo_cli.desk import Desk
from ordo_cli.domain.fanouts import FanOut
from ordo_cli.domain.legs import FanOutId, Leg, LegId, Submission
from ordo_cli.domain.tags import tag_of
from ordo_cli.services.planning import PlaceRequest, Preview, Proposal

ID_LENGTH = 10  # 50 bits: short enough to type


def draft(desk: Desk, plan: Preview, key: str, fingerprint: str) -> FanOut:
    """The fan-out to write down: every leg PLANNED, or BLOCKED by what speaks against it.

    What speaks against an account speaks against each of its slices: none of them goes without the others.
    """
    request = plan.request
    fan_out_id = FanOutId(desk.chance.token(ID_LENGTH))
    orders = [(proposal, quantity) for proposal in plan.proposals for quantity in quantities_of(proposal)]
    legs = tuple(
        _leg(desk, LegId(f"{fan_out_id}-{number}"), proposal, quantity, request)
        for number, (proposal, quantity) in enumerate(orders, start=1)
    )
    return FanOut(
        id=fan_out_id,
        key=key,
        principal=desk.actor,
        verb=request.verb,
        fingerprint=fingerprint,
        mode=plan.mode,
        intent=request.intent,
        created_at=desk.clock.now(),
        legs=legs,
        request_id=desk.request_id,
    )


def quantities_of(proposal: Proposal) -> tuple[int, ...]:
    """The quantities of an account's orders: one, unless it is above the freeze quantity."""
    return proposal.slices or (proposal.quantity,)


def _leg(desk: Desk, leg_id: LegId, proposal: Proposal, quantity: int, request: PlaceRequest) -> Leg:
    leg = Leg(
        id=leg_id,
        fan_out=FanOutId(leg_id.rpartition("-")[0]),
        account=proposal.account.id,
        broker=proposal.account.broker,
        quantity=quantity,
        tag=tag_of(desk.store.install.tag_key, leg_id),
        purpose=request.purpose,
    )
    problem = proposal.problem(request.confirmed)
    return leg if problem is None else leg.to(Submission.BLOCKED, problem=problem)
