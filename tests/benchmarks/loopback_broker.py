"""A broker over HTTP that only the benchmarks have: the loopback server behind ordo's wire, for the real services."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

from ordo_cli.brokers.base import Broker, BrokerSpec, Capabilities, Permit, RateLimits, Tools
from ordo_cli.brokers.codes import Codes
from ordo_cli.brokers.http import Http
from ordo_cli.brokers.wire import Address, Route, Timeouts, WireTransport
from ordo_cli.domain.accounts import Account, BrokerName
from ordo_cli.domain.fanouts import Mode
from ordo_cli.domain.instruments import Exchange
from ordo_cli.domain.orders import (
    BrokerOrderId,
    OrderIntent,
    OrderReport,
    OrderState,
    OrderType,
    Product,
    Side,
    Tag,
    Validity,
)
from ordo_cli.machine import SystemChance, SystemClock
from tests.benchmarks.loopback import Loopback
from tests.fakes import FakeClock, ScriptedBroker

NAME = BrokerName("loopback")
PATIENT = Timeouts(connect=30, write=30, read=30, pool=30, whole=60)
SIDES = Codes({Side.BUY: "BUY", Side.SELL: "SELL"})


@dataclass
class Stopwatch:
    """The first byte and the last answer of a fan-out, by the elapsed clock."""

    clock: SystemClock = field(default_factory=SystemClock)
    kept: bool = True  # False: for a server that answers thousands, and is timed from outside
    first_bytes: list[float] = field(default_factory=list)
    answers: list[float] = field(default_factory=list)

    def milliseconds(self) -> float:
        """From the first byte to the last answer, and start anew."""
        spent = (max(self.answers) - min(self.first_bytes)) * 1e3
        self.first_bytes.clear()
        self.answers.clear()
        return spent


class LoopbackBroker(ScriptedBroker):
    """Orders go over the wire; what a broker's own list of instruments would answer is in memory."""

    def __init__(self, account: Account, http: Http, delay_ms: int, watch: Stopwatch) -> None:
        super().__init__(cast(FakeClock, watch.clock), account)
        self._http, self._path, self._watch = http, f"/{delay_ms}/orders", watch

    async def place(self, intent: OrderIntent, tag: Tag, permit: Permit) -> OrderReport:
        answer = await self._http.post(self._path, permit=permit, json=encode(intent, tag))
        if self._watch.kept and permit.first_byte_at is not None:
            self._watch.answers.append(self._watch.clock.elapsed())
            self._watch.first_bytes.append(permit.first_byte_at)
        return decode(answer["data"]["order_id"], intent, tag)


def encode(intent: OrderIntent, tag: Tag) -> dict[str, object]:
    return {
        "symbol": intent.instrument.symbol,
        "exchange": str(intent.instrument.exchange),
        "side": SIDES.out(intent.side),
        "quantity": intent.quantity,
        "price": intent.limit_price,
        "tag": tag,
    }


def decode(order_id: str, intent: OrderIntent, tag: Tag) -> OrderReport:
    return OrderReport(
        BrokerOrderId(order_id),
        OrderState.FILLED,
        intent.instrument,
        intent.side,
        intent.quantity,
        intent.type,
        intent.product,
        intent.validity,
        filled_quantity=intent.quantity,
        limit_price=intent.limit_price,
        average_price=intent.limit_price,
        tag=tag,
    )


def line_to(server: Loopback) -> Http:
    """One account's line, warm for as long as a benchmark takes."""
    transport = WireTransport(Route(Address.of(server.url), tls=server.trusting), idle_seconds=300)
    return Http(
        transport,
        server.url,
        clock=SystemClock(),
        chance=SystemChance(),
        headers={"authorization": "token a:b"},
        timeouts=PATIENT,
    )


def spec_of(server: Loopback, delay_ms: int, watch: Stopwatch) -> BrokerSpec:
    """A firm whose orders go to this server and are answered after that delay."""

    @asynccontextmanager
    async def connect(account: Account, credentials: Mapping[str, str], tools: Tools) -> AsyncIterator[Broker]:
        async with line_to(server) as http:
            await http.warm("/profile")
            yield LoopbackBroker(account, http, delay_ms, watch)

    return BrokerSpec(
        name=NAME,
        title="Loopback",
        mode=Mode.PAPER,  # whose limits are ten times wider: a benchmark sends more than a person
        credentials=(),
        capabilities=lambda account: Capabilities(
            frozenset({Exchange.NSE}), frozenset(OrderType), frozenset({Product.CNC}), frozenset(Validity)
        ),
        rates=RateLimits(per_second=1000),
        connect=connect,
    )
