"""Legs that only a person can settle: unknown or disputed ones, with the evidence shown and the reason kept."""

from __future__ import annotations

from collections.abc import Sequence

from ordo_cli.desk import Desk
from ordo_cli.domain import matching
from ordo_cli.domain.errors import Invalid, NotFound, OrdoError, Refused
from ordo_cli.domain.fanouts import FanOut
from ordo_cli.domain.legs import Evidence, Leg, Problem, Submission
from ordo_cli.domain.orders import BrokerOrderId, OrderReport, OrderState
from ordo_cli.domain.portfolio import Position
from ordo_cli.domain.tokens import TokenScope
from ordo_cli.domain.values import dataclass, replace
from ordo_cli.services import covered
from ordo_cli.services.startup import wake

OPEN_QUESTION = frozenset({Submission.UNKNOWN, Submission.DISPUTED})


@dataclass(frozen=True, slots=True)
class Dossier:
    """What a person sees before settling a leg: it, the account's book and positions, or why those are missing."""

    fan_out: FanOut
    leg: Leg
    book: Sequence[OrderReport]
    positions: Sequence[Position]
    problem: Problem | None = None


async def dossier(desk: Desk, leg_id: str) -> Dossier:
    """All that there is to see about an open question. Raises Refused when the leg is none."""
    desk.rights.require(TokenScope.READ)
    await wake(desk)
    fan_out, leg = await covered.leg(desk, leg_id)
    _require_question(leg)
    account = await desk.store.accounts.get(leg.account)
    try:
        broker = await desk.lines.to(account)
        return Dossier(fan_out, leg, await broker.orders(), await broker.positions())
    except OrdoError as error:
        return Dossier(fan_out, leg, (), (), Problem.of(error))


async def resolve(desk: Desk, leg_id: str, *, reason: str, broker_id: str | None = None) -> Leg:
    """Settle a leg by a person's word: absent, or the order with this id. The reason goes into the audit.

    Raises Invalid without a reason or for an order that cannot be this leg, Refused when the book cannot be read, or
    shows the very order that is said to be absent.
    """
    desk.rights.require(TokenScope.ADMIN)
    if not reason.strip():
        raise Invalid(
            "a reason is needed: it is what the audit will show", hint='--reason "seen at the dealer\'s desk"'
        )
    found = await dossier(desk, leg_id)
    finding = _absent(found, reason) if broker_id is None else await _named(desk, found, BrokerOrderId(broker_id))

    def settle(now: Leg) -> Leg:
        _require_question(now)  # a book may have answered it while the person was thinking
        return matching.settle(now, finding)

    return await desk.store.journal.move(found.leg.id, settle, kind="resolve", data={"reason": reason})


def _require_question(leg: Leg) -> None:
    if leg.submission not in OPEN_QUESTION:
        raise Refused(f"leg {leg.id} is {leg.state}: there is nothing to settle", code="ALREADY_DONE")


def _absent(found: Dossier, reason: str) -> matching.Finding:
    for row in found.book:
        there = row.tag == found.leg.tag and row.state is not OrderState.REJECTED
        if there and matching.same_order(found.fan_out.intent, found.leg, row):
            raise Refused(
                f"the book of {found.leg.account} shows leg {found.leg.id} by its tag: order {row.order_id}",
                hint="settle it by the book: ordo fanout reconcile",
                code="IN_BOOK",
            )
    return matching.Finding(
        Submission.ABSENT, Evidence.OPERATOR, problem=Problem("ABSENT", f"settled by hand: {reason}")
    )


async def _named(desk: Desk, found: Dossier, order_id: BrokerOrderId) -> matching.Finding:
    if found.problem is not None:
        raise Refused(f"the book cannot be read: {found.problem.message}", hint=found.problem.hint)
    row = next((row for row in found.book if row.order_id == order_id), None)
    if row is None:
        raise NotFound(f"order {order_id} is not in the book of {found.leg.account}", hint="see: ordo orders")
    if not matching.same_order(found.fan_out.intent, found.leg, row):
        raise Invalid(f"order {order_id} is another order than leg {found.leg.id}: it differs in what is traded")
    of_others = (await desk.store.journal.by_order_ids(found.leg.account, [order_id])).get(order_id, found.leg.id)
    if of_others != found.leg.id:
        raise Invalid(f"order {order_id} is what became of leg {of_others}: one order cannot be two legs")
    finding = matching.found(row, Evidence.OPERATOR)
    if found.leg.submission is Submission.DISPUTED and finding.submission is Submission.REJECTED:
        raise Refused(
            f"order {order_id} was rejected, so the disputed leg does not exist", hint="ordo leg resolve LEG --absent"
        )
    return replace(finding, evidence=Evidence.OPERATOR)
