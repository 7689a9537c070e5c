"""The paper broker: one account's line to the exchange on this machine, with the troubles it was told to have.

Quirks. Shares bought for delivery are positions until midnight in India and holdings from then on; a delivery sale of
holdings takes them at once and leaves no short position. A market order carries a protection price and rests at it. The
answer to an order comes after the exchange has handled it, so a marketable order is reported filled straight away.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

from ordo_cli.brokers.base import Broker, Permit, Tools
from ordo_cli.brokers.paper import views
from ordo_cli.brokers.paper.amounts import SECOND
from ordo_cli.brokers.paper.behaviours import Behaviour, behaviour_of
from ordo_cli.brokers.paper.exchange import Answer
from ordo_cli.brokers.paper.line import Line, answered, line
from ordo_cli.brokers.paper.login import digest_of, knows
from ordo_cli.brokers.paper.messages import Message, cancel_message, modify_message, place_message
from ordo_cli.domain.accounts import Account
from ordo_cli.domain.errors import NoAnswer, Rejected, SessionExpired, Unreachable
from ordo_cli.domain.instruments import Instrument, InstrumentId
from ordo_cli.domain.orders import BrokerOrderId, Changes, OrderIntent, OrderReport, Tag
from ordo_cli.domain.portfolio import Funds, Holding, Margin, Position, Quote, Trade
from ordo_cli.domain.values import replace

LOOK_AGAIN = 0.002  # seconds between looks for an answer that should be there


class PaperBroker:
    def __init__(self, account: Account, tools: Tools, shared: Line) -> None:
        self._account = account.id
        self._behaviour: Behaviour = behaviour_of(account)
        if self._behaviour.login:  # without a session it speaks under one that nobody knows
            session = digest_of(tools.session) if tools.session is not None else "none"
            self._behaviour = replace(self._behaviour, session=session)
        self._clock = tools.clock
        self._patience = self._behaviour.patience(tools.read_timeout)
        self._line = shared
        self._exchange = shared.exchange

    async def place(self, intent: OrderIntent, tag: Tag, permit: Permit) -> OrderReport:
        return await self._ask(
            place_message(self._account, intent, tag, self._behaviour), permit, self._behaviour.silent is not None
        )

    async def modify(self, order_id: BrokerOrderId, changes: Changes, permit: Permit) -> OrderReport:
        message = modify_message(self._account, order_id, changes, self._behaviour)
        return await self._ask(message, permit, self._behaviour.silent is not None)

    async def cancel(self, order_id: BrokerOrderId) -> OrderReport:
        return await self._ask(
            cancel_message(self._account, order_id, self._behaviour), None, self._behaviour.silent_cancel
        )

    async def orders(self) -> Sequence[OrderReport]:
        behaviour = self._behaviour
        return await self._read(views.orders, round(behaviour.lagging * SECOND), not behaviour.tagless)

    async def trades(self) -> Sequence[Trade]:
        return await self._read(views.trades, round(self._behaviour.lagging * SECOND))

    async def positions(self) -> Sequence[Position]:
        return await self._read(views.positions)

    async def holdings(self) -> Sequence[Holding]:
        return await self._read(views.holdings)

    async def funds(self) -> Funds:
        return await self._read(views.funds)

    async def margin(self, intent: OrderIntent) -> Margin | None:
        return await self._read(views.margin, place_message(self._account, intent, Tag(""), self._behaviour))

    async def quotes(self, instruments: Sequence[InstrumentId]) -> Mapping[InstrumentId, Quote]:
        self._reachable()
        return await self._line.run(views.quotes, self._exchange, instruments)

    async def instrument(self, instrument: InstrumentId) -> Instrument | None:
        self._reachable()
        return await self._line.run(views.instrument, self._exchange, instrument)

    async def search(self, text: str, limit: int = 20) -> Sequence[Instrument]:
        self._reachable()
        return await self._line.run(views.search, self._exchange, text, limit)

    def _expired(self) -> SessionExpired:
        if not self._behaviour.expired:
            hint = f"ordo login {self._account}"
            return SessionExpired(f"the session of {self._account} is over", hint=hint, code="SESSION")
        hint = f"it was told to rehearse this; to end it: ordo account edit {self._account} --no-behaviours"
        return SessionExpired(f"the session of {self._account} has expired", hint=hint, code="SESSION")

    def _reachable(self) -> None:
        if self._behaviour.down:
            raise Unreachable("the paper exchange is down, as this account was told to find it")

    async def _read[T](self, view: Callable[..., T], *values: object) -> T:
        self._reachable()
        session = self._behaviour.session
        if self._behaviour.expired or (
            session and not await self._line.run(answered, knows, self._exchange, self._account, session)
        ):
            raise self._expired()
        return await self._line.run(answered, view, self._exchange, self._account, *values)

    async def _ask(self, message: Message, permit: Permit | None, silent: bool) -> OrderReport:
        self._reachable()
        number, heard = await self._line.deliver(message, permit, listen=not message.delay and not silent)
        return self._told(heard or await self._wait(number, message.delay, silent))

    async def _wait(self, number: int, delay: float, silent: bool) -> Answer:
        """Wait as a sender waits. Raises NoAnswer when patience ends first."""
        if not silent and delay < self._patience:
            last = self._clock.elapsed() + self._patience
            await self._clock.sleep(delay)
            while self._clock.elapsed() <= last:
                answer = await self._line.run(self._exchange.answer, number)
                if answer is not None:
                    return answer
                await self._clock.sleep(LOOK_AGAIN)
            raise self._silence()
        if silent:
            await self._line.run(self._exchange.answer, number)
        await self._clock.sleep(self._patience)
        raise self._silence()

    def _silence(self) -> NoAnswer:
        return NoAnswer(f"{self._account} gave no answer within {self._patience:g} s")

    def _told(self, answer: Answer) -> OrderReport:
        if answer.code == "SESSION":
            raise self._expired()
        if answer.code is not None:
            raise Rejected(answer.message or answer.code, code=answer.code)
        assert answer.order is not None
        return views.report(answer.order, tagged=not self._behaviour.tagless)


@asynccontextmanager
async def connect(account: Account, credentials: Mapping[str, str], tools: Tools) -> AsyncIterator[Broker]:
    """Open the line of one account; paper needs no credentials."""
    async with line(tools) as shared:
        yield PaperBroker(account, tools, shared)
