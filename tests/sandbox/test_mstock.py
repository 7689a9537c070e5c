"""m.Stock's gateway against what is known of its Type A interface: forms in, envelopes out, refusals with HTTP 200."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from ordo_cli.sandbox.codes import totp
from tests.sandbox.conftest import Running


class MStock:
    """One customer, spoken for by hand."""

    def __init__(self, running: Running, number: int = 0) -> None:
        self.running, self.account, self.token = running, running.account("mstock", number), ""

    async def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"X-Mirae-Version": "1", "Authorization": f"token {self.account.api_key}:{self.token}"}
        url = self.running.url("mstock", f"/openapi/typea{path}")
        return await self.running.http.request(method, url, headers=headers, **more)

    async def step_one(self, **form: str) -> httpx.Response:
        whole = {"username": self.account.user, "password": self.account.password, **form}
        return await self.call("POST", "/connect/login", data=whole)

    async def step_two(self, code: str | None = None, checksum: str = "L") -> httpx.Response:
        if self.account.has_totp:
            now = totp(self.account.totp_secret, self.running.sandbox.clock.now())
            return await self.call(
                "POST", "/session/verifytotp", data={"api_key": self.account.api_key, "totp": code or now}
            )
        [sent] = (await self.running.ask("otp", broker="mstock", account=self.account.user))["codes"]
        form = {"api_key": self.account.api_key, "request_token": code or str(sent["otp"]), "checksum": checksum}
        return await self.call("POST", "/session/token", data=form)

    async def log_in(self) -> MStock:
        assert (await self.step_one()).json()["status"] == "success"
        self.token = (await self.step_two()).json()["data"]["access_token"]
        return self

    async def place(self, variety: str = "regular", **form: str) -> httpx.Response:
        self.running.pass_()
        return await self.call("POST", f"/orders/{variety}", data={**LIMIT, **form})

    async def placed(self, variety: str = "regular", **form: str) -> str:
        answer = await self.place(variety, **form)
        [one] = answer.json()
        assert (answer.status_code, one["status"]) == (200, "success")
        order: str = one["data"]["order_id"]
        return order

    async def data(self, path: str, **query: Any) -> Any:
        answer = await self.call("GET", path, params=query)
        assert answer.json()["status"] == "success", answer.text
        return answer.json()["data"]


LIMIT = {
    "tradingsymbol": "INFY", "exchange": "NSE", "transaction_type": "BUY", "order_type": "LIMIT", "quantity": "10",
    "product": "CNC", "validity": "DAY", "price": "1490", "trigger_price": "0", "disclosed_quantity": "0",
    "tag": "O123",
}  # fmt: skip


@pytest.fixture
async def mstock(running: Running) -> MStock:
    await running.hold("NSE:INFY", "1500")
    return await MStock(running).log_in()


def error(answer: httpx.Response) -> tuple[int, str, str]:
    body = answer.json()
    assert (body["status"], body["data"]) == ("error", None)
    return answer.status_code, body["error_type"], body["message"]


async def test_without_its_version_header_nothing_is_answered(running: Running) -> None:
    for path in ("/openapi/typea/connect/login", "/openapi/typea/orders"):
        answer = await running.http.post(running.url("mstock", path))
        assert answer.json()["message"] == "Please provide valid api version."
        assert "error_type" not in answer.json()


@pytest.mark.parametrize("names", [("username", "password"), ("Username", "Password")])
async def test_step_one_sends_a_code_and_says_who_it_is(running: Running, names: tuple[str, str]) -> None:
    one = MStock(running)
    form = dict(zip(names, (one.account.user, one.account.password), strict=True))
    answer = await one.call("POST", "/connect/login", data=form)
    assert answer.json()["data"]["cid"] == one.account.user
    assert any("OTP for" in line and one.account.user in line for line in running.told)


async def test_a_wrong_password_is_http_200_and_counts_down_to_a_lock(running: Running) -> None:
    one = MStock(running)
    texts = [error(await one.step_one(password="no")) for _ in range(6)]
    assert all(text[:2] == (200, "MiraeException") for text in texts)
    assert "4 attempts remaining" in texts[0][2]
    assert "locked" in error(await one.step_one())[2]


@pytest.mark.parametrize("checksum", ["L", "W"])
async def test_the_sent_code_opens_a_session(running: Running, checksum: str) -> None:
    one = MStock(running)
    await one.step_one()
    session = (await one.step_two(checksum=checksum)).json()["data"]
    assert (session["user_id"], session["api_key"], session["broker"]) == (
        one.account.user,
        one.account.api_key,
        "MIRAE",
    )
    assert session["login_time"] == "2026-11-23 10:00:00"


async def test_a_wrong_sent_code_is_told_and_may_be_typed_again(running: Running) -> None:
    one = MStock(running)
    await one.step_one()
    status, kind, message = error(await one.step_two(code="000000"))
    assert (status, kind) == (200, "MiraeException")
    assert message.endswith("(-MACM60)")
    assert (await one.step_two()).json()["status"] == "success"


async def test_a_wrong_totp_is_told_and_no_code_was_sent(running: Running) -> None:
    one = MStock(running, 1)
    await one.step_one()
    assert not [line for line in running.told if one.account.user in line]
    assert error(await one.step_two(code="000000")) == (200, "MiraeException", "Please enter correct TOTP")
    assert (await one.step_two()).json()["status"] == "success"


async def test_a_code_without_a_password_is_nothing(running: Running) -> None:
    one = MStock(running, 1)
    assert error(await one.step_two())[1] == "MiraeException"


async def test_an_unknown_key_is_suspended_or_expired(running: Running) -> None:
    one = MStock(running)
    answer = await one.call("POST", "/session/verifytotp", data={"api_key": "x", "totp": "1"})
    assert error(answer) == (403, "APIKeyException", "API is suspended/expired for use.")


async def test_a_session_ends_at_midnight_in_india(mstock: MStock) -> None:
    clock = mstock.running.sandbox.clock
    clock.set(datetime(2026, 11, 23, 18, 29, 59, tzinfo=UTC))
    assert (await mstock.call("GET", "/orders")).status_code == 200
    clock.advance(1)
    answer = await mstock.call("GET", "/orders")
    assert error(answer) == (401, "TokenException", "Invalid request. Please try again.")


async def test_logging_out_ends_the_session(mstock: MStock) -> None:
    assert (await mstock.call("GET", "/logout")).json()["status"] == "success"
    assert (await mstock.call("GET", "/orders")).status_code == 401


async def test_an_order_is_answered_with_an_array_of_one_and_shows_without_its_tag(mstock: MStock) -> None:
    order = await mstock.placed()
    assert (len(order), order[:4]) == (13, "1111")
    [row] = await mstock.data("/orders")
    assert (row["order_id"], row["status"], row["status_message"]) == (order, "Pending", "CONFIRMED")
    assert (row["tag"], row["guid"], row["pending_quantity"]) == (None, "", 0)
    assert (row["price"], row["quantity"], row["order_timestamp"]) == (1490, 10, "2026-11-23 10:00:01")
    [tag] = (await mstock.running.ask("tags"))["tags"]
    assert (tag["tag"], tag["accepted"]) == ("O123", 1)
    await mstock.running.change("echo", broker="mstock", on=True)
    assert (await mstock.data("/orders"))[0]["tag"] == "O123"


async def test_a_filled_order_is_traded_in_both_books(mstock: MStock) -> None:
    order = await mstock.placed(price="1500")
    [row] = await mstock.data("/orders")
    assert (row["status"], row["status_message"], row["filled_quantity"]) == ("Traded", "TRADE CONFIRMED", 10)
    [trade] = await mstock.data("/tradebook")
    assert (trade["ORDER_NUMBER"], trade["BUY_SELL"], trade["QUANTITY"], trade["PRICE"]) == (order, "Buy", 10, 1500)
    assert trade["ORDER_DATE_TIME"] == "23-11-2026 10:00:01"
    history = await mstock.call("POST", "/trades", data={"fromdate": "2026-11-23", "todate": "2026-11-23"})
    assert history.json()["data"][0]["order_id"] == order
    assert await mstock.data("/trades", fromdate="2026-11-01", todate="2026-11-22") == []
    assert error(await mstock.call("GET", "/trades", params={"fromdate": "23-11-2026"}))[:2] == (400, "InputException")
    positions = await mstock.data("/portfolio/positions")
    assert positions["day"] is None
    assert positions["net"][0]["quantity"] == 10
    details = await mstock.call("POST", "/order/details", data={"order_no": order, "segment": "E"})
    assert details.json()["data"] == [row]


async def test_what_risk_management_refuses_is_http_200_with_an_order_in_the_book(mstock: MStock) -> None:
    answer = await mstock.place(quantity="90000")
    status, kind, message = error(answer)
    assert (status, kind) == (200, "MiraeException")
    [row] = await mstock.data("/orders")
    assert message.startswith(f"RMS:{row['order_id']}:NSE,EQUITY,")
    assert "FUND LIMIT INSUFFICIENT,AVAILABLE FUND=10000000.00,ADDITIONAL REQUIRED FUND=124100000.00" in message
    assert row["status"] == "Rejected"


@pytest.mark.parametrize(
    "form",
    [
        {"tradingsymbol": "NOSUCH"},
        {"exchange": "MCX"},
        {"transaction_type": "B"},
        {"order_type": "LMT"},
        {"product": "DELIVERY"},
        {"validity": "TTL"},
        {"quantity": "0"},
        {"quantity": "x"},
        {"price": "0"},
        {"price": "1490.03"},
        {"order_type": "SL"},
    ],
    ids=str,
)
async def test_a_bad_field_is_refused_and_leaves_no_order(mstock: MStock, form: dict[str, str]) -> None:
    assert error(await mstock.place(**form))[:2] == (400, "InputException")
    assert await mstock.data("/orders") == []


async def test_a_share_may_be_named_with_its_series(mstock: MStock) -> None:
    await mstock.placed(tradingsymbol="INFY-EQ")
    assert (await mstock.data("/orders"))[0]["tradingsymbol"] == "INFY"


async def test_modify_and_cancel_go_by_the_regular_path(mstock: MStock) -> None:
    order = await mstock.placed()
    form = {"order_type": "LIMIT", "quantity": "15", "price": "1495", "validity": "DAY", "trigger_price": "0"}
    answer = await mstock.call("PUT", f"/orders/regular/{order}", data={**form, "disclosed_quantity": "0"})
    assert answer.json() == {"status": "success", "data": {"order_id": order}}
    [row] = await mstock.data("/orders")
    assert (row["quantity"], row["price"], row["modified"]) == (15, 1495, True)
    answer = await mstock.call("DELETE", f"/orders/regular/{order}")
    assert answer.json() == {"status": "success", "data": {"order_id": order}}
    assert (await mstock.data("/orders"))[0]["status"] == "Cancelled"
    assert error(await mstock.call("DELETE", f"/orders/regular/{order}"))[:2] == (200, "MiraeException")
    assert error(await mstock.call("DELETE", "/orders/regular/1111261123999"))[:2] == (400, "InputException")


async def test_a_limit_order_made_a_stop_waits_for_its_trigger(mstock: MStock) -> None:
    order = await mstock.placed()
    form = {"order_type": "SL", "quantity": "10", "price": "1530", "validity": "DAY", "trigger_price": "1520"}
    await mstock.call("PUT", f"/orders/regular/{order}", data={**form, "disclosed_quantity": "0"})
    [row] = await mstock.data("/orders")
    assert (row["order_type"], row["price"], row["trigger_price"], row["status"]) == ("SL", 1530, 1520, "Pending")
    await mstock.running.hold("NSE:INFY", "1525")
    assert (await mstock.data("/orders"))[0]["status"] == "Traded"


async def test_an_after_market_order_is_offline_until_it_is_cancelled(mstock: MStock) -> None:
    order = await mstock.placed("amo")
    assert (await mstock.data("/orders"))[0]["status"] == "O-Pending"
    await mstock.call("DELETE", f"/orders/regular/{order}")
    assert (await mstock.data("/orders"))[0]["status"] == "O-Cancelled"


async def test_cancel_all_cancels_all_and_nothing_is_bad_input(mstock: MStock) -> None:
    for _ in range(3):
        await mstock.placed()
    assert (await mstock.call("POST", "/orders/cancelall")).json()["status"] == "success"
    assert {row["status"] for row in await mstock.data("/orders")} == {"Cancelled"}
    assert error(await mstock.call("POST", "/orders/cancelall"))[:2] == (400, "InputException")


async def test_holdings_name_the_company_and_are_null_without_any(mstock: MStock) -> None:
    assert await mstock.data("/portfolio/holdings") is None
    await mstock.running.change(
        "holding", broker="mstock", account=mstock.account.user, instrument="NSE:INFY", quantity=5, price="1400"
    )
    [row] = await mstock.data("/portfolio/holdings")
    assert (row["tradingsymbol"], row["quantity"], row["isin"]) == ("INFOSYS", 5, "INE009A01021")


async def test_funds_are_text(mstock: MStock) -> None:
    [row] = await mstock.data("/user/fundsummary")
    assert row["AVAILABLE_BALANCE"] == "10000000.00"
    assert all(value is None or isinstance(value, str) for value in row.values())


async def test_the_margin_of_an_order_is_asked_in_json(mstock: MStock) -> None:
    order = {
        "exchange": "NSE", "tradingsymbol": "INFY", "transaction_type": "BUY", "variety": "regular", "product": "CNC",
        "order_type": "LIMIT", "quantity": 10, "price": 1490.5, "trigger_price": 0,
    }  # fmt: skip
    assert (await mstock.call("POST", "/margins/orders", json=order)).json()["data"]["total"] == 14905
    assert error(await mstock.call("POST", "/margins/orders", data={"a": "b"}))[:2] == (400, "InputException")


async def test_quotes_echo_their_keys_and_say_null_of_what_is_unknown(mstock: MStock) -> None:
    found = await mstock.data("/instruments/quote/ltp", i=["NSE:INFY-EQ", "NSE:NOSUCH"])
    assert (found["NSE:INFY-EQ"]["last_price"], found["NSE:NOSUCH"]) == (1500, None)
    found = await mstock.data("/instruments/quote/ohlc", i="NSE:INFY")
    assert set(found["NSE:INFY"]["ohlc"]) == {"open", "high", "low", "close"}


async def test_the_script_master_is_for_who_is_logged_in(running: Running, mstock: MStock) -> None:
    answer = await mstock.call("GET", "/instruments/scriptmaster")
    rows = {row["tradingsymbol"]: row for row in csv.DictReader(answer.text.splitlines())}
    assert (rows["INFY"]["tick_size"], rows["INFY"]["exchange"], rows["INFY"]["instrument_type"]) == (
        "0.05",
        "NSE",
        "EQ",
    )
    assert rows["NIFTY26NOVFUT"]["expiry"] == "2026-11-24"
    stranger = MStock(running)
    assert (await stranger.call("GET", "/instruments/scriptmaster")).status_code == 401


async def test_faults_speak_in_this_brokers_envelope(mstock: MStock) -> None:
    await mstock.running.change("faults", rule="mstock:place:ip-refusedx1")
    assert "IP" in error(await mstock.place())[2]
    await mstock.running.change("faults", rule="mstock:book:unknown-statusx1")
    await mstock.placed()
    assert (await mstock.data("/orders"))[0]["status"] == "Sandbox-Unheard-Of"


async def test_the_health_of_the_house_is_told(mstock: MStock) -> None:
    assert (await mstock.data("/Health/GetHealthStatistics"))["health"] == "ok"
