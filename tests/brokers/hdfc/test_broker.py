"""What leaves for HDFC: orders to the letter, nothing without the master, changes that repeat the whole order."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import httpx
import pytest

from ordo_cli.brokers import spec
from ordo_cli.brokers.base import Broker
from ordo_cli.brokers.hdfc.broker import HdfcBroker
from ordo_cli.brokers.hdfc.codes import reference_of
from ordo_cli.brokers.masters import Master, NoMaster
from ordo_cli.domain.accounts import Account
from ordo_cli.domain.errors import Invalid, NoAnswer, OrdoError, Refused, Rejected, SessionNeeded
from ordo_cli.domain.instruments import parse_instrument
from ordo_cli.domain.orders import BrokerOrderId, Changes, OrderIntent, OrderState, Product, Side, Tag, Validity
from tests.brokers.hdfc.fakes import CREDENTIALS, MONDAY_NOON, TOKEN, FakeHdfc, MemoryMaster, account, master, tools
from tests.brokers.wire.fakes import Leave
from tests.fakes import FakeClock

TAG = Tag("O1234567890ABCDE")
WIPRO = parse_instrument("NSE:WIPRO")


@pytest.fixture
def hdfc() -> FakeHdfc:
    return FakeHdfc(FakeClock(MONDAY_NOON))


@asynccontextmanager
async def line(broker: Any, known: Master | None = None) -> AsyncIterator[Broker]:
    held = tools(httpx.MockTransport(broker), known=known, clock=getattr(broker, "clock", None))
    async with spec("hdfc").connect(account(), CREDENTIALS, held) as opened:
        yield opened


async def sent(hdfc: FakeHdfc, intent: OrderIntent) -> dict[str, Any]:
    async with line(hdfc) as broker:
        await broker.place(intent, TAG, Leave())
    (request,) = [each for each in hdfc.requests if each.method == "POST"]
    assert request.headers["authorization"] == TOKEN
    assert request.headers["content-type"] == "application/json"
    assert request.url.path == "/oapi/v1/orders/regular"
    found: dict[str, Any] = json.loads(request.content, parse_float=Decimal)
    return found


async def test_a_share(hdfc: FakeHdfc) -> None:
    assert await sent(hdfc, OrderIntent(Side.BUY, WIPRO, 10, Decimal("440.05"), disclosed=5)) == {
        "exchange": "NSE",
        "security_id": "WIPLTDEQNR",
        "instrument_segment": "EQUITY",
        "transaction_type": "BUY",
        "product": "DELIVERY",
        "order_type": "LIMIT",
        "quantity": 10,
        "price": Decimal("440.05"),
        "trigger_price": 0,
        "disclosed_quantity": 5,
        "validity": "DAY",
        "amo": False,
        "external_reference_number": reference_of(TAG),
    }


async def test_a_stop_in_an_option_repeats_the_contract(hdfc: FakeHdfc) -> None:
    call = parse_instrument("NFO:NIFTY26NOV2622500CE")
    intent = OrderIntent(Side.SELL, call, 150, Decimal("80.25"), Decimal("80.5"), Product.NRML, after_market=True)
    body = await sent(hdfc, intent)
    assert (
        body.items()
        >= {
            "exchange": "NSE",
            "security_id": "49599",
            "instrument_segment": "OPTIDX",
            "transaction_type": "SELL",
            "product": "OVERNIGHT",
            "order_type": "SL",
            "quantity": 150,
            "price": Decimal("80.25"),
            "trigger_price": Decimal("80.5"),
            "amo": True,
            "underlying_symbol": "NIFTYEQEQNR",
            "expiry_date": "20261126",
            "strike_price": Decimal("22500.00"),
            "option_type": "CE",
        }.items()
    )


async def test_an_option_of_bse_and_an_immediate_order(hdfc: FakeHdfc) -> None:
    put = parse_instrument("BFO:SENSEX26NOV2675000PE")
    body = await sent(hdfc, OrderIntent(Side.BUY, put, 20, Decimal(110), product=Product.MIS, validity=Validity.IOC))
    assert (body["exchange"], body["security_id"], body["option_type"]) == ("BSE", "B870001", "PE")
    assert (body["product"], body["validity"]) == ("INTRADAY", "IOC")


async def test_a_future_has_neither_strike_nor_right(hdfc: FakeHdfc) -> None:
    future = parse_instrument("NFO:WIPRO26NOV26FUT")
    body = await sent(hdfc, OrderIntent(Side.BUY, future, 3000, Decimal(450), product=Product.NRML))
    assert body["underlying_symbol"] == "WIPLTDEQNR"
    assert not {"strike_price", "option_type"} & body.keys()


async def test_a_close_may_be_a_market_order(hdfc: FakeHdfc) -> None:
    body = await sent(hdfc, OrderIntent(Side.SELL, WIPRO, 10))
    assert (body["order_type"], body["price"], body["trigger_price"]) == ("MARKET", 0, 0)


class Unlisted(MemoryMaster):
    def __init__(self, day: date | None) -> None:
        super().__init__([])
        self.day = day


@pytest.mark.parametrize(
    ("known", "code"), [(NoMaster(), "MASTER_MISSING"), (Unlisted(date(2026, 11, 23)), "INSTRUMENT_UNKNOWN")]
)
async def test_without_the_master_nothing_is_sent(hdfc: FakeHdfc, known: Master, code: str) -> None:
    leave = Leave()
    async with line(hdfc, known) as broker:
        with pytest.raises(Refused) as refusal:
            await broker.place(OrderIntent(Side.BUY, WIPRO, 10, Decimal(440)), TAG, leave)
        assert await broker.instrument(WIPRO) is None
    assert refusal.value.reason == code
    assert hdfc.requests == []
    assert leave.claimed == leave.bytes_sent == 0


async def test_an_index_takes_no_orders(hdfc: FakeHdfc) -> None:
    async with line(hdfc) as broker:
        with pytest.raises(Refused) as refusal:
            await broker.place(OrderIntent(Side.BUY, parse_instrument("NSE:NIFTY"), 1, Decimal(22500)), TAG, Leave())
    assert refusal.value.reason == "UNSUPPORTED"
    assert hdfc.requests == []


async def test_a_trigger_without_a_limit_is_refused_before_anything_is_sent(hdfc: FakeHdfc) -> None:
    async with line(hdfc) as broker:
        with pytest.raises(Refused) as refusal:
            await broker.place(OrderIntent(Side.BUY, WIPRO, 10, None, Decimal(460)), TAG, Leave())
    assert refusal.value.reason == "UNSUPPORTED"
    assert hdfc.requests == []


async def test_a_listing_that_lacks_what_an_order_must_repeat_is_refused(hdfc: FakeHdfc) -> None:
    call = parse_instrument("NFO:NIFTY26NOV2622500CE")
    listing = master().listing(call)
    assert listing is not None
    for name in listing.more:
        bare = replace(listing, more={each: word for each, word in listing.more.items() if each != name})
        async with line(hdfc, MemoryMaster([bare])) as broker:
            with pytest.raises(Refused) as refusal:
                await broker.place(OrderIntent(Side.BUY, call, 75, Decimal(80), product=Product.NRML), TAG, Leave())
        assert refusal.value.reason == "MASTER_INCOMPLETE"
    assert hdfc.requests == []


# changes and cancels


async def place(broker: Broker, **other: Any) -> BrokerOrderId:
    intent = OrderIntent(Side.BUY, WIPRO, 10, Decimal(440), **other)
    return (await broker.place(intent, TAG, Leave())).order_id


async def test_a_change_repeats_the_whole_order(hdfc: FakeHdfc) -> None:
    async with line(hdfc) as broker:
        id = await place(broker, disclosed=5, after_market=True)
        report = await broker.modify(id, Changes(limit_price=Decimal("441.5")), Leave())
    (request,) = [each for each in hdfc.requests if each.method == "PUT"]
    assert request.url.path == f"/oapi/v1/orders/regular/{id}"
    assert json.loads(request.content, parse_float=Decimal) == {
        "quantity": 10,
        "order_type": "LIMIT",
        "validity": "DAY",
        "disclosed_quantity": 5,
        "product": "DELIVERY",
        "price": Decimal("441.5"),
        "trigger_price": 0,
        "amo": True,
    }
    assert (report.order_id, report.limit_price, report.quantity) == (id, Decimal("441.5"), 10)


async def test_a_change_that_gives_the_order_another_number_is_followed(hdfc: FakeHdfc) -> None:
    hdfc.renumbers = True
    async with line(hdfc) as broker:
        assert isinstance(broker, HdfcBroker)
        id = await place(broker)
        report = await broker.modify(id, Changes(quantity=12), Leave())
        assert report.order_id != id
        assert (report.quantity, report.state) == (12, OrderState.OPEN)
        again = await broker.modify(id, Changes(quantity=13), Leave())
        assert (await broker.order(id)).order_id == again.order_id
        ended = await broker.cancel(id)
        assert (ended.order_id, ended.state) == (again.order_id, OrderState.CANCELLED)
        assert all(row.state is OrderState.CANCELLED for row in await broker.orders())


async def test_an_answer_with_another_number_that_the_book_does_not_have_changes_nothing(hdfc: FakeHdfc) -> None:
    """The documentation's sample shows such an answer; the book alone says which number an order has."""

    def sloppy(request: httpx.Request) -> httpx.Response:
        answer = hdfc(request)
        if request.method != "PUT":
            return answer
        return httpx.Response(200, json={"status": "success", "data": {"order_id": "240430000099999"}})

    async with line(sloppy) as broker:
        id = await place(broker)
        assert (await broker.modify(id, Changes(quantity=12), Leave())).order_id == id


async def test_a_change_that_gave_another_number_is_followed_once_the_book_has_it(hdfc: FakeHdfc) -> None:
    async with line(hdfc) as broker:
        id = await place(broker)
        await hdfc.clock.sleep(10)
        hdfc.renumbers, hdfc.lagging = True, 1.2
        report = await broker.modify(id, Changes(quantity=12), Leave())
        assert (report.order_id != id, report.quantity) == (True, 12)


async def test_a_change_that_gave_a_number_which_the_book_does_not_show_is_in_doubt(hdfc: FakeHdfc) -> None:
    async with line(hdfc) as broker:
        id = await place(broker)
        await hdfc.clock.sleep(100)
        hdfc.renumbers, hdfc.lagging = True, 60.0
        with pytest.raises(NoAnswer, match=f"the change of order {id} with number"):
            await broker.modify(id, Changes(quantity=12), Leave())


@pytest.mark.parametrize(
    "other",
    [
        {"status": "CANCELLED"},
        {"validity": "GTD"},
        {"product": "COVER"},
        {"order_type": "SL-M", "trigger_price": 460},
        {"order_type": "SPREAD"},
    ],
)
async def test_an_order_that_cannot_be_repeated_is_not_changed(hdfc: FakeHdfc, other: dict[str, object]) -> None:
    leave = Leave()
    async with line(hdfc) as broker:
        id = await place(broker)
        hdfc.rows[id] |= other
        with pytest.raises(Refused):
            await broker.modify(id, Changes(quantity=12), leave)
    assert leave.claimed == 0
    assert not [each for each in hdfc.requests if each.method == "PUT"]


async def test_a_change_of_nothing_is_refused(hdfc: FakeHdfc) -> None:
    async with line(hdfc) as broker:
        with pytest.raises(Rejected) as refusal:
            await broker.modify(BrokerOrderId("999"), Changes(quantity=12), Leave())
    assert refusal.value.reason == "ORDER_UNKNOWN"


async def test_an_id_that_somebody_typed_is_one_piece_of_the_path(hdfc: FakeHdfc) -> None:
    async with line(hdfc) as broker:
        with pytest.raises(OrdoError):
            await broker.cancel(BrokerOrderId("../../user/margins?x=1#y"))
    assert hdfc.requests[0].url.raw_path.startswith(
        b"/oapi/v1/orders/regular/..%2F..%2Fuser%2Fmargins%3Fx%3D1%23y?api_key="
    )


# reads


async def test_the_other_path_of_positions_is_asked_on_404_alone() -> None:
    asked: list[str] = []

    def broker(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path.rpartition("/")[2])
        if request.url.path.endswith("cumulative-positions"):
            return httpx.Response(404 if len(asked) == 1 else 400, json={"message": "no"})
        return httpx.Response(200, json={"status": "success", "data": {"net": []}})

    async with line(broker) as opened:
        assert await opened.positions() == []
        with pytest.raises(NoAnswer):
            await opened.positions()
    assert asked == ["cumulative-positions", "overall_positions", "cumulative-positions"]


@pytest.mark.parametrize("data", [None, {}, [], {"net": None}, {"net": [1]}, {"net": {}}, "none"])
async def test_positions_that_are_no_list_are_no_answer(data: object) -> None:
    async with line(lambda request: httpx.Response(200, json={"status": "success", "data": data})) as broker:
        with pytest.raises(NoAnswer):
            await broker.positions()


@pytest.mark.parametrize("data", [None, {}, "none", [1], [None]])
async def test_a_book_that_is_no_list_is_not_an_empty_one(data: object) -> None:
    async with line(lambda request: httpx.Response(200, json={"status": "success", "data": data})) as broker:
        for read in (broker.orders, broker.trades, broker.holdings):
            with pytest.raises(NoAnswer):
                await read()


async def test_one_order_is_found_in_the_list_that_it_comes_in(hdfc: FakeHdfc) -> None:
    async with line(hdfc) as broker:
        assert isinstance(broker, HdfcBroker)
        id = await place(broker)
        assert (await broker.order(id)).state is OrderState.OPEN
        with pytest.raises(Rejected):
            await broker.order(BrokerOrderId("999"))
    twice = {**hdfc.rows[id]}
    async with line(lambda request: httpx.Response(200, json={"status": "success", "data": [twice, twice]})) as broker:
        assert isinstance(broker, HdfcBroker)
        with pytest.raises(NoAnswer):
            await broker.order(id)


# what it is


async def test_without_a_session_no_line_is_opened(hdfc: FakeHdfc) -> None:
    with pytest.raises(SessionNeeded):
        async with spec("hdfc").connect(account(), CREDENTIALS, tools(httpx.MockTransport(hdfc), token=None)):
            raise AssertionError("it was opened")


def test_accounts_that_cannot_be_used_are_refused() -> None:
    check = spec("hdfc").check_account
    check(account("http://127.0.0.1:8021"))
    with pytest.raises(Invalid):
        check(account("http://elsewhere.example"))
    with pytest.raises(Invalid):
        check(Account(account().id, account().broker, behaviours=("silent",)))


def test_what_is_told_of_it() -> None:
    found = spec("hdfc")
    assert found.credentials == ("api_key", "api_secret", "user_id", "password")
    assert found.rates.per_second - found.rates.kept_for_cancels == 5
    assert found.rates.per_second < 10
    for word in ("captcha", "03:00", "static", "403", "Unconfirmed", "user_agent", "consent", "open profit"):
        assert word in found.notes
