"""Zerodha's gateway against what is known of Kite Connect v3: paths, forms, envelopes, statuses, refusals."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from ordo_cli.sandbox.codes import totp
from tests.sandbox.conftest import Running
from tests.sandbox.kite import Kite

ORDER_FIELDS = {
    "placed_by", "order_id", "exchange_order_id", "parent_order_id", "status", "status_message", "status_message_raw",
    "order_timestamp", "exchange_update_timestamp", "exchange_timestamp", "variety", "modified", "exchange",
    "tradingsymbol", "instrument_token", "order_type", "transaction_type", "validity", "product", "quantity",
    "disclosed_quantity", "price", "trigger_price", "average_price", "filled_quantity", "pending_quantity",
    "cancelled_quantity", "market_protection", "meta", "tag", "tags", "guid",
}  # fmt: skip


@pytest.fixture
async def kite(running: Running) -> Kite:
    await running.hold("NSE:INFY", "1500")
    return await Kite(running).log_in()


def error(answer: httpx.Response) -> tuple[int, str, str]:
    body = answer.json()
    assert set(body) == {"status", "message", "error_type", "data"}
    assert (body["status"], body["data"]) == ("error", None)
    return answer.status_code, body["error_type"], body["message"]


async def test_the_login_page_is_a_form_that_a_browser_can_send(running: Running) -> None:
    account = running.account("zerodha")
    page = await running.http.get(running.url("zerodha", f"/connect/login?v=3&api_key={account.api_key}"))
    assert page.headers["content-type"].startswith("text/html")
    for name in ("api_key", "user_id", "password", "totp"):
        assert f"name={name}" in page.text
    unknown = await running.http.get(running.url("zerodha", "/connect/login?v=3&api_key=nobody"))
    assert unknown.status_code == 400


async def test_the_browser_is_sent_to_the_registered_address_with_what_it_was_given(running: Running) -> None:
    await running.change("redirect", broker="zerodha", url="http://127.0.0.1:9999/back?mine=1")
    answer = await Kite(running).page(redirect_params="state=abc%26d&who=alice")
    assert answer.status_code == 302
    there = httpx.URL(answer.headers["location"])
    assert (there.host, there.port, there.path) == ("127.0.0.1", 9999, "/back")
    assert there.params["mine"] == "1"
    assert there.params["status"] == "success"
    assert there.params["state"] == "abc&d"
    assert there.params["who"] == "alice"
    assert there.params["request_token"]


@pytest.mark.parametrize("wrong", [{"password": "no"}, {"totp": "000000"}, {"user_id": "ZZ9999"}])
async def test_a_wrong_password_code_or_user_goes_nowhere(running: Running, wrong: dict[str, str]) -> None:
    answer = await Kite(running).page(**wrong)
    assert answer.status_code == 403
    assert "location" not in answer.headers


async def test_a_request_token_is_worth_one_session(running: Running) -> None:
    kite = Kite(running)
    token = await kite.request_token()
    answer = await kite.exchange(token)
    body = answer.json()
    assert body["status"] == "success"
    assert {"user_id", "api_key", "access_token", "public_token", "refresh_token", "login_time", "meta"} <= set(
        body["data"]
    )
    assert body["data"]["user_id"] == kite.account.user
    assert body["data"]["login_time"] == "2026-11-23 10:00:00"
    assert body["data"]["refresh_token"] == ""
    again = await kite.exchange(token)
    assert error(again)[:2] == (403, "TokenException")


async def test_a_request_token_lives_for_minutes(running: Running) -> None:
    kite = Kite(running)
    token = await kite.request_token()
    running.pass_(301)
    assert error(await kite.exchange(token))[:2] == (403, "TokenException")


async def test_a_wrong_checksum_is_refused_and_uses_nothing_up(running: Running) -> None:
    kite = Kite(running)
    token = await kite.request_token()
    assert error(await kite.exchange(token, secret="wrong"))[:2] == (403, "TokenException")
    assert (await kite.exchange(token)).status_code == 200


async def test_a_token_dies_at_six_in_the_morning_in_india(kite: Kite) -> None:
    clock = kite.running.sandbox.clock
    clock.set(datetime(2026, 11, 24, 0, 29, 59, tzinfo=UTC))
    assert (await kite.call("GET", "/user/profile")).status_code == 200
    clock.advance(1)
    assert error(await kite.call("GET", "/user/profile")) == (
        403,
        "TokenException",
        "Incorrect `api_key` or `access_token`.",
    )


async def test_a_second_login_displaces_the_first(kite: Kite) -> None:
    first = kite.token
    await kite.log_in()
    second, kite.token = kite.token, first
    assert error(await kite.call("GET", "/user/profile"))[:2] == (403, "TokenException")
    kite.token = second
    assert (await kite.call("GET", "/user/profile")).json()["data"]["user_id"] == kite.account.user


async def test_a_token_under_another_key_is_no_token(kite: Kite) -> None:
    kite.account = kite.running.account("zerodha", 1)
    assert error(await kite.call("GET", "/user/profile"))[:2] == (403, "TokenException")


async def test_logging_out_ends_the_session(kite: Kite) -> None:
    query = {"api_key": kite.account.api_key, "access_token": kite.token}
    answer = await kite.call("DELETE", "/session/token", params=query)
    assert answer.json() == {"status": "success", "data": True}
    assert error(await kite.call("GET", "/orders"))[:2] == (403, "TokenException")


async def test_individuals_have_nothing_to_refresh_with(kite: Kite) -> None:
    answer = await kite.call("POST", "/session/refresh_token", data={"api_key": "x", "refresh_token": ""})
    assert error(answer)[:2] == (403, "TokenException")


async def test_an_order_is_received_and_shows_in_the_book_with_its_tag(kite: Kite) -> None:
    answer = await kite.place()
    body = answer.json()
    assert (answer.status_code, body["status"], set(body["data"])) == (200, "success", {"order_id"})
    [row] = await kite.book()
    assert set(row) >= ORDER_FIELDS
    assert row["order_id"] == body["data"]["order_id"]
    assert (row["status"], row["tag"], row["tags"]) == ("OPEN", "ord01HZX3", ["ord01HZX3"])
    assert (row["price"], row["quantity"], row["pending_quantity"]) == (1490, 12, 12)
    assert row["order_timestamp"] == "2026-11-23 10:00:01"
    assert (row["variety"], row["product"], row["validity"]) == ("regular", "CNC", "DAY")
    assert row["instrument_token"] & 0xFF == 1


async def test_a_filled_order_is_complete_with_trades_and_a_position(kite: Kite) -> None:
    order = await kite.placed(price="1500")
    [row] = await kite.book()
    assert (row["status"], row["filled_quantity"], row["average_price"]) == ("COMPLETE", 12, 1500)
    [trade] = await kite.data("/trades")
    assert (trade["order_id"], trade["quantity"], trade["average_price"]) == (order, 12, 1500)
    assert trade["order_timestamp"] == "10:00:01"
    assert trade["fill_timestamp"] == "2026-11-23 10:00:01"
    assert "tag" not in trade
    assert await kite.data(f"/orders/{order}/trades") == [trade]
    positions = await kite.data("/portfolio/positions")
    assert set(positions) == {"net", "day"}
    [net] = positions["net"]
    assert (net["tradingsymbol"], net["product"], net["quantity"]) == ("INFY", "CNC", 12)
    assert (net["day_buy_quantity"], net["day_buy_price"], net["overnight_quantity"]) == (12, 1500, 0)


async def test_the_life_of_an_order_ends_with_how_it_is_now(kite: Kite) -> None:
    order = await kite.placed()
    rows = await kite.data(f"/orders/{order}")
    assert [row["status"] for row in rows] == ["PUT ORDER REQ RECEIVED", "VALIDATION PENDING", "OPEN PENDING", "OPEN"]
    assert "guid" not in rows[-1]
    assert error(await kite.call("GET", "/orders/261123000000099"))[:2] == (400, "InputException")


async def test_a_partly_filled_order_is_open_with_what_was_filled(kite: Kite) -> None:
    await kite.running.hold("NSE:INFY", "1500", depth=0)
    seller = await Kite(kite.running, 1).log_in()
    await kite.placed(price="1500")
    await seller.placed(transaction_type="SELL", product="MIS", price="1500", quantity="5")
    [row] = await kite.book()
    assert (row["status"], row["filled_quantity"], row["pending_quantity"]) == ("OPEN", 5, 7)


async def test_modify_changes_the_total_and_the_price(kite: Kite) -> None:
    order = await kite.placed()
    answer = await kite.call("PUT", f"/orders/regular/{order}", data={"quantity": "20", "price": "1495"})
    assert answer.json() == {"status": "success", "data": {"order_id": order}}
    [row] = await kite.book()
    assert (row["quantity"], row["price"], row["modified"], row["tag"]) == (20, 1495, True, "ord01HZX3")


async def test_modify_turns_a_limit_into_a_market_order_with_protection_only(kite: Kite) -> None:
    order = await kite.placed()
    bare = await kite.call("PUT", f"/orders/regular/{order}", data={"order_type": "MARKET"})
    assert error(bare)[:2] == (400, "InputException")
    form = {"order_type": "MARKET", "market_protection": "-1"}
    assert (await kite.call("PUT", f"/orders/regular/{order}", data=form)).status_code == 200
    [row] = await kite.book()
    assert (row["status"], row["order_type"]) == ("COMPLETE", "MARKET")


async def test_an_order_takes_twenty_five_changes(kite: Kite) -> None:
    order = await kite.placed()
    for change in range(26):
        kite.running.pass_()
        answer = await kite.call("PUT", f"/orders/regular/{order}", data={"price": str(1400 + change)})
    assert error(answer)[:2] == (400, "InputException")
    assert (await kite.book())[0]["price"] == 1424


async def test_cancel_ends_an_order_once_and_under_its_own_variety(kite: Kite) -> None:
    order = await kite.placed()
    assert error(await kite.call("DELETE", f"/orders/amo/{order}"))[:2] == (400, "InputException")
    answer = await kite.call("DELETE", f"/orders/regular/{order}")
    assert answer.json() == {"status": "success", "data": {"order_id": order}}
    [row] = await kite.book()
    assert (row["status"], row["cancelled_quantity"], row["pending_quantity"]) == ("CANCELLED", 12, 12)
    assert error(await kite.call("DELETE", f"/orders/regular/{order}"))[:2] == (400, "OrderException")


async def test_nobody_reaches_the_order_of_another(kite: Kite) -> None:
    order = await kite.placed()
    other = await Kite(kite.running, 1).log_in()
    assert (await other.call("DELETE", f"/orders/regular/{order}")).status_code == 400
    assert await other.book() == []


@pytest.mark.parametrize(
    ("form", "kind"),
    [
        ({"tradingsymbol": "NOSUCH"}, "InputException"),
        ({"exchange": "LSE"}, "InputException"),
        ({"transaction_type": "buy"}, "InputException"),
        ({"order_type": "LMT"}, "InputException"),
        ({"product": "DELIVERY"}, "InputException"),
        ({"validity": "GTD"}, "InputException"),
        ({"quantity": "0"}, "InputException"),
        ({"quantity": "1.5"}, "InputException"),
        ({"price": "1490.03"}, "InputException"),
        ({"price": ""}, "InputException"),
        ({"tag": "x" * 21}, "InputException"),
        ({"tag": "with space"}, "InputException"),
        ({"order_type": "MARKET"}, "InputException"),
        ({"order_type": "SL"}, "InputException"),
        ({"quantity": "50000"}, "MarginException"),
        ({"transaction_type": "SELL"}, "HoldingException"),
    ],
    ids=str,
)
async def test_what_cannot_be_is_refused_at_once_and_leaves_no_order(
    kite: Kite, form: dict[str, str], kind: str
) -> None:
    answer = await kite.place(**form)
    assert error(answer)[:2] == (400, kind)
    assert await kite.book() == []


async def test_a_market_order_without_protection_is_told_what_it_lacks(kite: Kite) -> None:
    assert "without market protection are not allowed via API" in error(await kite.place(order_type="MARKET"))[2]
    assert await kite.placed(order_type="MARKET", market_protection="-1")
    assert await kite.placed(order_type="MARKET", market_protection="5")


async def test_what_only_the_exchange_knows_is_rejected_in_the_book(kite: Kite) -> None:
    order = await kite.placed(price="2500")  # beyond the band
    [row] = await kite.book()
    assert (row["order_id"], row["status"]) == (order, "REJECTED")
    assert row["status_message"]
    assert row["status_message_raw"].startswith("RMS")
    assert row["exchange_order_id"] is None


async def test_a_stop_waits_for_its_trigger(kite: Kite) -> None:
    form = {"order_type": "SL-M", "trigger_price": "1510", "market_protection": "-1", "product": "MIS"}
    await kite.placed(**form)
    [row] = await kite.book()
    assert (row["status"], row["order_type"], row["trigger_price"]) == ("TRIGGER PENDING", "SL-M", 1510)
    await kite.running.hold("NSE:INFY", "1512")
    assert (await kite.book())[0]["status"] == "COMPLETE"


async def test_an_after_market_order_is_a_path_and_waits_for_the_opening(kite: Kite) -> None:
    kite.running.sandbox.clock.set(datetime(2026, 11, 23, 12, 30, tzinfo=UTC))
    order = await kite.placed("amo", price="1500")
    [row] = await kite.book()
    assert (row["variety"], row["status"]) == ("amo", "AMO REQ RECEIVED")
    assert (await kite.call("DELETE", f"/orders/amo/{order}")).status_code == 200
    assert (await kite.book())[0]["status"] == "CANCELLED AMO"


async def test_a_cover_order_gets_its_second_leg_when_the_first_is_filled(kite: Kite) -> None:
    order = await kite.placed("co", product="MIS", price="1500", trigger_price="1480")
    first, second = await kite.book()
    assert (first["status"], first["variety"]) == ("COMPLETE", "co")
    assert (second["parent_order_id"], second["status"]) == (order, "TRIGGER PENDING")
    assert (second["transaction_type"], second["trigger_price"]) == ("SELL", 1480)
    out = await kite.call("DELETE", f"/orders/co/{second['order_id']}", params={"parent_order_id": order})
    assert out.status_code == 200
    assert (await kite.data("/portfolio/positions"))["net"][0]["quantity"] == 0


async def test_an_iceberg_shows_a_leg_at_a_time(kite: Kite) -> None:
    assert error(await kite.place("iceberg", quantity="100"))[1] == "InputException"
    await kite.placed("iceberg", quantity="100", iceberg_legs="5", iceberg_quantity="20")
    [row] = await kite.book()
    assert (row["variety"], row["disclosed_quantity"]) == ("iceberg", 20)
    assert row["meta"]["iceberg"]["total_quantity"] == 100


async def test_minutes_of_an_order_run_out(kite: Kite) -> None:
    await kite.placed(validity="TTL", validity_ttl="2")
    [row] = await kite.book()
    assert (row["validity"], row["validity_ttl"], row["status"]) == ("TTL", 2, "OPEN")
    kite.running.pass_(121)
    assert (await kite.book())[0]["status"] == "CANCELLED"


async def test_slices_are_children_that_carry_their_parent(kite: Kite) -> None:
    [future] = [line for line in await instruments(kite) if line["tradingsymbol"] == "NIFTY26NOVFUT"]
    form = {"exchange": "NFO", "tradingsymbol": future["tradingsymbol"], "product": "NRML", "quantity": "1885"}
    await kite.running.hold("NFO:NIFTY24NOV26FUT", "100")  # cheap, so that the margin suffices
    too_many = await kite.place(**form, price="100")
    assert error(too_many)[1] == "InputException"
    answer = (await kite.place(**form, price="95", autoslice="true")).json()["data"]
    assert len(answer["children"]) == 2
    rows = await kite.book()
    assert [row["quantity"] for row in rows] == [1755, 130]
    assert all(row["tags"] == ["ord01HZX3", "autoslice", f"autoslice:{answer['order_id']}"] for row in rows)
    [tag] = (await kite.running.ask("tags"))["tags"]
    assert (tag["orders"], tag["accepted"]) == (1, 1)


async def test_shares_sold_today_are_used_and_a_negative_position(kite: Kite) -> None:
    user = kite.account.user
    await kite.running.change(
        "holding", broker="zerodha", account=user, instrument="NSE:INFY", quantity=30, price="1400"
    )
    await kite.placed(transaction_type="SELL", price="1500", quantity="10")
    [row] = await kite.data("/portfolio/holdings")
    assert (row["quantity"], row["used_quantity"], row["t1_quantity"], row["isin"]) == (20, 10, 0, "INE009A01021")
    assert row["average_price"] == 1400
    [net] = (await kite.data("/portfolio/positions"))["net"]
    assert (net["product"], net["quantity"]) == ("CNC", -10)


async def test_what_was_bought_yesterday_is_a_holding(kite: Kite) -> None:
    await kite.placed(price="1500")
    kite.running.sandbox.clock.set(datetime(2026, 11, 24, 4, 0, tzinfo=UTC))
    await kite.log_in()
    [row] = await kite.data("/portfolio/holdings")
    assert (row["quantity"], row["average_price"]) == (12, 1500)
    assert await kite.data("/portfolio/positions") == {"net": [], "day": []}
    assert await kite.book() == []


async def test_a_position_is_converted(kite: Kite) -> None:
    await kite.placed(price="1500", product="MIS")
    form = {
        "tradingsymbol": "INFY", "exchange": "NSE", "transaction_type": "BUY", "position_type": "day",
        "quantity": "12", "old_product": "MIS", "new_product": "CNC",
    }  # fmt: skip
    answer = await kite.call("PUT", "/portfolio/positions", data=form)
    assert answer.json() == {"status": "success", "data": True}
    rows = (await kite.data("/portfolio/positions"))["net"]
    assert {row["product"]: row["quantity"] for row in rows}["CNC"] == 12
    assert error(await kite.call("PUT", "/portfolio/positions", data=form))[1] == "InputException"


async def test_funds_say_what_is_free(kite: Kite) -> None:
    before = await kite.data("/user/margins")
    assert set(before) == {"equity", "commodity"}
    await kite.placed()
    after = await kite.data("/user/margins/equity")
    assert before["equity"]["net"] - after["net"] == 12 * 1490
    assert after["utilised"]["debits"] == 12 * 1490
    assert error(await kite.call("GET", "/user/margins/gold"))[1] == "InputException"


async def test_the_margin_of_an_order_is_asked_in_json(kite: Kite) -> None:
    order = {
        "exchange": "NSE", "tradingsymbol": "INFY", "transaction_type": "BUY", "variety": "regular",
        "product": "CNC", "order_type": "LIMIT", "quantity": 10, "price": 1490.5, "trigger_price": 0,
    }  # fmt: skip
    answer = await kite.call("POST", "/margins/orders", json=[order])
    [row] = answer.json()["data"]
    assert (row["tradingsymbol"], row["total"]) == ("INFY", 14905)
    basket = await kite.call("POST", "/margins/basket", params={"consider_positions": "true"}, json=[order, order])
    assert basket.json()["data"]["final"]["total"] == 29810
    assert error(await kite.call("POST", "/margins/orders", data={"a": "b"}))[:2] == (400, "InputException")


async def test_quotes_echo_their_keys_and_leave_out_what_is_unknown(kite: Kite) -> None:
    found = await kite.data("/quote/ltp", i=["NSE:INFY", "NSE:NOSUCH"])
    assert found == {"NSE:INFY": {"instrument_token": found["NSE:INFY"]["instrument_token"], "last_price": 1500}}
    light = (await kite.data("/quote/ohlc", i="NSE:INFY"))["NSE:INFY"]
    assert set(light["ohlc"]) == {"open", "high", "low", "close"}
    full = (await kite.data("/quote", i="NSE:M&M"))["NSE:M&M"]
    assert len(full["depth"]["buy"]) == len(full["depth"]["sell"]) == 5
    assert {"oi", "lower_circuit_limit", "upper_circuit_limit", "volume", "net_change"} <= set(full)


async def instruments(kite: Kite, path: str = "/instruments") -> list[dict[str, str]]:
    kite.running.pass_()
    answer = await kite.call("GET", path)
    assert answer.headers["content-type"] == "text/csv"
    return list(csv.DictReader(answer.text.splitlines()))


async def test_the_list_of_instruments_is_gzipped_csv(kite: Kite) -> None:
    whole = await instruments(kite)
    assert list(whole[0]) == [
        "instrument_token", "exchange_token", "tradingsymbol", "name", "last_price", "expiry", "strike", "tick_size",
        "lot_size", "instrument_type", "segment", "exchange",
    ]  # fmt: skip
    assert len({line["instrument_token"] for line in whole}) == len(whole)
    assert all(int(line["instrument_token"]) >> 8 == int(line["exchange_token"]) for line in whole)
    kinds = {line["tradingsymbol"]: line for line in whole}
    assert kinds["NIFTY26NOVFUT"]["expiry"] == "2026-11-24"
    assert kinds["NIFTY26D0126000CE"]["instrument_type"] == "CE"  # weekly
    assert kinds["BANKNIFTY26NOV58500PE"]["strike"] == "58500"  # monthly
    assert kinds["INFY"]["tick_size"] == "0.05"
    answer = await kite.call("GET", "/instruments/NFO")
    assert answer.headers["content-encoding"] == "gzip"
    assert {line["exchange"] for line in csv.DictReader(answer.text.splitlines())} == {"NFO"}


async def test_an_unknown_path_or_method_is_said_in_the_envelope(kite: Kite) -> None:
    assert error(await kite.call("GET", "/nowhere"))[0] == 404
    assert error(await kite.call("PATCH", "/orders"))[0] == 405


async def test_orders_are_ten_a_second_by_the_calendar_and_refused_ones_count(kite: Kite) -> None:
    kite.running.pass_()

    async def send() -> httpx.Response:
        return await kite.call("POST", "/orders/regular", data={"quantity": "x"})

    answers: list[Any] = [await send() for _ in range(11)]
    assert [answer.status_code for answer in answers] == [400] * 10 + [429]
    assert error(answers[-1]) == (429, "NetworkException", "Too many requests")
    kite.running.pass_()
    assert (await send()).status_code == 400


async def test_a_code_of_a_minute_ago_is_no_code(running: Running) -> None:
    kite = Kite(running)
    old = totp(kite.account.totp_secret, running.sandbox.clock.now())
    running.pass_(90)
    assert (await kite.page(totp=old)).status_code == 403
