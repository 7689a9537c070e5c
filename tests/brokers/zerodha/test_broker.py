"""What the line does beside translating: nothing without a list, the path of an order, one read where it is enough."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from ordo_cli import log
from ordo_cli.brokers import spec
from ordo_cli.brokers.base import Broker, Tools
from ordo_cli.domain.accounts import Account
from ordo_cli.domain.errors import Invalid, NoAnswer, OrdoError, Refused, Rejected
from ordo_cli.domain.fanouts import Mode
from ordo_cli.domain.instruments import parse_instrument
from ordo_cli.domain.orders import Changes, OrderIntent, OrderState, OrderType, Product, Side, Tag
from ordo_cli.machine import SystemClock
from tests.brokers.wire.fakes import Leave
from tests.brokers.zerodha.fakes import (
    ALICE,
    CREDENTIALS,
    RECORDED,
    SECRETS,
    Kite,
    ListInMemory,
    form_of,
    recorded,
    refused,
    said,
    told,
    tools,
)
from tests.fakes import FakeClock, buy, sell
from tests.house.tree import ROOT

TAG = Tag("O582CZSRH6MTZYPW")


@pytest.fixture
def kite() -> Kite:
    return Kite(FakeClock())


@asynccontextmanager
async def line(given: Tools) -> AsyncIterator[Broker]:
    async with spec("zerodha").connect(ALICE, CREDENTIALS, given) as broker:
        yield broker


def line_to(kite: Kite, **more: Any) -> Any:
    return line(tools(kite.transport, clock=kite.clock, **more))


def asked(kite: Kite) -> list[str]:
    return [f"{request.method} {request.url.path}" for request in kite.requests]


# instruments


@pytest.mark.parametrize(
    ("master", "code"), [(ListInMemory([], None), "MASTER_MISSING"), (ListInMemory([]), "INSTRUMENT_UNKNOWN")]
)
async def test_an_order_in_what_is_not_listed_is_refused_before_anything_is_sent(
    kite: Kite, master: ListInMemory, code: str
) -> None:
    leave = Leave()
    async with line_to(kite, master=master) as broker:
        for work in (broker.place(buy(), TAG, leave), broker.margin(buy())):
            with pytest.raises(Refused) as refusal:
                await work
            assert refusal.value.reason == code
    assert kite.requests == []
    assert leave.claimed == leave.bytes_sent == 0


async def test_without_a_list_nobody_claims_that_an_instrument_is_unknown(kite: Kite) -> None:
    async with line_to(kite, master=ListInMemory([], None)) as broker:
        for work in (broker.instrument(buy().instrument), broker.search("INFY"), broker.quotes([buy().instrument])):
            with pytest.raises(Refused) as refusal:
                await work
            assert refusal.value.reason == "MASTER_MISSING"
        assert await broker.orders() == [], "and books are read all the same"


@pytest.mark.parametrize("name", ["MCX:CRUDEOIL19NOV26FUT", "CDS:USDINR26NOV26FUT"])
async def test_commodities_and_currencies_are_refused_before_anything_is_sent(kite: Kite, name: str) -> None:
    intent = OrderIntent(Side.BUY, parse_instrument(name), 100, Decimal(50), product=Product.NRML)
    async with line_to(kite) as broker:
        with pytest.raises(Refused):
            await broker.place(intent, TAG, Leave())
    assert kite.requests == []


async def test_a_contract_is_ordered_by_the_brokers_symbol(kite: Kite) -> None:
    kite.cash = Decimal(10_000_000)
    intent = OrderIntent(
        Side.SELL, parse_instrument("NFO:M&M24NOV262912.5PE"), 200, Decimal("30.05"), product=Product.NRML
    )
    async with line_to(kite) as broker:
        report = await broker.place(intent, TAG, Leave())
        (row,) = await broker.orders()
    (form,) = kite.arrived
    assert (form["exchange"], form["tradingsymbol"], form["price"]) == ("NFO", "M&M26NOV2912.5PE", "30.05")
    assert b"M%26M26NOV2912.5PE" in kite.requests[0].content
    assert row.instrument == intent.instrument == report.instrument


# the path of an order


@pytest.mark.parametrize("after_market", [False, True])
async def test_a_cancel_and_a_change_take_the_path_of_the_order(kite: Kite, after_market: bool) -> None:
    variety = "amo" if after_market else "regular"
    async with line_to(kite) as broker:
        report = await broker.place(buy(10, "1420", after_market=after_market), TAG, Leave())
    async with line_to(kite) as broker:  # another process, which has seen nothing of it
        await broker.modify(report.order_id, Changes(limit_price=Decimal(1415)), Leave())
        assert (await broker.cancel(report.order_id)).state is OrderState.CANCELLED
    path = f"/orders/{variety}/{report.order_id}"
    assert [each for each in asked(kite) if variety in each] == [
        f"POST /orders/{variety}",
        f"PUT {path}",
        f"DELETE {path}",
    ]


async def test_a_stop_that_is_given_a_limit_becomes_one_with_a_limit(kite: Kite) -> None:
    async with line_to(kite) as broker:
        report = await broker.place(sell(10, None, trigger_price=Decimal(1400)), TAG, Leave())
        changed = await broker.modify(report.order_id, Changes(limit_price=Decimal(1399)), Leave())
    assert (changed.type, changed.limit_price, changed.trigger_price) == (OrderType.SL, 1399, 1400)
    put = next(request for request in kite.requests if request.method == "PUT")
    assert form_of(put) == {"price": "1399", "order_type": "SL"}


async def test_a_sweep_asks_for_no_book_between_its_cancels(kite: Kite) -> None:
    async with line_to(kite) as broker:
        for number in range(3):
            await broker.place(buy(1, "1420"), Tag(f"OSWEEP{number}"), Leave())
        book = await broker.orders()
        kite.requests.clear()
        for row in book:
            await broker.cancel(row.order_id)
    assert asked(kite) == [
        step for row in book for step in (f"DELETE /orders/regular/{row.order_id}", f"GET /orders/{row.order_id}")
    ]


async def test_an_order_that_the_book_does_not_show_yet_is_cancelled_by_whoever_placed_it(kite: Kite) -> None:
    kite.trouble = "lagging"
    async with line_to(kite) as broker:
        report = await broker.place(buy(10, "1420"), TAG, Leave())
        assert await broker.orders() == []
        assert (await broker.cancel(report.order_id)).state is OrderState.CANCELLED


async def test_what_the_book_shows_as_ended_is_not_cancelled(kite: Kite) -> None:
    async with line_to(kite) as broker:
        report = await broker.place(buy(10, None), TAG, Leave())
        assert (await broker.cancel(report.order_id)).state is OrderState.FILLED
    assert not [each for each in asked(kite) if each.startswith("DELETE")]


@pytest.mark.parametrize("order_id", ["999999999999", "../user/profile", "1?x=1"])
async def test_what_is_not_in_the_book_is_refused_and_no_path_is_made_of_it(kite: Kite, order_id: Any) -> None:
    async with line_to(kite) as broker:
        for work in (broker.cancel(order_id), broker.modify(order_id, Changes(quantity=1), Leave())):
            with pytest.raises(Rejected) as refusal:
                await work
            assert refusal.value.reason == "ORDER_UNKNOWN"
    assert set(asked(kite)) == {"GET /orders"}


async def test_the_second_leg_of_a_cover_order_is_cancelled_with_its_parent(kite: Kite) -> None:
    row = recorded("orders")["data"][0] | {"variety": "co", "product": "CO", "parent_order_id": "261123000000001"}
    kite.orders.append(row)
    async with line_to(kite) as broker:
        await broker.cancel(row["order_id"])
    delete = next(request for request in kite.requests if request.method == "DELETE")
    assert str(delete.url).endswith(f"/orders/co/{row['order_id']}?parent_order_id=261123000000001")


# reads


async def test_quotes_are_asked_five_hundred_at_a_time_by_the_brokers_keys(kite: Kite) -> None:
    lines = [
        (RECORDED / "instruments.csv").read_text(encoding="utf-8").splitlines()[0],
        "1,1,M&M,M,0,,0,0.05,1,EQ,NSE,NSE",
        "2,2,INFY,I,0,,0,0.05,1,EQ,NSE,NSE",
        *(f"{number},1,S{number},S,0,,0,0.05,1,EQ,NSE,NSE" for number in range(3, 701)),
    ]
    master = ListInMemory(lines)
    wanted = [listing.instrument.id for listing in master.listings]
    async with line_to(kite, master=master) as broker:
        found = await broker.quotes([*wanted, parse_instrument("NSE:NOSUCH")])
        assert await broker.quotes([]) == {}
    assert list(found) == [parse_instrument("NSE:INFY")], "what the answer does not have is missing"
    assert [len(request.url.params.get_list("i")) for request in kite.requests] == [500, 200]
    assert b"i=NSE%3AM%26M&" in kite.requests[0].url.query


async def test_a_margin_of_more_or_fewer_rows_than_one_is_none() -> None:
    odd: list[Any] = [[], recorded("order_margins")["data"] * 2, {}, [{"total": None}]]
    for data in odd:
        transport = httpx.MockTransport(lambda request, data=data: told(data))
        async with line(tools(transport)) as broker:
            with pytest.raises(OrdoError, match="cannot be read"):
                await broker.margin(buy())


async def test_the_history_of_another_order_is_not_taken() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "DELETE":
            return said(recorded("order_response"))
        alone = request.url.path != "/orders"
        history = [{**row, "order_id": "261123000000099"} for row in recorded("order_info")["data"]]
        return told(history if alone else recorded("orders")["data"])

    async with line(tools(httpx.MockTransport(answer))) as broker:
        with pytest.raises(OrdoError, match="not its own"):
            await broker.cancel("261123000000017")  # type: ignore[arg-type]  # an id of the recorded book


async def test_the_recorded_book_is_read_whole() -> None:
    transport = httpx.MockTransport(lambda request: said(recorded("orders")))
    async with line(tools(transport)) as broker:
        assert len(await broker.orders()) == len(recorded("orders")["data"]) == 3


# what it declares


def test_what_is_declared_is_what_the_tables_have() -> None:
    zerodha = spec("zerodha")
    able = zerodha.capabilities(ALICE)
    assert zerodha.mode is Mode.LIVE
    assert zerodha.of(ALICE).mode is Mode.LIVE
    assert zerodha.of(replace(ALICE, base_url="http://127.0.0.1:9")).mode is Mode.SANDBOX
    assert zerodha.credentials == ("user_id", "api_key", "api_secret")
    assert (able.after_market, able.disclosed, able.tagged, able.margins) == (True, True, True, True)
    assert (zerodha.rates.per_second, zerodha.rates.per_minute, zerodha.rates.per_day) == (10, 400, 5000)
    assert zerodha.rates.modifications_per_order == 25
    assert zerodha.rates.kept_for_cancels == 2


def test_saying_what_it_can_do_loads_no_http() -> None:
    script = (
        "import sys; from ordo_cli.brokers import spec; found = spec('zerodha'); found.capabilities(None); "
        "print(*sorted({'httpx', 'ordo_cli.brokers.http', 'csv'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout.split()) == (0, []), done.stderr


def test_the_notes_tell_what_bites() -> None:
    notes = spec("zerodha").notes
    for word in ("redirect URL", "127.0.0.1", "two at most", "calendar week", "IPv6", "paid", "06:00", "Unconfirmed"):
        assert word in notes
    assert max(map(len, notes.splitlines())) <= 120


@pytest.mark.parametrize(
    "account",
    [
        replace(ALICE, base_url="http://api.kite.trade"),
        replace(ALICE, base_url="ftp://api.kite.trade"),
        replace(ALICE, behaviours=("silent",)),
        replace(ALICE, egress="socks5://127.0.0.1:1"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(account: Account) -> None:
    with pytest.raises(Invalid):
        spec("zerodha").check_account(account)


# nothing secret


async def test_no_secret_is_in_an_error_a_repr_or_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    log.configure(str(tmp_path), SystemClock(), "debug")
    parrot = f"Insufficient funds. Required margin is {SECRETS[0]} but available margin is {SECRETS[2]} {SECRETS[1]}"
    answers: list[httpx.Response | Exception] = [
        refused(parrot, "MarginException"),
        refused(f"Incorrect `api_key` or `access_token`. {SECRETS[2]}", "TokenException", 403),
        refused(parrot, "OrderException", 500),
        httpx.Response(200, text=parrot),
        httpx.Response(302, headers={"location": f"https://x.example/{SECRETS[2]}"}),
        httpx.ReadTimeout(parrot[:0]),
        told([{**recorded("orders")["data"][0], "status": "ODD", "tradingsymbol": "NOT LISTED", "product": "ODD"}]),
    ]
    said_of_it = []
    for each in answers:

        def answer(request: httpx.Request, each: httpx.Response | Exception = each) -> httpx.Response:
            if isinstance(each, Exception):
                raise each
            return httpx.Response(each.status_code, headers=each.headers, content=each.content)

        given = tools(httpx.MockTransport(answer))
        async with line(given) as broker:
            said_of_it.append(repr(broker) + repr(given) + str(vars(broker)["_http"]))
            for work in (broker.place(buy(), TAG, Leave()), broker.orders(), broker.funds(), broker.margin(buy())):
                try:
                    await work
                except OrdoError as error:
                    said_of_it.append(f"{error!r} {error.message} {error.hint} {error.__cause__!r}")
    written = "".join(path.read_text(encoding="utf-8") for path in tmp_path.rglob("*") if path.is_file())
    assert "status_not_known" in written, "the log was on"
    everything = " ".join(said_of_it) + written + caplog.text + json.dumps(spec("zerodha").notes)
    assert [secret for secret in SECRETS if secret in everything] == []


@pytest.mark.parametrize("trouble", ["unreachable", "session over"])
async def test_what_was_taken_is_never_said_to_be_not_sent_or_refused_when_the_look_after_it_fails(
    trouble: str,
) -> None:
    kite, written = Kite(FakeClock()), False

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal written
        if written and request.method == "GET":
            if trouble == "unreachable":
                raise httpx.ConnectError("refused")
            return said(recorded("token_exception"), 403)
        written = written or request.method in {"PUT", "DELETE"}
        return kite.answer(request)

    async with line(tools(httpx.MockTransport(answer), clock=kite.clock)) as broker:
        placed = await broker.place(replace(buy(10), limit_price=Decimal(1400)), TAG, Leave())
        with pytest.raises(NoAnswer, match="the change was taken"):
            await broker.modify(placed.order_id, Changes(quantity=77), Leave())
        written = False
        with pytest.raises(NoAnswer, match="the cancel was taken"):
            await broker.cancel(placed.order_id)
