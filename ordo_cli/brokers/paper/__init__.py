"""The paper broker: an exchange in a file on this machine, for rehearsing orders and trouble without a network."""

from __future__ import annotations

from ordo_cli.brokers.base import BrokerSpec, Capabilities, RateLimits
from ordo_cli.brokers.paper.behaviours import BEHAVIOURS, behaviour_of, check_account
from ordo_cli.brokers.paper.broker import connect
from ordo_cli.brokers.paper.prices import set_price
from ordo_cli.domain.accounts import Account, BrokerName
from ordo_cli.domain.fanouts import Mode
from ordo_cli.domain.instruments import Exchange
from ordo_cli.domain.orders import OrderType, Product, Validity

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
        tagged=not behaviour_of(account).tagless,
    )


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
)
