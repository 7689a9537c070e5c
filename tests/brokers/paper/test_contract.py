"""The paper broker passes the contract of all adapters."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from pathlib import Path

import pytest

from ordo_cli.brokers import spec
from ordo_cli.brokers.base import Broker, Tools
from ordo_cli.brokers.paper.exchange import Exchange
from ordo_cli.brokers.paper.line import FILE
from ordo_cli.brokers.paper.oracle import received
from ordo_cli.domain.accounts import Account, AccountId, BrokerName
from ordo_cli.domain.instruments import parse_instrument
from ordo_cli.domain.orders import OrderIntent, Side, Tag
from ordo_cli.machine import SystemChance
from tests.brokers.contract import BrokerContract, Trouble
from tests.brokers.paper.fakes import MONDAY_NOON
from tests.fakes import FakeClock

BEHAVIOURS = {
    Trouble.NONE: (),
    Trouble.REFUSES: ("refuse=MARGIN",),
    Trouble.SILENT: ("silent",),
    Trouble.LATE: ("late=60",),
    Trouble.EXPIRED: ("expired",),
    Trouble.UNREACHABLE: ("down",),
    Trouble.TAGLESS: ("tagless",),
    Trouble.LAGGING: ("lagging=60",),
}


class PaperStage:
    def __init__(self, folder: Path) -> None:
        self.spec = spec("paper")
        self.instrument = parse_instrument("NSE:INFY")
        self.unknown = parse_instrument("NSE:NOSUCH")
        self.resting = OrderIntent(Side.BUY, self.instrument, 10, Decimal(1420))
        self.marketable = OrderIntent(Side.BUY, self.instrument, 10)
        self.troubles = frozenset(BEHAVIOURS)
        self.clock = FakeClock(MONDAY_NOON)
        self.tools = Tools(self.clock, SystemChance(), folder)

    def account(self, trouble: Trouble) -> Account:
        return Account(AccountId("alice"), BrokerName("paper"), behaviours=BEHAVIOURS[trouble])

    def connect(self, trouble: Trouble = Trouble.NONE) -> AbstractAsyncContextManager[Broker]:
        return self.spec.connect(self.account(trouble), {}, self.tools)

    async def arrived(self, tag: Tag) -> int:
        exchange = Exchange(str(self.tools.data / FILE), self.clock)
        try:
            return sum(message.kind == "place" and message.tag == tag for message in received(exchange))
        finally:
            exchange.close()

    async def pass_time(self, seconds: float) -> None:
        self.clock.pass_(seconds)


@pytest.fixture
def stage(tmp_path: Path) -> PaperStage:
    return PaperStage(tmp_path)


class TestPaper(BrokerContract):
    pass
