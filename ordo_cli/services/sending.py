"""Sending one leg: make it ready, claim it durably, pass the gate, write once, and record whatever became of it.

The only place that hands an order to a broker. A leg is sent again only when the byte counter of its permit proves
that nothing left; after silence it is UNKNOWN, and nothing here ever sends it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import date
from decimal import Decimal

from ordo_cli import log
from ordo_cli.brokers.base import Broker, BrokerSpec, Permit
from ordo_cli.cache import KILL, Wakes
from ordo_cli.desk import Desk
from ordo_cli.domain import matching
from ordo_cli.domain.accounts import Account
from ordo_cli.domain.errors import (
    Busy,
    IllegalMove,
    KillEngaged,
    LimitExceeded,
    NoAnswer,
    OrdoError,
    Refused,
    Rejected,
    SessionExpired,
    SessionNeeded,
    StoreFailed,
    Unreachable,
)
from ordo_cli.domain.journal import ClaimTerms, DayLimits, Wait
from ordo_cli.domain.kill import scopes_over
from ordo_cli.domain.legs import MAX_ATTEMPTS, Block, Evidence, Leg, Problem, Submission
from ordo_cli.domain.orders import OrderIntent, OrderReport
from ordo_cli.domain.sessions import KeptSession
from ordo_cli.domain.values import dataclass, replace
from ordo_cli.gate import GatePermit, Stamps
from ordo_cli.services import breaker
from ordo_cli.services.ahead import Ahead, Book, standing
from ordo_cli.services.turns import STOPPED, turn, unless_stopped

Watch = Callable[[Leg], None]
"""Told of every change of a leg, for whoever shows it."""

NO_LIMITS = DayLimits()
SENDING = Submission.SENDING
LOOK_AGAIN = 0.05  # seconds between looks at the switch while a leg waits its turn


@dataclass(frozen=True, slots=True)
class Errand:
    """One leg on its way: what to send, for whom, by when, and under which arming. `stamps` is None for a close."""

    leg: Leg
    intent: OrderIntent  # with this leg's quantity
    account: Account
    spec: BrokerSpec
    tagged: bool  # whether its tag will find the order; else what was in the book before it has to be known
    stamps: Stamps | None
    deadline: float  # by the elapsed clock
    day: date
    value: Decimal | None = None
    limits: DayLimits = NO_LIMITS
    unless: Callable[[Broker], Awaitable[None]] | None = None  # asked before each claim; raises what forbids it
    ahead: Ahead | None = None  # where its account's turn may have begun


async def send(desk: Desk, errand: Errand, room: asyncio.Semaphore, watch: Watch) -> Leg:
    """Carry a planned leg to its fate and give it back as the journal now has it. Raises nothing of the network.

    `room` is how many legs may be under way at once, each with a lock file and a connection. If the journal cannot be
    written any more, the leg comes back as known in memory, its problem saying so.
    """
    began = desk.clock.now()
    leg = await _carry(desk, errand, room, _harmless(watch))
    breaker.learn(desk, errand.account, leg)
    desk.meter.leg(leg, began, desk.clock.now())
    return leg


async def _carry(desk: Desk, errand: Errand, room: asyncio.Semaphore, watch: Watch) -> Leg:
    """A leg from its turn to its fate."""
    leg = errand.leg
    try:
        async with turn(desk, errand.account, errand.deadline, room, errand.ahead) as book:
            broker, session = await unless_stopped(desk, desk.lines.opened(errand.account))
            for tries in range(1, MAX_ATTEMPTS + 1):
                now = errand if leg is errand.leg else replace(errand, leg=leg)
                leg = await _attempt(desk, now, broker, watch, tries, book, session)
                if leg.submission is not Submission.PLANNED:
                    break
            return leg
    except IllegalMove:
        raise
    except Exception as error:  # whatever it is belongs to this leg alone, which has not left
        return await _give_up(desk, leg, _block_of(error), error, watch)


def _harmless(watch: Watch) -> Watch:
    """Whoever looks on cannot stop a leg between its claim and its outcome, whatever goes wrong in showing it."""

    def told(leg: Leg) -> None:
        try:
            watch(leg)
        except Exception as error:
            log.get(__name__).error("leg_not_shown", leg=leg.id, error=type(error).__name__)

    return told


async def _attempt(
    desk: Desk,
    errand: Errand,
    broker: Broker,
    watch: Watch,
    tries: int,
    book: Book | None,
    session: KeptSession | None,
) -> Leg:
    """One attempt: the leg comes back PLANNED only when it may be tried again. Raises what stopped it before its claim.

    The claim comes out of the adapter, when the connection is open and the order is ready to be written.
    """
    claimed: Leg | None = None
    before: Book | None = None

    async def claim() -> float:
        nonlocal claimed
        leg, claimed_at = await _claim(desk, errand, broker, before)
        watch(leg)
        desk.failpoint("claimed")
        claimed = leg
        return claimed_at

    permit = desk.gate.permit(errand.stamps, claim=claim, deadline=errand.deadline)
    try:
        # Here and not at the claim, so that the order takes the connection that the reading has opened.
        before = None if errand.tagged else await standing(desk, broker, book)
        report = await broker.place(errand.intent, errand.leg.tag, permit)
    except BaseException as error:
        if claimed is None:
            return await _unclaimed(desk, errand, permit, error, watch, tries)
        desk.failpoint("failed")
        if isinstance(error, SessionExpired) and session is not None:
            with suppress(StoreFailed):  # the rest of this account waits for a person, whatever the others do
                await desk.sessions.ended(session)
        after = await _record_failure(desk, claimed, permit, error)
        if isinstance(error, Exception):
            return await _after_failure(desk, after, errand, error, watch, tries)
        if after.submission is Submission.NOT_SENT:
            await _give_up(desk, after, Block.INTERRUPTED, Refused(STOPPED), watch)
        raise
    if claimed is None:
        raise AssertionError("the adapter answered for an order that it never asked leave for")
    desk.failpoint("answered")
    spent = _milliseconds(desk, permit)
    return _tell(watch, await _record(desk, claimed, lambda now: _accepted(now, report, desk, spent)))


async def _unclaimed(
    desk: Desk, errand: Errand, permit: GatePermit, error: BaseException, watch: Watch, tries: int
) -> Leg:
    """An attempt that ended before the journal knew of it: once more if that can help, else raise what stopped it."""
    permit.withdraw()
    if isinstance(error, asyncio.CancelledError):
        await _abandon(desk, errand.leg, watch)
    if not isinstance(error, Unreachable) or tries >= MAX_ATTEMPTS:
        raise error
    await _rest(desk, errand, tries)
    return errand.leg


async def _claim(desk: Desk, errand: Errand, broker: Broker, before: Book | None) -> tuple[Leg, float]:
    """Make SENDING durable, waiting for the account's turn; with it, a moment not later than the commit.

    Raises what blocks the leg for good. A permit ages from before the commit, so that neither a slow disk nor a busy
    loop can make it look younger, and the rate window holds for first bytes too.
    """
    while True:
        _in_time(desk, errand)
        if errand.unless is not None:
            await errand.unless(broker)
        desk.failpoint("claiming")
        before = None if errand.tagged else await standing(desk, broker, before)
        _still_wanted(desk, errand)  # again: those looks take as long as the broker does
        terms = _terms(desk, errand, before)
        if desk.store.turns is None:
            answer = await desk.store.journal.claim(errand.leg.id, terms)
        else:
            async with desk.store.turns:  # whose age counts from here, however many were before it
                _still_wanted(desk, errand)
                terms = replace(terms, now=desk.clock.now(), elapsed=desk.clock.elapsed())
                answer = await desk.store.journal.claim(errand.leg.id, terms)
        if not isinstance(answer, Wait):
            return answer, terms.elapsed
        if desk.clock.elapsed() + answer.seconds >= errand.deadline:
            why = "too many orders in this second, or one like it of which nobody knows yet what became"
            raise Refused(f"no turn came before its deadline: {why}", code=Block.DEADLINE)
        await _pause(desk, errand, answer.seconds)
        _still_wanted(desk, errand)
        before = None  # the one like it may be in the book by now


async def _pause(desk: Desk, errand: Errand, seconds: float) -> None:
    """Wait, but wake at once when the switch is pulled or the user stops."""
    until = desk.clock.elapsed() + seconds
    with desk.cache.subscribe(KILL) as wakes:
        while (left := until - desk.clock.elapsed()) > 0:
            _still_wanted(desk, errand)
            await _rest_or_wake(desk, min(left, LOOK_AGAIN), wakes)


async def _rest_or_wake(desk: Desk, seconds: float, wakes: Wakes) -> None:
    woken, resting = asyncio.ensure_future(wakes.wait()), asyncio.ensure_future(desk.clock.sleep(seconds))
    try:
        await asyncio.wait({woken, resting}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        woken.cancel()
        resting.cancel()


def _still_wanted(desk: Desk, errand: Errand) -> None:
    _in_time(desk, errand)
    if errand.stamps is not None:
        desk.gate.check(errand.stamps)


def _in_time(desk: Desk, errand: Errand) -> None:
    if desk.stopping.is_set():
        raise Refused(STOPPED, code=Block.INTERRUPTED)
    desk.sessions.still(errand.account.id)
    if desk.clock.elapsed() >= errand.deadline:
        raise Refused("its deadline passed before it could be sent", code=Block.DEADLINE)


def _terms(desk: Desk, errand: Errand, before: Book | None) -> ClaimTerms:
    return ClaimTerms(
        scopes=scopes_over(errand.account),
        owner=desk.locks.owner,
        rates=errand.spec.rates,
        day=errand.day,
        now=desk.clock.now(),
        elapsed=desk.clock.elapsed(),
        value=errand.value,
        limits=errand.limits,
        pre_image=before.orders if before is not None else None,
        tagless=before is not None,
    )


async def _record(desk: Desk, leg: Leg, change: Callable[[Leg], Leg]) -> Leg:
    """tx3: what became of it, durably; if the journal refuses, in the spill file and in memory."""
    try:
        after = await desk.store.journal.move(leg.id, change)
    except StoreFailed as error:
        after = change(leg)
        desk.spill.keep(after)
        lost = Problem(
            Block.STORE, f"the outcome could not be saved: {error.message}", "ordo doctor; then ordo fanout reconcile"
        )
        return replace(after, problem=after.problem or lost)
    desk.failpoint("recorded")
    return after


def _accepted(leg: Leg, report: OrderReport, desk: Desk, spent: float | None) -> Leg:
    """The leg after a broker's answer that names its order."""
    facts = replace(leg, answered_at=desk.clock.now(), latency_ms=spent)
    return matching.settle(facts, matching.found(report, Evidence.RESPONSE))


async def _record_failure(desk: Desk, leg: Leg, permit: GatePermit, error: BaseException) -> Leg:
    """What an attempt that raised has proved, which hangs on the bytes first and on the error's class second."""
    spent = _milliseconds(desk, permit)
    if permit.withdraw():
        return await _record(desk, leg, _unsent)
    state, problem = _verdict(error)
    if not isinstance(error, OrdoError) and isinstance(error, Exception):
        log.get(__name__).error("adapter_failed", leg=leg.id, error=type(error).__name__)
    evidence = Evidence.RESPONSE if state is Submission.REJECTED else None
    facts = {"evidence": evidence, "problem": problem, "answered_at": desk.clock.now(), "latency_ms": spent}
    return await asyncio.shield(_record(desk, leg, lambda now: now.to(state, **facts)))


def _verdict(error: BaseException) -> tuple[Submission, Problem]:
    if isinstance(error, SessionExpired):
        return Submission.REJECTED, Problem(Block.SESSION, error.message, error.hint)
    if isinstance(error, Rejected):
        return Submission.REJECTED, Problem.of(error)
    hint = "ordo looks in the broker's book until it knows; it never sends again. See: ordo fanout reconcile"
    if isinstance(error, NoAnswer):
        return Submission.UNKNOWN, Problem("NO_ANSWER", error.message, hint)
    if isinstance(error, Exception):
        return Submission.UNKNOWN, Problem("NO_ANSWER", "the answer could not be understood", hint)
    return Submission.UNKNOWN, Problem(Block.INTERRUPTED, "ordo stopped before the answer came", hint)


async def _after_failure(desk: Desk, leg: Leg, errand: Errand, error: Exception, watch: Watch, tries: int) -> Leg:
    """Nothing left: once more if that can help and may still be, else blocked with the reason."""
    if leg.submission is not Submission.NOT_SENT:
        return _tell(watch, leg)
    again = isinstance(error, Unreachable) or (isinstance(error, Refused) and error.reason == "STALE")
    if not again or tries >= MAX_ATTEMPTS or leg.attempt >= MAX_ATTEMPTS or _unsaved(leg):
        return await _give_up(desk, leg, _block_of(error), error, watch)
    planned = await _record(desk, leg, lambda now: now.to(Submission.PLANNED))
    if _unsaved(planned):
        return await _give_up(desk, leg, Block.STORE, error, watch)
    await _rest(desk, errand, tries)
    return planned


async def _rest(desk: Desk, errand: Errand, tries: int) -> None:
    """Before another attempt: 0.2 s, then twice that."""
    await _pause(desk, errand, min(2.0, 0.2 * 2 ** (tries - 1)) * desk.chance.uniform(0.8, 1.2))


def _block_of(error: Exception) -> Block:
    for kind, block in BLOCKS:
        if isinstance(error, kind):
            return block
    return Block(error.reason) if isinstance(error, OrdoError) and error.reason in set(Block) else Block.UNREACHABLE


BLOCKS: tuple[tuple[type[Exception], Block], ...] = (
    (KillEngaged, Block.KILL),
    (LimitExceeded, Block.RISK),
    (SessionNeeded, Block.SESSION),
    (SessionExpired, Block.SESSION),
    (Busy, Block.ACCOUNT_BUSY),
)


async def _give_up(desk: Desk, leg: Leg, block: Block, error: Exception, watch: Watch) -> Leg:
    """BLOCKED for good, said in the journal if it can be, and shown either way."""
    if isinstance(error, OrdoError):
        problem = Problem(error.reason if isinstance(error, LimitExceeded) else block, error.message, error.hint)
    else:
        own = isinstance(error, OSError)
        what = "this machine refused a file that ordo needs" if own else "ordo itself failed at it"
        problem = Problem(block, f"{what}; nothing was sent", "ordo doctor")
        log.get(__name__).error("leg_blocked", leg=leg.id, error=type(error).__name__)
    if leg.submission not in {Submission.PLANNED, Submission.NOT_SENT}:
        return _tell(watch, leg)
    if leg.submission is Submission.NOT_SENT and _unsaved(leg):  # the journal says sending still, and may listen now
        leg = await _record(desk, replace(leg, problem=None), _unsent)
        if _unsaved(leg):
            return _tell(watch, leg)

    def blocked(now: Leg) -> Leg:
        return now.to(Submission.BLOCKED, problem=problem)

    if isinstance(error, StoreFailed):
        with suppress(IllegalMove):
            return _tell(watch, await _record(desk, leg, blocked))
        # Its claim is there after all: a commit that lost its connection. Its permit was never made.
        await _record(desk, leg, _unsent)
    return _tell(watch, await _record(desk, leg, blocked))


async def _abandon(desk: Desk, leg: Leg, watch: Watch) -> None:
    """Cancelled while it was being claimed: whether or not that went through, its permit was never made."""
    claimed = await _record(desk, leg, _unsent)
    await _give_up(desk, claimed, Block.INTERRUPTED, Refused(STOPPED), watch)


def _unsent(leg: Leg) -> Leg:
    """The leg whose attempt is proved at zero bytes."""
    return leg.to(Submission.NOT_SENT) if leg.submission is SENDING else leg


def _unsaved(leg: Leg) -> bool:
    return leg.problem is not None and leg.problem.code == Block.STORE


def _milliseconds(desk: Desk, permit: Permit) -> float | None:
    began = permit.first_byte_at
    return None if began is None else round((desk.clock.elapsed() - began) * 1000, 3)


def _tell(watch: Watch, leg: Leg) -> Leg:
    watch(leg)
    return leg
