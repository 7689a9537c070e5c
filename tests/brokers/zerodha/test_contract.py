"""Zerodha passes the contract of all adapters."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from decimal import Decimal

import pytest

from ordo_cli.brokers import spec
from ordo_cli.brokers.base import Broker
from ordo_cli.domain.accounts import Account
from ordo_cli.domain.instruments import parse_instrument
from ordo_cli.domain.orders import OrderIntent, Side, Tag
from tests.brokers.contract import BrokerContract, Trouble
from tests.brokers.zerodha.fakes import ALICE, CREDENTIALS, Kite, tools
from tests.fakes import FakeClock


class KiteStage:
    def __init__(self) -> None:
        self.spec = spec("zerodha")
        self.instrument = parse_instrument("NSE:INFY")
        self.unknown = parse_instrument("NSE:NOSUCH")
        self.resting = OrderIntent(Side.BUY, self.instrument, 10, Decimal(1420))
        self.marketable = OrderIntent(Side.BUY, self.instrument, 10)
        self.troubles = frozenset(Trouble) - {Trouble.TAGLESS}
        self.clock = FakeClock()
        self.kite = Kite(self.clock)

    def account(self, trouble: Trouble) -> Account:
        return ALICE

    def connect(self, trouble: Trouble = Trouble.NONE) -> AbstractAsyncContextManager[Broker]:
        self.kite.trouble = trouble
        return self.spec.connect(ALICE, CREDENTIALS, tools(self.kite.transport, clock=self.clock))

    async def arrived(self, tag: Tag) -> int:
        return sum(form["tag"] == tag for form in self.kite.arrived)

    async def pass_time(self, seconds: float) -> None:
        self.clock.pass_(seconds)


@pytest.fixture
def stage() -> KiteStage:
    return KiteStage()


class TestZerodha(BrokerContract):
    pass
