"""Fyers' rows as ordo shows them: every one of them, exact, in UTC, and none of them understood too well."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest

from ordo_cli.brokers.base import Broker
from ordo_cli.brokers.fyers import decode
from ordo_cli.brokers.http import decode_json
from ordo_cli.domain.errors import NoAnswer
from ordo_cli.domain.instruments import parse_instrument
from ordo_cli.domain.orders import FINAL, BrokerOrderId, OrderReport, OrderState, OrderType, Product, Side, Validity
from ordo_cli.domain.portfolio import Funds, Holding, Position, Quote, Trade
from tests.brokers.fyers.fake import RECORDED, FakeFyers, recorded
from tests.brokers.fyers.setting import IDEA, RESTING, TAG, MemoryMaster, opened, tools
from tests.brokers.wire.fakes import Leave
from tests.fakes import MONDAY_NOON, FakeClock

MASTER = MemoryMaster()
NIFTY = parse_instrument("NFO:NIFTY29DEC26FUT")


def exact(call: str) -> Any:
    """A recorded answer with its decimals as they are written."""
    return decode_json((RECORDED / f"{call}.json").read_bytes())


def row(call: str = "orders", name: str = "orderBook", /, **more: object) -> dict[str, Any]:
    found: dict[str, Any] = exact(call)[name][0] | more
    return found


def answering(answers: dict[str, Any]) -> httpx.MockTransport:
    """Each path with its answer, whatever is asked of it."""
    return httpx.MockTransport(lambda request: httpx.Response(200, json=answers[request.url.path]))


def test_the_recorded_book_reads_as_it_is() -> None:
    partial, rejected, cancelled = (decode.order(each, MASTER) for each in exact("orders")["orderBook"])
    assert partial == OrderReport(
        order_id=BrokerOrderId("26112300000001"),
        state=OrderState.PARTIAL,
        instrument=IDEA,
        side=Side.BUY,
        quantity=10,
        type=OrderType.LIMIT,
        product=Product.CNC,
        validity=Validity.DAY,
        filled_quantity=4,
        limit_price=Decimal("6.95"),
        average_price=Decimal("6.95"),
        tag=TAG,
        placed_at=datetime(2026, 11, 23, 4, 4, 38, tzinfo=UTC),
    )
    assert (rejected.state, rejected.message, rejected.tag) == (OrderState.REJECTED, "RMS: margin shortfall", None)
    assert (rejected.type, rejected.limit_price, rejected.average_price) == (OrderType.MARKET, None, None)
    assert (rejected.instrument, rejected.side, rejected.validity) == (NIFTY, Side.SELL, Validity.IOC)
    assert (cancelled.limit_price, cancelled.trigger_price) == (Decimal("3010.5"), Decimal(3012))
    assert cancelled.placed_at == datetime(2026, 11, 22, 18, 45, 1, tzinfo=UTC), "the day before, in UTC"


def test_an_order_that_was_cancelled_keeps_its_fills() -> None:
    found = decode.order(exact("orders")["orderBook"][2], MASTER)
    assert (found.state, found.quantity, found.filled_quantity) == (OrderState.CANCELLED, 100, 40)
    assert found.average_price == Decimal("3011.0375")
    assert found.pending_quantity == 0


def test_an_unknown_status_is_unclear_and_still_counts_as_working() -> None:
    for status in (3, 8, 90, "6", None):
        found = decode.order(row(status=status), MASTER)
        assert found.state is OrderState.UNCLEAR
        assert found.state not in FINAL


@pytest.mark.parametrize("product", ["CO", "BO", "", None, 7, "cnc", "SOMETHING-NEW"])
async def test_an_order_of_an_unknown_product_is_shown_and_can_be_cancelled_but_nothing_is_ordered_by_its_name(
    product: object,
) -> None:
    fake = FakeFyers(FakeClock())
    async with opened(tools(fake.transport())) as broker:
        report = await broker.place(RESTING, TAG, Leave())
        fake.entries[0].row["productType"] = product
        [found] = await broker.orders()
        assert found.instrument.symbol.startswith("UNREAD_")
        assert MASTER.listing(found.instrument) is None
        assert (await broker.cancel(report.order_id)).state is OrderState.CANCELLED


@pytest.mark.parametrize(
    ("more", "type_"),
    [
        ({"limitPrice": 5, "stopPrice": 0}, OrderType.LIMIT),
        ({"limitPrice": 0, "stopPrice": 0}, OrderType.MARKET),
        ({"limitPrice": 0, "stopPrice": 5}, OrderType.SL_M),
        ({"limitPrice": 5, "stopPrice": 5}, OrderType.SL),
    ],
)
def test_an_unknown_type_is_read_by_its_prices(more: dict[str, object], type_: OrderType) -> None:
    assert decode.order(row(type=9, **more), MASTER).type is type_


def test_an_unknown_validity_hides_no_row_and_a_time_that_cannot_be_read_is_none() -> None:
    found = decode.order(row(orderValidity="GTT", orderDateTime="soon"), MASTER)
    assert (found.validity, found.placed_at) == (Validity.DAY, None)


def test_a_protected_market_order_is_a_market_order_without_a_price_of_ours() -> None:
    found = decode.order(row(type=2, limitPrice=Decimal("7.05"), filledQty=0, tradedPrice=0), MASTER)
    assert (found.type, found.limit_price, found.state) == (OrderType.MARKET, None, OrderState.OPEN)


def test_an_order_without_fills_has_no_average_price() -> None:
    assert decode.order(row(filledQty=0, tradedPrice=5), MASTER).average_price is None


def test_numbers_that_come_as_text_are_the_same_numbers() -> None:
    text = row(qty="10", filledQty="4", limitPrice="6.95", stopPrice="0", tradedPrice="6.95")
    assert decode.order(text, MASTER) == decode.order(row(), MASTER)


async def test_a_book_without_a_list_of_instruments_is_whole() -> None:
    """A kill must find every order whatever has become of the list."""
    transport = answering({"/api/v3/orders": recorded("orders")})
    async with opened(tools(transport, master=MemoryMaster([], None))) as bare, opened(tools(transport)) as listed:
        assert await bare.orders() == await listed.orders()


async def test_one_order_and_those_of_a_tag_are_found_among_all() -> None:
    asked = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.raw_path.decode())
        return httpx.Response(200, json=recorded("orders"))

    async with opened(tools(httpx.MockTransport(handle))) as broker:
        one = await broker.order(BrokerOrderId("26112300000002"))  # type: ignore[attr-defined]
        [tagged] = await broker.orders_tagged(TAG)  # type: ignore[attr-defined]
        with pytest.raises(NoAnswer):
            await broker.order(BrokerOrderId("26112300000009"))  # type: ignore[attr-defined]
    assert (one.order_id, tagged.order_id) == ("26112300000002", "26112300000001")
    assert asked[:2] == ["/api/v3/orders?id=26112300000002", f"/api/v3/orders?order_tag=1%3A{TAG}"]


async def test_an_order_that_stands_in_the_book_twice_is_not_chosen_from() -> None:
    twice = recorded("orders")
    twice["orderBook"] += [twice["orderBook"][0]]
    async with opened(tools(answering({"/api/v3/orders": twice}))) as broker:
        with pytest.raises(NoAnswer):
            await broker.order(BrokerOrderId("26112300000001"))  # type: ignore[attr-defined]
        assert len(await broker.orders()) == 4, "the book itself is given as it is: whoever reads it judges that"


# what an account has


async def everything(broker: Broker) -> tuple[object, ...]:
    return await broker.trades(), await broker.positions(), await broker.holdings(), await broker.funds()


async def test_the_recorded_account_reads_as_it_is() -> None:
    paths = {"tradebook": "tradebook", "positions": "positions", "holdings": "holdings", "funds": "funds"}
    transport = answering({f"/api/v3/{path}": recorded(call) for path, call in paths.items()})
    async with opened(tools(transport)) as broker:
        trades, positions, holdings, funds = await everything(broker)
    assert trades == [
        Trade(
            "26112300000001-1",
            BrokerOrderId("26112300000001"),
            IDEA,
            Side.BUY,
            4,
            Decimal("6.95"),
            Product.CNC,
            datetime(2026, 11, 23, 4, 5, 2, tzinfo=UTC),
        )
    ]
    assert positions == [
        Position(IDEA, Product.CNC, 4, Decimal("6.95"), Decimal("6.85"), Decimal(0), Decimal("-0.4")),
        Position(NIFTY, Product.NRML, -75, Decimal(26200), Decimal("26210.4"), Decimal("12.5"), Decimal(-780)),
    ]
    assert holdings == [
        Holding(IDEA, "INE669E01016", 15, Decimal("210.25"), Decimal("6.85"), Decimal("-90.5")),
        Holding(parse_instrument("NSE:M&M"), "INE101A01026", 1, Decimal(3000), Decimal(3020), Decimal(20)),
    ]
    assert funds == Funds(Decimal("200000.5"), Decimal("50000.25"), Decimal(10000), Decimal("250000.75"))


@pytest.mark.parametrize(
    "more",
    [
        {"netQty": -4},
        {"side": -1},
        {"side": 0},
        {"qty": 5},
        {"netQty": 0},
        {"netQty": Decimal("4.5"), "qty": Decimal("4.5")},
        {"netQty": None},
        {"netAvg": None},
        {"realized_profit": "much"},
        {"symbol": None},
    ],
)
def test_a_position_that_contradicts_itself_is_not_believed(more: dict[str, object]) -> None:
    with pytest.raises(NoAnswer):
        decode.position(row("positions", "netPositions", **more), MASTER)


def test_a_position_that_was_closed_is_shown() -> None:
    found = decode.position(row("positions", "netPositions", netQty=0, qty=0, side=0), MASTER)
    assert found.quantity == 0


def test_shares_sold_out_of_holdings_are_no_position_to_buy_back() -> None:
    sold = {"netQty": -10, "qty": 10, "side": -1}
    assert decode.position(row("positions", "netPositions", **sold), MASTER).quantity == 0
    assert decode.position(row("positions", "netPositions", **sold, productType="INTRADAY"), MASTER).quantity == -10


def test_a_position_of_an_unknown_product_is_shown_under_a_name_that_nothing_is_ordered_under() -> None:
    found = decode.position(row("positions", "netPositions", productType="BO"), MASTER)
    assert str(found.instrument) == "NSE:UNREAD_NSE_IDEA-EQ_BO"
    assert found.quantity == 4


def test_a_trade_without_a_time_is_not_believed() -> None:
    with pytest.raises(NoAnswer):
        decode.trade(row("tradebook", "tradeBook", orderDateTime=""), MASTER)


@pytest.mark.parametrize("missing", [1, 2, 5, 10])
def test_a_part_of_the_funds_is_not_taken_for_all(missing: int) -> None:
    whole = exact("funds")
    whole["fund_limit"] = [each for each in whole["fund_limit"] if each["id"] != missing]
    with pytest.raises(NoAnswer):
        decode.funds(whole)


def test_funds_that_are_told_twice_must_agree() -> None:
    whole = exact("funds")
    whole["fund_limit"] += [whole["fund_limit"][-1]]
    assert decode.funds(whole).available == Decimal("200000.5")
    whole["fund_limit"] += [{**whole["fund_limit"][-1], "equityAmount": 1}]
    with pytest.raises(NoAnswer):
        decode.funds(whole)


# quotes


async def test_quotes_are_of_what_has_a_price_and_an_empty_side_is_none() -> None:
    paths = []

    def handle(request: httpx.Request) -> httpx.Response:
        paths.append(request.url.raw_path.decode())
        return httpx.Response(200, json=recorded("quotes"))

    mahindra = parse_instrument("NSE:M&M")
    async with opened(tools(httpx.MockTransport(handle))) as broker:
        found = await broker.quotes([IDEA, mahindra, NIFTY, parse_instrument("NSE:NOSUCH"), IDEA])
    assert set(found) == {IDEA, mahindra}
    assert found[mahindra].bid is None
    assert found[IDEA] == Quote(
        instrument=IDEA,
        last_price=Decimal("6.85"),
        bid=Decimal("6.85"),
        ask=Decimal("6.9"),
        open=Decimal("6.9"),
        high=Decimal("7.05"),
        low=Decimal("6.75"),
        previous_close=Decimal("6.95"),
        volume=150_000_000,
        at=MONDAY_NOON,
    )
    assert paths == ["/data/quotes?symbols=NSE%3AIDEA-EQ%2CNSE%3AM%26M-EQ%2CNSE%3ANIFTY26DECFUT"]


async def test_fifty_instruments_go_into_one_question() -> None:
    asked = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(len(request.url.params["symbols"].split(",")))
        return httpx.Response(200, json={"s": "ok", "code": 200, "d": []})

    many = [parse_instrument(f"NSE:S{number}") for number in range(120)]
    first = MASTER.listings[0]
    listings = [replace(first, code=f"{id}-EQ", instrument=replace(first.instrument, id=id)) for id in many]
    listed = MemoryMaster(listings)
    async with opened(tools(httpx.MockTransport(handle), master=listed)) as broker:
        assert await broker.quotes(many) == {}
    assert asked == [50, 50, 20]


@pytest.mark.parametrize("price", [0, -1])
def test_an_instrument_that_never_traded_has_no_quote(price: int) -> None:
    whole = exact("quotes")["d"][0]
    whole["v"]["lp"] = price
    assert decode.quote(whole, IDEA, MONDAY_NOON) is None
