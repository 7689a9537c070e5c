"""Zerodha, by Kite Connect v3: what it can do and where to find the rest, which is loaded when it is needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager

from ordo_cli.brokers.base import Broker, BrokerSpec, Capabilities, LaterLogin, Login, RateLimits, Tools, check_way
from ordo_cli.brokers.masters import Listing, MasterFile, MasterSource
from ordo_cli.brokers.zerodha.codes import EXCHANGES, PRODUCTS, TYPES, VALIDITIES
from ordo_cli.brokers.zerodha.notes import NOTES
from ordo_cli.domain.accounts import Account, BrokerName
from ordo_cli.domain.fanouts import Mode
from ordo_cli.domain.instruments import Exchange

__all__ = ["SPEC"]

# Each function imports late: its module brings HTTP (20 ms), which saying what Zerodha can do need not wait for.


def capabilities(account: Account) -> Capabilities:
    """What ordo asks of it. `iceberg`, `co`, `auction`, GTT, autoslice and TTL are not used."""
    return Capabilities(
        exchanges=EXCHANGES.words,
        types=TYPES.words,
        products=PRODUCTS.words,
        validities=VALIDITIES.words,
        after_market=True,
        disclosed=True,
        tagged=True,
        quotes=True,
        margins=True,
        final_book=True,
    )


def connect(account: Account, credentials: Mapping[str, str], tools: Tools) -> AbstractAsyncContextManager[Broker]:
    """Open the line of one account."""
    from ordo_cli.brokers.zerodha.broker import connect

    return connect(account, credentials, tools)


def make_login() -> Login:
    from ordo_cli.brokers.zerodha.login import ZerodhaLogin

    return ZerodhaLogin()


def files(account: Account) -> Sequence[MasterFile]:
    """One list for each exchange: all of them together come near the size at which an answer is not read any more."""
    from ordo_cli.brokers.opening import address_of
    from ordo_cli.brokers.zerodha.envelope import API

    address = address_of(account, API)
    return [MasterFile(each.lower(), f"{address}/instruments/{each}", secret=True) for each in Exchange]


def parse(name: str, lines: Iterable[str]) -> Iterator[Listing]:
    """The listings of one file."""
    from ordo_cli.brokers.zerodha.master import parse

    return parse(name, lines)


def headers(credentials: Mapping[str, str], token: Mapping[str, str]) -> Mapping[str, str]:
    """What the lists are asked for with (PY, confirmed)."""
    from ordo_cli.brokers.zerodha.envelope import authorization

    return authorization(credentials["api_key"], token["access_token"])


SPEC = BrokerSpec(
    name=BrokerName("zerodha"),
    title="Zerodha (Kite Connect v3)",
    mode=Mode.LIVE,
    credentials=("user_id", "api_key", "api_secret"),
    capabilities=capabilities,
    rates=RateLimits(per_second=10, kept_for_cancels=2, per_minute=400, per_day=5000, modifications_per_order=25),
    connect=connect,
    check_account=check_way,
    login=lambda account: LaterLogin(make_login),
    master=MasterSource(files, parse, headers),
    notes=NOTES,
)
