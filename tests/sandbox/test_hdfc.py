"""HDFC Securities' gateway against the little that is known of its Open API, contradictions included."""

from __future__ import annotations

import csv
import json
from base64 import urlsafe_b64decode
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tests.sandbox.conftest import Running

LIMIT: dict[str, Any] = {
    "exchange": "NSE", "security_id": "INFYEQNR", "instrument_segment": "EQUITY", "transaction_type": "BUY",
    "product": "DELIVERY", "order_type": "LIMIT", "quantity": 10, "price": 1490.5, "trigger_price": 0,
    "disclosed_quantity": 0, "validity": "DAY", "amo": False, "external_reference_number": "1760512345678",
}  # fmt: skip


class Hdfc:
    """One customer, spoken for by hand."""

    def __init__(self, running: Running, number: int = 0) -> None:
        self.running, self.account, self.token = running, running.account("hdfc", number), ""

    async def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        query = {"api_key": self.account.api_key, **more.pop("params", {})}
        headers = {"User-Agent": "Mozilla/5.0", "Authorization": self.token, **more.pop("headers", {})}
        url = self.running.url("hdfc", f"/oapi{path}")
        return await self.running.http.request(method, url, params=query, headers=headers, **more)

    async def begin(self) -> str:
        handle: str = (await self.call("GET", "/v1/login")).json()["tokenId"]
        return handle

    async def password(self, handle: str, **given: str) -> httpx.Response:
        body = {"username": self.account.user, "password": self.account.password, **given}
        return await self.call("POST", "/v1/login/validate", params={"token_id": handle}, json=body)

    async def otp(self) -> str:
        [row] = (await self.running.ask("otp", broker="hdfc", account=self.account.user))["codes"]
        return str(row["otp"])

    async def code(self, handle: str, answer: str | None = None) -> httpx.Response:
        body = {"answer": answer or await self.otp()}
        return await self.call("POST", "/v1/twofa/validate", params={"token_id": handle}, json=body)

    async def consent(self, handle: str, token: str, word: str = "true") -> httpx.Response:
        query = {"token_id": handle, "consent": word, "request_token": token}
        return await self.call("GET", "/v1/authorise", params=query)

    async def exchange(self, token: str, secret: str | None = None) -> httpx.Response:
        body = {"apiSecret": secret or self.account.api_secret}
        return await self.call("POST", "/v1/access-token", params={"request_token": token}, json=body)

    async def log_in(self) -> Hdfc:
        handle = await self.begin()
        await self.password(handle)
        first = (await self.code(handle)).json()["requestToken"]
        second = (await self.consent(handle, first)).json()["requestToken"]
        self.token = (await self.exchange(second)).json()["accessToken"]
        return self

    async def place(self, **fields: Any) -> httpx.Response:
        self.running.pass_()
        return await self.call("POST", "/v1/orders/regular", json={**LIMIT, **fields})

    async def placed(self, **fields: Any) -> str:
        answer = (await self.place(**fields)).json()
        assert answer["status"] == "success", answer
        order: str = answer["data"]["order_id"]
        return order

    async def data(self, path: str) -> Any:
        answer = (await self.call("GET", path)).json()
        assert answer["status"] == "success", answer
        return answer["data"]


@pytest.fixture
async def hdfc(running: Running) -> Hdfc:
    await running.hold("NSE:INFY", "1500")
    return await Hdfc(running).log_in()


async def test_a_call_without_a_user_agent_is_refused_login_included(running: Running) -> None:
    for path in ("/v1/login", "/v1/orders", "/v1/security-master"):
        answer = await Hdfc(running).call("GET", path, headers={"User-Agent": ""})
        assert answer.status_code == 403


async def test_the_login_goes_in_five_steps(running: Running) -> None:
    one = Hdfc(running)
    handle = await one.begin()
    second = (await one.password(handle)).json()
    assert (second["recaptcha"], second["loginId"], second["twoFAEnabled"]) == (False, one.account.user, True)
    assert second["twofa"]["questions"][0]["question"]
    third = (await one.code(handle)).json()
    assert set(third) == {"requestToken", "termsAndConditions", "authorised"}
    fourth = (await one.consent(handle, third["requestToken"])).json()
    assert set(fourth) == {"callbackUrl", "requestToken"}
    assert fourth["requestToken"] != third["requestToken"]
    fifth = (await one.exchange(fourth["requestToken"])).json()
    assert set(fifth) == {"accessToken"}
    body = fifth["accessToken"].split(".")[1]
    claims = json.loads(urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    assert set(claims) == {"sub", "exp", "iat", "merchant", "merchant_api_key"}
    assert claims["exp"] - claims["iat"] == 28_800


async def test_wrong_answers_are_refused_in_the_shapes_that_clients_know(running: Running) -> None:
    one = Hdfc(running)
    handle = await one.begin()
    wrong = await one.password(handle, password="no")
    assert (wrong.status_code, wrong.json()) == (401, {"error": "invalid credentials"})
    early = await one.code(handle, "000000")
    assert early.status_code == 401
    await one.password(handle)
    wrong = await one.code(handle, "000000")
    assert (wrong.status_code, wrong.json()) == (401, {"error": "invalid otp"})
    first = (await one.code(handle)).json()["requestToken"]
    assert (await one.consent(handle, first, "False")).status_code == 403
    second = (await one.consent(handle, first, "Y")).json()["requestToken"]
    assert (await one.exchange(second, secret="no")).status_code == 401
    assert (await one.exchange(second)).status_code == 200
    again = await one.exchange(second)
    assert (again.status_code, again.json()) == (401, {"message": "Invalid request token"})


async def test_five_wrong_passwords_lock_the_account(running: Running) -> None:
    one = Hdfc(running)
    handle = await one.begin()
    for _ in range(5):
        await one.password(handle, password="no")
    assert (await one.password(handle)).status_code == 403


async def test_a_code_can_be_sent_again(running: Running) -> None:
    one = Hdfc(running)
    handle = await one.begin()
    await one.password(handle)
    first = await one.otp()
    await one.call("GET", "/v1/twofa/resend", params={"token_id": handle})
    assert await one.otp() != first
    assert (await one.code(handle, first)).status_code == 401
    assert len([line for line in running.told if one.account.user in line]) == 2


async def test_a_browser_gets_pages_and_comes_back_with_a_request_token(running: Running) -> None:
    one = Hdfc(running)
    page = await one.call("GET", "/v1/login", headers={"Accept": "text/html"})
    action = page.text.partition('action="')[2].partition('"')[0].replace("&amp;", "&")
    url = running.url("hdfc", action)
    form = {"username": one.account.user, "password": one.account.password}
    wrong = await running.http.post(url, data={**form, "password": "no"})
    assert (wrong.status_code, "location" in wrong.headers) == (403, False)
    page = await running.http.post(url, data=form)
    assert "name=answer" in page.text
    back = await running.http.post(url, data={"answer": await one.otp()})
    there = httpx.URL(back.headers["location"])
    assert str(there).startswith(running.desk("hdfc").redirect)
    assert (await one.exchange(there.params["request_token"])).status_code == 200


async def test_a_session_lasts_eight_hours(hdfc: Hdfc) -> None:
    clock = hdfc.running.sandbox.clock
    clock.set(datetime(2026, 11, 23, 12, 29, 59, tzinfo=UTC))
    assert (await hdfc.call("GET", "/v1/orders")).status_code == 200
    clock.advance(1)
    answer = await hdfc.call("GET", "/v1/orders")
    assert (answer.status_code, answer.json()) == (401, {"status": "failed", "message": "session expired"})


async def test_a_bearer_or_a_missing_key_is_no_session(hdfc: Hdfc) -> None:
    assert (await hdfc.call("GET", "/v1/orders", headers={"Authorization": f"Bearer {hdfc.token}"})).status_code == 401
    assert (await hdfc.call("GET", "/v1/orders", params={"api_key": "x"})).status_code == 401


async def test_an_order_is_accepted_and_shows_with_its_reference(hdfc: Hdfc) -> None:
    order = await hdfc.placed()
    [row] = await hdfc.data("/v1/orders")
    assert (row["order_id"], row["status"], row["external_reference_number"]) == (order, "Pending", "1760512345678")
    assert (row["tradingsymbol"], row["security_id"], row["exchange"]) == ("INFY", "INFYEQNR", "NSE")
    assert (row["transaction_type"], row["product"], row["order_timestamp"]) == (
        "Buy",
        "DELIVERY",
        "23/11/2026 10:00:01",
    )
    assert await hdfc.data(f"/v1/orders/{order}") == [row]
    assert (await hdfc.call("GET", "/v1/orders/261123000000099")).status_code == 404


async def test_a_number_is_a_reference_too_and_none_gets_one_of_the_gateway(hdfc: Hdfc) -> None:
    await hdfc.placed(external_reference_number=1760512345678)
    await hdfc.placed(external_reference_number="")
    first, second = await hdfc.data("/v1/orders")
    assert first["external_reference_number"] == "1760512345678"
    assert second["external_reference_number"].startswith("STAPI20261123")
    assert len(second["external_reference_number"]) == 20
    await hdfc.running.change("echo", broker="hdfc", on=False)
    assert (await hdfc.data("/v1/orders"))[0]["external_reference_number"].startswith("STAPI")


async def test_a_traded_order_has_no_average_but_a_value_and_trades(hdfc: Hdfc) -> None:
    order = await hdfc.placed(order_type="MARKET", price=0)
    [row] = await hdfc.data("/v1/orders")
    assert (row["status"], row["filled_quantity"], row["average_price"], row["total_traded_value"]) == (
        "Traded", 10, 0, 15_000,
    )  # fmt: skip
    [trade] = await hdfc.data("/v1/trades")
    assert (trade["order_id"], trade["filled_quantity"], trade["average_price"]) == (order, 10, 1500)
    assert trade["fill_timestamp"] == "23/11/2026 10:00:01"
    assert "external_reference_number" not in trade
    [camel] = await hdfc.data(f"/v1/orders/{order}/trades")
    assert (camel["client_id"], camel["orderId"], camel["validity"]) == (hdfc.account.user, order, "1")
    [position] = (await hdfc.data("/v1/portfolio/cumulative-positions"))["net"]
    assert (position["security_id"], position["net_qty"], position["average_buy_price"]) == ("INFYEQNR", 10, 1500)
    assert (await hdfc.call("GET", "/v1/portfolio/overall_positions")).status_code == 404


async def test_too_little_money_is_http_200_and_no_order(hdfc: Hdfc) -> None:
    answer = await hdfc.place(quantity=90_000)
    assert (answer.status_code, answer.json()) == (200, {"status": "error", "message": "RMS: insufficient margin"})
    assert await hdfc.data("/v1/orders") == []


async def test_what_the_exchange_refuses_is_rejected_in_the_book(hdfc: Hdfc) -> None:
    await hdfc.placed(price=2500)
    [row] = await hdfc.data("/v1/orders")
    assert row["status"] == "Rejected"
    assert row["status_message"]


@pytest.mark.parametrize(
    "fields",
    [
        {"exchange": "NFO"},
        {"security_id": "NOSUCH"},
        {"instrument_segment": "FUTSTK"},
        {"transaction_type": "B"},
        {"product": "CNC"},
        {"order_type": "SL-L"},
        {"quantity": 0},
        {"quantity": "10"},
        {"price": 0},
        {"price": 1490.03},
        {"validity": "GTD"},
        {"amo": "false"},
        {"order_type": "SL"},
        {"external_reference_number": "O123"},
        {"external_reference_number": "1" * 21},
    ],
    ids=str,
)
async def test_a_bad_field_is_refused_and_leaves_no_order(hdfc: Hdfc, fields: dict[str, Any]) -> None:
    answer = await hdfc.place(**fields)
    assert (answer.status_code, answer.json()["status"]) == (400, "error")
    assert await hdfc.data("/v1/orders") == []


async def contracts(hdfc: Hdfc) -> dict[tuple[str, str, str], dict[str, str]]:
    answer = await hdfc.running.http.get(hdfc.running.url("hdfc", "/oapi/v1/security-master"))
    rows = csv.DictReader(answer.text.splitlines())
    return {
        (row["underline_symbol"], row["expiry_date"], row["strike_price"] + row["option_type"]): row for row in rows
    }


async def test_a_contract_repeats_what_the_master_says_of_it(hdfc: Hdfc) -> None:
    row = (await contracts(hdfc))["NIFTYEQEQNR", "2026-12-01", "26000.00CE"]
    right = {
        "security_id": row["security_id"], "instrument_segment": "OPTIDX", "product": "OVERNIGHT", "quantity": 65,
        "order_type": "MARKET", "price": 0, "expiry_date": "20261201", "strike_price": 26000, "option_type": "CE",
        "underlying_symbol": "NIFTYEQEQNR",
    }  # fmt: skip
    for wrong in (
        {"expiry_date": "20261208"},
        {"strike_price": 26100},
        {"option_type": "PE"},
        {"underlying_symbol": ""},
    ):
        assert (await hdfc.place(**{**right, **wrong})).status_code == 400
    await hdfc.placed(**right)
    [row] = await hdfc.data("/v1/orders")
    assert (row["option_type"], row["expiry_date"], row["strike_price"]) == ("Call", "01 DEC 2026", 26000)
    [trade] = await hdfc.data("/v1/trades")
    assert trade["security_id"] == "NIFTY"
    [position] = (await hdfc.data("/v1/portfolio/cumulative-positions"))["net"]
    assert position["expiry_date"] == "01-DEC-26"


async def test_modify_and_cancel(hdfc: Hdfc) -> None:
    order = await hdfc.placed()
    answer = await hdfc.call(
        "PUT", f"/v1/orders/regular/{order}", json={"quantity": 20, "order_type": "LIMIT", "price": 1495}
    )
    assert answer.json() == {"status": "success", "data": {"order_id": order}}
    [row] = await hdfc.data("/v1/orders")
    assert (row["quantity"], row["price"], row["modified"]) == (20, 1495, True)
    answer = await hdfc.call("DELETE", f"/v1/orders/regular/{order}")
    assert answer.json() == {"status": "success", "data": {"order_id": order}}
    [row] = await hdfc.data("/v1/orders")
    assert (row["status"], row["cancelled_quantity"]) == ("CANCELLED", 20)
    again = await hdfc.call("DELETE", f"/v1/orders/regular/{order}")
    assert (again.status_code, again.json()["status"]) == (200, "error")
    assert (await hdfc.call("DELETE", "/v1/orders/regular/1")).status_code == 404


async def test_a_limit_order_made_a_stop_keeps_the_trigger_that_it_was_given(hdfc: Hdfc) -> None:
    order = await hdfc.placed()
    change = {"quantity": 10, "order_type": "SL", "price": 1530, "trigger_price": 1520}
    answer = await hdfc.call("PUT", f"/v1/orders/regular/{order}", json=change)
    assert answer.json()["status"] == "success", answer.text
    [row] = await hdfc.data("/v1/orders")
    assert (row["price"], row["trigger_price"]) == (1530, 1520)


async def test_an_after_market_order_has_its_slot(hdfc: Hdfc) -> None:
    await hdfc.placed(amo=True)
    assert (await hdfc.data("/v1/orders"))[0]["order_slot"] == "AMO"


async def test_funds_mix_their_casing(hdfc: Hdfc) -> None:
    equity = (await hdfc.data("/v1/user/margins"))["equity"]
    assert equity["total_available_limit"] == 10_000_000
    assert equity["totalAvailableLimitDetails"]["cash"] == 10_000_000
    assert equity["totalLimitDetails"]["ledger_balance"] == 10_000_000


async def test_holdings_are_known_by_their_isin(hdfc: Hdfc) -> None:
    await hdfc.running.change(
        "holding", broker="hdfc", account=hdfc.account.user, instrument="NSE:INFY", quantity=5, price="1400"
    )
    [row] = await hdfc.data("/v1/portfolio/holdings")
    assert (row["security_id"], row["isin"], row["quantity"], row["average_price"]) == ("", "INE009A01021", 5, 1400)


async def test_last_prices_take_tokens_as_text_and_give_numbers(hdfc: Hdfc) -> None:
    rows = await contracts(hdfc)
    share = next(row for row in rows.values() if row["security_id"] == "INFYEQNR")
    option = rows["NIFTYEQEQNR", "2026-12-01", "26000.00CE"]
    asked = [
        {"exchange": "NSE", "token": share["exch_security_id"]},
        {"exchange": "NFO", "token": option["exch_security_id"]},
        {"exchange": "NSE", "token": "999999"},
    ]
    body = (await hdfc.call("PUT", "/v1/fetch-ltp", json={"data": asked})).json()
    assert body["meta"] == {"statusCode": 200, "statusMsg": "OK"}
    assert [(row["exchange"], row["token"]) for row in body["data"]] == [
        ("NSE", int(share["exch_security_id"])),
        ("", int(option["exch_security_id"])),
    ]
    assert body["data"][0]["ltp"] == 1500


async def test_the_master_has_ticks_in_paise_and_in_rupees(hdfc: Hdfc) -> None:
    rows = await contracts(hdfc)
    share = next(row for row in rows.values() if row["security_id"] == "INFYEQNR")
    assert (share["tick_size"], share["strike_price"], share["option_type"]) == ("5", "0", "XX")
    future = rows["NIFTYEQEQNR", "2026-11-24", "-0.01XX"]
    assert (future["tick_size"], future["lot_size"], future["instrument_segment"]) == ("0.10", "65", "FUTIDX")


async def test_what_fails_before_the_application_is_a_page(hdfc: Hdfc) -> None:
    await hdfc.running.change("faults", rule="hdfc:book:status=503x1")
    answer = await hdfc.call("GET", "/v1/orders")
    assert (answer.status_code, answer.headers["content-type"]) == (503, "text/html; charset=utf-8")


async def test_the_profile_is_a_list_with_literal_keys(hdfc: Hdfc) -> None:
    [row] = await hdfc.data("/v3/user/profile")
    assert row["user_id"] == hdfc.account.user
    assert "exchanges:NSE" in row
