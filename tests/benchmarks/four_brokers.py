"""Accounts at the four real brokers, whose addresses are the loopback server's: credentials, sessions and lists of
instruments are there, so that an order meets the real adapters and a broker that answers as they do."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from ordo_cli import brokers
from ordo_cli.brokers.base import Broker, BrokerSession, BrokerSpec, Permit, Tools
from ordo_cli.brokers.indexed import ENDING, name_of
from ordo_cli.brokers.taking import take
from ordo_cli.brokers.wire.route import system_trust
from ordo_cli.desk import Desk
from ordo_cli.domain import market
from ordo_cli.domain.accounts import Account, AccountId, BrokerName
from ordo_cli.domain.orders import OrderIntent, OrderReport, Tag
from ordo_cli.services import accounts
from tests.benchmarks.loopback import Loopback
from tests.benchmarks.loopback_broker import Stopwatch
from tests.benchmarks.measure import ordo

NAMES = ("zerodha", "fyers", "hdfc", "mstock")
TAGLESS = frozenset({"hdfc", "mstock"})
"""Whose book is read before each order, as no tag comes back by which the order could be found again."""

UNLIMITED = ("day_orders_max", "day_value_max", "open_orders_max")
"""A benchmark sends more in a minute than a person does in a day."""

CREDENTIALS: Mapping[str, Mapping[str, str]] = {
    "zerodha": {"user_id": "AB1234", "api_key": "key-of-zerodha", "api_secret": "secret-of-zerodha"},
    "fyers": {"app_id": "APP-100", "app_secret": "secret-of-fyers", "redirect_uri": "http://127.0.0.1:8021"},
    "hdfc": {"api_key": "key-of-hdfc", "api_secret": "secret-of-hdfc", "user_id": "CD5678", "password": "word-of-hdfc"},
    "mstock": {"client_id": "MA12345", "password": "word-of-mstock", "api_key": "key-of-mstock"},
}
_KITE = "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size,"
_KITE += "instrument_type,segment,exchange\n"
_HDFC = "exchange,security_id,instrument_segment,expiry_date,strike_price,option_type,lot_size,tick_size,close_price,"
_HDFC += "exch_security_id,symbol_name,underline_symbol,open_price\n"
LISTS = {
    "zerodha": ("nse", _KITE + "408065,1594,INFY,INFOSYS,0,,0,0.05,1,EQ,NSE,NSE\n"),
    "fyers": (
        "NSE_CM",
        (
            "10100000001594,INFOSYS LIMITED,0,1,0.05,INE009A01021,0915-1530|1815-1915:,2026-11-23,,NSE:INFY-EQ,10,10,"
            "1594,INFY,1594,-1.0,XX,10100000001594,None,0,0.0\n"
        ),
    ),
    "hdfc": ("securities", _HDFC + "NSE,INFYEQEQNR,EQUITY,,,,1,5,1500,1594,INFY,,1490\n"),
    "mstock": ("scriptmaster", _KITE + "1594,1594,INFY,INFOSYS LIMITED,0,,0,0.05,1,EQ,NSE,NSE\n"),
}


def new_home(folder: Path) -> Path:
    """A home with a vault, whose limits let a benchmark send."""
    ordo(folder, "--no-input", "init", "--secrets", "vault")
    for name in UNLIMITED:
        ordo(folder, "config", "set", f"limits.{name}", "off")
    return folder


@dataclass(frozen=True)
class Place:
    """An account at a broker that answers here, and what lets it in."""

    id: str
    broker: str
    url: str
    credentials: Mapping[str, str]
    token: str


def at_loopback(server: Loopback, delay_ms: int, wanted: Sequence[tuple[str, int]]) -> list[Place]:
    """So many accounts at each broker, which is the loopback server, answering after that delay."""
    return [
        Place(f"{name}{number}", name, f"{server.url}/{delay_ms}/{name}", CREDENTIALS[name], f"token-{name}-{number}")
        for name, count in wanted
        for number in range(count)
    ]


async def add_accounts(desk: Desk, places: Sequence[Place]) -> None:
    """Add these accounts, logged in, to the group `family`. Their lists of instruments are still missing."""
    expires = desk.clock.now() + timedelta(hours=12)
    for place in places:
        id, wishes = AccountId(place.id), accounts.Wishes(base_url=place.url, groups=("family",))
        await accounts.add(desk, id, BrokerName(place.broker), wishes, place.credentials)
        await desk.sessions.keep(id, BrokerSession({"access_token": place.token}, expires))


async def put_lists(desk: Desk) -> None:
    """Each broker's list, of one share, where its accounts look for it."""
    for account in {each.broker: each for each in await desk.store.accounts.all()}.values():
        _list_of(desk, account)


def _list_of(desk: Desk, account: Account) -> None:
    source = brokers.spec(account.broker).master
    assert source is not None
    name, text = LISTS[account.broker]
    file = Path(desk.home.instruments) / f"{account.broker}.csv"
    file.write_text(text)
    taken = take(source, [(name, str(file))], market.last_trading_day(desk.clock.now()))
    assert taken.rows == 1, account.broker
    Path(desk.home.instruments, name_of(account) + ENDING).write_bytes(taken.index)


class Timed:
    """A real adapter whose orders are timed: when the first byte left and when the answer was understood."""

    def __init__(self, broker: Broker, watch: Stopwatch) -> None:
        self._broker, self._watch = broker, watch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._broker, name)

    async def place(self, intent: OrderIntent, tag: Tag, permit: Permit) -> OrderReport:
        report = await self._broker.place(intent, tag, permit)
        if permit.first_byte_at is not None:
            self._watch.answers.append(self._watch.clock.elapsed())
            self._watch.first_bytes.append(permit.first_byte_at)
        return report


def timed(watch: Stopwatch) -> Any:
    """`brokers.spec` whose lines are timed."""
    known: dict[str, BrokerSpec] = {}

    def find(name: str) -> BrokerSpec:
        if name not in known:
            known[name] = _timed(brokers.spec(name), watch)
        return known[name]

    return find


def _timed(spec: BrokerSpec, watch: Stopwatch) -> BrokerSpec:
    @asynccontextmanager
    async def connect(account: Account, credentials: Mapping[str, str], tools: Tools) -> AsyncIterator[Broker]:
        async with spec.connect(account, credentials, tools) as broker:
            yield Timed(broker, watch)

    return replace(spec, connect=connect)


def trusted_folder(authority: str, folder: Path) -> str:
    """A folder like the system's, of certificates by the hash of their name, that holds this authority alone."""
    folder.mkdir()
    # A name is hashed in its canonical form, of which an all-lower-case common name needs no changing.
    name = b"\x06\x03\x55\x04\x03\x0c\x13ordo test authority"
    canonical = b"\x31" + bytes([len(name) + 2]) + b"\x30" + bytes([len(name)]) + name
    number = int.from_bytes(hashlib.sha1(canonical, usedforsecurity=False).digest()[:4], "little")
    (folder / f"{number:08x}.0").write_bytes(Path(authority).read_bytes())
    return str(folder)


def trust(folder: str) -> None:
    """Let this process find its certificates in that folder, in place of the system's."""
    paths = ssl.get_default_verify_paths()._replace(openssl_capath=folder)
    ssl.get_default_verify_paths = lambda: paths


@contextmanager
def trusting(folder: str) -> Iterator[None]:
    """As `trust`, for a while."""
    usual = ssl.get_default_verify_paths
    trust(folder)
    system_trust.cache_clear()
    try:
        yield
    finally:
        ssl.get_default_verify_paths = usual
        system_trust.cache_clear()
