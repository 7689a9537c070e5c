"""The sandbox's own door: what was received, who sent what twice, prices, the clock, codes, and a fresh start."""

from __future__ import annotations

import pytest

from ordo_cli.sandbox.codes import totp
from tests.sandbox.conftest import Running
from tests.sandbox.kite import Kite


@pytest.fixture
async def kite(running: Running) -> Kite:
    await running.hold("NSE:INFY", "1500")
    return await Kite(running).log_in()


async def test_two_orders_with_one_tag_are_both_counted(kite: Kite) -> None:
    for _ in range(2):
        await kite.placed()
    await kite.placed(tag="another")
    tags = {entry["tag"]: entry for entry in (await kite.running.ask("tags"))["tags"]}
    assert (tags["ord01HZX3"]["orders"], tags["ord01HZX3"]["accepted"]) == (2, 2)
    assert tags["another"]["accepted"] == 1
    assert tags["another"]["account"] == kite.account.paper
    assert len((await kite.running.ask("tags", tag="another"))["tags"]) == 1


async def test_an_order_that_the_exchange_refused_is_counted_but_not_as_accepted(kite: Kite) -> None:
    await kite.placed(price="2500")
    [entry] = (await kite.running.ask("tags"))["tags"]
    assert (entry["orders"], entry["accepted"]) == (1, 0)


async def test_every_request_is_written_down_as_it_was_read(kite: Kite) -> None:
    await kite.running.change("faults", rule="zerodha:place:accept-then-dropx1")
    with pytest.raises(Exception, match="disconnected"):
        await kite.place()
    order = await kite.placed()
    lost, row = (await kite.running.ask("requests", call="place"))["requests"]
    assert (lost["status"], lost["handled"], lost["faults"]) == (None, True, ["accept-then-drop"])
    assert lost["order_id"] != order
    assert (row["status"], row["method"], row["target"]) == (200, "POST", "/orders/regular")
    assert (row["account"], row["tag"], row["order_id"]) == (kite.account.user, "ord01HZX3", order)
    assert row["order"]["tradingsymbol"] == "INFY"
    assert row["at"] == "2026-11-23T04:30:02.000Z"
    assert (await kite.running.ask("requests", account="nobody"))["requests"] == []


async def test_a_request_that_was_never_handled_says_so(kite: Kite) -> None:
    await kite.running.change("faults", rule="zerodha:place:status=503x1")
    await kite.place()
    [row] = (await kite.running.ask("requests", call="place"))["requests"]
    assert (row["status"], row["handled"]) == (503, False)


async def test_a_price_is_held_until_it_is_let_go(kite: Kite) -> None:
    await kite.running.hold("NSE:INFY", "1490")
    assert (await kite.data("/quote/ltp", i="NSE:INFY"))["NSE:INFY"]["last_price"] == 1490
    await kite.running.hold("NSE:INFY", None)
    url = kite.running.url("zerodha", "/_sandbox/price")
    off_tick = await kite.running.http.post(url, json={"instrument": "NSE:INFY", "price": "1490.03"})
    assert off_tick.status_code == 400
    unknown = await kite.running.http.post(url, json={"instrument": "NSE:NOSUCH", "price": "1"})
    assert unknown.status_code == 404


async def test_the_clock_goes_forward_only(running: Running) -> None:
    assert (await running.change("clock", advance=3600))["now"] == "2026-11-23T05:30:00.000Z"
    assert (await running.change("clock", set="2026-11-24T06:00:00+05:30"))["now"] == "2026-11-24T00:30:00.000Z"
    url = running.url("zerodha", "/_sandbox/clock")
    for wrong in ({"advance": -1}, {"set": "2020-01-01T00:00:00Z"}, {"set": "2026-11-24T06:00:00"}, {}):
        assert (await running.http.post(url, json=wrong)).status_code == 400


async def test_codes_are_told(running: Running) -> None:
    account = running.account("zerodha")
    codes = (await running.ask("otp", broker="zerodha", account=account.user))["codes"]
    assert [row["totp"] for row in codes] == [totp(account.totp_secret, running.sandbox.clock.now())]


async def test_rules_are_listed_with_how_often_they_struck_and_are_cleared(kite: Kite) -> None:
    await kite.running.change("faults", rule="zerodha:book:htmlx2")
    await kite.call("GET", "/orders")
    assert (await kite.running.ask("faults"))["faults"] == [{"rule": "zerodha:book:htmlx2", "struck": 1, "left": 1}]
    await kite.running.change("faults/clear")
    assert (await kite.running.ask("faults"))["faults"] == []
    wrong = await kite.running.http.post(kite.running.url("zerodha", "/_sandbox/faults"), json={"rule": "x"})
    assert wrong.status_code == 400


async def test_a_session_can_be_ended_from_outside(kite: Kite) -> None:
    await kite.running.change("session-death", broker="zerodha", account=kite.account.user)
    assert (await kite.call("GET", "/user/profile")).status_code == 403


async def test_rate_limits_can_be_switched_off(kite: Kite) -> None:
    await kite.running.change("rates", on=False)
    answers = [await kite.call("GET", "/orders") for _ in range(15)]
    assert {answer.status_code for answer in answers} == {200}


async def test_a_reset_leaves_nothing(kite: Kite) -> None:
    await kite.placed()
    await kite.running.change("reset")
    assert (await kite.running.ask("requests"))["requests"] == []
    assert (await kite.running.ask("tags"))["tags"] == []
    assert (await kite.call("GET", "/user/profile")).status_code == 403
    await kite.log_in()
    assert await kite.book() == []


async def test_the_overview_names_everything_that_a_test_needs(running: Running) -> None:
    facts = (await running.ask(""))["brokers"]["zerodha"]
    account = running.account("zerodha")
    assert facts["base_url"] == f"http://127.0.0.1:{running.desk('zerodha').port}"
    assert facts["accounts"][0]["api_key"] == account.api_key
    assert account.api_key in facts["accounts"][0]["login"]


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}])
async def test_no_web_page_gets_in(running: Running, headers: dict[str, str]) -> None:
    answer = await running.http.get(running.url("zerodha", "/_sandbox/"), headers=headers)
    assert answer.status_code == 403


async def test_the_control_door_is_in_nobodys_book(running: Running) -> None:
    await running.ask("tags")
    assert (await running.ask("requests"))["requests"] == []
    assert (await running.http.get(running.url("zerodha", "/_sandbox/nothing"))).status_code == 404
