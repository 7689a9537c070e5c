"""HDFC's adapter passes the contract of all adapters, before a broker that keeps a book."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from decimal import Decimal

import httpx
import pytest

from ordo_cli.brokers import spec
from ordo_cli.brokers.base import Broker
from ordo_cli.domain.accounts import Account
from ordo_cli.domain.instruments import parse_instrument
from ordo_cli.domain.orders import OrderIntent, Side, Tag
from tests.brokers.contract import BrokerContract, Trouble
from tests.brokers.hdfc.fakes import CREDENTIALS, MONDAY_NOON, FakeHdfc, account, tools
from tests.fakes import FakeClock


class HdfcStage:
    def __init__(self) -> None:
        self.spec = spec("hdfc")
        self.instrument = parse_instrument("NSE:WIPRO")
        self.unknown = parse_instrument("NSE:NOSUCH")
        self.resting = OrderIntent(Side.BUY, self.instrument, 10, Decimal("440.05"))
        self.marketable = OrderIntent(Side.BUY, self.instrument, 10, Decimal(460))
        self.troubles = frozenset(Trouble) - {Trouble.NONE}
        self.clock = FakeClock(MONDAY_NOON)
        self.broker = FakeHdfc(self.clock)

    def account(self, trouble: Trouble) -> Account:
        return account()

    def connect(self, trouble: Trouble = Trouble.NONE) -> AbstractAsyncContextManager[Broker]:
        broker = self.broker
        broker.refuses, broker.silent = trouble is Trouble.REFUSES, trouble is Trouble.SILENT
        broker.expired, broker.unreachable = trouble is Trouble.EXPIRED, trouble is Trouble.UNREACHABLE
        broker.late = 60.0 if trouble is Trouble.LATE else 0.0
        broker.lagging = 60.0 if trouble is Trouble.LAGGING else 0.0
        using = tools(httpx.MockTransport(broker), clock=self.clock)
        return self.spec.connect(self.account(trouble), CREDENTIALS, using)

    async def arrived(self, tag: Tag) -> int:
        return self.broker.arrived(tag)

    async def pass_time(self, seconds: float) -> None:
        self.clock.pass_(seconds)


@pytest.fixture
def stage() -> HdfcStage:
    return HdfcStage()


class TestHdfc(BrokerContract):
    pass
