"""m.Stock passes the contract of all adapters."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from ordo_cli.brokers import spec
from ordo_cli.brokers.base import Broker
from ordo_cli.domain.accounts import Account
from ordo_cli.domain.instruments import parse_instrument
from ordo_cli.domain.orders import OrderIntent, Side, Tag
from tests.brokers.contract import BrokerContract, Trouble
from tests.brokers.mstock.fakes import ALICE, CREDENTIALS, FakeMStock, tools
from tests.fakes import FakeClock


class MStockStage:
    def __init__(self, folder: Path) -> None:
        self.spec = spec("mstock")
        self.instrument = parse_instrument("NSE:INFY")
        self.unknown = parse_instrument("NSE:NOSUCH")
        self.resting = OrderIntent(Side.BUY, self.instrument, 10, Decimal(1420))
        self.marketable = OrderIntent(Side.BUY, self.instrument, 10, Decimal(1510))
        self.troubles = frozenset(Trouble)
        self.clock = FakeClock()
        self.broker = FakeMStock(self.clock)
        self.folder = folder

    def account(self, trouble: Trouble) -> Account:
        return ALICE

    @asynccontextmanager
    async def connect(self, trouble: Trouble = Trouble.NONE) -> AsyncIterator[Broker]:
        self.broker.trouble = trouble
        async with self.spec.connect(ALICE, CREDENTIALS, tools(self.clock, self.broker.transport, self.folder)) as line:
            yield line

    async def arrived(self, tag: Tag) -> int:
        return sum(form["tag"] == tag for form in self.broker.placed)

    async def pass_time(self, seconds: float) -> None:
        await self.broker.pass_time(seconds)


@pytest.fixture
def stage(tmp_path: Path) -> MStockStage:
    return MStockStage(tmp_path)


class TestMStock(BrokerContract):
    pass
