"""What legs need before they leave, begun while the plan still asks brokers for prices: every answer of a broker that
an order does not have to wait for behind another.

For an order by which no tag can find it, that is the account's turn, and its book as it stands. The order then leaves
with all others. A turn that was had so is kept for a second and no longer: a plan that hangs must not keep another
order from the account, least of all one that gets out. For every order at a broker that is far away, it is the money.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from decimal import Decimal

from ordo_cli import log
from ordo_cli.brokers.base import Broker, Capabilities
from ordo_cli.desk import Desk
from ordo_cli.domain.accounts import Account, AccountId
from ordo_cli.domain.breaker import State
from ordo_cli.domain.fanouts import Mode
from ordo_cli.domain.limits import MarginCheck
from ordo_cli.domain.orders import BrokerOrderId, OrderIntent
from ordo_cli.domain.portfolio import Margin
from ordo_cli.domain.values import dataclass
from ordo_cli.services import breaker, margins

AS_IT_STANDS = 1.0  # seconds for which a book may stand for what was in it just before an order


@dataclass(frozen=True, slots=True)
class Book:
    """The orders of an account's book, and when it was asked for by the elapsed clock."""

    orders: frozenset[BrokerOrderId]
    at: float


@dataclass(frozen=True, slots=True)
class Ready:
    """An account's turn, and its book as it stands since the turn was had."""

    turn: AsyncExitStack  # to be closed when the leg is done
    book: Book


async def standing(desk: Desk, broker: Broker, before: Book | None = None) -> Book:
    """The account's book by a look that is young.

    Under the account's writer lock, so that no order of ordo's comes between the look and the one that is sent.
    """
    at = desk.clock.elapsed()
    if before is not None and at - before.at <= AS_IT_STANDS:
        return before
    return Book(frozenset(row.order_id for row in await broker.orders()), at)


class Ahead:
    """What one order has begun to wait for. Leaving it gives back what no leg has taken over."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._begun: dict[AccountId, asyncio.Task[Ready | None]] = {}
        self.money: dict[AccountId, margins.Asked] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Ahead:
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = [*self._begun.values(), *(asked.answer for asked in self.money.values())]
        for task in tasks:
            task.cancel()
        try:
            if tasks:
                await asyncio.wait(tasks)
        finally:
            for account in tuple(self._begun):
                self._give_back(account)
        if self._leaving:
            await asyncio.wait(self._leaving)

    def begin(self, accounts: Iterable[Account], orders: Mapping[AccountId, OrderIntent]) -> None:
        """Begin for all who can need something. `orders` are those that are known before any broker has been asked.

        Who would have to wait for another's turn goes without. What is near, as paper is, answers at once anyway.
        """
        for account in accounts:
            spec = self._desk.spec(account)
            able, order = spec.capabilities(account), orders.get(account.id)
            if not able.tagged:
                self._begun[account.id] = asyncio.ensure_future(self._ready(account))
            if order is not None and spec.mode is not Mode.PAPER and self._worth_asking(account, able, order):
                self.money[account.id] = margins.Asked(order, asyncio.ensure_future(self._ask(account, able, order)))

    async def done(self, account: AccountId) -> None:
        """Wait for what was begun for this account."""
        if (task := self._begun.get(account)) is not None:
            await asyncio.wait({task})

    def given(self, account: AccountId) -> Ready | None:
        """What is done for this account, which from here on is the caller's to give back; None: its leg is on its own.

        Nothing is awaited here, so that a turn can never be lost between the two who hold it.
        """
        task = self._begun.pop(account, None)
        return task.result() if task is not None and task.done() and not task.cancelled() else None

    def _worth_asking(self, account: Account, able: Capabilities, order: OrderIntent) -> bool:
        if not margins.worth_asking(able, order):
            return False
        wanted = self._desk.config.limits.for_account(account, paper=False).margin_check is MarginCheck.ON
        return wanted and breaker.standing(self._desk, account.id) is State.CLOSED

    async def _ask(self, account: Account, able: Capabilities, order: OrderIntent) -> Margin | Decimal | None:
        await self.done(account.id)  # over the connection that it has opened, and not over another
        return await margins.ask(self._desk, account, able, order)

    async def _ready(self, account: Account) -> Ready | None:
        async with AsyncExitStack() as turn:
            try:
                async with asyncio.timeout(AS_IT_STANDS):
                    await self._take(account.id, turn)
                    book = await standing(self._desk, await self._desk.lines.to(account))
            except Exception as error:  # the leg does it in its turn, and says what is wrong
                log.get(__name__).info("not_ready_ahead", account=account.id, error=type(error).__name__)
                return None
            asyncio.get_running_loop().call_later(AS_IT_STANDS, self._give_back, account.id)
            return Ready(turn.pop_all(), book)

    def _give_back(self, account: AccountId) -> None:
        if (ready := self.given(account)) is not None:
            self._leaving.add(asyncio.ensure_future(ready.turn.aclose()))

    async def _take(self, account: AccountId, turn: AsyncExitStack) -> None:
        """Raises Busy when somebody would have to be waited for."""
        held = await self._desk.locks.take(account)
        if held is not None:
            turn.enter_context(held)
        else:
            await turn.enter_async_context(self._desk.locks.account(account, self._desk.clock.elapsed()))
