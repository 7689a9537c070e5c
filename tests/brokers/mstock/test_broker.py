"""What m.Stock is sent: forms to the letter, market orders under a limit, and nothing where a fact is missing."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from ordo_cli import brokers, log
from ordo_cli.brokers.answers import load
from ordo_cli.brokers.base import Broker
from ordo_cli.brokers.masters import Master, NoMaster
from ordo_cli.brokers.mstock import codes
from ordo_cli.brokers.mstock.broker import connect
from ordo_cli.brokers.mstock.encode import protected
from ordo_cli.domain import matching
from ordo_cli.domain.capabilities import RateLimits
from ordo_cli.domain.errors import Invalid, NoAnswer, OrdoError, Refused
from ordo_cli.domain.fanouts import Mode
from ordo_cli.domain.instruments import Exchange, parse_instrument
from ordo_cli.domain.legs import FanOutId, Leg, LegId
from ordo_cli.domain.orders import (
    BrokerOrderId,
    Changes,
    OrderIntent,
    OrderReport,
    OrderState,
    OrderType,
    Product,
    Side,
    Tag,
    Validity,
)
from ordo_cli.domain.values import replace
from tests.brokers.mstock.fakes import ALICE, CREDENTIALS, TOKEN, FakeMStock, form_of, tools
from tests.brokers.mstock.recorded import recorded
from tests.brokers.wire.fakes import Leave
from tests.fakes import FakeClock

INFY = parse_instrument("NSE:INFY")
LIMIT = OrderIntent(Side.BUY, INFY, 10, Decimal("1420.05"))
MARKET = OrderIntent(Side.BUY, INFY, 10)
TAG = Tag("OABCDEFGHJKMNPQR")
PUT = parse_instrument("NFO:NIFTY24NOV2626000PE")


class Room:
    """A line to the fake, and the fake."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mstock = FakeMStock(FakeClock())

    @asynccontextmanager
    async def line(self, master: Master | None = None, **options: str) -> AsyncIterator[Broker]:
        way = tools(self.mstock.clock, self.mstock.transport, self.folder, **options)
        async with connect(ALICE, CREDENTIALS, way if master is None else replace(way, master=master)) as broker:
            yield broker

    def says(self, body: Any, status: int = 200) -> None:
        self.mstock.script.append(lambda request: httpx.Response(status, json=body))

    @property
    def paths(self) -> list[str]:
        return [f"{each.method} {each.url.path.removeprefix('/openapi/typea')}" for each in self.mstock.asked]


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


# what an order says


async def test_a_limit_order_is_sent_to_the_letter(room: Room) -> None:
    async with room.line() as broker:
        report = await broker.place(LIMIT, TAG, Leave())
    (asked,) = room.mstock.asked
    assert (asked.method, asked.url.path) == ("POST", "/openapi/typea/orders/regular")
    assert asked.headers["authorization"] == f"token {CREDENTIALS['api_key']}:{TOKEN}"
    assert form_of(asked) == {
        "tradingsymbol": "INFY",
        "exchange": "NSE",
        "transaction_type": "BUY",
        "order_type": "LIMIT",
        "quantity": "10",
        "product": "CNC",
        "validity": "DAY",
        "price": "1420.05",
        "trigger_price": "0",
        "disclosed_quantity": "0",
        "tag": TAG,
    }
    assert (report.state, report.limit_price, report.tag) == (OrderState.PENDING, Decimal("1420.05"), None)


async def test_an_instrument_goes_by_the_name_that_the_master_has(room: Room) -> None:
    stop = OrderIntent(Side.SELL, PUT, 65, Decimal(90), Decimal(95), Product.NRML)
    card = OrderIntent(
        Side.BUY, parse_instrument("NSE:SBICARD"), 1, Decimal(800), product=Product.MIS, validity=Validity.IOC
    )
    async with room.line() as broker:
        await broker.place(stop, TAG, Leave())
        await broker.place(card, TAG, Leave())
    first, second = room.mstock.placed
    assert (first["tradingsymbol"], first["exchange"], first["order_type"]) == ("NIFTY26N2426000PE", "NFO", "SL")
    assert (first["price"], first["trigger_price"], first["product"]) == ("90", "95", "NRML")
    assert (second["tradingsymbol"], second["product"], second["validity"]) == ("SBICARD-EQ", "MIS", "IOC")


# nothing is sent where a fact is missing


@pytest.mark.parametrize(
    ("intent", "code"),
    [
        (replace(LIMIT, instrument=parse_instrument("NSE:NOSUCH")), "INSTRUMENT_UNKNOWN"),
        (replace(LIMIT, instrument=parse_instrument("NFO:NIFTY24NOV2699999CE")), "INSTRUMENT_UNKNOWN"),
        (replace(MARKET, instrument=parse_instrument("NSE:SBIN")), "MARKET_UNPROTECTED"),
        (replace(LIMIT, limit_price=None, trigger_price=Decimal(1500)), "UNSUPPORTED"),
        (replace(LIMIT, after_market=True), "UNSUPPORTED"),
        (replace(LIMIT, disclosed=5), "UNSUPPORTED"),
        (replace(LIMIT, product=Product.MTF), "UNSUPPORTED"),
    ],
)
async def test_an_order_that_cannot_be_said_is_refused_before_it_is_sent(
    room: Room, intent: OrderIntent, code: str
) -> None:
    leave = Leave()
    async with room.line() as broker:
        with pytest.raises(Refused) as refusal:
            await broker.place(intent, TAG, leave)
    assert refusal.value.reason == code
    assert leave.claimed == leave.bytes_sent == 0
    assert room.mstock.placed == []


async def test_without_a_master_nothing_is_sent_and_books_are_read_all_the_same(room: Room) -> None:
    leave = Leave()
    async with room.line() as broker:
        await broker.place(LIMIT, TAG, Leave())
    async with room.line(master=NoMaster()) as broker:
        with pytest.raises(Refused) as refusal:
            await broker.place(LIMIT, TAG, leave)
        (row,) = await broker.orders()
        assert (await broker.cancel(row.order_id)).state is OrderState.CANCELLED
        assert await broker.instrument(INFY) is None
        assert await broker.quotes([INFY]) == {}
    assert (refusal.value.reason, leave.bytes_sent) == ("MASTER_MISSING", 0)
    assert row.instrument == INFY


# market orders


async def test_a_market_order_leaves_as_a_limit_that_the_market_takes(room: Room) -> None:
    async with room.line() as broker:
        bought = await broker.place(MARKET, TAG, Leave())
        await broker.place(replace(MARKET, side=Side.SELL), TAG, Leave())
    buy, sell = room.mstock.placed
    assert (buy["order_type"], buy["price"], sell["order_type"], sell["price"]) == (
        "LIMIT",
        "1515.0",
        "LIMIT",
        "1485.0",
    )
    assert (bought.type, bought.limit_price) == (OrderType.LIMIT, Decimal(1515))
    assert not [form for form in room.mstock.placed if form["order_type"] == "MARKET"]


async def test_the_protection_is_a_setting_within_what_limits_count_with(room: Room) -> None:
    async with room.line(market_protection="0.5") as broker:
        await broker.place(MARKET, TAG, Leave())
    assert room.mstock.placed[0]["price"] == "1507.50"
    for wrong in ("0", "-1", "5.01", "NaN", "much", ""):
        async with room.line(market_protection=wrong) as broker:
            with pytest.raises(Invalid):
                await broker.place(MARKET, TAG, Leave())
    assert len(room.mstock.placed) == 1


@pytest.mark.parametrize(
    ("side", "last", "tick", "percent", "price"),
    [
        (Side.BUY, "1500", "0.05", "1", "1515"),
        (Side.SELL, "1500", "0.05", "1", "1485"),
        (Side.BUY, "100.03", "0.05", "1", "101"),  # a last price between ticks, and whole ticks from there
        (Side.SELL, "100.03", "0.05", "1", "99.05"),
        (Side.BUY, "0.10", "0.05", "5", "0.15"),  # at least one tick
        (Side.SELL, "0.05", "0.05", "5", "0.05"),  # and never nothing
    ],
)
def test_a_protection_is_whole_ticks_beyond_the_last_price(
    side: Side, last: str, tick: str, percent: str, price: str
) -> None:
    order = protected(replace(MARKET, side=side), Decimal(last), Decimal(tick), Decimal(percent))
    assert order.limit_price == Decimal(price)


# changes


async def test_a_change_repeats_all_that_stays(room: Room) -> None:
    stop = OrderIntent(Side.SELL, INFY, 10, Decimal(1390), Decimal(1400), validity=Validity.DAY)
    async with room.line() as broker:
        report = await broker.place(stop, TAG, Leave())
        room.mstock.book[0]["disclosed_quantity"] = 3
        after = await broker.modify(report.order_id, Changes(limit_price=Decimal("1389.95")), Leave())
    asked = next(each for each in room.mstock.asked if each.method == "PUT")
    assert asked.url.path == f"/openapi/typea/orders/regular/{report.order_id}"
    assert form_of(asked) == {
        "order_type": "SL",
        "quantity": "10",
        "price": "1389.95",
        "validity": "DAY",
        "trigger_price": "1400.0",
        "disclosed_quantity": "3",
    }
    assert after.limit_price == Decimal("1389.95")


async def test_a_change_that_cannot_be_said_is_refused_before_it_is_sent(room: Room) -> None:
    leave = Leave()
    async with room.line() as broker:
        report = await broker.place(LIMIT, TAG, Leave())
        (row,) = room.mstock.book
        for change, told in (
            (Changes(trigger_price=Decimal(1400)), {}),
            (Changes(limit_price=Decimal(1400)), {"order_type": "MARKET"}),
            (Changes(quantity=5), {"order_type": "MARKET"}),
            (Changes(quantity=5), {"filled_quantity": 3}),
        ):
            row |= {"order_type": "LIMIT", "filled_quantity": 0} | told
            room.mstock.tape = []
            if told.get("filled_quantity"):
                room.mstock.tape = [{**recorded("trade"), "ORDER_NUMBER": report.order_id, "QUANTITY": 3}]
            with pytest.raises(Refused):
                await broker.modify(report.order_id, change, leave)
        with pytest.raises(Refused):
            await broker.modify(BrokerOrderId("999999999999"), Changes(quantity=5), leave)
    assert leave.bytes_sent == 0
    assert not [path for path in room.paths if path.startswith("PUT")]


# books


async def test_a_quiet_book_is_one_read_and_fills_in_doubt_are_two(room: Room) -> None:
    async with room.line() as broker:
        await broker.place(LIMIT, TAG, Leave())
        await broker.orders()
        assert room.paths[1:] == ["GET /orders"]
        room.mstock.fill(room.mstock.book[0], 4)
        (row,) = await broker.orders()
        assert room.paths[2:] == ["GET /orders", "GET /tradebook"]
    assert (row.state, row.filled_quantity) == (OrderState.PARTIAL, 4)


async def test_a_cancel_after_a_part_has_filled_keeps_the_fill(room: Room) -> None:
    async with room.line() as broker:
        report = await broker.place(LIMIT, TAG, Leave())
        room.mstock.fill(room.mstock.book[0], 4, "1420.05")
        row = await broker.cancel(report.order_id)
    assert (row.state, row.filled_quantity, row.average_price) == (OrderState.CANCELLED, 4, Decimal("1420.05"))
    cancel = next(each for each in room.mstock.asked if each.method == "DELETE")
    assert (cancel.content, cancel.url.path) == (b"", f"/openapi/typea/orders/regular/{report.order_id}")


async def test_a_book_whose_trade_book_is_missing_is_not_given(room: Room) -> None:
    async with room.line() as broker:
        await broker.place(LIMIT, TAG, Leave())
        room.mstock.fill(room.mstock.book[0], 4)
        answers: tuple[Any, ...] = ({"status": "success", "data": {}}, {"status": "error", "message": "no"}, [], "x")
        for missing in answers:
            room.says({"status": "success", "data": room.mstock.book})
            room.says(missing)
            with pytest.raises(NoAnswer):
                await broker.orders()


@pytest.mark.parametrize("data", ["x", 1, {}, [1], [None], [[]], {"orders": []}])
async def test_a_list_that_is_none_is_no_book(room: Room, data: Any) -> None:
    async with room.line() as broker:
        for read in (broker.orders, broker.trades, broker.holdings, broker.funds):
            room.says({"status": "success", "data": data})
            with pytest.raises(NoAnswer):
                await read()
        if data != {}:
            room.says({"status": "success", "data": data if not isinstance(data, dict) else {"net": data}})
            with pytest.raises(NoAnswer):
                await broker.positions()


@pytest.mark.parametrize("nothing", [None, "None", []])
async def test_nothing_is_told_as_null(room: Room, nothing: Any) -> None:
    async with room.line() as broker:
        for read in (broker.orders, broker.trades, broker.holdings):
            room.says({"status": "success", "data": nothing})
            assert await read() == []
        room.says({"status": "success", "data": {"net": None, "day": None}})
        assert await broker.positions() == []
        room.says({"status": "success", "data": nothing})
        with pytest.raises(NoAnswer):
            await broker.funds()


async def test_a_margin_is_asked_for_in_json_and_once(room: Room) -> None:
    async with room.line() as broker:
        told = await broker.margin(LIMIT)
        assert told is not None
        assert (told.needed, told.available) == (Decimal("14200.5"), Decimal(250_000))
        asked = room.mstock.asked[0]
        assert asked.headers["content-type"] == "application/json"
        assert json.loads(asked.content) == {
            "exchange": "NSE",
            "tradingsymbol": "INFY",
            "transaction_type": "BUY",
            "variety": "regular",
            "product": "CNC",
            "order_type": "LIMIT",
            "quantity": 10,
            "price": 1420.05,
            "trigger_price": 0,
        }
        answers: tuple[Any, ...] = ({"total": None}, {}, None, [])
        for damaged in answers:
            room.says({"status": "success", "data": damaged})
            with pytest.raises(NoAnswer):
                await broker.margin(LIMIT)


async def test_quotes_are_asked_for_with_and_without_the_series(room: Room) -> None:
    async with room.line() as broker:
        quotes = await broker.quotes([INFY, parse_instrument("NSE:SBICARD"), PUT, parse_instrument("NSE:NOSUCH")])
        assert await broker.quotes([]) == {}
    assert set(quotes) == {INFY}
    assert room.mstock.asked[0].url.params.get_list("i") == [
        "NSE:INFY",
        "NSE:INFY-EQ",
        "NSE:SBICARD-EQ",
        "NFO:NIFTY26N2426000PE",
    ]
    assert len(room.mstock.asked) == 1


# what it declares


def test_what_is_declared_is_what_can_be_said() -> None:
    spec = brokers.spec("mstock")
    able = spec.capabilities(ALICE)
    assert able.exchanges == codes.EXCHANGES.words == {Exchange.NSE, Exchange.BSE, Exchange.NFO, Exchange.BFO}
    assert able.types == codes.TYPES.words | {OrderType.MARKET}
    assert able.products == codes.PRODUCTS.words
    assert able.validities == codes.VALIDITIES.words
    assert (able.tagged, able.after_market, able.disclosed, able.margins) == (False, False, False, True)
    assert spec.rates == RateLimits(per_second=10, kept_for_cancels=2, per_minute=250, per_hour=1000)
    assert (spec.mode, spec.credentials) == (Mode.LIVE, ("client_id", "password", "api_key"))
    for word in ("Type A", "static", "23:55", "totp", "checksum", "market_protection", "Unconfirmed"):
        assert word in spec.notes


def test_an_account_is_judged_by_its_address() -> None:
    spec = brokers.spec("mstock")
    spec.check_account(ALICE)
    for wrong in (replace(ALICE, base_url="http://api.mstock.trade"), replace(ALICE, behaviours=("silent",))):
        with pytest.raises(Invalid):
            spec.check_account(wrong)
    assert spec.of(replace(ALICE, base_url="http://127.0.0.1:8000")).mode is Mode.SANDBOX


@pytest.mark.parametrize(
    ("status", "kind", "message", "reason"),
    [
        (200, "MiraeException", "OTP is wrong (-MACM60)", "WRONG_ANSWER"),
        (400, "MiraeException", "Please enter correct TOTP", "WRONG_ANSWER"),
        (200, "MiraeException", "RMS:1:NSE,FUND LIMIT INSUFFICIENT,AVAILABLE FUND=0", "MARGIN"),
        (401, "TokenException", "Invalid request. Please try again.", "session_expired"),
        (403, "TokenException", "", "session_expired"),
        (403, "APIKeyException", "API is suspended/expired for use", "API_KEY"),
        (400, "InputException", "Quantity is not valid", "INPUT"),
        (400, "InputException", "Request timed out", None),
        (400, "InputException", "Try again later", None),
        (400, "VersionException", "", "VERSION"),
        (400, "", "Please provide valid api version.", "VERSION"),
        (200, "MiraeException", "Market is closed", None),
        (200, "MiraeException", "(MACM60", None),
        (200, "GeneralException", "FUND LIMIT INSUFFICIENT", None),
        (200, "", "", None),
    ],
)
def test_every_row_of_the_table_and_what_lies_beside_it(
    status: int, kind: str, message: str, reason: str | None
) -> None:
    told = load("mstock").error_of(status, kind, message)
    assert (None if told is None else told.reason) == reason


# nothing secret


async def test_nothing_secret_is_in_an_error_a_repr_or_the_log(room: Room, tmp_path: Path) -> None:
    log.configure(str(tmp_path), room.mstock.clock, "debug")
    secrets = (*CREDENTIALS.values(), TOKEN)
    echo = " ".join(secrets)
    async with room.line() as broker:
        assert not [secret for secret in secrets if secret in repr(broker)]
        for kind in ("MiraeException", "InputException", "TokenException", "APIKeyException", ""):
            for status in (200, 400, 500):
                for step in (
                    lambda: broker.place(LIMIT, TAG, Leave()),
                    lambda: broker.cancel(BrokerOrderId("111126113001")),
                    lambda: broker.margin(LIMIT),
                    broker.orders,
                ):
                    room.mstock.script.clear()
                    for _ in range(4):
                        room.says({"status": "error", "message": f"RMS:123456: {echo}", "error_type": kind}, status)
                    with pytest.raises(OrdoError) as problem:
                        await step()
                    told = problem.value
                    words = f"{told} {told!r} {told.hint} {told.__cause__!r} {told.__context__!r}"
                    assert not [secret for secret in secrets if secret in words], words
        room.mstock.script.clear()
        room.says(
            {"status": "success", "data": [{**recorded("order"), "status": "Odd", "product": "?", "exchange": "X"}]}
        )
        assert (await broker.orders())[0].state is OrderState.UNCLEAR
    written = (tmp_path / "ordo.log").read_text(encoding="utf-8")
    assert "mstock_status_unknown" in written
    assert not [secret for secret in secrets if secret in written]


# found again without a tag


async def unanswered(room: Room, intent: OrderIntent) -> list[OrderReport]:
    """What the book offers for an order that was sent and never answered, beside one that was there before."""
    async with room.line() as broker:
        await broker.place(intent, TAG, Leave())
        before = {row.order_id for row in await broker.orders()}
        sent = room.mstock.clock.now()
        room.mstock.trouble = "silent"
        with pytest.raises(NoAnswer):
            await broker.place(intent, TAG, Leave())
        book = await broker.orders()
    leg = Leg(LegId("f-1"), FanOutId("f"), ALICE.id, ALICE.broker, intent.quantity, TAG, sent_at=sent)
    now = room.mstock.clock.now()
    return matching.candidates(intent, leg, book, pre_image=before, claimed=(), now=now)


@pytest.mark.parametrize(
    "intent",
    [
        LIMIT,
        replace(LIMIT, product=Product.MIS, validity=Validity.IOC),
        OrderIntent(Side.SELL, PUT, 65, Decimal(90), Decimal(95), Product.NRML),
    ],
)
async def test_an_order_without_an_answer_is_the_one_new_row_with_its_terms(room: Room, intent: OrderIntent) -> None:
    assert [row.order_id for row in await unanswered(room, intent)] == ["1111261123002"]


async def test_a_market_order_without_an_answer_stays_unknown(room: Room) -> None:
    """It left as a limit order at a price that only this line knew: no row has the terms of a market order."""
    assert await unanswered(room, MARKET) == []
