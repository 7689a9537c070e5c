"""What operations answer in public: dry runs, cancels, reconciliations, sweeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ordo_cli.schemas.base import AccountRow, Failure, Foreign, Money, Out, Problem
from ordo_cli.schemas.fanouts import Intent, Leg

if TYPE_CHECKING:
    from ordo_cli.services import cancelling, planning, reconcile
    from ordo_cli.services import sweep as sweep_service


class PreviewLeg(AccountRow):
    quantity: int
    value: Money | None
    problem: Problem | None


class Preview(Out):
    """What a request would do: `unallocated` units fit nobody's lots, `without` are accounts that get no leg."""

    mode: str
    intent: Intent
    value: Money | None
    unallocated: int
    without: tuple[str, ...]
    problem: Problem | None
    legs: tuple[PreviewLeg, ...]


def preview(plan: planning.Preview) -> dict[str, Any]:
    """A dry run."""
    rows = []
    for each in plan.proposals:
        problem = each.problem(plan.request.confirmed)
        rows.append(
            PreviewLeg(
                account=each.account.id,
                broker=each.account.broker,
                quantity=each.quantity,
                value=each.value,
                problem=None if problem is None else Problem.of(problem),
            )
        )
    whole = Preview(
        mode=plan.mode,
        intent=Intent.of(plan.request.intent),
        value=plan.value,
        unallocated=plan.rest,
        without=tuple(plan.without),
        problem=None if plan.refusal is None else Problem.of(plan.refusal),
        legs=tuple(rows),
    )
    return whole.model_dump(mode="json")


class CancelledOut(Out):
    account: str
    broker_order_id: Foreign
    leg: str | None
    state: str
    filled_quantity: int | None
    problem: Problem | None


def cancelled(value: cancelling.Cancelled) -> dict[str, Any]:
    """What became of one cancel."""
    report, of = value.report, value.leg
    whole = CancelledOut(
        account=value.account,
        broker_order_id=value.order_id,
        leg=None if of is None else of.id,
        state=report.state if report is not None else of.state if of is not None else "unknown",
        filled_quantity=None if report is None else report.filled_quantity,
        problem=None if value.problem is None else Problem.of(value.problem),
    )
    return whole.model_dump(mode="json")


class Advice(Out):
    leg: Leg
    seconds: float
    message: Foreign


class Reconciled(Out):
    """What the books told."""

    moved: tuple[Leg, ...]
    unknown: tuple[Advice, ...]
    orphans: tuple[Leg, ...]
    failures: tuple[Failure, ...]


def reconciled(found: reconcile.Reconciled) -> dict[str, Any]:
    """What a look in the brokers' books has settled, and what it has not."""
    whole = Reconciled(
        moved=tuple(Leg.of(leg) for leg in found.moved),
        unknown=tuple(
            Advice(leg=Leg.of(each.leg), seconds=round(each.seconds, 3), message=each.message) for each in found.unknown
        ),
        orphans=tuple(Leg.of(leg) for leg in found.orphans),
        failures=tuple(Failure(account=each.account, problem=Problem.of(each.problem)) for each in found.failures),
    )
    return whole.model_dump(mode="json")


class ClosedOut(Out):
    instrument: str
    quantity: int
    leg: str


class AccountSweep(Out):
    """One account after a sweep; `clean` means that everything asked for was observed."""

    account: str
    clean: bool
    cancelled: tuple[Foreign, ...]
    closed: tuple[ClosedOut, ...]
    kept: tuple[Foreign, ...]
    left: tuple[Foreign, ...]
    problems: tuple[Problem, ...]


class Sweep(Out):
    clean: bool
    accounts: tuple[AccountSweep, ...]


def sweep(report: sweep_service.SweepReport) -> dict[str, Any]:
    """What a sweep did, account by account."""
    rows = tuple(
        AccountSweep(
            account=at.account,
            clean=at.clean,
            cancelled=at.cancelled,
            closed=tuple(ClosedOut(instrument=str(c.instrument), quantity=c.quantity, leg=c.leg) for c in at.closed),
            kept=at.kept,
            left=at.left,
            problems=tuple(Problem.of(problem) for problem in at.problems),
        )
        for at in report.accounts
    )
    return Sweep(clean=report.clean, accounts=rows).model_dump(mode="json")
