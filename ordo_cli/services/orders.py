"""Orders: place one on many accounts, wait for what becomes of it, close a position."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from functools import partial
from typing import Any

from ordo_cli.cache import Wakes, channel_of
from ordo_cli.desk import Desk
from ordo_cli.domain.accounts import Account, AccountId, Target
from ordo_cli.domain.errors import LimitExceeded, OrdoError, StoreFailed
from ordo_cli.domain.fanouts import FanOut, Fate, Outcome, fate
from ordo_cli.domain.legs import Block, Leg, Problem, Purpose, Submission
from ordo_cli.domain.orders import OrderIntent, OrderType, Side
from ordo_cli.domain.portfolio import Position
from ordo_cli.domain.tokens import TokenScope
from ordo_cli.domain.values import dataclass, replace
from ordo_cli.services import cancelling, drafting, planning, presses, reconcile, reducing, startup
from ordo_cli.services.ahead import Ahead
from ordo_cli.services.planning import OnPartial, PlaceRequest, Preview
from ordo_cli.services.sending import Errand, Watch, send

AT_ONCE = 1000  # legs under way, each with a lock file and a connection of its own
FOLLOW = 0.1  # seconds between looks at a fan-out that another process is sending, when nothing wakes
GRACE = 5.0  # seconds that legs on the wire get to finish after the first Ctrl-C
ANSWERED = frozenset({Submission.ACKED, Submission.REJECTED, Submission.UNKNOWN})  # what ends an attempt that left
LOOKS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)  # seconds between looks at the books while waiting


class Until(StrEnum):
    """What `--wait` waits for."""

    ACCEPTED = "accepted"  # every leg is accepted, refused or not sent
    TERMINAL = "terminal"  # nothing more will happen to any leg
    FILLED = "filled"  # every accepted leg is filled


Show = Callable[[FanOut], None]
"""Told of the whole fan-out once it is written down, before anything is sent, and again when it comes from a replay."""


@dataclass(frozen=True, slots=True)
class Placed:
    """What became of a request, and whether the state that was waited for was reached."""

    fan_out: FanOut
    reached: bool = True


async def preview(desk: Desk, request: PlaceRequest) -> Preview:
    """What the request would do, without doing it."""
    desk.rights.require(TokenScope.TRADE)
    return await planning.preview(desk, request)


async def place(
    desk: Desk,
    request: PlaceRequest,
    watch: Watch = lambda leg: None,
    show: Show = lambda _: None,
    *,
    follow: bool = True,
) -> FanOut:
    """Send one order to every account at once, and report what each broker said.

    The same key again gives what the first request came to, and sends nothing; while the first is still under way it
    is followed to its end, or given as it stands. Raises what refuses all of it: then nothing was sent and the key is
    still free.
    """
    began = desk.clock.elapsed()
    desk.rights.require(TokenScope.TRADE)
    key, fingerprint = planning.key_for(desk, request), planning.fingerprint_of(request)
    await presses.write_down(desk)
    others, before = await desk.store.journal.outset(desk.actor, request.verb, key, fingerprint)
    if await startup.take_over(desk, others) and before is not None:  # some may be legs of this very fan-out
        before = replace(await desk.store.journal.fan_out(before.id), replayed=True)
    if before is not None:
        show(before)
        return await _again(desk, before, watch, follow)
    if request.purpose is Purpose.ENTRY:
        planning.require_room(desk)
    async with Ahead(desk) as ahead:
        try:
            plan = await planning.preview(desk, request, ahead)
            planning.refuse_whole(plan)
        except LimitExceeded as error:
            await desk.store.audit.append("risk", {"code": error.reason, "message": error.message, "key": key}, {})
            raise
        windows = None if request.allow_duplicate or request.purpose is Purpose.CLOSE else planning.windows(desk, plan)
        desk.failpoint("planned")
        fan_out = await _written_down(desk, drafting.draft(desk, plan, key, fingerprint), windows)
        desk.failpoint("opened")
        show(fan_out)
        after = fan_out if fan_out.replayed else await _send_all(desk, plan, fan_out, ahead, watch)
    if fan_out.replayed:  # somebody else's legs are followed with no turn of theirs kept here
        return await _again(desk, fan_out, watch, follow)
    desk.meter.fan_out(after, desk.clock.elapsed() - began)
    with suppress(StoreFailed):  # from here on orders are out, and what is known of them is told whatever else fails
        if any(_doubtful(leg) for leg in after.legs):
            after = _as_known(await desk.store.journal.fan_out(fan_out.id), after)
        if request.on_partial is OnPartial.CANCEL_REST and after.outcome in {Outcome.PARTIAL, Outcome.UNKNOWN}:
            await cancelling.cancel_fan_out(desk, after.id)
            after = _as_known(await desk.store.journal.fan_out(fan_out.id), after)
    return after


async def _written_down(desk: Desk, draft: FanOut, windows: Mapping[AccountId, float] | None) -> FanOut:
    """The fan-out as the journal took it. Raises StoreFailed, and then nothing of it can be sent by anybody."""
    try:
        return await desk.store.journal.open(draft, duplicate_window=windows)
    except StoreFailed as failure:
        with suppress(OrdoError):  # it may be there all the same, after a commit that lost its connection
            lost = Problem(Block.STORE, failure.message, failure.hint)
            there = await desk.store.journal.replay(draft.principal, draft.verb, draft.key, draft.fingerprint)
            for leg in there.legs if there is not None and there.id == draft.id else ():
                await desk.store.journal.move(leg.id, lambda now: now.to(Submission.BLOCKED, problem=lost))
        raise


def _as_known(saved: FanOut, known: FanOut) -> FanOut:
    """The fan-out as the journal has it, but for outcomes that found no place there: what a broker said is told."""

    def further(there: Leg, here: Leg) -> Leg:
        return here if there.submission is Submission.SENDING and here.submission in ANSWERED else there

    return replace(saved, legs=tuple(map(further, saved.legs, known.legs)))


def _doubtful(leg: Leg) -> bool:
    """Whether the journal may know another state: an accepted leg comes back as its last commit has it."""
    return leg.submission is not Submission.ACKED or leg.problem is not None


async def wait(desk: Desk, fan_out: FanOut, until: Until, timeout: float, watch: Watch = lambda leg: None) -> Placed:
    """Look in the brokers' books until every leg is where it should be, the time is up or the user stops."""
    deadline = desk.clock.elapsed() + timeout
    looks = iter(LOOKS)
    while not reached(fan_out, until):
        pause = min(next(looks, LOOKS[-1]), deadline - desk.clock.elapsed())
        if pause <= 0 or desk.stopping.is_set():
            return Placed(fan_out, reached=False)
        await _sleep(desk, pause)
        with suppress(StoreFailed):  # the orders are out; a later look may be written down
            await reconcile.reconcile(desk, fan_out_id=fan_out.id)
            after = await desk.store.journal.fan_out(fan_out.id)
            _tell_changes(fan_out, after, watch)
            fan_out = replace(after, replayed=fan_out.replayed)
    return Placed(fan_out)


def reached(fan_out: FanOut, until: Until) -> bool:
    """Whether waiting longer could not bring this fan-out nearer to what was asked for."""
    fates = [fate(leg) for leg in fan_out.legs]
    if Fate.WAITING in fates or Fate.UNKNOWN in fates:
        return False
    accepted = [leg for leg, its in zip(fan_out.legs, fates, strict=True) if its is Fate.ACCEPTED]
    if until is Until.ACCEPTED:
        return True
    return all(leg.settled for leg in accepted)


async def close_position(
    desk: Desk, account: Account, position: Position, quantity: int, watch: Watch = lambda leg: None
) -> Leg:
    """Send the order that takes `quantity` units off this position: journalled, sent once, never blocked by the switch.

    The caller has just read the position, and the quantity may not exceed it. It is read again when the account's turn
    has come, so that two who close at the same time do not turn it around together.
    """
    if not 0 < quantity <= abs(position.quantity):
        raise LimitExceeded(
            f"a close of {quantity} would turn a position of {position.quantity} around", code="REDUCE_ONLY"
        )
    intent = OrderIntent(
        side=Side.SELL if position.quantity > 0 else Side.BUY,
        instrument=position.instrument,
        quantity=quantity,
        product=position.product,
        label="close",
    )
    request = PlaceRequest(intent, (Target(account.id),), verb="close", purpose=Purpose.CLOSE)
    fan_out = await place(desk, request, watch)
    return fan_out.legs[0]


async def _again(desk: Desk, fan_out: FanOut, watch: Watch, follow: bool) -> FanOut:
    """What the first request with this key came to, or how it stands."""
    desk.meter.replayed()
    return await _attach(desk, fan_out, watch) if follow else fan_out


async def _attach(desk: Desk, fan_out: FanOut, watch: Watch) -> FanOut:
    """Follow a fan-out that another process is still sending, for as long as it can need; nothing is sent from here."""
    until = desk.clock.elapsed() + _patience(desk, fan_out.intent) + desk.config.read_timeout
    with desk.cache.subscribe(channel_of(fan_out.id)) as wakes:
        while fan_out.outcome is Outcome.PENDING and desk.clock.elapsed() < until and not desk.stopping.is_set():
            await startup.wake(desk)  # the first look comes after subscribing, so that no change falls between
            after = await desk.store.journal.fan_out(fan_out.id)
            _tell_changes(fan_out, after, watch)
            fan_out = replace(after, replayed=True)
            if fan_out.outcome is Outcome.PENDING:
                await _sleep(desk, FOLLOW, wakes)
    return fan_out


def _tell_changes(before: FanOut, after: FanOut, watch: Watch) -> None:
    for was, leg in zip(before.legs, after.legs, strict=True):
        if was != leg:
            watch(leg)


async def _send_all(desk: Desk, plan: Preview, fan_out: FanOut, ahead: Ahead, watch: Watch) -> FanOut:
    """Every planned leg at once; the legs share no fate, and an error of one is that leg's own.

    Gives the fan-out as it is known here, which counts only when the journal cannot be read afterwards.
    """
    room = asyncio.Semaphore(AT_ONCE)
    patience = _patience(desk, plan.request.intent)
    deadline = desk.clock.elapsed() + patience
    proposals = {proposal.account.id: proposal for proposal in plan.proposals}

    async def carry(leg: Leg) -> Leg:
        proposal = proposals[leg.account]
        whole = fan_out.intent
        intent = whole if leg.quantity == whole.quantity else planning.share(whole, leg.quantity)
        value = proposal.value
        if value is not None and leg.quantity != proposal.quantity:  # a slice counts for what it is worth itself
            value = value * leg.quantity / proposal.quantity
        spec = desk.spec(proposal.account)
        errand = Errand(
            leg=leg,
            intent=intent,
            account=proposal.account,
            spec=spec,
            tagged=spec.capabilities(proposal.account).tagged,
            stamps=proposal.stamps,
            deadline=deadline,
            day=plan.day,
            value=value,
            limits=proposal.limits,
            ahead=ahead,
            unless=partial(reducing.require_room, desk, leg, intent) if leg.purpose is Purpose.CLOSE else None,
        )
        return await send(desk, errand, room, watch)

    async def carry_each(slices: Sequence[Leg]) -> list[Leg]:
        """The orders of one account, one after the other: it has one writer at a time anyway."""
        done: list[Leg] = []
        cancelled: asyncio.CancelledError | None = None
        for leg in slices:
            try:
                done.append(await carry(leg))
            except OrdoError:  # that leg's own, and the journal knows of it; the others do not share its fate
                continue
            except asyncio.CancelledError as error:
                if not desk.stopping.is_set():
                    raise
                cancelled = error  # the user stops: those after it are refused at once, and written down as that
        if cancelled is not None:
            raise cancelled
        return done

    now = desk.clock.now()
    for leg in fan_out.legs:
        if leg.submission is not Submission.PLANNED:
            desk.meter.leg(leg, now, now)
    loop = asyncio.get_running_loop()  # begun at once: each comes to its claim without waiting for anything
    planned = [leg for leg in fan_out.legs if leg.submission is Submission.PLANNED]
    of_account: dict[AccountId, list[Leg]] = {}
    for leg in planned:
        of_account.setdefault(leg.account, []).append(leg)
    tasks = [asyncio.Task(carry_each(legs), loop=loop, eager_start=True) for legs in of_account.values()]
    sent = {leg.id: leg for leg in await _finish(desk, tasks)}
    return replace(fan_out, legs=tuple(sent.get(leg.id, leg) for leg in fan_out.legs))


async def _finish(desk: Desk, tasks: list[asyncio.Task[list[Leg]]]) -> list[Leg]:
    """Wait for all legs; after the first Ctrl-C for those on the wire, and not longer than the grace."""
    try:
        await desk.stopping.or_done(*tasks)
        if late := [task for task in tasks if not task.done()]:
            await asyncio.wait(late, timeout=GRACE)
    finally:
        if late := [task for task in tasks if not task.done()]:
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
    done = [task for task in tasks if not task.cancelled()]
    for task in done:
        error = task.exception()
        if error is not None and not isinstance(error, OrdoError):
            raise error
    return [leg for task in done if task.exception() is None for leg in task.result()]


def _patience(desk: Desk, intent: OrderIntent) -> float:
    """Seconds until an order that has not left must not leave any more."""
    resting = intent.type is not OrderType.MARKET
    return desk.config.deadline_resting if resting else desk.config.deadline_marketable


async def _sleep(desk: Desk, seconds: float, wakes: Wakes | None = None) -> None:
    """Sleep, and wake when the user stops or somebody says that there may be something to see."""
    causes: list[Coroutine[Any, Any, object]] = [desk.stopping.wait(), desk.clock.sleep(seconds)]
    if wakes is not None:
        causes.append(wakes.wait())
    waiting = [asyncio.ensure_future(each) for each in causes]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waiting:
            each.cancel()
