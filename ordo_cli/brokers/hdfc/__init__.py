"""HDFC Securities: InvestRight Open API, developer.hdfcsec.com. Not HDFC Sky, whose hosts and keys are others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager

from ordo_cli.brokers.base import Broker, BrokerSpec, Capabilities, LaterLogin, Login, RateLimits, Tools, check_way
from ordo_cli.brokers.hdfc.notes import NOTES
from ordo_cli.brokers.hdfc.place import HOST, MASTER, USER_AGENT
from ordo_cli.brokers.masters import Listing, MasterFile, MasterSource
from ordo_cli.domain.accounts import Account, BrokerName
from ordo_cli.domain.fanouts import Mode
from ordo_cli.domain.instruments import Exchange
from ordo_cli.domain.orders import OrderType, Product, Validity

__all__ = ["SPEC"]


def capabilities(account: Account) -> Capabilities:
    """What is confirmed of its orders (DOC). Without tags, since nobody has seen one come back; without market orders,
    since no protection of them is documented; without quotes, since a last price alone is none."""
    return Capabilities(
        exchanges=frozenset({Exchange.NSE, Exchange.BSE, Exchange.NFO, Exchange.BFO}),
        types=frozenset({OrderType.LIMIT, OrderType.SL}),
        products=frozenset({Product.CNC, Product.MIS, Product.NRML, Product.MTF}),
        validities=frozenset({Validity.DAY, Validity.IOC}),
        after_market=True,
        disclosed=True,
        tagged=False,
        quotes=False,
    )


def connect(account: Account, credentials: Mapping[str, str], tools: Tools) -> AbstractAsyncContextManager[Broker]:
    """Open the line of one account."""
    from ordo_cli.brokers.hdfc.broker import connect  # 20 ms that saying what it can do need not pay

    return connect(account, credentials, tools)


def make_login() -> Login:
    from ordo_cli.brokers.hdfc.login import HdfcLogin  # as above

    return HdfcLogin()


def _files(account: Account) -> Sequence[MasterFile]:
    return (MasterFile("securities", (account.base_url or HOST).rstrip("/") + MASTER),)


def _parse(name: str, lines: Iterable[str]) -> Iterator[Listing]:
    from ordo_cli.brokers.hdfc.master import listings  # csv and the tables: 4 ms, once a day

    return listings(lines)


SPEC = BrokerSpec(
    name=BrokerName("hdfc"),
    title="HDFC Securities, InvestRight Open API",
    mode=Mode.LIVE,
    credentials=("api_key", "api_secret", "user_id", "password"),
    capabilities=capabilities,
    # None is documented (confirmed absent, DOC). Five orders a second as advised, and two cancels of their own beside
    # them; together below the ten that the regulator allows without a registered algorithm.
    rates=RateLimits(per_second=7, kept_for_cancels=2),
    connect=connect,
    check_account=check_way,
    login=lambda account: LaterLogin(make_login),
    master=MasterSource(_files, _parse, lambda credentials, token: {"user-agent": USER_AGENT}),
    notes=NOTES,
)
