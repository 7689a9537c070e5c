"""Consolidated reads: what every account has, read from all of them at once, with each that could not be read named."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ordo_cli.domain.accounts import Account, AccountId, BrokerName, Target
from ordo_cli.domain.errors import NotFound, OrdoError
from ordo_cli.domain.legs import Leg, LegId, Problem
from ordo_cli.domain.orders import OrderReport
from ordo_cli.domain.portfolio import Funds, Holding, Position, Trade
from ordo_cli.domain.tokens import TokenScope
from ordo_cli.domain.values import dataclass
from ordo_cli.services import cached, covered
from ordo_cli.services.targets import EVERYTHING

if TYPE_CHECKING:
    from ordo_cli.brokers.base import Broker
    from ordo_cli.desk import Desk


class Row[T](NamedTuple):
    account: AccountId
    broker: BrokerName
    row: T


class Failure(NamedTuple):
    """An account that could not be read, and why."""

    account: AccountId
    problem: Problem


@dataclass(frozen=True, slots=True)
class Consolidated[T]:
    """Rows of many accounts; an account is in `rows`' accounts or in `failures`, never left out."""

    accounts: tuple[AccountId, ...]
    rows: tuple[Row[T], ...]
    failures: tuple[Failure, ...]


@dataclass(frozen=True, slots=True)
class Booked:
    """One order of a broker's book, and the leg of ours that it is, if it is one."""

    report: OrderReport
    leg: LegId | None


async def positions(desk: Desk, targets: Iterable[Target] = EVERYTHING) -> Consolidated[Position]:
    return await _asked(desk, targets, lambda broker: broker.positions())


async def holdings(desk: Desk, targets: Iterable[Target] = EVERYTHING) -> Consolidated[Holding]:
    return await _asked(desk, targets, lambda broker: broker.holdings())


async def trades(desk: Desk, targets: Iterable[Target] = EVERYTHING) -> Consolidated[Trade]:
    return await _asked(desk, targets, lambda broker: broker.trades())


async def funds(desk: Desk, targets: Iterable[Target] = EVERYTHING) -> Consolidated[Funds]:
    """The money of each account, at most two seconds old where several ask one ordo or one Redis for it."""

    async def alone(account: Account) -> Sequence[Funds]:
        return [await cached.funds(desk, account)]

    return await _consolidated(desk, targets, alone)


async def orders(desk: Desk, targets: Iterable[Target] = EVERYTHING) -> Consolidated[Booked]:
    """The order books, each order with the leg of ours that it is: by the broker's id, or by our tag where the broker
    gave no id (it refused, or its answer never came)."""
    books = await _asked(desk, targets, lambda broker: broker.orders())
    rows: list[Row[Booked]] = []
    for account in books.accounts:
        book = [row for row in books.rows if row.account == account]
        if not book:
            continue
        ids = await desk.store.journal.by_order_ids(account, [row.row.order_id for row in book])
        strange = [row.row.tag for row in book if row.row.tag is not None and row.row.order_id not in ids]
        tags = await desk.store.journal.by_tags(account, strange) if strange else {}
        for _, broker, report in book:
            leg = ids.get(report.order_id) or (tags.get(report.tag) if report.tag is not None else None)
            rows.append(Row(account, broker, Booked(report, leg)))
    return Consolidated(books.accounts, tuple(rows), books.failures)


async def in_book(desk: Desk, leg: Leg) -> Row[Booked] | Problem | None:
    """How the broker's book shows this leg now: its row, why it cannot be read, or None when it is not there."""
    desk.rights.require(TokenScope.READ)
    await covered.require(desk, [leg.account])
    if leg.broker_order_id is None:
        return None
    try:
        account = await desk.store.accounts.get(leg.account)
    except NotFound as error:
        return Problem.of(error)
    book = await _one(_line(desk, lambda broker: broker.orders()), account)
    if isinstance(book, Problem):
        return book
    report = next((row for row in book if row.order_id == leg.broker_order_id), None)
    return None if report is None else Row(account.id, account.broker, Booked(report, leg.id))


async def _asked[T](
    desk: Desk, targets: Iterable[Target], read: Callable[[Broker], Awaitable[Sequence[T]]]
) -> Consolidated[T]:
    return await _consolidated(desk, targets, _line(desk, read))


async def _consolidated[T](
    desk: Desk, targets: Iterable[Target], read: Callable[[Account], Awaitable[Sequence[T]]]
) -> Consolidated[T]:
    desk.rights.require(TokenScope.READ)
    accounts = await covered.seen(desk, targets)
    answers = await asyncio.gather(*(_one(read, account) for account in accounts))
    rows: list[Row[T]] = []
    failures: list[Failure] = []
    for account, found in zip(accounts, answers, strict=True):
        if isinstance(found, Problem):
            failures.append(Failure(account.id, found))
        else:
            rows += (Row(account.id, account.broker, row) for row in found)
    return Consolidated(tuple(account.id for account in accounts), tuple(rows), tuple(failures))


def _line[T](
    desk: Desk, read: Callable[[Broker], Awaitable[Sequence[T]]]
) -> Callable[[Account], Awaitable[Sequence[T]]]:
    async def ask(account: Account) -> Sequence[T]:
        return await read(await desk.lines.to(account))

    return ask


async def _one[T](read: Callable[[Account], Awaitable[Sequence[T]]], account: Account) -> Sequence[T] | Problem:
    try:
        return await read(account)
    except OrdoError as error:
        return Problem.of(error)
    except Exception as error:  # one adapter's bug must not hide what the other accounts hold
        return Problem("bug", f"could not be read ({type(error).__name__})", "this is a bug in ordo; please report it")
