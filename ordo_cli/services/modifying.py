"""Modifying a working order: judged and permitted like a new one, sent once, never repeated after silence."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal

from ordo_cli.desk import Desk
from ordo_cli.domain import checks, matching
from ordo_cli.domain.accounts import Account
from ordo_cli.domain.checks import Case
from ordo_cli.domain.errors import LimitExceeded, NoAnswer, OrdoError, Refused, StoreFailed, Unreachable
from ordo_cli.domain.fanouts import FanOut, Mode
from ordo_cli.domain.journal import DayUse, Wait
from ordo_cli.domain.kill import scopes_over
from ordo_cli.domain.legs import Block, Leg, Problem, Submission
from ordo_cli.domain.orders import BrokerOrderId, Changes, OrderIntent
from ordo_cli.domain.portfolio import Quote
from ordo_cli.domain.tokens import TokenScope
from ordo_cli.domain.values import replace
from ordo_cli.services import cached, covered
from ordo_cli.services.cancelling import operation_terms

OUT = frozenset({Submission.PLANNED, Submission.SENDING, Submission.NOT_SENT, Submission.ACKED, Submission.UNKNOWN})


async def modify(desk: Desk, leg_id: str, changes: Changes, *, confirmed: bool = False) -> Leg:
    """Change what still works of a leg, and give the leg as the broker's answer shows it.

    Raises KillEngaged, LimitExceeded, Rejected, and NoAnswer when the change may or may not have happened.
    """
    desk.rights.require(TokenScope.TRADE)
    fan_out, leg = await covered.leg(desk, leg_id)
    if leg.submission is not Submission.ACKED or leg.broker_order_id is None or leg.settled:
        raise Refused(f"leg {leg.id} is {leg.state}: there is nothing to change", code="ALREADY_DONE")
    account = await desk.store.accounts.get(leg.account)
    stamps = desk.gate.stamps(scopes_over(account))
    await _judge(desk, account, fan_out, leg, changes, confirmed)
    deadline = desk.clock.elapsed() + desk.config.deadline_resting
    broker = await desk.lines.to(account)
    ids = {"leg": leg.id, "fan_out": fan_out.id, "account": account.id}
    async with desk.locks.account(account.id, deadline):
        await desk.store.audit.append("modify", {"step": "sending", **_words(changes)}, ids)
        # Counted when the change is ready to leave: an adapter may have to read the order first, which takes its time.
        permit = desk.gate.permit(stamps, claim=lambda: _turn(desk, account, leg, deadline), deadline=deadline)
        try:
            report = await broker.modify(BrokerOrderId(leg.broker_order_id), changes, permit)
        except OrdoError as error:
            await _note(desk, {"step": error.code, "bytes": permit.bytes_sent}, ids)
            hint = f"see what the broker made of it: ordo order show {leg.id}"
            if isinstance(error, Unreachable) and permit.bytes_sent:  # the bytes decide, whatever an adapter calls it
                raise NoAnswer(f"it may have been changed: {error.message}", hint=hint) from error
            if isinstance(error, NoAnswer):
                error.hint = hint
            raise
        await _note(desk, {"step": "answered", **_words(changes)}, ids)

    def take(now: Leg) -> Leg:
        # Some brokers give a changed order another number: by the old one it could be neither followed nor cancelled.
        changed = replace(now, quantity=max(report.quantity, now.filled_quantity), broker_order_id=report.order_id)
        return matching.follow(changed, report)

    try:
        return await desk.store.journal.move(leg.id, take, kind="modify")
    except StoreFailed as error:
        lost = Problem(
            Block.STORE, f"it was changed, which could not be saved: {error.message}", "ordo fanout reconcile"
        )
        return replace(take(leg), problem=lost)


async def _note(desk: Desk, fact: dict[str, object], ids: dict[str, str]) -> None:
    """Put on record what came of it. A journal that says no hides neither the broker's answer nor its silence."""
    with suppress(StoreFailed):
        await desk.store.audit.append("modify", fact, ids)


async def _judge(desk: Desk, account: Account, fan_out: FanOut, leg: Leg, changes: Changes, confirmed: bool) -> None:
    """The checks of a new order, on the order as it would be. What it has used of the day already counts for it."""
    spec = desk.spec(account)
    intent = changed(replace(fan_out.intent, quantity=leg.quantity), changes)
    paper = spec.mode is Mode.PAPER
    limits = desk.config.limits.for_account(account, paper)
    instrument = await cached.instrument(desk, account, intent.instrument)
    known = [intent.instrument] if instrument is not None else []
    quotes = await cached.quotes(desk, account, known, float(limits.ltp_max_age)) if known else {}
    case = Case(
        account=account,
        intent=intent,
        able=spec.capabilities(account),
        instrument=instrument,
        quote=quotes.get(intent.instrument),
        limits=limits,
        book=desk.config.limits,
        paper=paper,
        use=DayUse(0, Decimal(0), 0),
        opposite=(),
        now=desk.clock.now(),
        sliced=False,
        # No margin: a change blocks only the difference to what its order blocks already, which no broker tells.
    )
    against = [objection for objection in checks.objections(case) if not (objection.soft and confirmed)]
    beyond = desk.rights.beyond(_values(fan_out, leg, intent, case.quote))
    if against or beyond is not None:
        problem = against[0].problem if against else beyond
        assert problem is not None
        raise LimitExceeded(problem.message, hint=problem.hint, code=problem.code)


def _values(fan_out: FanOut, leg: Leg, intent: OrderIntent, quote: Quote | None) -> list[Decimal | None]:
    """What the legs of the fan-out that are or may be out would be worth with the change."""
    others = [each for each in fan_out.legs if each.id != leg.id and each.submission in OUT]
    shares = (replace(fan_out.intent, quantity=each.quantity, disclosed=None) for each in others)
    return [checks.value_of(each, quote) for each in (intent, *shares)]


def changed(intent: OrderIntent, changes: Changes) -> OrderIntent:
    """The order as it would be. Raises Invalid when it would contradict itself."""
    return replace(
        intent,
        quantity=changes.quantity or intent.quantity,
        limit_price=changes.limit_price or intent.limit_price,
        trigger_price=changes.trigger_price or intent.trigger_price,
    )


async def _turn(desk: Desk, account: Account, leg: Leg, deadline: float) -> float:
    """Wait until the account may start one more operation that is not a cancel; a moment not later than its count."""
    terms = operation_terms(desk, account, scopes_over(account))
    while True:
        now = desk.clock.elapsed()
        answer = await desk.store.journal.operation(account.id, "modify", terms, leg=leg.id)
        if not isinstance(answer, Wait):
            return now
        if desk.clock.elapsed() + answer.seconds >= deadline:
            raise Refused("no turn came before its deadline", code=Block.DEADLINE)
        await desk.clock.sleep(answer.seconds)


def _words(changes: Changes) -> dict[str, str]:
    given = {
        "quantity": changes.quantity,
        "limit_price": changes.limit_price,
        "trigger_price": changes.trigger_price,
    }
    return {name: str(value) for name, value in given.items() if value is not None}
