"""Margins: what orders would block and what is there for it, asked of every broker at once before anything is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType

from ordo_cli import log
from ordo_cli.brokers.base import Capabilities
from ordo_cli.desk import Desk
from ordo_cli.domain import checks
from ordo_cli.domain.accounts import Account, AccountId
from ordo_cli.domain.checks import Case
from ordo_cli.domain.errors import SessionNeeded
from ordo_cli.domain.exits import opening
from ordo_cli.domain.limits import MarginCheck
from ordo_cli.domain.orders import OrderIntent
from ordo_cli.domain.portfolio import Margin, Quote
from ordo_cli.domain.values import dataclass


@dataclass(frozen=True, slots=True)
class Asked:
    """A question about the money for one order that has been put already, and its answer when it comes."""

    intent: OrderIntent
    answer: asyncio.Task[Margin | Decimal | None]


async def read(
    desk: Desk, cases: Sequence[Case], early: Mapping[AccountId, Asked] = MappingProxyType({})
) -> dict[AccountId, Margin]:
    """What could be learnt in the time that a broker has for one answer.

    An account whose broker did not tell is missing: that stops no order, for the exchange judges it then. What was
    asked `early` is not asked again, if it was asked about the very order.
    """
    wanted = [case for case in cases if case.limits.margin_check is MarginCheck.ON]
    if not wanted:
        return {}
    loop = asyncio.get_running_loop()  # begun at once: what is near, as paper is, has answered then
    reads = [asyncio.Task(_one(desk, case, early.get(case.account.id)), loop=loop, eager_start=True) for case in wanted]
    if not all(each.done() for each in reads):
        patience = asyncio.ensure_future(_give_up(desk, reads))
        try:
            await asyncio.wait(reads)
        finally:
            patience.cancel()
    return {
        case.account.id: told
        for case, read in zip(wanted, reads, strict=True)
        if not read.cancelled() and (told := read.result()) is not None
    }


def worth_asking(able: Capabilities, intent: OrderIntent, quote: Quote | None = None) -> bool:
    """Whether an account with such a broker can be short of something, as far as that can be told by now."""
    return able.margins or checks.estimate_of(intent, quote) is not None


async def ask(desk: Desk, account: Account, able: Capabilities, intent: OrderIntent) -> Margin | Decimal | None:
    """The broker's own word about this order; rupees that are there, where it has none; None, where it says nothing."""
    try:
        broker = await desk.lines.to(account)
        told = await broker.margin(intent) if able.margins else None
        return (await broker.funds()).available if told is None else told
    except SessionNeeded:  # which the plan says of the account itself
        return None
    except Exception as error:  # whatever it is, it is no reason to hold up this order or another
        _not_read(account, error)
        return None


async def _give_up(desk: Desk, reads: Sequence[asyncio.Future[Margin | None]]) -> None:
    """An adapter may repeat a read that fails, and an order must not wait for all of that."""
    await desk.clock.sleep(desk.config.read_timeout)
    for each in reads:
        each.cancel()


async def _one(desk: Desk, case: Case, asked: Asked | None) -> Margin | None:
    if not worth_asking(case.able, case.intent, case.quote):
        return None
    if asked is not None and asked.intent == case.intent:
        told = await asked.answer
    else:
        told = await ask(desk, case.account, case.able, case.intent)
    return await _estimate(desk, case, told) if isinstance(told, Decimal) else told


async def _estimate(desk: Desk, case: Case, available: Decimal) -> Margin | None:
    needed = checks.estimate_of(case.intent, case.quote)
    if needed is None:
        return None
    if needed > available:
        # What takes off a position needs no money, and getting out is the last thing to hinder.
        try:
            positions = await (await desk.lines.to(case.account)).positions()
        except Exception as error:  # as above
            _not_read(case.account, error)
            return None
        needed = needed * opening(case.intent, positions) / case.intent.quantity
    return Margin(needed, available, estimated=True)


def _not_read(account: Account, error: Exception) -> None:
    log.get(__name__).warning("margin_not_read", account=account.id, error=type(error).__name__)
