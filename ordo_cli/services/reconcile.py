"""Reconciling: read each broker's book and learn what became of legs; what no book shows stays unknown."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date, datetime
from functools import partial

from ordo_cli import log
from ordo_cli.brokers.base import Broker
from ordo_cli.desk import Desk
from ordo_cli.domain import market, matching
from ordo_cli.domain.accounts import Account, AccountId
from ordo_cli.domain.errors import NotFound, OrdoError, StoreFailed
from ordo_cli.domain.fanouts import FanOut
from ordo_cli.domain.keys import fingerprint
from ordo_cli.domain.legs import Evidence, FanOutId, Leg, LegId, Problem, Submission
from ordo_cli.domain.matching import Finding
from ordo_cli.domain.orders import BrokerOrderId, OrderIntent, OrderReport, OrderState, Tag
from ordo_cli.domain.tags import is_ours
from ordo_cli.domain.tokens import TokenScope
from ordo_cli.domain.values import dataclass, field, replace
from ordo_cli.services import covered, spilled
from ordo_cli.services.startup import wake

APART = 2.0  # seconds between the two looks that a match without a tag needs

Pairs = Sequence[tuple[FanOut, Leg]]


@dataclass(frozen=True, slots=True)
class Failure:
    """An account that could not be read, and why; it is named, never left out."""

    account: AccountId
    problem: Problem


@dataclass(frozen=True, slots=True)
class Advice:
    """What is still unknown of a leg, and for how long it has been looked for."""

    leg: Leg
    seconds: float
    message: str


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What the books told: legs that moved, legs still unknown, orders of ours that had no leg, accounts not read."""

    moved: tuple[Leg, ...] = ()
    unknown: tuple[Advice, ...] = ()
    orphans: tuple[Leg, ...] = ()
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True, slots=True)
class Book:
    """One trustworthy read of an account's order book."""

    rows: tuple[OrderReport, ...]
    by_id: Mapping[BrokerOrderId, OrderReport]
    read_at: datetime


@dataclass
class _Task:
    """One account being reconciled."""

    desk: Desk
    account: Account
    broker: Broker
    day: date
    answers: Mapping[str, BrokerOrderId] = field(default_factory=dict)  # order ids by leg, from the spill file
    moved: list[Leg] = field(default_factory=list)
    unknown: list[Advice] = field(default_factory=list)
    orphans: list[Leg] = field(default_factory=list)


async def reconcile(
    desk: Desk, accounts: Collection[AccountId] | None = None, fan_out_id: str | None = None
) -> Reconciled:
    """Read the books of every account with something unsettled, or of those named, and move what they prove.

    With a fan-out, only its legs are looked at. Without, orders that carry a tag of ours and have no leg are adopted.
    """
    desk.rights.require(TokenScope.READ, TokenScope.TRADE, TokenScope.CANCEL)
    await covered.require(desk, accounts or ())
    await wake(desk)
    await spilled.take_over(desk)
    wanted = None if fan_out_id is None else (await covered.fan_out(desk, fan_out_id)).id
    pairs = [pair for pair in await covered.unsettled(desk) if wanted in (None, pair[0].id)]
    known = {account.id: account for account in await covered.accounts(desk)}
    if accounts is None:
        accounts = list(known) if wanted is None else {leg.account for _, leg in pairs}
    answers = spilled.answers(desk)
    results = await asyncio.gather(*(_account(desk, known, name, pairs, answers, wanted is None) for name in accounts))
    await spilled.empty(desk)
    return Reconciled(
        moved=tuple(leg for result in results for leg in result.moved),
        unknown=tuple(advice for result in results for advice in result.unknown),
        orphans=tuple(leg for result in results for leg in result.orphans),
        failures=tuple(failure for result in results for failure in result.failures),
    )


async def _account(
    desk: Desk,
    known: Mapping[AccountId, Account],
    name: AccountId,
    pairs: Pairs,
    answers: Mapping[str, BrokerOrderId],
    whole: bool,
) -> Reconciled:
    mine = [pair for pair in pairs if pair[1].account == name]
    try:
        account = known.get(name)
        if account is None:
            raise NotFound(f"there is no account {name}", hint="see: ordo account list")
        task = _Task(desk, account, await desk.lines.to(account), market.trading_day(desk.clock.now()), answers)
        book = await _read(task)
        if whole:
            await _adopt(task, book)
        for fan_out, leg in mine:
            await _leg(task, fan_out.intent, leg, book)
    except StoreFailed:
        raise
    except OrdoError as error:
        return Reconciled(failures=(Failure(name, Problem.of(error)),))
    except Exception as error:  # a bug about one account must not keep the others from being settled
        log.get(__name__).error("reconcile_failed", account=name, error=type(error).__name__)
        problem = Problem("failed", f"ordo itself failed at it ({type(error).__name__})", "report it; see the log")
        return Reconciled(failures=(Failure(name, problem),))
    return Reconciled(tuple(task.moved), tuple(task.unknown), tuple(task.orphans))


async def _read(task: _Task) -> Book:
    """The account's book, if it may prove anything. Raises OrdoError when it may not."""
    rows = tuple(await task.broker.orders())
    journal = task.desk.store.journal
    before = await journal.last_book(task.account.id, task.day) or frozenset()
    if not matching.trustworthy(rows, before):
        missing = ", ".join(sorted(before - {row.order_id for row in rows})) or "an order stands in it twice"
        raise OrdoError(
            (
                f"the order book of {task.account.id} cannot be trusted ({missing} is missing)"
                if before - {row.order_id for row in rows}
                else f"the order book of {task.account.id} cannot be trusted ({missing})"
            ),
            hint="nothing was concluded from it; try again in a minute",
            code="BOOK_UNTRUSTED",
        )
    now = task.desk.clock.now()
    await journal.remember_book(task.account.id, task.day, matching.of_day(rows, task.day), now)
    return Book(rows, {row.order_id: row for row in rows}, now)


async def _leg(task: _Task, intent: OrderIntent, leg: Leg, book: Book) -> None:
    if leg.submission is Submission.ACKED:
        await _follow(task, intent, leg, book)
    elif leg.submission is Submission.UNKNOWN:
        finding = await _find(task, intent, leg, book)
        if finding is None:
            task.unknown.append(_advice(leg, book, await _refused(task, intent, leg, book)))
        else:
            await _move(task, leg, lambda now: _settle(now, finding), finding.evidence)
    elif leg.submission is Submission.DISPUTED:
        message = leg.problem.message if leg.problem else "the evidence contradicts itself"
        task.unknown.append(Advice(leg, _age(leg, book), message))


async def _follow(task: _Task, intent: OrderIntent, leg: Leg, book: Book) -> None:
    """News of an order that the broker is known to have."""
    row = book.by_id.get(BrokerOrderId(leg.broker_order_id or ""))
    if row is not None:
        await _move(task, leg, lambda now: _confirmed(matching.follow(now, row)), Evidence.BOOK_TAG)
    elif leg.sent_at is not None and matching.is_over(intent.instrument.exchange, leg.sent_at, book.read_at):
        await _move(task, leg, matching.ended_unseen, Evidence.FINAL_BOOK)
    elif matching.unconfirmed(leg, book.by_id.keys(), book.read_at) and leg.problem is None:
        problem = Problem(
            "UNCONFIRMED",
            f"the broker said yes to order {leg.broker_order_id}, and its book does not show it",
            "look at the broker's own terminal; ordo will not send it again",
        )
        await _move(task, leg, lambda now: replace(now, problem=problem), Evidence.BOOK_TAG)


def _confirmed(leg: Leg) -> Leg:
    unconfirmed = leg.problem is not None and leg.problem.code == "UNCONFIRMED"
    return replace(leg, problem=None) if unconfirmed else leg


async def _find(task: _Task, intent: OrderIntent, leg: Leg, book: Book) -> Finding | None:
    capabilities = task.desk.spec(task.account).capabilities(task.account)
    answered = book.by_id.get(task.answers.get(leg.id, BrokerOrderId("")))
    if answered is not None and matching.same_order(intent, leg, answered):
        finding: Finding | None = matching.found(answered, Evidence.RESPONSE)
    elif capabilities.tagged:
        finding = matching.by_tag(intent, leg, book.rows)
    else:
        finding = await _find_by_pre_image(task, intent, leg, book)
    if finding is not None or not capabilities.final_book or leg.sent_at is None:
        return finding
    if not matching.is_final(intent.instrument.exchange, leg.sent_at, book.read_at):
        return None
    trades, positions = await task.broker.trades(), await task.broker.positions()
    return matching.final(leg, intent, book.rows, trades, positions, others=await _others(task, leg, book))


async def _others(task: _Task, leg: Leg, book: Book) -> frozenset[BrokerOrderId]:
    """Orders of the book that cannot be this leg's: those of other legs, and those that were there before it."""
    claimed = await task.desk.store.journal.by_order_ids(task.account.id, list(book.by_id))
    before = await task.desk.store.journal.pre_image(leg.id)
    return frozenset([*claimed, *map(BrokerOrderId, before or ())])


async def _find_by_pre_image(task: _Task, intent: OrderIntent, leg: Leg, book: Book) -> Finding | None:
    """What a leg without a tag became: the one new order with its terms, seen twice."""
    pre_image = await task.desk.store.journal.pre_image(leg.id)
    if pre_image is None:
        return None
    first = await _candidates(task, intent, leg, book, pre_image)
    if not first:
        return None
    await task.desk.clock.sleep(APART)
    second = await _candidates(task, intent, leg, await _read(task), pre_image)
    return matching.by_pre_image(first, second)


async def _candidates(
    task: _Task, intent: OrderIntent, leg: Leg, book: Book, pre_image: Collection[str]
) -> list[OrderReport]:
    claimed = await task.desk.store.journal.by_order_ids(task.account.id, list(book.by_id))
    return matching.candidates(intent, leg, book.rows, pre_image=pre_image, claimed=claimed.keys(), now=book.read_at)


def _settle(leg: Leg, finding: Finding) -> Leg:
    """The finding applied, unless another process has settled the leg meanwhile."""
    return matching.settle(leg, finding) if leg.submission is Submission.UNKNOWN else leg


async def _move(task: _Task, leg: Leg, change: Callable[[Leg], Leg], evidence: Evidence) -> None:
    after = await task.desk.store.journal.move(leg.id, change, kind="recon", data={"looked": str(evidence)})
    if after != leg:
        task.moved.append(after)


async def _adopt(task: _Task, book: Book) -> None:
    """Orders of ours that the journal does not know, as after an old backup, and those that it believed absent."""
    tagged = {row.tag: row for row in book.rows if is_ours(row.tag) and row.tag is not None}
    known = await task.desk.store.journal.by_tags(task.account.id, list(tagged))
    for tag, row in tagged.items():
        if tag not in known:
            task.orphans.append(await _adopt_orphan(task, tag, row))
            continue
        _, leg = await task.desk.store.journal.leg(known[tag])
        if leg.submission is Submission.ABSENT:
            finding = matching.found(row, Evidence.BOOK_TAG)
            late = Problem("LATE", "it was taken for absent and has appeared in the book", "check the position")
            await _move(task, leg, partial(_revive, finding=finding, late=late), finding.evidence)


def _revive(leg: Leg, finding: Finding, late: Problem) -> Leg:
    if leg.submission is not Submission.ABSENT or finding.submission is not Submission.ACKED:
        return leg
    return replace(matching.settle(leg, finding), problem=late)


async def _adopt_orphan(task: _Task, tag: Tag, row: OrderReport) -> Leg:
    desk = task.desk
    fan_out_id = FanOutId(desk.chance.token(10))
    problem = Problem("ORPHAN", "it carries a tag of ordo's and was not in the journal", "ordo doctor")
    base = Leg(LegId(f"{fan_out_id}-1"), fan_out_id, task.account.id, task.account.broker, row.quantity, tag)
    unknown = replace(base, submission=Submission.UNKNOWN, sent_at=row.placed_at)
    leg = replace(matching.settle(unknown, matching.found(row, Evidence.BOOK_TAG)), problem=problem)
    intent = OrderIntent(
        side=row.side,
        instrument=row.instrument,
        quantity=row.quantity,
        limit_price=row.limit_price,
        trigger_price=row.trigger_price,
        product=row.product,
        validity=row.validity,
    )
    fan_out = FanOut(
        id=fan_out_id,
        key=f"adopted:{tag}",
        principal="ordo",  # whoever finds it first: two who look at once adopt it together, not each
        verb="adopt",
        fingerprint=fingerprint({"account": task.account.id, "tag": tag}),
        mode=desk.spec(task.account).mode,
        intent=intent,
        created_at=row.placed_at or desk.clock.now(),
        legs=(leg,),
    )
    return (await desk.store.journal.open(fan_out, duplicate_window=None)).legs[0]


async def _refused(task: _Task, intent: OrderIntent, leg: Leg, book: Book) -> list[BrokerOrderId]:
    """Refused orders that may be a leg without a tag, for a person who sees more than the book to say so."""
    pre_image = await task.desk.store.journal.pre_image(leg.id)
    if pre_image is None or task.desk.spec(task.account).capabilities(task.account).tagged:
        return []
    alike = await _candidates(task, intent, leg, book, pre_image)
    return [row.order_id for row in alike if row.state is OrderState.REJECTED]


def _advice(leg: Leg, book: Book, refused: Sequence[BrokerOrderId]) -> Advice:
    age = _age(leg, book)
    message = f"not in a complete book {age:.0f} s after it was sent, which proves nothing yet"
    if len(refused) == 1:  # of several, nobody could say which
        message += f"; refused order {refused[0]} is like it, and the leg may be late all the same: "
        message += f"if it is known to be this one: ordo leg resolve {leg.id} --broker-id {refused[0]}"
    return Advice(leg, age, message)


def _age(leg: Leg, book: Book) -> float:
    return (book.read_at - leg.sent_at).total_seconds() if leg.sent_at else 0.0
