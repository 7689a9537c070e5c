"""What ordo does not own, small and scripted: a clock that jumps, and a broker that does as it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from heapq import heapify, heappop, heappush
from itertools import count

from ordo_cli.brokers.base import (
    Broker,
    BrokerSession,
    BrokerSpec,
    Capabilities,
    Challenge,
    ChallengeKind,
    Login,
    Permit,
    RateLimits,
    Tools,
)
from ordo_cli.brokers.masters import MasterSource
from ordo_cli.domain.accounts import Account, AccountId, BrokerName
from ordo_cli.domain.errors import NoAnswer, NotFound, Rejected, Unreachable
from ordo_cli.domain.fanouts import Mode
from ordo_cli.domain.instruments import Exchange, Instrument, InstrumentId, kind_of, parse_instrument
from ordo_cli.domain.orders import (
    FINAL,
    BrokerOrderId,
    Changes,
    OrderIntent,
    OrderReport,
    OrderState,
    OrderType,
    Product,
    Side,
    Tag,
    Validity,
)
from ordo_cli.domain.portfolio import Funds, Holding, Margin, Position, Quote, Trade

MONDAY_NOON = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)  # 12:00 in India, the market open
INFY = parse_instrument("NSE:INFY")


SETTLE = 0.008  # real seconds in which what is not asleep gets on with its work before time jumps
FAR = 5.0  # virtual seconds; so long a sleep is mostly somebody's deadline, and others get more time before it


class FakeClock:
    """Time that jumps to the next sleeper once everybody else has had a moment, or when a test says so."""

    def __init__(self, now: datetime = MONDAY_NOON) -> None:
        self._start, self._elapsed = now, 1000.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = count()
        self._ticker: asyncio.Task[None] | None = None

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed - 1000.0)

    def elapsed(self) -> float:
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        waking: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heappush(self._sleepers, (self._elapsed + max(0.0, seconds), next(self._numbers), waking))
        if self._ticker is None or self._ticker.done():
            self._ticker = asyncio.ensure_future(self._tick())
        try:
            await waking
        except asyncio.CancelledError:
            # Who waits for nothing any more slows nobody down.
            self._sleepers = [each for each in self._sleepers if each[2] is not waking]
            heapify(self._sleepers)
            if not self._sleepers:
                self._ticker.cancel()
                self._ticker = None
            raise

    async def _tick(self) -> None:
        while self._sleepers:
            far = self._sleepers[0][0] - self._elapsed > FAR
            before = next(self._numbers)
            await asyncio.sleep(SETTLE * (20 if far else 1))
            while self._sleepers and self._sleepers[0][2].done():
                heappop(self._sleepers)
            nobody_else_slept = next(self._numbers) == before + 1
            if self._sleepers and (nobody_else_slept or not far):
                at, _, waking = heappop(self._sleepers)
                self._elapsed = max(self._elapsed, at)
                waking.set_result(None)

    def pass_(self, seconds: float) -> None:
        self._elapsed += seconds


def buy(quantity: int = 10, limit: str | None = "1500", **more: object) -> OrderIntent:
    price = None if limit is None else Decimal(limit)
    return OrderIntent(Side.BUY, INFY, quantity, limit_price=price, **more)  # type: ignore[arg-type]


def sell(quantity: int = 10, limit: str | None = "1500", **more: object) -> OrderIntent:
    return replace(buy(quantity, limit, **more), side=Side.SELL)


Trouble = Callable[["ScriptedBroker", OrderIntent, Tag, Permit], OrderReport | None]
"""What happens instead of a plain yes: it may raise, answer, or return None to go on as usual."""


def unreachable(broker: ScriptedBroker, intent: OrderIntent, tag: Tag, permit: Permit) -> None:
    raise Unreachable("connection refused")


def silent_after_accepting(broker: ScriptedBroker, intent: OrderIntent, tag: Tag, permit: Permit) -> None:
    broker.receive(intent, tag, permit)
    raise NoAnswer("no answer within 15 s")


def lost_on_the_way(broker: ScriptedBroker, intent: OrderIntent, tag: Tag, permit: Permit) -> None:
    with permit.passing():
        permit.bytes_sent += 100
    raise NoAnswer("connection reset after 100 bytes")


def refusing(code: str = "MARGIN") -> Trouble:
    def refuse(broker: ScriptedBroker, intent: OrderIntent, tag: Tag, permit: Permit) -> None:
        with permit.passing():
            permit.bytes_sent += 100
        raise Rejected("not enough margin", code=code)

    return refuse


@dataclass
class ScriptedBroker:
    """One account's broker in memory: it keeps every order that reached it, and is asked about them by tests."""

    clock: FakeClock
    account: Account
    tagged: bool = True
    script: list[Trouble | None] = field(default_factory=list)  # one for each next place; None is a plain yes
    book: list[OrderReport] = field(default_factory=list)
    hidden: set[BrokerOrderId] = field(default_factory=set)  # not in the book yet
    fill: bool = False  # whether orders fill at once
    last_price: Decimal = Decimal(1500)
    unreadable: Exception | None = None  # raised by every read
    cancel_trouble: list[Exception] = field(default_factory=list)
    trade_rows: list[Trade] = field(default_factory=list)
    position_rows: list[Position] = field(default_factory=list)
    cash: Decimal = Decimal(1_000_000)  # what there is for new orders
    needed: Decimal | None = None  # what it tells that any order would block; None: it does not tell
    before_telling: Callable[[], Awaitable[None]] | None = None  # awaited by every read of funds and margins
    log: list[str] = field(default_factory=list)
    before_placing: Callable[[], Awaitable[None]] | None = None
    facts: dict[str, object] = field(default_factory=dict)  # what it says of every instrument, besides the usual

    def receive(self, intent: OrderIntent, tag: Tag, permit: Permit) -> OrderReport:
        """The order arrives, whatever the client hears of it."""
        with permit.passing():
            permit.bytes_sent += 100
        report = OrderReport(
            order_id=BrokerOrderId(f"{self.account.id}-{len(self.book) + 1}"),
            state=OrderState.FILLED if self.fill else OrderState.OPEN,
            instrument=intent.instrument,
            side=intent.side,
            quantity=intent.quantity,
            type=intent.type,
            product=intent.product,
            validity=intent.validity,
            filled_quantity=intent.quantity if self.fill else 0,
            limit_price=intent.limit_price,
            trigger_price=intent.trigger_price,
            average_price=self.last_price if self.fill else None,
            tag=tag if self.tagged else None,
            placed_at=self.clock.now(),
        )
        self.book.append(report)
        return report

    async def place(self, intent: OrderIntent, tag: Tag, permit: Permit) -> OrderReport:
        self.log.append("place")
        await permit.claim()
        if self.before_placing is not None:
            await self.before_placing()
        trouble = self.script.pop(0) if self.script else None
        answer = trouble(self, intent, tag, permit) if trouble else None
        return answer or self.receive(intent, tag, permit)

    async def modify(self, order_id: BrokerOrderId, changes: Changes, permit: Permit) -> OrderReport:
        self.log.append("modify")
        await permit.claim()
        with permit.passing():
            permit.bytes_sent += 50
        row = self.row(order_id)
        return self.put(replace(row, quantity=changes.quantity or row.quantity, limit_price=changes.limit_price))

    async def cancel(self, order_id: BrokerOrderId) -> OrderReport:
        self.log.append("cancel")
        if self.cancel_trouble:
            raise self.cancel_trouble.pop(0)
        row = self.row(order_id)
        return row if row.state in FINAL else self.put(replace(row, state=OrderState.CANCELLED))

    async def orders(self) -> Sequence[OrderReport]:
        self.log.append("orders")
        if self.unreadable is not None:
            raise self.unreadable
        return [row for row in self.book if row.order_id not in self.hidden]

    async def trades(self) -> Sequence[Trade]:
        return self.trade_rows

    async def positions(self) -> Sequence[Position]:
        if self.unreadable is not None:
            raise self.unreadable
        return self.position_rows

    async def holdings(self) -> Sequence[Holding]:
        return []

    async def funds(self) -> Funds:
        self.log.append("funds")
        if self.before_telling is not None:
            await self.before_telling()
        return Funds(self.cash, Decimal(0), Decimal(0), self.cash)

    async def margin(self, intent: OrderIntent) -> Margin | None:
        self.log.append("margin")
        if self.before_telling is not None:
            await self.before_telling()
        return None if self.needed is None else Margin(self.needed, self.cash)

    async def quotes(self, instruments: Sequence[InstrumentId]) -> Mapping[InstrumentId, Quote]:
        price = self.last_price
        now = self.clock.now()
        return {name: Quote(name, price, price, price, price, price, price, price, 0, now) for name in instruments}

    async def instrument(self, instrument: InstrumentId) -> Instrument | None:
        usual = Instrument(instrument, instrument.symbol, kind_of(instrument), Decimal("0.05"), freeze_quantity=100_000)
        return replace(usual, **self.facts)  # type: ignore[arg-type]

    async def search(self, text: str, limit: int = 20) -> Sequence[Instrument]:
        return []

    def row(self, order_id: BrokerOrderId) -> OrderReport:
        return next(row for row in self.book if row.order_id == order_id)

    def put(self, changed: OrderReport) -> OrderReport:
        self.book = [changed if row.order_id == changed.order_id else row for row in self.book]
        return changed


Step = BrokerSession | Challenge | Exception


@dataclass
class ScriptedLogin:
    """A login that takes the steps that a test lists, and remembers what it was asked and shown."""

    steps: list[Step] = field(default_factory=list)
    log: list[tuple[str, object]] = field(default_factory=list)
    probed: Exception | None = None
    ended: Exception | None = None
    meanwhile: Callable[[], Awaitable[None]] | None = None  # what goes on while the broker thinks

    async def start(self, account: Account, credentials: Mapping[str, str], tools: Tools) -> BrokerSession | Challenge:
        return await self._next("start", None)

    async def answer(
        self, account: Account, credentials: Mapping[str, str], tools: Tools, state: bytes, text: str
    ) -> BrokerSession | Challenge:
        return await self._next("answer", (state, text))

    async def probe(self, account: Account, _: Mapping[str, str], tools: Tools, session: BrokerSession) -> None:
        self.log.append(("probe", session.token))
        if self.probed is not None:
            raise self.probed

    async def logout(self, account: Account, _: Mapping[str, str], tools: Tools, session: BrokerSession) -> None:
        self.log.append(("logout", session.token))
        if self.ended is not None:
            raise self.ended

    async def _next(self, called: str, shown: object) -> BrokerSession | Challenge:
        self.log.append((called, shown))
        if self.meanwhile is not None:
            await self.meanwhile()
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return step


def asks(seconds: float = 300, state: bytes = b"state", prompt: str = "the code in the message") -> Challenge:
    return Challenge(ChallengeKind.OTP, prompt, MONDAY_NOON + timedelta(seconds=seconds), state)


def lives(seconds: float = 3600, token: str = "a-token-of-acme") -> BrokerSession:
    return BrokerSession({"access_token": token}, MONDAY_NOON + timedelta(seconds=seconds))


class Firm:
    """A broker firm called `acme` with a scripted line for each account, and a login for those that have one."""

    def __init__(self, clock: FakeClock, mode: Mode = Mode.LIVE, rates: RateLimits | None = None) -> None:
        self.clock, self.mode, self.rates = clock, mode, rates or RateLimits()
        self.lines: dict[AccountId, ScriptedBroker] = {}
        self.optional: tuple[str, ...] = ()
        self.margins = False  # whether it declares that it tells them
        self.names = ["acme"]  # the brokers that it stands for, all alike
        self.master: MasterSource | None = None
        self.tools: list[Tools] = []  # that lines were opened with
        self.logins: dict[str, ScriptedLogin] = {}
        self.sessions: list[BrokerSession | None] = []  # that lines were opened with

    def line(self, account: Account) -> ScriptedBroker:
        return self.lines.setdefault(account.id, ScriptedBroker(self.clock, account, self.tagged(account)))

    @asynccontextmanager
    async def connect(self, account: Account, _: Mapping[str, str], tools: Tools) -> AsyncIterator[Broker]:
        self.sessions.append(tools.session)
        self.tools.append(tools)
        yield self.line(account)

    def login(self, account: Account) -> Login | None:
        return self.logins.get(account.id)

    def find(self, name: str) -> BrokerSpec:
        if name not in self.names:
            raise NotFound(f"there is no broker {name}")
        return BrokerSpec(
            name=BrokerName(name),
            title="Acme Broking",
            mode=self.mode,
            credentials=(),
            capabilities=self.capabilities,
            rates=self.rates,
            connect=self.connect,
            optional=self.optional,
            login=self.login,
            master=self.master,
        )

    def tagged(self, account: Account) -> bool:
        return not account.id.startswith("tagless")

    def capabilities(self, account: Account) -> Capabilities:
        return Capabilities(
            exchanges=frozenset({Exchange.NSE, Exchange.NFO}),
            types=frozenset(OrderType),
            products=frozenset({Product.CNC, Product.MIS, Product.NRML}),
            validities=frozenset(Validity),
            tagged=self.tagged(account),
            margins=self.margins,
        )
