"""Cancelling: ask for it, look in the book, ask again while it is still open. The switch never stops a cancel."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from ordo_cli import log
from ordo_cli.brokers.base import Broker
from ordo_cli.desk import Desk
from ordo_cli.domain import market, matching
from ordo_cli.domain.accounts import Account, AccountId, Target, choose
from ordo_cli.domain.errors import NoAnswer, NotFound, OrdoError, Refused, Rejected, Unreachable
from ordo_cli.domain.fanouts import FanOut
from ordo_cli.domain.journal import OperationTerms, Wait
from ordo_cli.domain.kill import Scope
from ordo_cli.domain.legs import CANCEL_MOVES, Cancel, Leg, LegId, Problem, Submission
from ordo_cli.domain.orders import FINAL, BrokerOrderId, OrderReport
from ordo_cli.domain.pacing import getting_out
from ordo_cli.domain.tokens import TokenScope
from ordo_cli.domain.values import dataclass
from ordo_cli.services import covered

TRIES = 5
LOOKS = (0.05, 0.25, 0.5, 1.0)  # seconds between looks at the book after a cancel was taken
OPERABLE = frozenset({Submission.ACKED})
UNRESOLVED = "UNRESOLVED"  # of an order that may work, or come to work yet, and that nobody can name
MAY_CANCEL = (TokenScope.CANCEL, TokenScope.TRADE)


@dataclass(frozen=True, slots=True)
class Cancelled:
    """What became of one cancel. `leg` is None for an order that is not ordo's; `problem` says why it is open still."""

    account: AccountId
    order_id: BrokerOrderId
    leg: Leg | None
    report: OrderReport | None
    problem: Problem | None = None

    @property
    def done(self) -> bool:
        """The book shows that nothing of it is working any more."""
        return self.report is not None and self.report.state in FINAL


async def cancel_leg(desk: Desk, leg_id: str) -> Cancelled:
    """Cancel what still works of one leg, and say what the book shows after it.

    Raises Refused for a leg that is not known to be at its broker, or has ended already.
    """
    desk.rights.require(*MAY_CANCEL)
    _, leg = await covered.leg(desk, leg_id)
    if leg.submission not in OPERABLE or leg.broker_order_id is None:
        code = None if leg.settled else UNRESOLVED
        raise Refused(
            f"leg {leg.id} is {leg.state}: there is no known order to cancel", hint=_what_helps(leg), code=code
        )
    if leg.settled:
        raise Refused(f"leg {leg.id} is already {leg.state}", code="ALREADY_DONE")
    account = await desk.store.accounts.get(leg.account)
    return await _cancel(desk, account, leg.broker_order_id, leg)


async def cancel_order(desk: Desk, account: Account, order_id: BrokerOrderId) -> Cancelled:
    """Cancel an order by its broker's id, whether ordo placed it or not."""
    desk.rights.require(*MAY_CANCEL)
    desk.rights.require_accounts([account])
    known = await desk.store.journal.by_order_ids(account.id, [order_id])
    leg = (await desk.store.journal.leg(known[order_id]))[1] if order_id in known else None
    if leg is None:
        ids = {"account": account.id, "order": order_id}
        await desk.store.audit.append("cancel", {"foreign": True}, ids)
    return await _cancel(desk, account, order_id, leg)


async def cancel_fan_out(desk: Desk, fan_out_id: str) -> list[Cancelled]:
    """Cancel every leg of a fan-out that still works, accounts side by side.

    One that may be working and cannot be named is among them, with UNRESOLVED as its problem.
    """
    desk.rights.require(*MAY_CANCEL)
    fan_out = await covered.fan_out(desk, fan_out_id)
    return await _together(desk, [leg for leg in fan_out.legs if not leg.settled])


async def cancel_all(desk: Desk, targets: Sequence[Target]) -> list[Cancelled]:
    """Cancel every working order that ordo placed for these accounts; those in question as `cancel_fan_out` does."""
    desk.rights.require(*MAY_CANCEL)
    accounts = [account for account, _ in choose(await desk.store.accounts.all(), targets)]
    desk.rights.require_accounts(accounts)
    chosen = {account.id for account in accounts}
    unsettled = await desk.store.journal.unsettled()
    return await _together(desk, [leg for _, leg in unsettled if leg.account in chosen])


async def find_order(desk: Desk, word: str, account: str | None) -> tuple[Account, BrokerOrderId] | LegId:
    """What the user means by an order: a leg of ours, or with an account, a broker's order id."""
    if account is not None:
        await covered.require(desk, [AccountId(account)])
        return await desk.store.accounts.get(AccountId(account)), BrokerOrderId(word)
    try:
        return (await covered.leg(desk, word))[1].id
    except NotFound as error:
        raise NotFound(
            error.message, hint="for an order that ordo did not place, name its account: --account A"
        ) from None


async def cancel_each(
    desk: Desk, words: Sequence[str], account: str | None, announce: Callable[[list[AccountId]], Awaitable[None]]
) -> list[Cancelled]:
    """Cancel every order that these words mean, side by side; what is wrong with one does not keep the others open.

    `announce` is told the accounts before anything is asked of a broker. Raises NotFound when nothing was found at all.
    """
    desk.rights.require(*MAY_CANCEL)
    found: list[tuple[Account, BrokerOrderId, Leg | None]] = []
    failed: list[Cancelled] = []
    missing: NotFound | None = None
    for word in dict.fromkeys(words):
        try:
            meant = await find_order(desk, word, account)
        except NotFound as error:
            missing = error
            problem = Problem.of(error)
            failed.append(Cancelled(AccountId(account or ""), BrokerOrderId(word), None, None, problem))
            continue
        if isinstance(meant, tuple):
            found.append((*meant, None))
        else:
            leg = (await desk.store.journal.leg(meant))[1]
            found.append((await desk.store.accounts.get(leg.account), leg.broker_order_id or BrokerOrderId(""), leg))
    if missing is not None and not found:
        raise missing
    await announce(list(dict.fromkeys(owner.id for owner, _, _ in found)))

    async def one(owner: Account, order_id: BrokerOrderId, leg: Leg | None) -> Cancelled:
        try:
            return await (cancel_order(desk, owner, order_id) if leg is None else cancel_leg(desk, leg.id))
        except Exception as error:
            return Cancelled(owner.id, order_id, leg, None, _why(error))

    return [*failed, *await asyncio.gather(*(one(*each) for each in found))]


async def _together(desk: Desk, legs: Sequence[Leg]) -> list[Cancelled]:
    async def one(leg: Leg) -> Cancelled:
        order_id = leg.broker_order_id or BrokerOrderId("")
        try:
            return await cancel_leg(desk, leg.id)
        except Exception as error:
            return Cancelled(leg.account, order_id, leg, None, _why(error))

    return list(await asyncio.gather(*(one(leg) for leg in legs)))


def _why(error: Exception) -> Problem:
    """What kept one order from being cancelled, a bug too: it must not keep the others open."""
    if isinstance(error, OrdoError):
        return Problem.of(error)
    log.get(__name__).error("cancel_failed", error=type(error).__name__)
    return Problem("failed", f"ordo itself failed at it ({type(error).__name__})", "report it; see the log")


async def _cancel(desk: Desk, account: Account, order_id: BrokerOrderId, leg: Leg | None) -> Cancelled:
    with getting_out():
        return await _cancelled(desk, account, order_id, leg)


async def _cancelled(desk: Desk, account: Account, order_id: BrokerOrderId, leg: Leg | None) -> Cancelled:
    broker = await desk.lines.to(account)
    problem: Problem | None = None
    for _ in range(TRIES):
        leg = await _step(desk, leg, Cancel.PLANNED)
        await _turn(desk, account)
        leg = await _step(desk, leg, Cancel.SENDING)
        problem = await _ask(desk, broker, order_id)
        leg = await _step(desk, leg, _outcome(problem))
        report = await _look(desk, broker, order_id, patient=problem is None)
        leg = await _follow(desk, leg, report)
        if report is None or report.state in FINAL or problem is None:
            return Cancelled(account.id, order_id, leg, report, _left(report, problem))
    return Cancelled(account.id, order_id, leg, report, problem)


async def _follow(desk: Desk, leg: Leg | None, report: OrderReport | None) -> Leg | None:
    if leg is None or report is None:
        return leg
    return await desk.store.journal.move(leg.id, lambda now: matching.follow(now, report))


async def _ask(desk: Desk, broker: Broker, order_id: BrokerOrderId) -> Problem | None:
    """One cancel over the wire; None when the broker took it."""
    desk.failpoint("cancelling")
    try:
        await broker.cancel(order_id)
    except (Unreachable, NoAnswer, Rejected) as error:
        return Problem(error.code if not isinstance(error, Rejected) else "TOO_LATE", error.message, error.hint)
    return None


async def _look(desk: Desk, broker: Broker, order_id: BrokerOrderId, *, patient: bool) -> OrderReport | None:
    """The order as the book shows it; with patience, until it has ended or the looks are spent."""
    report = None
    for pause in LOOKS if patient else LOOKS[:1]:
        try:
            book = await broker.orders()
        except OrdoError:
            book = []
        report = next((row for row in book if row.order_id == order_id), report)
        if report is not None and report.state in FINAL:
            return report
        await desk.clock.sleep(pause)
    return report


async def _turn(desk: Desk, account: Account) -> None:
    """Wait until the account may start one more operation; cancels have two of each second to themselves."""
    terms = operation_terms(desk, account)
    while isinstance(answer := await desk.store.journal.operation(account.id, "cancel", terms), Wait):
        await desk.clock.sleep(answer.seconds)


def operation_terms(desk: Desk, account: Account, scopes: tuple[Scope, ...] = ()) -> OperationTerms:
    """The terms of a cancel, or with scopes, of a modify."""
    return OperationTerms(
        owner=desk.locks.owner,
        rates=desk.spec(account).rates,
        day=market.trading_day(desk.clock.now()),
        scopes=scopes,
    )


async def _step(desk: Desk, leg: Leg | None, to: Cancel) -> Leg | None:
    """Record how far the cancel has come; an order of somebody else's has no leg to record it on.

    Two may cancel one order at once: the step of the one that is behind is left out.
    """
    if leg is None:
        return None
    return await desk.store.journal.move(
        leg.id, lambda now: now.cancelling(to) if to in CANCEL_MOVES[now.cancel] else now
    )


def _outcome(problem: Problem | None) -> Cancel:
    if problem is None:
        return Cancel.ACKED
    return {"TOO_LATE": Cancel.TOO_LATE, "unreachable": Cancel.PLANNED}.get(problem.code, Cancel.UNKNOWN)


def _left(report: OrderReport | None, problem: Problem | None) -> Problem | None:
    """Why the order is not seen to have ended, or None when it is."""
    if report is not None and report.state in FINAL:
        return None
    if report is None:
        return problem or Problem("NOT_SEEN", "the book could not be read, or no longer shows the order", "ordo orders")
    return problem or Problem(
        "CANCEL_PENDING", "the broker took the cancel; the order is still open", "ordo fanout reconcile"
    )


def _what_helps(leg: Leg) -> str | None:
    if not leg.settled:
        return "first find out whether it exists: ordo fanout reconcile"
    return None


def working_legs(fan_out: FanOut) -> list[Leg]:
    """The legs of which something still works at a broker."""
    operable = (leg for leg in fan_out.legs if leg.submission in OPERABLE and leg.broker_order_id is not None)
    return [leg for leg in operable if not leg.settled]
