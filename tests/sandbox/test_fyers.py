"""Fyers' gateway against what is known of API v3: JSON in, `s` and `code` out, tags with their prefix."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import httpx
import pytest

from ordo_cli.sandbox.codes import totp
from tests.sandbox.conftest import Running

LIMIT: dict[str, Any] = {
    "symbol": "NSE:INFY-EQ", "qty": 10, "type": 1, "side": 1, "productType": "CNC", "limitPrice": 1490.5,
    "stopPrice": 0, "disclosedQty": 0, "validity": "DAY", "offlineOrder": False, "orderTag": "o7k2x9a03r1",
}  # fmt: skip


class Fyers:
    """One customer, spoken for by hand."""

    def __init__(self, running: Running, number: int = 0) -> None:
        self.running, self.account, self.token = running, running.account("fyers", number), ""

    async def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"Authorization": f"{self.account.api_key}:{self.token}"}
        url = self.running.url("fyers", path)
        return await self.running.http.request(method, url, headers=headers, **more)

    async def page(self, **form: str) -> httpx.Response:
        whole = {
            "client_id": self.account.api_key,
            "redirect_uri": self.running.desk("fyers").redirect,
            "response_type": "code",
            "state": "s t&te",
            "fy_id": self.account.user,
            "pin": self.account.pin,
            "totp": totp(self.account.totp_secret, self.running.sandbox.clock.now()),
            **form,
        }
        return await self.running.http.post(self.running.url("fyers", "/api/v3/generate-authcode"), data=whole)

    async def exchange(self, code: str, secret: str | None = None) -> httpx.Response:
        text = f"{self.account.api_key}:{secret or self.account.api_secret}"
        body = {"grant_type": "authorization_code", "appIdHash": sha256(text.encode()).hexdigest(), "code": code}
        return await self.call("POST", "/api/v3/validate-authcode", json=body)

    async def log_in(self) -> Fyers:
        there = httpx.URL((await self.page()).headers["location"])
        self.token = (await self.exchange(there.params["auth_code"])).json()["access_token"]
        return self

    async def place(self, **fields: Any) -> httpx.Response:
        self.running.pass_()
        return await self.call("POST", "/api/v3/orders/sync", json={**LIMIT, **fields})

    async def placed(self, **fields: Any) -> str:
        answer = (await self.place(**fields)).json()
        assert (answer["s"], answer["code"]) == ("ok", 1101), answer
        order: str = answer["id"]
        return order

    async def get(self, path: str, **query: str) -> Any:
        self.running.pass_()
        answer = (await self.call("GET", path, params=query)).json()
        assert (answer["s"], answer["code"], answer["message"]) == ("ok", 200, ""), answer
        return answer

    async def book(self, **query: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = (await self.get("/api/v3/orders", **query))["orderBook"]
        return rows


@pytest.fixture
async def fyers(running: Running) -> Fyers:
    await running.hold("NSE:INFY", "1500")
    return await Fyers(running).log_in()


def error(answer: httpx.Response) -> tuple[int, int]:
    body = answer.json()
    assert body["s"] == "error"
    assert body["message"]
    return answer.status_code, body["code"]


async def test_the_login_page_wants_the_registered_address(running: Running) -> None:
    one = Fyers(running)
    query = {"client_id": one.account.api_key, "response_type": "code", "state": "x"}
    right = {**query, "redirect_uri": running.desk("fyers").redirect}
    page = await one.call("GET", "/api/v3/generate-authcode", params=right)
    assert page.headers["content-type"].startswith("text/html")
    wrong = {**query, "redirect_uri": "http://127.0.0.1:1/elsewhere"}
    assert error(await one.call("GET", "/api/v3/generate-authcode", params=wrong)) == (400, -50)


async def test_the_browser_comes_back_with_code_and_state(running: Running) -> None:
    answer = await Fyers(running).page()
    there = httpx.URL(answer.headers["location"])
    assert str(there).startswith(running.desk("fyers").redirect)
    assert (there.params["s"], there.params["code"], there.params["state"]) == ("ok", "200", "s t&te")
    assert there.params["auth_code"] != there.params["code"]


@pytest.mark.parametrize("wrong", [{"pin": "x"}, {"totp": "000000"}, {"fy_id": "XX"}])
async def test_a_wrong_pin_code_or_user_goes_nowhere(running: Running, wrong: dict[str, str]) -> None:
    answer = await Fyers(running).page(**wrong)
    assert (answer.status_code, "location" in answer.headers) == (403, False)


async def test_an_auth_code_is_worth_one_session(running: Running) -> None:
    one = Fyers(running)
    code = httpx.URL((await one.page()).headers["location"]).params["auth_code"]
    assert error(await one.exchange(code, secret="wrong")) == (400, -371)
    answer = await one.exchange(code)
    body = answer.json()
    assert {"s", "code", "message", "access_token", "refresh_token"} == set(body)
    assert body["access_token"].count(".") == 2
    assert error(await one.exchange(code)) == (400, -437)
    assert error(await one.exchange("")) == (400, -374)


async def test_refresh_tokens_refresh_nothing_any_more(fyers: Fyers) -> None:
    answer = await fyers.call("POST", "/api/v3/validate-refresh-token", json={"refresh_token": "x", "pin": "1"})
    assert error(answer) == (400, -501)


async def test_a_session_ends_at_six_in_the_morning_in_india(fyers: Fyers) -> None:
    clock = fyers.running.sandbox.clock
    clock.set(datetime(2026, 11, 24, 0, 29, 58, tzinfo=UTC))
    assert (await fyers.get("/api/v3/profile"))["data"]["fy_id"] == fyers.account.user
    fyers.running.pass_()
    assert error(await fyers.call("GET", "/api/v3/profile")) == (401, -8)


async def test_dead_and_missing_tokens_are_told_apart(fyers: Fyers) -> None:
    assert (await fyers.call("POST", "/api/v3/logout")).json()["s"] == "ok"
    assert error(await fyers.call("GET", "/api/v3/profile")) == (401, -15)
    url = fyers.running.url("fyers", "/api/v3/profile")
    assert error(await fyers.running.http.get(url)) == (401, -16)


async def test_an_order_is_submitted_and_shows_with_its_tag(fyers: Fyers) -> None:
    answer = (await fyers.place()).json()
    assert answer["message"] == f"Order submitted successfully. Your Order Ref. No. {answer['id']}"
    [row] = await fyers.book()
    assert (row["id"], row["symbol"], row["status"], row["orderTag"]) == (
        answer["id"], "NSE:INFY-EQ", 6, "1:o7k2x9a03r1",
    )  # fmt: skip
    assert (row["qty"], row["remainingQuantity"], row["limitPrice"], row["type"], row["side"]) == (10, 10, 1490.5, 1, 1)
    assert row["orderDateTime"] == "23-Nov-2026 10:00:01"
    assert row["orderNumStatus"] == f"{answer['id']}:6"
    assert row["fyToken"].startswith("1010000000")
    assert (row["productType"], row["orderValidity"], row["offlineOrder"]) == ("CNC", "DAY", False)


async def test_orders_are_found_by_id_and_by_tag(fyers: Fyers) -> None:
    first = await fyers.placed()
    await fyers.placed(orderTag="other")
    await fyers.placed(orderTag="")
    assert len(await fyers.book()) == 3
    assert [row["id"] for row in await fyers.book(id=first)] == [first]
    assert [row["id"] for row in await fyers.book(order_tag="1:o7k2x9a03r1")] == [first]
    assert (await fyers.book())[2]["orderTag"] == "2:Untagged"


async def test_a_filled_order_is_two_and_in_the_trade_book(fyers: Fyers) -> None:
    order = await fyers.placed(type=2, limitPrice=0)
    [row] = await fyers.book()
    assert (row["status"], row["filledQty"], row["tradedPrice"]) == (2, 10, 1500)
    [trade] = (await fyers.get("/api/v3/tradebook"))["tradeBook"]
    assert (trade["orderNumber"], trade["tradedQty"], trade["tradePrice"], trade["orderTag"]) == (
        order, 10, 1500, "1:o7k2x9a03r1",
    )  # fmt: skip
    found = await fyers.get("/api/v3/positions")
    [position] = found["netPositions"]
    assert (position["id"], position["netQty"], position["side"], position["netAvg"]) == (
        "NSE:INFY-EQ-CNC", 10, 1, 1500,
    )  # fmt: skip
    assert found["overall"]["count_open"] == 1


async def test_an_exchanges_refusal_is_minus_99_with_the_id_of_a_rejected_order(fyers: Fyers) -> None:
    answer = await fyers.place(qty=90_000)
    assert error(answer) == (200, -99)
    assert answer.json()["message"].startswith("RMS: margin shortfall")
    [row] = await fyers.book()
    assert (row["id"], row["status"]) == (answer.json()["id"], 5)
    assert row["message"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"symbol": "NSE:NOSUCH-EQ"}, -300),
        ({"symbol": "INFY"}, -300),
        ({"qty": 0}, -50),
        ({"qty": "10"}, -50),
        ({"type": 5}, -50),
        ({"type": True}, -50),
        ({"side": 2}, -50),
        ({"productType": "BO"}, -50),
        ({"validity": "GTC"}, -50),
        ({"limitPrice": 0}, -50),
        ({"limitPrice": 1490.03}, -50),
        ({"limitPrice": "1490"}, -50),
        ({"offlineOrder": "False"}, -50),
        ({"type": 3}, -50),
        ({"orderTag": "with space"}, -50),
        ({"orderTag": "x" * 31}, -50),
        ({"orderTag": "Untagged"}, -50),
    ],
    ids=str,
)
async def test_a_bad_parameter_is_refused_and_leaves_no_order(fyers: Fyers, fields: dict[str, Any], code: int) -> None:
    assert error(await fyers.place(**fields)) == (400, code)
    assert await fyers.book() == []


async def test_a_body_that_is_no_json_is_a_bad_parameter(fyers: Fyers) -> None:
    assert error(await fyers.call("POST", "/api/v3/orders/sync", data={"symbol": "x"})) == (400, -50)


async def test_modify_keeps_what_is_left_out(fyers: Fyers) -> None:
    order = await fyers.placed()
    answer = await fyers.call("PATCH", "/api/v3/orders/sync", json={"id": order, "type": 1, "limitPrice": 1495})
    assert (answer.json()["s"], answer.json()["id"]) == ("ok", order)
    [row] = await fyers.book()
    assert (row["qty"], row["limitPrice"]) == (10, 1495)
    answer = await fyers.call("PATCH", "/api/v3/orders/sync", json={"id": order, "type": 1, "qty": 20})
    [row] = await fyers.book()
    assert (row["qty"], row["limitPrice"]) == (20, 1495)


async def test_a_limit_order_made_a_stop_waits_for_its_trigger(fyers: Fyers) -> None:
    order = await fyers.placed(limitPrice=1490)
    change = {"id": order, "type": 4, "limitPrice": 1530, "stopPrice": 1520}
    assert (await fyers.call("PATCH", "/api/v3/orders/sync", json=change)).json()["s"] == "ok"
    [row] = await fyers.book()
    assert (row["type"], row["limitPrice"], row["stopPrice"], row["filledQty"]) == (4, 1530, 1520, 0)
    await fyers.running.hold("NSE:INFY", "1525")
    [row] = await fyers.book()
    assert (row["status"], row["filledQty"]) == (2, 10)


@pytest.mark.parametrize("change", [{"type": 4, "limitPrice": 1530}, {"type": 3}])
async def test_no_order_is_made_a_stop_without_a_trigger(fyers: Fyers, change: dict[str, Any]) -> None:
    order = await fyers.placed()
    assert error(await fyers.call("PATCH", "/api/v3/orders/sync", json={"id": order, **change})) == (200, -99)
    [row] = await fyers.book()
    assert (row["type"], row["limitPrice"]) == (1, 1490.5)


async def test_no_stop_is_given_a_limit_that_nobody_named(fyers: Fyers) -> None:
    order = await fyers.placed(type=3, limitPrice=0, stopPrice=1520)
    assert error(await fyers.call("PATCH", "/api/v3/orders/sync", json={"id": order, "type": 4})) == (200, -99)


async def test_an_offline_order_of_another_type_still_waits_for_the_opening(fyers: Fyers) -> None:
    order = await fyers.placed(offlineOrder=True)
    answer = await fyers.call("PATCH", "/api/v3/orders/sync", json={"id": order, "type": 2})
    assert answer.json()["s"] == "ok"
    [row] = await fyers.book()
    assert (row["type"], row["status"], row["filledQty"]) == (2, 6, 0)


async def test_exits_are_not_said_yes_to(fyers: Fyers) -> None:
    assert error(await fyers.place(takeProfit=10.5)) == (400, -50)
    order = await fyers.placed(takeProfit=0, stopLoss=None)
    assert error(await fyers.call("PATCH", "/api/v3/orders/sync", json={"id": order, "type": 1, "stopLoss": 5})) == (
        400,
        -50,
    )


async def test_quotes_are_asked_for_by_post_too(fyers: Fyers) -> None:
    asked = await fyers.call("GET", "/data/quotes", params={"symbols": "NSE:INFY-EQ"})
    posted = await fyers.call("POST", "/data/quotes", json={"symbols": ["NSE:INFY-EQ"]})
    assert [row["v"]["lp"] for row in posted.json()["d"]] == [row["v"]["lp"] for row in asked.json()["d"]] == [1500]
    assert error(await fyers.call("POST", "/data/quotes", json={"symbols": "NSE:INFY-EQ"})) == (400, -50)


async def test_cancel_takes_an_id_in_the_body_or_the_path(fyers: Fyers) -> None:
    first, second = await fyers.placed(), await fyers.placed()
    answer = await fyers.call("DELETE", "/api/v3/orders/sync", json={"id": first})
    assert (answer.json()["code"], answer.json()["id"]) == (1103, first)
    answer = await fyers.call("DELETE", f"/api/v3/orders/{second}/sync")
    assert answer.json()["code"] == 1103
    assert [row["status"] for row in await fyers.book()] == [1, 1]
    assert error(await fyers.call("DELETE", f"/api/v3/orders/{second}/sync")) == (400, -161)
    assert error(await fyers.call("DELETE", "/api/v3/orders/26112399999999/sync")) == (400, -51)


async def test_several_at_once_read_ok_though_single_ones_fail(fyers: Fyers) -> None:
    orders = [LIMIT, {**LIMIT, "symbol": "NSE:NOSUCH-EQ"}, {**LIMIT, "orderTag": "two"}]
    answer = (await fyers.call("POST", "/api/v3/multi-order/sync", json=orders)).json()
    assert (answer["s"], answer["code"]) == ("ok", 200)
    assert [leg["body"]["code"] for leg in answer["data"]] == [1101, -300, 1101]
    assert answer["data"][0]["statusDescription"] == "OK"
    ids = [{"id": leg["body"]["id"]} for leg in answer["data"] if leg["body"]["s"] == "ok"]
    cancelled = (await fyers.call("DELETE", "/api/v3/multi-order/sync", json=ids)).json()
    assert [leg["body"]["code"] for leg in cancelled["data"]] == [1103, 1103]
    assert error(await fyers.call("POST", "/api/v3/multi-order/sync", json=[LIMIT] * 11)) == (400, -50)


async def test_a_slice_order_answers_in_its_own_shape(fyers: Fyers) -> None:
    await fyers.running.hold("NFO:NIFTY24NOV26FUT", "100")
    fields = {"symbol": "NSE:NIFTY26NOVFUT", "productType": "MARGIN", "qty": 1885, "limitPrice": 95}
    answer = (await fyers.place(**fields, isSliceOrder=True)).json()
    assert "id" not in answer
    assert "s" not in answer
    assert [leg["body"]["code"] for leg in answer["data"]] == [1101, 1101]
    assert [row["qty"] for row in await fyers.book()] == [1755, 130]
    [tag] = (await fyers.running.ask("tags"))["tags"]
    assert tag["accepted"] == 1


async def test_closing_names_positions_or_takes_all(fyers: Fyers) -> None:
    await fyers.running.hold("NSE:TCS", "3100")
    assert error(await fyers.call("DELETE", "/api/v3/positions", json={"exit_all": 1})) == (400, -352)
    await fyers.placed(type=2, productType="INTRADAY")
    await fyers.placed(type=2, productType="INTRADAY", symbol="NSE:TCS-EQ")
    assert error(await fyers.call("DELETE", "/api/v3/positions", json={"id": ["NSE:IDEA-EQ-CNC"]})) == (400, -53)
    answer = await fyers.call("DELETE", "/api/v3/positions", json={"id": "NSE:TCS-EQ-INTRADAY"})
    assert answer.json()["s"] == "ok"
    rows = {row["symbol"]: row["netQty"] for row in (await fyers.get("/api/v3/positions"))["netPositions"]}
    assert rows == {"NSE:INFY-EQ": 10, "NSE:TCS-EQ": 0}
    await fyers.call("DELETE", "/api/v3/positions", json={})
    assert (await fyers.get("/api/v3/positions"))["overall"]["count_open"] == 0


async def test_an_offline_order_is_pending_and_says_so(fyers: Fyers) -> None:
    await fyers.placed(offlineOrder=True)
    [row] = await fyers.book()
    assert (row["status"], row["offlineOrder"], row["exchOrdId"]) == (6, True, "")


async def test_an_order_without_acknowledgement_is_201_and_in_the_book(fyers: Fyers) -> None:
    await fyers.running.change("faults", rule="fyers:place:unacknowledgedx1")
    answer = (await fyers.place()).json()
    assert answer["code"] == 201
    assert "id" not in answer
    assert len(await fyers.book()) == 1


async def test_funds_are_titled_rows(fyers: Fyers) -> None:
    await fyers.placed()
    rows = {row["id"]: row for row in (await fyers.get("/api/v3/funds"))["fund_limit"]}
    assert (rows[10]["title"], rows[10]["equityAmount"]) == ("Available Balance", 10_000_000 - 14_905)
    assert (rows[2]["title"], rows[2]["equityAmount"]) == ("Utilized Amount", 14_905)
    assert set(rows) == set(range(1, 11))


async def test_holdings_have_an_isin_and_their_kind(fyers: Fyers) -> None:
    await fyers.running.change(
        "holding", broker="fyers", account=fyers.account.user, instrument="NSE:INFY", quantity=5, price="1400"
    )
    [row] = (await fyers.get("/api/v3/holdings"))["holdings"]
    assert (row["holdingType"], row["remainingQuantity"], row["isin"], row["costPrice"]) == (
        "HLD", 5, "INE009A01021", 1400,
    )  # fmt: skip


async def test_a_margin_is_asked_for_orders_together(fyers: Fyers) -> None:
    answer = await fyers.call("POST", "/api/v3/multiorder/margin", json={"data": [LIMIT, LIMIT]})
    assert answer.json()["data"]["margin_new_order"] == 29_810


async def test_quotes_say_ok_each_for_itself(fyers: Fyers) -> None:
    rows = (await fyers.get("/data/quotes", symbols="NSE:INFY-EQ,NSE:NOSUCH-EQ,NSE:M&M-EQ"))["d"]
    assert [row["s"] for row in rows] == ["ok", "error", "ok"]
    assert (rows[0]["v"]["lp"], rows[0]["v"]["bid"], rows[0]["v"]["ask"]) == (1500, 1500, 1500)
    depth = (await fyers.get("/data/depth", symbol="NSE:INFY-EQ", ohlcv_flag="1"))["d"]["NSE:INFY-EQ"]
    assert depth["lower_ckt"] < 1500 < depth["upper_ckt"]
    assert (await fyers.get("/data/marketStatus"))["marketStatus"][0]["status"] == "OPEN"


async def test_symbol_files_need_no_login_and_have_no_head(running: Running) -> None:
    answer = await running.http.get(running.url("fyers", "/sym_details/NSE_CM.csv"))
    rows = list(csv.reader(answer.text.splitlines()))
    assert {len(row) for row in rows} == {21}
    infy = next(row for row in rows if row[9] == "NSE:INFY-EQ")
    assert (infy[2:6], infy[10:12], infy[16]) == (["0", "1", "0.05", "INE009A01021"], ["10", "10"], "XX")
    contracts = list(
        csv.reader((await running.http.get(running.url("fyers", "/sym_details/NSE_FO.csv"))).text.split("\n"))
    )
    tickers = {row[9]: row for row in contracts if row}
    assert tickers["NSE:NIFTY26D0126000CE"][16] == "CE"
    assert tickers["NSE:NIFTY26NOVFUT"][3] == "65"
    master = (await running.http.get(running.url("fyers", "/sym_details/NSE_CM_sym_master.json"))).json()
    assert master["NSE:INFY-EQ"]["qtyFreeze"] == "100000"
    assert (await running.http.get(running.url("fyers", "/sym_details/MCX_COM.csv"))).text == ""


async def test_too_many_are_told_when_to_come_again(fyers: Fyers) -> None:
    fyers.running.pass_()
    answers = [await fyers.call("GET", "/api/v3/funds") for _ in range(11)]
    assert answers[-1].status_code == 429
    assert error(answers[-1]) == (429, -429)
    assert (answers[-1].headers["retry-after"], answers[-1].headers["x-retry-after-ms"]) == ("1", "1000")


async def test_a_position_is_converted_by_its_id(fyers: Fyers) -> None:
    await fyers.placed(type=2, productType="INTRADAY")
    body = {
        "symbol": "NSE:INFY-EQ-INTRADAY", "positionSide": 1, "convertQty": 10, "convertFrom": "INTRADAY",
        "convertTo": "CNC",
    }  # fmt: skip
    assert (await fyers.call("POST", "/api/v3/positions", json=body)).json()["s"] == "ok"
    rows = {row["id"]: row["netQty"] for row in (await fyers.get("/api/v3/positions"))["netPositions"]}
    assert rows == {"NSE:INFY-EQ-CNC": 10, "NSE:INFY-EQ-INTRADAY": 0}
