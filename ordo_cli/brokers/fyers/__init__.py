"""Fyers, API v3: shares and derivatives at NSE and BSE."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager

from ordo_cli.brokers.base import Broker, BrokerSpec, Capabilities, LaterLogin, Login, RateLimits, Tools, check_way
from ordo_cli.brokers.fyers.codes import ORDERABLE, PRODUCTS, TYPES, VALIDITIES
from ordo_cli.brokers.fyers.notes import NOTES
from ordo_cli.brokers.masters import Listing, MasterFile, MasterSource
from ordo_cli.domain.accounts import Account, BrokerName
from ordo_cli.domain.fanouts import Mode

__all__ = ["SPEC"]


def capabilities(account: Account) -> Capabilities:
    """What is confirmed and can be counted in units."""
    return Capabilities(
        exchanges=ORDERABLE,
        types=TYPES.words,
        products=PRODUCTS.words,
        validities=VALIDITIES.words,
        after_market=True,
        disclosed=True,
    )


def connect(account: Account, credentials: Mapping[str, str], tools: Tools) -> AbstractAsyncContextManager[Broker]:
    """Open the line of one account."""
    from ordo_cli.brokers.fyers.broker import connect  # its HTTP: 20 ms that asking what Fyers can do need not pay

    return connect(account, credentials, tools)


def make_login() -> Login:
    from ordo_cli.brokers.fyers.login import FyersLogin  # as above

    return FyersLogin()


def files(account: Account) -> Sequence[MasterFile]:
    from ordo_cli.brokers.fyers.master import files  # only where a master is fetched

    return files(account)


def parse(name: str, lines: Iterable[str]) -> Iterator[Listing]:
    from ordo_cli.brokers.fyers.master import parse  # as above

    return parse(name, lines)


SPEC = BrokerSpec(
    name=BrokerName("fyers"),
    title="Fyers (API v3)",
    mode=Mode.LIVE,
    credentials=("app_id", "app_secret", "redirect_uri"),
    capabilities=capabilities,
    # 10 a second: confirmed (DOC, KB). 200 a minute are for all calls together (confirmed); 50 of them are left to
    # reads, for going above three times costs the day. 10,000 a day: unconfirmed, and the stricter of two figures.
    rates=RateLimits(
        per_second=10,
        kept_for_cancels=2,
        per_minute=100,  # with the reads, 190 of the 200 calls of a minute
        per_day=10_000,
        reads_per_second=8,
        reads_per_minute=90,
        reads_kept_for_exits=25,
    ),
    connect=connect,
    check_account=check_way,
    login=lambda account: LaterLogin(make_login),
    master=MasterSource(files, parse),
    notes=NOTES,
)
