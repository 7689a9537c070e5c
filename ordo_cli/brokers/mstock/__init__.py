"""m.Stock by Mirae Asset, Type A of its Trading API. Quirks stand in the modules that meet them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager

from ordo_cli.brokers.base import Broker, BrokerSpec, Capabilities, LaterLogin, Login, RateLimits, Tools, check_way
from ordo_cli.brokers.masters import Listing, MasterFile, MasterSource
from ordo_cli.domain.accounts import Account, BrokerName
from ordo_cli.domain.fanouts import Mode
from ordo_cli.domain.instruments import Exchange
from ordo_cli.domain.orders import OrderType, Product, Validity

SCRIPT_MASTER = "scriptmaster"

NOTES = """\
To register: create a Type A API key in m.Stock's web terminal, under Products, Trading APIs. A key of Type B does not
work here. Credentials are the client id, the password and that key. Accounts with an authenticator are named in
config.toml: [brokers.mstock] totp = "alice bob"; all others are sent a one-time password.

Addresses: since 1 April 2026 orders through an API may only come from static addresses registered with the broker, and
one address may only be shared within a family. That is the common framework; m.Stock's own page about it was not
found, nor what it answers to an address that is not registered: such an answer leaves an order unknown, never refused.

Sessions end at 23:55 in India or after 12 hours, whichever is first, and are not renewed. m.Stock warns of trouble from
about 07:00 to 08:30 and from 19:00 to 21:00.

Market orders leave as limit orders that the market takes at once: 1 % beyond the last price for shares and futures, 5 %
for options, or what [brokers.mstock] market_protection says, up to 5. Stops need a limit. After-market orders,
disclosed quantities, margin funding, currencies and commodities are not sent, because how m.Stock takes, cancels or
spells them is unconfirmed. An order that has filled in part is not changed, only cancelled.

Unconfirmed by any source: whether a tag comes back (orders are found again by what was in the book before them, one at
a time for each account, instrument and side); the constant beside a one-time password, L unless [brokers.mstock]
checksum = "W"; what quotes look like beyond the symbol, and that they have no time and no volume; how the list of
instruments writes expiries, ticks and the names of underlyings (a line or file that is not certain is not taken); and
which of the limits of calls the books count for.
"""


def capabilities(account: Account) -> Capabilities:
    """What ordo sends to m.Stock: only what a source confirms, and what can be cancelled again."""
    return Capabilities(
        exchanges=frozenset({Exchange.NSE, Exchange.BSE, Exchange.NFO, Exchange.BFO}),
        types=frozenset({OrderType.MARKET, OrderType.LIMIT, OrderType.SL}),
        products=frozenset({Product.CNC, Product.MIS, Product.NRML}),
        validities=frozenset({Validity.DAY, Validity.IOC}),
        after_market=False,  # whether one can be cancelled is unconfirmed
        disclosed=False,  # the least that may be disclosed is unconfirmed
        tagged=False,  # the tag is sent; that it comes back is unconfirmed, and an unproven echo is no evidence
        margins=True,
    )


def connect(account: Account, credentials: Mapping[str, str], tools: Tools) -> AbstractAsyncContextManager[Broker]:
    """Open the line of one account."""
    from ordo_cli.brokers.mstock.broker import (
        connect,
    )  # 20 ms that saying what it can do need not pay

    return connect(account, credentials, tools)


def make_login() -> Login:
    from ordo_cli.brokers.mstock.login import MStockLogin  # as above

    return MStockLogin()


def files(account: Account) -> Sequence[MasterFile]:
    """The script master, which is only given to who is logged in (docs, SDKA: confirmed)."""
    from ordo_cli.brokers.mstock.envelope import HOME, PREFIX  # as above
    from ordo_cli.brokers.opening import address_of

    url = f"{address_of(account, HOME)}{PREFIX}/instruments/scriptmaster"
    return (MasterFile(SCRIPT_MASTER, url, secret=True),)


def parse(name: str, lines: Iterable[str]) -> Iterator[Listing]:
    """The listings of a file of `files`."""
    from ordo_cli.brokers.mstock.master import parse  # csv: 3 ms, only where a list is read

    return parse(name, lines)


def headers(credentials: Mapping[str, str], token: Mapping[str, str]) -> Mapping[str, str]:
    """What the script master is asked for with."""
    from ordo_cli.brokers.mstock.envelope import headers_for  # as above

    return headers_for(credentials["api_key"], token["access_token"])


SPEC = BrokerSpec(
    name=BrokerName("mstock"),
    title="m.Stock by Mirae Asset (Type A)",
    mode=Mode.LIVE,
    credentials=("client_id", "password", "api_key"),
    capabilities=capabilities,
    # 30 a second, 250 a minute and 1000 an hour (INTRO, confirmed), of which the exchanges' rule leaves 10 a second.
    rates=RateLimits(per_second=10, kept_for_cancels=2, per_minute=250, per_hour=1000),
    connect=connect,
    check_account=check_way,
    login=lambda account: LaterLogin(make_login),
    master=MasterSource(files, parse, headers),
    notes=NOTES,
)
