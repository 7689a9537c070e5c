"""The paper broker: an exchange in a file on this machine, for rehearsing orders and trouble without a network."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from decimal import Decimal

from ordo_cli.brokers.base import Broker, BrokerSpec, Capabilities, Login, RateLimits, Tools
from ordo_cli.brokers.paper.behaviours import BEHAVIOURS, behaviour_of, check_account
from ordo_cli.domain.accounts import Account, BrokerName
from ordo_cli.domain.fanouts import Mode
from ordo_cli.domain.instruments import Exchange, InstrumentId
from ordo_cli.domain.orders import OrderType, Product, Validity
from ordo_cli.domain.portfolio import Quote

__all__ = ["BEHAVIOURS", "SPEC", "set_price"]


def capabilities(account: Account) -> Capabilities:
    """Everything that ordo can ask for, but margin trading; tags unless the account was told to lose them."""
    return Capabilities(
        exchanges=frozenset({Exchange.NSE, Exchange.NFO}),
        types=frozenset(OrderType),
        products=frozenset({Product.CNC, Product.MIS, Product.NRML}),
        validities=frozenset(Validity),
        after_market=True,
        disclosed=True,
        margins=True,
        tagged=not behaviour_of(account).tagless,
        final_book=False,  # it may be open at all hours, and takes what travelled for long whenever it arrives
    )


def connect(account: Account, credentials: Mapping[str, str], tools: Tools) -> AbstractAsyncContextManager[Broker]:
    """Open the line of one account."""
    from ordo_cli.brokers.paper.broker import connect  # the exchange: 9 ms that asking what paper can do need not pay

    return connect(account, credentials, tools)


def login(account: Account) -> Login | None:
    """Paper needs none, unless the account was told to rehearse one."""
    if not behaviour_of(account).login:
        return None
    from ordo_cli.brokers.paper.login import PaperLogin  # the exchange, as above

    return PaperLogin()


async def set_price(tools: Tools, instrument: InstrumentId, price: Decimal | None, depth: int | None = None) -> Quote:
    """Hold an instrument at a price until it is released with None; the quote afterwards."""
    from ordo_cli.brokers.paper.prices import set_price

    return await set_price(tools, instrument, price, depth)


SPEC = BrokerSpec(
    name=BrokerName("paper"),
    title="Paper exchange on this machine",
    mode=Mode.PAPER,
    credentials=(),
    capabilities=capabilities,
    rates=RateLimits(per_second=10, kept_for_cancels=2),
    connect=connect,
    check_account=check_account,
    behaviours=BEHAVIOURS,
    login=login,
)
