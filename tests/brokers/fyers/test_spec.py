"""What Fyers declares of itself, where it is asked, and what is never asked of it."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from ordo_cli import brokers
from ordo_cli.domain.accounts import Account, AccountId, BrokerName
from ordo_cli.domain.capabilities import RateLimits
from ordo_cli.domain.errors import Invalid, NoAnswer, OrdoError
from ordo_cli.domain.fanouts import Mode
from ordo_cli.domain.instruments import Exchange
from ordo_cli.domain.orders import BrokerOrderId, Changes
from tests.brokers.fyers.fake import FakeFyers
from tests.brokers.fyers.setting import IDEA, RESTING, TAG, account, opened, tools
from tests.brokers.wire.fakes import Leave
from tests.fakes import FakeClock

SPEC = brokers.spec("fyers")
SOURCE = Path(str(brokers.__file__)).parent / "fyers"


def test_what_is_declared_is_what_is_confirmed() -> None:
    able = SPEC.capabilities(account())
    assert able.exchanges == {Exchange.NSE, Exchange.BSE, Exchange.NFO, Exchange.BFO}
    assert (able.tagged, able.quotes, able.margins, able.final_book) == (True, True, False, True)
    orders = RateLimits(per_second=10, kept_for_cancels=2, per_minute=100, per_day=10_000)
    assert SPEC.rates == replace(orders, reads_per_second=8, reads_per_minute=90, reads_kept_for_exits=25)
    assert SPEC.credentials == ("app_id", "app_secret", "redirect_uri")
    assert (SPEC.mode, SPEC.of(account()).mode) == (Mode.LIVE, Mode.LIVE)
    assert SPEC.of(account("http://127.0.0.1:9")).mode is Mode.SANDBOX


def test_the_notes_say_what_bites() -> None:
    for word in ("redirect_uri", "Static IP", "kill switch", "06:00 IST", "unconfirmed", "UNREAD_", "protection"):
        assert word in SPEC.notes
    assert all(len(line) <= 120 for line in SPEC.notes.splitlines())


def test_asking_what_fyers_can_do_loads_no_library_of_http() -> None:
    program = "import sys, ordo_cli.brokers as b; b.spec('fyers'); assert not {'httpx', 'stamina'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


@pytest.mark.parametrize(
    "wrong",
    [
        Account(AccountId("asha"), BrokerName("fyers"), base_url="http://fyers.example"),
        Account(AccountId("asha"), BrokerName("fyers"), base_url="ftp://127.0.0.1"),
        Account(AccountId("asha"), BrokerName("fyers"), behaviours=("silent",)),
    ],
)
def test_an_account_that_cannot_be_used_is_refused(wrong: Account) -> None:
    with pytest.raises(Invalid):
        SPEC.check_account(wrong)


async def everything(base_url: str | None) -> list[httpx.Request]:
    """Every call that there is, at a Fyers that has an order."""
    fake = FakeFyers(FakeClock())
    async with opened(tools(fake.transport()), base_url) as broker:
        report = await broker.place(RESTING, TAG, Leave())
        await broker.modify(report.order_id, Changes(quantity=12), Leave())
        await broker.cancel(report.order_id)
        for read in (broker.orders, broker.trades, broker.positions, broker.holdings, broker.funds):
            await read()
        await broker.quotes([IDEA])
        assert await broker.margin(RESTING) is None
        with pytest.raises(OrdoError):
            await broker.cancel(BrokerOrderId("1"))
    return fake.requests


@pytest.mark.parametrize("base_url", [None, "http://127.0.0.1:9", "https://sandbox.example/fyers"])
async def test_everything_is_asked_at_one_host_and_under_the_same_paths(base_url: str | None) -> None:
    address = base_url or "https://api-t1.fyers.in"
    if address.endswith("/fyers"):  # this one plays Fyers at its root alone
        with pytest.raises(NoAnswer):
            await everything(base_url)
        return
    requests = await everything(base_url)
    assert {f"{request.url.scheme}://{request.url.netloc.decode()}" for request in requests} == {address}
    assert {(request.method, request.url.path) for request in requests} == {
        ("POST", "/api/v3/orders/sync"),
        ("PATCH", "/api/v3/orders/sync"),
        ("DELETE", "/api/v3/orders/sync"),
        ("GET", "/api/v3/orders"),
        ("GET", "/api/v3/tradebook"),
        ("GET", "/api/v3/positions"),
        ("GET", "/api/v3/holdings"),
        ("GET", "/api/v3/funds"),
        ("GET", "/data/quotes"),
    }
    assert all("version" not in request.headers for request in requests)


async def test_a_cancel_carries_the_order_in_its_body_and_asks_for_nothing_else() -> None:
    [cancel] = [
        request for request in await everything(None) if request.method == "DELETE" and b"2611" in request.content
    ]
    assert (cancel.content, cancel.headers["content-type"]) == (b'{"id":"26112300000001"}', "application/json")


def test_no_path_that_queues_or_bundles_or_exits_is_known_here() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in SOURCE.rglob("*.py"))
    paths = set(re.findall(r'"(/[a-z0-9/_-]+)"', code))
    assert paths == {
        "/api/v3/orders/sync",
        "/api/v3/orders",
        "/api/v3/tradebook",
        "/api/v3/positions",
        "/api/v3/holdings",
        "/api/v3/funds",
        "/api/v3/profile",
        "/api/v3/logout",
        "/api/v3/validate-authcode",
        "/data/quotes",
        "/sym_details/",
    }
    assert not re.search(r'"[^"]*/(async|multi-order|multileg|smart-order|gtt)', code)
    assert not re.search(r"exit_all|pending_orders_cancel", code)
