"""The sweep after a press: cancel what is open, then close what is held, and believe only what the books show.

Accounts run side by side, each strictly in order: wait for what is on the wire, read the book, cancel, look again,
read the positions, close no more than was just read, look again. What cannot be read is named, never taken for flat.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

from ordo_cli.brokers.base import Broker
from ordo_cli.desk import Desk
from ordo_cli.domain.accounts import Account, AccountId
from ordo_cli.domain.errors import OrdoError, StoreFailed
from ordo_cli.domain.exits import Exit, protective
from ordo_cli.domain.instruments import Instrument, InstrumentId
from ordo_cli.domain.kill import Level, Scope, covers
from ordo_cli.domain.legs import Leg, Problem, Submission
from ordo_cli.domain.orders import FINAL, BrokerOrderId, OrderReport, OrderState, Product
from ordo_cli.domain.pacing import getting_out
from ordo_cli.domain.portfolio import Position
from ordo_cli.domain.values import dataclass, field
from ordo_cli.services import cancelling, orders, reconcile, reducing, startup
from ordo_cli.services.chapters import BEGUN, CLEAN, CUT, LEFT, Chapter

ON_WIRE_S = 5.0  # how long legs on the wire get to be answered
ROUNDS = 5
PAUSES = (0.1, 0.25, 0.5, 1.0, 2.0)  # seconds between a round and its look at the positions
LOOK_S = 0.05
UNWRITTEN_S = 0.2  # between cancels that the journal could not count
Moved = Callable[[], None]
Held = tuple[InstrumentId, Product]
OUT = frozenset({Submission.SENDING, Submission.UNKNOWN, Submission.DISPUTED})


@dataclass(frozen=True, slots=True)
class Wish:
    """How far to go, and what to spare."""

    flatten: bool = False
    protective: bool = False  # cancel stops that protect a position too, before it is closed
    foreign: bool = False  # cancel orders that ordo did not place too
    instrument: InstrumentId | None = None  # only this one


@dataclass(frozen=True, slots=True)
class Closed:
    """One close that was accepted: units of which position."""

    instrument: InstrumentId
    quantity: int
    leg: str


@dataclass(frozen=True, slots=True)
class AccountSweep:
    """What became of one account. `left` says what was still there; `problems` what could not be done or read."""

    account: AccountId
    cancelled: tuple[BrokerOrderId, ...]
    closed: tuple[Closed, ...]
    kept: tuple[BrokerOrderId, ...]  # stops that protect a position, and orders that ordo did not place
    left: tuple[str, ...]
    problems: tuple[Problem, ...]

    @property
    def clean(self) -> bool:
        """The last look at the books showed nothing that should not be there. A trouble on the way does not count."""
        return not self.left


@dataclass(frozen=True, slots=True)
class SweepReport:
    """A row for every account under the scope; none is left out."""

    accounts: tuple[AccountSweep, ...]

    @property
    def clean(self) -> bool:
        return all(account.clean for account in self.accounts)


@dataclass(slots=True)
class _Diary:
    """What has happened to an account so far."""

    account: Account
    wish: Wish
    cancelled: list[BrokerOrderId] = field(default_factory=list)
    closed: list[Closed] = field(default_factory=list)
    kept: dict[BrokerOrderId, None] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    before: dict[Held, tuple[int, dict[BrokerOrderId, str]]] = field(default_factory=dict)  # what was read; its closes
    most: dict[Held, int] = field(default_factory=dict)  # units of one close, where a larger one was refused
    unwritten: bool = False  # the journal said no once: each further try of it could cost five seconds
    moved: Moved = lambda: None  # called at each step: whoever ends this process waits for one that moves on

    def trouble(self, doing: str, error: Exception) -> None:
        if isinstance(error, OrdoError):
            self.problems.append(Problem(error.reason, f"{doing}: {error.message}", error.hint))
        else:
            self.problems.append(Problem("failed", f"{doing}: {type(error).__name__}", "see the log; report it"))

    def report(self) -> AccountSweep:
        left, problems = tuple(dict.fromkeys(self.left)), tuple(dict.fromkeys(self.problems))
        return AccountSweep(
            self.account.id, tuple(self.cancelled), tuple(self.closed), tuple(self.kept), left, problems
        )


async def sweep(
    desk: Desk,
    scope: Scope,
    level: Level,
    *,
    include_protective: bool = False,
    foreign: bool = False,
    moved: Moved = lambda: None,
) -> SweepReport:
    """Clean up under a scope that is engaged already: cancel, and at the highest level close, until it is observed.

    The audit has a row when it begins and one when it ends or is cut; one that died between the two has no second.
    """
    wish = Wish(level >= Level.FLATTEN, include_protective, foreign)
    if level < Level.CANCEL:
        return SweepReport(())
    accounts = [account for account in await desk.store.accounts.all() if covers(scope, account)]
    diaries = [_Diary(account, wish, moved=moved) for account in accounts]
    chapter = Chapter(desk, {"scope": str(scope), "level": level.name.lower()})
    if await _woken(desk):
        chapter.note(BEGUN)
    try:
        report = await _all(desk, diaries)
    except asyncio.CancelledError:
        await chapter.end(CUT, [diary.report() for diary in diaries])
        raise
    await chapter.end(CLEAN if report.clean else LEFT, report.accounts)
    return report


async def clean(desk: Desk, accounts: Iterable[Account], wish: Wish) -> SweepReport:
    """Do to each account what is wished, side by side; an error of one is that account's own."""
    await _woken(desk)
    return await _all(desk, [_Diary(account, wish) for account in accounts])


async def _woken(desk: Desk) -> bool:
    """Whether the journal can be written: one that can only be read is enough to cancel and to look."""
    try:
        await startup.wake(desk)
    except StoreFailed:
        return False
    return True


async def _all(desk: Desk, diaries: Sequence[_Diary]) -> SweepReport:
    with getting_out():
        return SweepReport(tuple(await asyncio.gather(*(_one(desk, diary) for diary in diaries))))


async def _one(desk: Desk, diary: _Diary) -> AccountSweep:
    try:
        await _settle_wire(desk, diary)
        await _cancel(desk, diary)
        if diary.wish.flatten:
            await _flatten(desk, diary)
        await _observe(desk, diary)
    except asyncio.CancelledError:
        diary.left.append("it was cut here, and what is left was not read")
        raise
    except Exception as error:  # whatever it is, this account is not clean, and the others go on
        diary.trouble("not finished", error)
        diary.left.append("what is left could not be read")
    return diary.report()


async def _settle_wire(desk: Desk, diary: _Diary) -> None:
    """Wait for legs on the wire, then ask the book what became of those that nobody knows."""
    until = desk.clock.elapsed() + ON_WIRE_S
    while any(leg.submission is Submission.SENDING for leg in await _out(desk, diary)):
        if desk.clock.elapsed() >= until:
            break
        await desk.clock.sleep(LOOK_S)
    if await _out(desk, diary):
        await _ask_the_book(desk, diary)


async def _ask_the_book(desk: Desk, diary: _Diary) -> None:
    diary.moved()
    try:
        found = await reconcile.reconcile(desk, accounts=[diary.account.id])
    except StoreFailed as error:  # what was learnt could not be kept; to cancel and to look goes on without it
        diary.trouble("what became of legs in doubt could not be written down", error)
        diary.unwritten = True
        return
    diary.problems.extend(failure.problem for failure in found.failures)


async def _cancel(desk: Desk, diary: _Diary) -> None:
    """Cancel one by one what the book shows as open, until it shows none of it."""
    for _ in range(ROUNDS):
        remaining = await _cancellable(desk, diary)
        if not remaining:
            return
        for row in remaining:
            await _cancel_one(desk, diary, row)


async def _observe(desk: Desk, diary: _Diary) -> None:
    """The last look: whatever is still there, or cannot be read, is left."""
    diary.left.extend(f"leg {leg.id} is {leg.state}: it may still become an order" for leg in await _out(desk, diary))
    diary.left.extend(f"order {row.order_id} is {row.state}" for row in await _cancellable(desk, diary))
    if not diary.wish.flatten:
        return
    positions = await _positions(desk, diary)
    if positions is None:
        diary.left.append("the positions could not be read, so nobody knows whether it is flat")
    else:
        diary.left.extend(f"{row.quantity} {row.instrument} {row.product}" for row in positions)


async def _cancellable(desk: Desk, diary: _Diary) -> list[OrderReport]:
    diary.moved()
    broker = await desk.lines.to(diary.account)
    book = [row for row in await broker.orders() if row.state not in FINAL and _asked(diary, row.instrument)]
    spared = await _foreign(desk, diary, book)
    if any(row.trigger_price is not None for row in book) and not diary.wish.protective:
        # Without the positions no stop can be told from an entry, and then every stop stays.
        positions = await _positions(desk, diary)
        spared |= protective(book, positions) if positions is not None else _stops(book)
    diary.kept.clear()
    diary.kept.update(dict.fromkeys(row.order_id for row in book if row.order_id in spared))
    return [row for row in book if row.order_id not in spared]


async def _cancel_one(desk: Desk, diary: _Diary, row: OrderReport) -> None:
    diary.moved()
    try:
        if diary.unwritten:
            done = await _cancel_unwritten(desk, diary, row)
        else:
            done = (await cancelling.cancel_order(desk, diary.account, row.order_id)).done
    except StoreFailed as error:
        diary.trouble(f"the cancel of {row.order_id} could not be written down", error)
        diary.unwritten = True
        done = await _cancel_unwritten(desk, diary, row)
    except Exception as error:  # whatever it is, the account's other orders go on
        diary.trouble(f"order {row.order_id} could not be cancelled", error)
        return
    if done and row.order_id not in diary.cancelled:
        diary.cancelled.append(row.order_id)


async def _cancel_unwritten(desk: Desk, diary: _Diary, row: OrderReport) -> bool:
    """A cancel is never stopped by a journal that cannot be written; it is only sent at a careful pace."""
    await desk.clock.sleep(UNWRITTEN_S)
    try:
        broker = await desk.lines.to(diary.account)
        return (await broker.cancel(row.order_id)).state in FINAL
    except OrdoError as error:
        diary.trouble(f"order {row.order_id} could not be cancelled", error)
        return False


async def _flatten(desk: Desk, diary: _Diary) -> None:
    """Close what was just read, look, and again; stops go when the account is seen flat, not before."""
    for pause in PAUSES:
        positions = await _positions(desk, diary)
        if positions is not None and not positions:
            await _cancel(desk, diary)  # flat: a stop that still waits could only open a new position
            return
        if positions:
            await _close_all(desk, diary)
        await desk.clock.sleep(pause)
        await _cancel(desk, diary)


async def _close_all(desk: Desk, diary: _Diary) -> None:
    """Close what nothing else can take off: a leg in doubt may fill yet, and one more would turn a position around."""
    if await _out(desk, diary):
        await _ask_the_book(desk, diary)
    broker = await desk.lines.to(diary.account)
    for each in await reducing.closable(desk, diary.account.id, broker):
        if _asked(diary, each.position.instrument) and not await _is_old(diary, broker, each.position):
            await _close_one(desk, diary, each)


async def _is_old(diary: _Diary, broker: Broker, position: Position) -> bool:
    """Whether the position stands as before the last close although that has filled: positions may lag behind."""
    held = position.instrument, position.product
    quantity, closes = diary.before.get(held, (0, {}))
    if quantity != position.quantity:
        return False
    rows = [row for row in await broker.orders() if row.order_id in closes]
    if refused := [row for row in rows if row.state is OrderState.REJECTED]:
        diary.most[held] = min(row.quantity for row in refused) // 2
        legs = {closes[row.order_id] for row in refused}
        diary.closed = [closed for closed in diary.closed if closed.leg not in legs]
    return any(row.filled_quantity > 0 for row in rows)


async def _close_one(desk: Desk, diary: _Diary, each: Exit) -> None:
    held = each.position.instrument, each.position.product
    broker = await desk.lines.to(diary.account)
    most = _most(await broker.instrument(each.position.instrument), each.quantity, diary.most.get(held))
    left, closes = each.quantity, dict[BrokerOrderId, str]()
    diary.before[held] = each.position.quantity, closes
    while left > 0:
        diary.moved()
        try:
            leg = await orders.close_position(desk, diary.account, each.position, min(left, most))
        except OrdoError as error:
            diary.trouble(f"{each.position.instrument} could not be closed", error)
            return
        if leg.submission is not Submission.ACKED:
            problem = leg.problem or Problem("failed", f"close {leg.id} is {leg.state}")
            diary.problems.append(problem)
            if leg.submission is Submission.REJECTED:
                diary.most[held] = leg.quantity // 2
            return
        diary.closed.append(Closed(each.position.instrument, leg.quantity, leg.id))
        closes[leg.broker_order_id or BrokerOrderId("")] = leg.id
        left -= leg.quantity


def _most(instrument: Instrument | None, quantity: int, smaller: int | None) -> int:
    """Units of one close: no more than the freeze quantity, which not every broker tells.

    After a refusal it is half of what was refused, in whole lots, so that a position above a freeze quantity that
    nobody told is closed all the same.
    """
    most = (instrument.freeze_quantity if instrument is not None else None) or quantity
    if smaller is None:
        return most
    lot = instrument.lot if instrument is not None else 1
    return max(min(smaller, most) // lot * lot, lot)


async def _positions(desk: Desk, diary: _Diary) -> list[Position] | None:
    """The open positions, or None when they could not be read, which is named."""
    diary.moved()
    try:
        broker = await desk.lines.to(diary.account)
        rows = await broker.positions()
    except OrdoError as error:
        diary.trouble("the positions could not be read", error)
        return None
    return [row for row in rows if row.quantity != 0 and _asked(diary, row.instrument)]


async def _foreign(desk: Desk, diary: _Diary, book: Sequence[OrderReport]) -> set[BrokerOrderId]:
    """The orders that ordo did not place, unless they are wanted too."""
    if diary.wish.foreign:
        return set()
    ours = await desk.store.journal.by_order_ids(diary.account.id, [row.order_id for row in book])
    tagged = await desk.store.journal.by_tags(diary.account.id, [row.tag for row in book if row.tag is not None])
    return {row.order_id for row in book if row.order_id not in ours and row.tag not in tagged}


async def _out(desk: Desk, diary: _Diary) -> list[Leg]:
    legs = [leg for _, leg in await desk.store.journal.unsettled(diary.account.id)]
    return [leg for leg in legs if leg.submission in OUT]


def _asked(diary: _Diary, instrument: InstrumentId) -> bool:
    return diary.wish.instrument is None or instrument == diary.wish.instrument


def _stops(book: Sequence[OrderReport]) -> set[BrokerOrderId]:
    return {row.order_id for row in book if row.trigger_price is not None}
