"""An order of ours as Fyers gets it: every field, and nothing that would slice, queue or attach an exit."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import httpx
import pytest

from ordo_cli.domain.errors import NoAnswer, OrdoError, Refused, Unreachable
from ordo_cli.domain.instruments import parse_instrument
from ordo_cli.domain.orders import BrokerOrderId, Changes, OrderIntent, OrderState, Product, Side, Tag, Validity
from tests.brokers.fyers.fake import FakeFyers, recorded
from tests.brokers.fyers.setting import IDEA, RESTING, TAG, MemoryMaster, opened, tools
from tests.brokers.wire.fakes import Leave
from tests.fakes import FakeClock

FIELDS = {
    "symbol", "qty", "type", "side", "productType", "limitPrice", "stopPrice", "disclosedQty", "validity",
    "offlineOrder", "orderTag", "isSliceOrder",
}  # fmt: skip
NIFTY = parse_instrument("NFO:NIFTY29DEC26FUT")
GOLD = parse_instrument("MCX:GOLD04DEC26FUT")
ORDER = BrokerOrderId("26112300000001")


async def sent(intent: OrderIntent) -> dict[str, Any]:
    fake = FakeFyers(FakeClock())
    async with opened(tools(fake.transport())) as broker:
        await broker.place(intent, TAG, Leave())
    [request] = fake.requests
    assert (request.method, request.url.path) == ("POST", "/api/v3/orders/sync")
    assert request.headers["content-type"] == "application/json"
    found: dict[str, Any] = json.loads(request.content)
    assert found.keys() == FIELDS
    assert found["isSliceOrder"] is False
    assert found["orderTag"] == TAG
    return found


@pytest.mark.parametrize(
    ("intent", "expected"),
    [
        (OrderIntent(Side.BUY, IDEA, 10, Decimal("6.95")), {"type": 1, "limitPrice": 6.95, "stopPrice": 0, "side": 1}),
        (OrderIntent(Side.SELL, IDEA, 10), {"type": 2, "limitPrice": 0, "stopPrice": 0, "side": -1}),
        (
            OrderIntent(Side.SELL, IDEA, 10, trigger_price=Decimal(6), product=Product.MIS),
            {"type": 3, "limitPrice": 0, "stopPrice": 6, "productType": "INTRADAY"},
        ),
        (
            OrderIntent(Side.SELL, IDEA, 10, Decimal("5.95"), Decimal(6), product=Product.MTF),
            {"type": 4, "limitPrice": 5.95, "stopPrice": 6, "productType": "MTF"},
        ),
        (
            OrderIntent(Side.BUY, NIFTY, 75, product=Product.NRML, validity=Validity.IOC),
            {"symbol": "NSE:NIFTY26DECFUT", "productType": "MARGIN", "validity": "IOC", "qty": 75, "type": 2},
        ),
        (
            replace(RESTING, after_market=True, disclosed=5),
            {"offlineOrder": True, "disclosedQty": 5, "validity": "DAY", "productType": "CNC", "symbol": "NSE:IDEA-EQ"},
        ),
        (OrderIntent(Side.BUY, parse_instrument("NSE:M&M"), 1, Decimal(3000)), {"symbol": "NSE:M&M-EQ"}),
    ],
)
async def test_an_order_goes_out_with_every_field(intent: OrderIntent, expected: dict[str, object]) -> None:
    body = await sent(intent)
    assert {name: body[name] for name in expected} == expected
    assert body["qty"] == intent.quantity


async def test_a_price_goes_out_to_the_last_digit() -> None:
    fake = FakeFyers(FakeClock())
    async with opened(tools(fake.transport())) as broker:
        await broker.place(replace(RESTING, limit_price=Decimal("6.9500000000000001")), TAG, Leave())
    assert b'"limitPrice":6.9500000000000001,' in fake.requests[0].content


@pytest.mark.parametrize(
    ("intent", "code"),
    [
        (OrderIntent(Side.BUY, parse_instrument("NSE:NOSUCH"), 1), "INSTRUMENT_UNKNOWN"),
        (OrderIntent(Side.BUY, parse_instrument("NFO:NIFTY30DEC26FUT"), 75), "INSTRUMENT_UNKNOWN"),
        (OrderIntent(Side.BUY, parse_instrument("NSE:UNREAD_NSE_IDEA-BE"), 1), "INSTRUMENT_UNKNOWN"),
        (OrderIntent(Side.BUY, GOLD, 1, product=Product.NRML), "SEGMENT_UNSUPPORTED"),
        (
            OrderIntent(Side.BUY, parse_instrument("CDS:USDINR29DEC26FUT"), 1, product=Product.NRML),
            "SEGMENT_UNSUPPORTED",
        ),
        (
            OrderIntent(Side.BUY, NIFTY, 150, Decimal(26000), product=Product.NRML, disclosed=75),
            "DISCLOSED_UNSUPPORTED",
        ),
    ],
)
async def test_what_cannot_be_sent_rightly_is_refused_before_a_byte(intent: OrderIntent, code: str) -> None:
    fake, permit = FakeFyers(FakeClock()), Leave()
    async with opened(tools(fake.transport())) as broker:
        with pytest.raises(Refused) as refusal:
            await broker.place(intent, TAG, permit)
    assert refusal.value.reason == code
    assert (fake.requests, permit.claimed, permit.bytes_sent) == ([], 0, 0)


async def test_without_a_list_of_instruments_nothing_is_ordered() -> None:
    fake, permit = FakeFyers(FakeClock()), Leave()
    async with opened(tools(fake.transport(), master=MemoryMaster([], None))) as broker:
        with pytest.raises(Refused) as refusal:
            await broker.place(RESTING, TAG, permit)
        assert await broker.instrument(IDEA) is None
        assert await broker.quotes([IDEA]) == {}
    assert refusal.value.reason == "MASTER_MISSING"
    assert (fake.requests, permit.claimed) == ([], 0)


async def test_a_tag_that_does_not_fit_is_refused_before_a_byte() -> None:
    fake = FakeFyers(FakeClock())
    async with opened(tools(fake.transport())) as broker:
        with pytest.raises(Refused):
            await broker.place(RESTING, Tag("not-a-tag"), Leave())
    assert fake.requests == []


# changing


async def changed(row: dict[str, object], changes: Changes) -> tuple[dict[str, Any] | None, object]:
    """The body that a change was sent with, if it was, and what came of it."""
    whole, bodies = recorded("orders"), []
    whole["orderBook"][0] |= row

    def handle(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json=whole)
        assert (request.method, request.url.path) == ("PATCH", "/api/v3/orders/sync")
        bodies.append(json.loads(request.content))
        return httpx.Response(200, json=recorded("modify"))

    async with opened(tools(httpx.MockTransport(handle))) as broker:
        try:
            outcome: object = await broker.modify(ORDER, changes, Leave())
        except OrdoError as error:
            outcome = error
    return (bodies[0] if bodies else None), outcome


@pytest.mark.parametrize(
    ("row", "changes", "expected"),
    [
        ({}, Changes(quantity=12), {"type": 1, "qty": 12}),
        ({}, Changes(limit_price=Decimal("6.9")), {"type": 1, "limitPrice": 6.9}),
        ({"type": 3, "stopPrice": 7, "limitPrice": 0}, Changes(trigger_price=Decimal(8)), {"type": 3, "stopPrice": 8}),
        (
            {"type": 4, "stopPrice": 7},
            Changes(12, Decimal("8.1"), Decimal(8)),
            {"type": 4, "qty": 12, "limitPrice": 8.1, "stopPrice": 8},
        ),
        ({"type": 2, "limitPrice": 0}, Changes(quantity=12), {"type": 2, "qty": 12}),
    ],
)
async def test_a_change_names_the_type_and_only_what_changes(
    row: dict[str, object], changes: Changes, expected: dict[str, object]
) -> None:
    body, report = await changed(row, changes)
    assert body == {"id": ORDER, **expected}
    assert getattr(report, "state", None) is OrderState.PARTIAL


@pytest.mark.parametrize(
    ("row", "changes", "code"),
    [
        ({"type": 2, "limitPrice": 0}, Changes(limit_price=Decimal(7)), "CHANGE"),
        ({"type": 1}, Changes(trigger_price=Decimal(7)), "CHANGE"),
        ({"type": 3, "stopPrice": 7}, Changes(limit_price=Decimal(7)), "CHANGE"),
        ({"type": 9}, Changes(quantity=12), "CHANGE"),
        ({"status": 2}, Changes(quantity=12), "NOT_OPEN"),
        ({"status": 1}, Changes(quantity=12), "NOT_OPEN"),
        (
            {"symbol": "MCX:GOLD26DECFUT", "fyToken": "1120261204440001", "productType": "MARGIN"},
            Changes(quantity=2),
            "SEGMENT_UNSUPPORTED",
        ),
    ],
)
async def test_a_change_that_does_not_fit_its_order_is_not_sent(
    row: dict[str, object], changes: Changes, code: str
) -> None:
    body, outcome = await changed(row, changes)
    assert body is None
    assert isinstance(outcome, Refused)
    assert outcome.reason == code


async def test_an_order_that_the_book_does_not_show_is_neither_changed_nor_guessed() -> None:
    body, outcome = await changed({"id": "26112300000099"}, Changes(quantity=12))
    assert body is None
    assert isinstance(outcome, Refused)
    assert outcome.reason == "ORDER_UNREAD"


@pytest.mark.parametrize("trouble", [httpx.ReadTimeout("silent"), httpx.ConnectError("down")])
async def test_a_change_whose_order_cannot_be_read_first_is_not_in_doubt(trouble: Exception) -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        assert request.method == "GET"
        raise trouble

    permit = Leave()
    async with opened(tools(httpx.MockTransport(handle))) as broker:
        with pytest.raises((Refused, Unreachable)):
            await broker.modify(ORDER, Changes(quantity=12), permit)
    assert (permit.claimed, permit.bytes_sent) == (0, 0)


async def test_an_answer_about_another_order_is_no_answer() -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json=recorded("orders"))
        return httpx.Response(200, json={**recorded("cancel"), "id": "26112300000077"})

    async with opened(tools(httpx.MockTransport(handle))) as broker:
        with pytest.raises(NoAnswer):
            await broker.cancel(ORDER)
