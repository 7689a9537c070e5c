"""Planning: from what a user asks to the legs of a fan-out, each judged before anything is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import partial

from ordo_cli.desk import Desk
from ordo_cli.domain import checks, identity, market, matching
from ordo_cli.domain.accounts import EVERYONE, Account, AccountId, BrokerName, Target, choose
from ordo_cli.domain.allocation import Allocation, Split, allocate
from ordo_cli.domain.checks import Case, Objection
from ordo_cli.domain.errors import (
    Invalid,
    KillEngaged,
    LimitExceeded,
    Refused,
    SessionNeeded,
    StoreFailed,
)
from ordo_cli.domain.fanouts import Mode
from ordo_cli.domain.instruments import Exchange
from ordo_cli.domain.journal import UNUSED, DayLimits, DayUse, Picture
from ordo_cli.domain.keys import check_key, fingerprint, new_key
from ordo_cli.domain.kill import GLOBAL, Scope, scopes_over
from ordo_cli.domain.legs import Block, Problem, Purpose
from ordo_cli.domain.orders import OrderIntent
from ordo_cli.domain.slicing import slices
from ordo_cli.domain.values import dataclass, replace
from ordo_cli.gate import Seal, Stamps
from ordo_cli.services import breaker, margins, markets, masters, sessions
from ordo_cli.services.ahead import Ahead
from ordo_cli.services.markets import Market

ENOUGH_BYTES, ENOUGH_SHARE = 64 * 1024 * 1024, 0.01  # of the disk that the journal lies on


RAISED: dict[str, type[Refused]] = {Block.KILL: KillEngaged, Block.SESSION: SessionNeeded}
"""What refuses a whole fan-out, by the code of what speaks against every leg; anything else is a limit."""


class OnPartial(StrEnum):
    KEEP = "keep"
    CANCEL_REST = "cancel-rest"


@dataclass(frozen=True, slots=True)
class PlaceRequest:
    """One order for many accounts, as a person, a file or a program asks for it."""

    intent: OrderIntent
    targets: tuple[Target, ...]
    split: Split = Split.EACH
    key: str | None = None
    verb: str = "place"
    on_partial: OnPartial = OnPartial.KEEP
    allow_duplicate: bool = False
    confirmed: bool = False  # soft objections were seen and accepted
    purpose: Purpose = Purpose.ENTRY
    most_legs: int | None = None  # how many accounts whoever asks may send to at once


@dataclass(frozen=True, slots=True)
class Proposal:
    """One leg before it exists. `stamps` is None when its arming could not be had, which is then an objection."""

    account: Account
    quantity: int
    value: Decimal | None
    limits: DayLimits
    stamps: Stamps | None
    objections: tuple[Objection, ...]
    slices: tuple[int, ...] = ()  # the quantities of its orders: more than one where it is above the freeze quantity

    def problem(self, confirmed: bool) -> Problem | None:
        """What keeps it from being sent: the first hard objection, or the first soft one that nobody accepted."""
        hard = [objection.problem for objection in self.objections if not objection.soft]
        soft = [] if confirmed else [objection.problem for objection in self.objections if objection.soft]
        return next(iter(hard + soft), None)


@dataclass(frozen=True, slots=True)
class Preview:
    """What a request would do: the legs with what speaks against them, and the units that nobody gets."""

    request: PlaceRequest
    mode: Mode
    proposals: tuple[Proposal, ...]
    rest: int
    without: tuple[AccountId, ...]
    refusal: Problem | None  # of the fan-out as a whole
    day: date

    @property
    def value(self) -> Decimal | None:
        """Rupees of all legs together; None when the price of one is not known."""
        values = [proposal.value for proposal in self.proposals]
        known = [value for value in values if value is not None]
        return sum(known, Decimal(0)) if len(known) == len(values) else None


def fingerprint_of(request: PlaceRequest) -> str:
    """The request as it was given: names of groups, not who is in them."""
    return fingerprint(
        {
            "verb": request.verb,
            "intent": request.intent,
            "targets": [str(target) for target in request.targets],
            "split": str(request.split),
            "on_partial": str(request.on_partial),
        }
    )


def key_for(desk: Desk, request: PlaceRequest) -> str:
    """The request's own key, checked, or a new one."""
    return new_key(desk.clock.now(), desk.chance) if request.key is None else check_key(request.key)


async def preview(desk: Desk, request: PlaceRequest, ahead: Ahead | None = None) -> Preview:
    """What this request would do right now, with every objection. Raises what is wrong for all of it.

    `ahead` is for a request that is about to be sent: what its legs need is begun there as early as that may be.
    """
    closing = request.purpose is Purpose.CLOSE
    if not closing:
        desk.config.require_trusted()
    day, picked = market.trading_day(desk.clock.now()), partial(choose, targets=request.targets, even_disabled=closing)
    picture = await desk.store.journal.picture(
        lambda known: [account.id for account, _ in picked(known)],
        day,
        request.intent.instrument,
        request.intent.side.opposite,
        _named(request.targets),
    )
    chosen = picked(picture.accounts)
    accounts = [account for account, _ in chosen]
    desk.rights.require_accounts(accounts)
    if request.most_legs is not None and len(accounts) > request.most_legs:
        raise Invalid(f"{len(accounts)} accounts are more than the {request.most_legs} that one request may reach")
    mode = _one_mode(desk, accounts)
    seals: dict[Scope, Seal] = {}
    if not closing:
        desk.gate.stamps([GLOBAL], seals)
        if ahead is not None:
            ahead.begin(accounts, _orders_of(request, chosen))
    found = await markets.read(desk, request.intent, accounts)
    if not closing:
        _refuse_mismatch(request.intent, found)
    shares = _allocate(request, chosen, found)
    opposite = _opposite(picture, request.intent.instrument.exchange, desk.clock.now())
    results = await _results(desk, [] if closing else accounts)
    without = {} if closing else await breaker.problems(desk, accounts)
    without |= await sessions.missing(desk, accounts)
    cases = [
        _case(desk, request, each, shares.shares[each.id], found, picture.uses, opposite, results, problem)
        for each, problem in ((account, without.get(account.id)) for account in accounts)
        if each.id in shares.shares
    ]
    epochs = {} if closing else {switch.scope: switch.epoch for switch in picture.switches}
    proposals = tuple(_of_this_epoch(_propose(desk, request, case, seals), epochs) for case in cases)
    refusal = _too_big(desk, request, proposals)
    if not closing and refusal is None:
        proposals = await _with_margins(desk, cases, proposals, ahead)
    return Preview(request, mode, proposals, shares.rest, shares.without, refusal, day)


def _named(targets: Sequence[Target]) -> list[AccountId] | None:
    """The accounts, where targets are nothing else."""
    names = [target.name for target in targets]
    if EVERYONE in names or any(name.startswith("@") for name in names):
        return None
    return [AccountId(name) for name in dict.fromkeys(names)]


def _refuse_mismatch(intent: OrderIntent, found: Mapping[BrokerName, Market]) -> None:
    """Raises LimitExceeded when brokers of one fan-out mean different things by the instrument's name."""
    problem = identity.mismatch(intent.instrument, {broker: each.instrument for broker, each in found.items()})
    if problem is not None:
        raise LimitExceeded(problem.message, hint=problem.hint, code=problem.code)


def refuse_whole(plan: Preview) -> None:
    """Raises LimitExceeded when the fan-out as a whole is refused, or every leg for one and the same reason."""
    problems = [proposal.problem(plan.request.confirmed) for proposal in plan.proposals]
    first = plan.refusal or problems[0]
    if first is None or (plan.refusal is None and any(problem != first for problem in problems)):
        return
    raising = RAISED.get(first.code, LimitExceeded)
    raise raising(first.message, hint=first.hint, code=first.code if raising is LimitExceeded else raising.code)


def windows(desk: Desk, plan: Preview) -> dict[AccountId, float]:
    """Seconds in which the same order of an account is taken for a slip, by the strictest limit over it."""
    limits = desk.config.limits
    accounts = [proposal.account for proposal in plan.proposals]
    return {each.id: float(limits.for_account(each, paper=False).duplicate_window) for each in accounts}


def require_room(desk: Desk) -> None:
    """Raises StoreFailed when the disk is so full that the outcome of an order might find no place."""
    free, total = desk.disk.free(desk.home.data)
    if free < ENOUGH_BYTES or free < total * ENOUGH_SHARE:
        raise StoreFailed(
            f"only {free // 1_000_000} MB are free where ordo keeps its journal; nothing was sent",
            hint=f"make room on the disk of {desk.home.data}",
            code=Block.STORE,
        )


def _one_mode(desk: Desk, accounts: Sequence[Account]) -> Mode:
    modes = {desk.spec(account).mode for account in accounts}
    if len(modes) > 1:
        words = " and ".join(sorted(modes))
        raise Invalid(f"one fan-out cannot mix {words} accounts", hint="send one order for each kind")
    return modes.pop()


def _orders_of(request: PlaceRequest, chosen: Sequence[tuple[Account, int | None]]) -> dict[AccountId, OrderIntent]:
    """The order of each account, where no lot has to be known for its share."""
    if request.split is not Split.EACH:
        return {}
    return {account.id: share(request.intent, own or request.intent.quantity) for account, own in chosen}


def _allocate(
    request: PlaceRequest, chosen: Sequence[tuple[Account, int | None]], markets: Mapping[BrokerName, Market]
) -> Allocation:
    lots = {found.instrument.lot for found in markets.values() if found.instrument is not None}
    weights = {account.id: account.weight for account, _ in chosen}
    own = {account.id: quantity for account, quantity in chosen if quantity is not None}
    return allocate(request.intent.quantity, weights, request.split, own, lots.pop() if lots else 1)


def _opposite(picture: Picture, exchange: Exchange, now: datetime) -> tuple[AccountId, ...]:
    """Own accounts whose working orders stand on the other side of this instrument."""
    return tuple(
        dict.fromkeys(
            account
            for account, sent_at in picture.waiting
            if sent_at is None or not matching.is_over(exchange, sent_at, now)
        )
    )


async def _results(desk: Desk, accounts: Sequence[Account]) -> dict[AccountId, Decimal]:
    """What each account with a limit on its loss has won or lost today; one that cannot be read is missing."""

    async def result(account: Account) -> Decimal:
        positions = await (await desk.lines.to(account)).positions()
        return sum((position.realised + position.unrealised for position in positions), Decimal(0))

    limits = desk.config.limits
    judged = [each for each in accounts if limits.for_account(each, paper=False).loss_day_max is not None]
    if not judged:
        return {}
    found = await asyncio.gather(*map(result, judged), return_exceptions=True)
    told = zip(judged, found, strict=True)
    return {account.id: result for account, result in told if isinstance(result, Decimal)}


def _case(
    desk: Desk,
    request: PlaceRequest,
    account: Account,
    quantity: int,
    markets: Mapping[BrokerName, Market],
    use: Mapping[AccountId, DayUse],
    opposite: tuple[AccountId, ...],
    results: Mapping[AccountId, Decimal],
    without: Problem | None,
) -> Case:
    spec, found = desk.spec(account), markets[account.broker]
    paper = spec.mode is Mode.PAPER
    return Case(
        account=account,
        intent=share(request.intent, quantity),
        able=spec.capabilities(account),
        instrument=found.instrument,
        quote=found.quote,
        limits=desk.config.limits.for_account(account, paper),
        book=desk.config.limits,
        paper=paper,
        use=use.get(account.id, UNUSED),
        opposite=opposite,
        now=desk.clock.now(),
        unreadable=found.problem,
        result=results.get(account.id),
        session=without,
        stale=masters.stale(desk, account),
    )


def _propose(desk: Desk, request: PlaceRequest, case: Case, seals: dict[Scope, Seal]) -> Proposal:
    account = case.account
    # A close is never blocked: it only lowers what is held, and its size comes from the position itself.
    against = checks.objections(case) if request.purpose is Purpose.ENTRY else []
    stamps, killed = _arming(desk, account, seals) if request.purpose is Purpose.ENTRY else (None, None)
    found_against = (*([Objection(killed)] if killed else []), *against)
    quantities = slices(case.intent.quantity, case.instrument) if request.purpose is Purpose.ENTRY else ()
    quantity, limits = case.intent.quantity, _day_limits(case)
    return Proposal(account, quantity, case.value, limits, stamps, found_against, quantities or (quantity,))


async def _with_margins(
    desk: Desk, cases: Sequence[Case], proposals: Sequence[Proposal], ahead: Ahead | None
) -> tuple[Proposal, ...]:
    """The proposals judged again with the money for each; one that is refused already is not worth waiting for."""
    worth = [case for case, each in zip(cases, proposals, strict=True) if each.problem(confirmed=True) is None]
    told = await margins.read(desk, worth, ahead.money if ahead is not None else {})

    def again(case: Case, proposal: Proposal) -> Proposal:
        if case.account.id not in told:
            return proposal
        short = checks.margin_short(replace(case, margin=told[case.account.id]))
        return replace(proposal, objections=(*proposal.objections, *short))

    return tuple(map(again, cases, proposals))


def share(intent: OrderIntent, quantity: int) -> OrderIntent:
    """The same order for this many units."""
    if quantity == intent.quantity:
        return intent
    disclosed = None if intent.disclosed is None else min(intent.disclosed, quantity)
    return replace(intent, quantity=quantity, disclosed=disclosed)


def _arming(desk: Desk, account: Account, seals: dict[Scope, Seal]) -> tuple[Stamps | None, Problem | None]:
    try:
        return desk.gate.stamps(scopes_over(account), seals), None
    except KillEngaged as error:
        return None, Problem(Block.KILL, error.message, error.hint)


def _of_this_epoch(proposal: Proposal, epochs: Mapping[Scope, int]) -> Proposal:
    """The proposal, stopped when an arming file is not of its record's epoch: one brought back by hand arms nothing."""
    stamps = proposal.stamps.epochs if proposal.stamps is not None else {}
    strange = next((scope for scope, epoch in stamps.items() if epochs.get(scope) != epoch), None)
    if strange is None:
        return proposal
    problem = Problem(Block.KILL, f"the arming file of {strange} is not of its record's epoch", "see: ordo kill status")
    return replace(proposal, stamps=None, objections=(Objection(problem), *proposal.objections))


SETTINGS = {"DAY_ORDERS_MAX": "day_orders_max", "DAY_VALUE_MAX": "day_value_max", "OPEN_ORDERS_MAX": "open_orders_max"}


def _day_limits(case: Case) -> DayLimits:
    def hint(code: str) -> str | None:
        name = SETTINGS.get(code)
        return name and f"to change it: {case.book.how_to_change(name, case.account, paper=case.paper)}"

    return DayLimits(case.limits.day_orders_max, case.limits.day_value_max, case.limits.open_orders_max, hint)


def _counts(value: Decimal | None, proposal: Proposal) -> bool:
    """Whether a token's cap looks at it: a leg of unknown value that will not be sent is no matter."""
    return value is not None or proposal.problem(confirmed=True) is None


def _too_big(desk: Desk, request: PlaceRequest, proposals: Sequence[Proposal]) -> Problem | None:
    """The strictest limit on the whole fan-out that any of its accounts has."""
    if request.purpose is not Purpose.ENTRY:
        return None
    strictest: tuple[Decimal, Account] | None = None
    for proposal in proposals:
        paper = desk.spec(proposal.account).mode is Mode.PAPER
        maximum = desk.config.limits.for_account(proposal.account, paper).value_fanout_max
        if maximum is not None and (strictest is None or maximum < strictest[0]):
            strictest = maximum, proposal.account
    values = [proposal.value for proposal in proposals]
    beyond = desk.rights.beyond(value for value, each in zip(values, proposals, strict=True) if _counts(value, each))
    if beyond is not None or strictest is None:
        return beyond
    return checks.fan_out_too_big(values, strictest[0], desk.config.limits.where("value_fanout_max", strictest[1]))
