"""What the tests of Fyers share: a master in memory, credentials, a session, tools, and the stage of the contract."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import httpx

from ordo_cli.brokers import spec
from ordo_cli.brokers.base import Broker, BrokerSession, Tools
from ordo_cli.brokers.fyers.master import FILES, parse
from ordo_cli.brokers.masters import Listing, Master
from ordo_cli.domain.accounts import Account, AccountId, BrokerName
from ordo_cli.domain.instruments import Exchange, InstrumentId, parse_instrument
from ordo_cli.domain.orders import OrderIntent, Product, Side, Tag
from tests.brokers.contract import Trouble
from tests.brokers.fyers.fake import FakeFyers, lines_of
from tests.brokers.wire.fakes import NoChance
from tests.fakes import FakeClock

CREDENTIALS = {
    "app_id": "ABCD1234XY-100",
    "app_secret": "SENTINEL-APP-SECRET",
    "redirect_uri": "https://127.0.0.1/fyers?x=1",
}
SESSION = BrokerSession({"access_token": "LIVE-TOKEN"}, datetime(2026, 11, 24, 0, 30, tzinfo=UTC))
IDEA = parse_instrument("NSE:IDEA")
RESTING = OrderIntent(Side.BUY, IDEA, 10, Decimal("6.50"))
TAG = Tag("O7K2X9A03R1ABCDE")


@dataclass
class MemoryMaster:
    """The recorded files as a master."""

    listings: Sequence[Listing] = field(
        default_factory=lambda: [each for name in FILES for each in parse(name, lines_of(name))]
    )
    day: date | None = date(2026, 11, 23)

    def listing(self, instrument: InstrumentId) -> Listing | None:
        return next((each for each in self.listings if each.instrument.id == instrument), None)

    def coded(self, code: str, segment: str = "") -> Listing | None:
        return next((each for each in self.listings if (each.code, each.segment) == (code, segment)), None)

    def numbered(self, token: str, segment: str = "") -> Listing | None:
        return next((each for each in self.listings if (each.token, each.segment) == (token, segment)), None)

    def search(self, text: str, limit: int = 20, exchange: Exchange | None = None) -> Sequence[Listing]:
        found = [each for each in self.listings if text.upper() in each.instrument.id.symbol]
        return [each for each in found if exchange in (None, each.instrument.id.exchange)][:limit]


def account(base_url: str | None = None) -> Account:
    return Account(AccountId("asha"), BrokerName("fyers"), base_url=base_url)


def tools(
    transport: httpx.AsyncBaseTransport | None = None,
    *,
    session: BrokerSession | None = SESSION,
    master: Master | None = None,
    clock: FakeClock | None = None,
    read_timeout: float = 15.0,
) -> Tools:
    return Tools(
        clock or FakeClock(),
        NoChance(),
        Path("."),
        read_timeout=read_timeout,
        session=session,
        master=MemoryMaster() if master is None else master,
        transport=transport,
    )


def opened(held: Tools, base_url: str | None = None) -> AbstractAsyncContextManager[Broker]:
    return spec("fyers").connect(account(base_url), CREDENTIALS, held)


class FyersStage:
    """The adapter in front of a Fyers in memory."""

    def __init__(self) -> None:
        self.spec = spec("fyers")
        self.instrument = IDEA
        self.unknown = parse_instrument("NSE:NOSUCH")
        self.resting = OrderIntent(Side.BUY, IDEA, 10, Decimal(6), product=Product.CNC)
        self.marketable = OrderIntent(Side.BUY, IDEA, 10)
        self.troubles = frozenset(Trouble) - {Trouble.TAGLESS}  # tags are confirmed, and so are never missing
        self.clock = FakeClock()
        self.fake = FakeFyers(self.clock)
        self.tools = tools(self.fake.transport(), clock=self.clock)

    def account(self, trouble: Trouble) -> Account:
        return account()

    def connect(self, trouble: Trouble = Trouble.NONE) -> AbstractAsyncContextManager[Broker]:
        self.fake.trouble = trouble
        return opened(replace(self.tools, transport=self.fake.transport()))

    async def arrived(self, tag: Tag) -> int:
        return sum(body.get("orderTag") == tag for body in self.fake.arrivals)

    async def pass_time(self, seconds: float) -> None:
        self.clock.pass_(seconds)
