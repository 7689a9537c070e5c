"""fyers-apiv3, Fyers' official client, at the sandbox's gateway: what it reads is what the gateway meant."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.sdk.conftest import Served, environment_of, session_of

pytestmark = pytest.mark.sdk
VERSION = "3.2.0"

_PRICES = "past prices and chains are no part of trading; the gateway has the market of now"
_GTT = "orders that wait for a price at the broker outlive the day, which the paper exchange does not"
_SMART = "out of scope by the fact sheet: orders that Fyers' servers work by themselves"
_ALERTS = "alerts tell a person, and there is nobody to tell"
_PAST = "the gateway has the day alone"
CANNOT = {
    "attach_position_legs": "no order of the paper exchange has exits attached; with takeProfit or stopLoss it says no",
    "place_multileg_order": "the paper exchange has no orders of several legs",
    "generate_data_token": "a token of another vendor's feed",
    "place_gtt_order": _GTT,
    "modify_gtt_order": _GTT,
    "cancel_gtt_order": _GTT,
    "gtt_orderbook": _GTT,
    "create_smart_order_step": _SMART,
    "create_smart_order_limit": _SMART,
    "create_smart_order_trail": _SMART,
    "create_smart_order_sip": _SMART,
    "modify_smart_order": _SMART,
    "cancel_smart_order": _SMART,
    "pause_smart_order": _SMART,
    "resume_smart_order": _SMART,
    "smart_orderbook_with_filter": _SMART,
    "create_smartexit_trigger": _SMART,
    "get_smartexit_triggers": _SMART,
    "update_smartexit_trigger": _SMART,
    "activate_deactivate_smartexit_trigger": _SMART,
    "create_alert": _ALERTS,
    "get_alert": _ALERTS,
    "update_alert": _ALERTS,
    "toggle_alert": _ALERTS,
    "delete_alert": _ALERTS,
    "orderhistory": _PAST,
    "tradehistory": _PAST,
    "charges_history": _PAST,
    "realised_profit_history": _PAST,
    "tax_pnl_history": _PAST,
    "ledger_history": _PAST,
    "history": _PRICES,
    "optionchain": _PRICES,
    "futures_chain": _PRICES,
    "expiry_dates": _PRICES,
    "history_underlying_symbols": _PRICES,
    "fno_historical_data": _PRICES,
    "screeners_config": _PRICES,
    "screeners_query": _PRICES,
    "screeners_candlestick": _PRICES,
    "screeners_technical": _PRICES,
}
"""What the client has and the gateway has not, with the reason: each is tried, and is told that nothing is there.

Beside its methods: its sockets go to fixed hosts and the gateway has none; it cannot open the login page by itself, so
the address that it names is opened and filled in as a person would. Nothing in it asks for a margin, for a list of
instruments or for the asynchronous paths.
"""

Steps = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def steps(fyers: Served, tmp_path_factory: pytest.TempPathFactory) -> Steps:
    """Everything that the client did, by step."""
    python = environment_of("fyers-apiv3", VERSION)
    account = fyers.account("fyers")
    held = {"instrument": "NSE:INFY", "quantity": 7, "price": "1400"}
    fyers.change("holding", broker="fyers", account=account["user"], **held)
    facts = {
        "base": fyers.base,
        "redirect": fyers.ask("")["brokers"]["fyers"]["redirect"],
        "app_id": account["api_key"],
        "secret": account["api_secret"],
        "user": account["user"],
        "pin": account["pin"],
        "totp": fyers.totp(account),
        "nothing": list(CANNOT),
    }
    return session_of(python, "fyers_session.py", tmp_path_factory.mktemp("session"), json.dumps(facts))


def value(steps: Steps, name: str) -> Any:
    """What the client gave for a step that worked."""
    assert steps[name].get("value", {}).get("s") == "ok", steps[name]
    return steps[name]["value"]


def only(rows: list[dict[str, Any]], **fields: object) -> dict[str, Any]:
    [row] = [row for row in rows if all(row[name] == field for name, field in fields.items())]
    return row


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("profile before login", -16, "authenticate"),
        ("session of a wrong code", -437, "invalid auth code"),
        ("session of a wrong secret", -371, "hash"),
        ("session of the same code", -437, "invalid auth code"),
        ("cancel again", -161, "already cancelled"),
        ("too dear", -99, "RMS: margin shortfall"),
        ("wrong symbol", -300, "Invalid symbol"),
        ("off the tick", -50, "tick size"),
        ("wrong tag", -50, "orderTag"),
        ("with exits", -50, "takeProfit"),
        ("change of no order", -51, "Invalid order id"),
        ("exit of no position", -53, "Invalid position id"),
        ("exit nothing", -352, "no open positions"),
        ("profile after logout", -15, "valid token"),
    ],
)
def test_a_refusal_is_fyers_own_body(steps: Steps, name: str, code: int, message: str) -> None:
    said = steps[name]["value"]
    assert (said["s"], said["code"]) == ("error", code)
    assert message in said["message"]


def test_what_it_refuses_at_risk_management_stands_in_the_book(steps: Steps) -> None:
    book = value(steps, "book at the end")["orderBook"]
    said = steps["too dear"]["value"]
    row = only(book, id=said["id"])
    assert (row["status"], row["filledQty"]) == (5, 0)
    assert "is available" in row["message"]
    assert said["message"].endswith(row["message"])
    tags = {order["orderTag"] for order in book}
    assert tags == {"1:ordo1", "1:ordo2", "1:ordo3", "2:Untagged"}


def test_it_logs_in_and_out(steps: Steps, fyers: Served) -> None:
    session = value(steps, "session")
    assert session["access_token"]
    assert value(steps, "profile")["data"]["fy_id"] == fyers.account("fyers")["user"]
    assert "logged out" in value(steps, "logout")["message"]


def test_it_places_modifies_and_cancels(steps: Steps) -> None:
    placed = value(steps, "place")
    order = placed["id"]
    assert (placed["code"], order in placed["message"]) == (1101, True)
    row = only(value(steps, "book")["orderBook"], id=order)
    assert (row["symbol"], row["status"], row["type"], row["side"]) == ("NSE:INFY-EQ", 6, 1, 1)
    assert (row["qty"], row["remainingQuantity"], row["filledQty"]) == (10, 10, 0)
    assert (row["productType"], row["limitPrice"], row["orderTag"]) == ("CNC", 1490.5, "1:ordo1")
    assert [each["id"] for each in value(steps, "book of a tag")["orderBook"]] == [order]
    assert value(steps, "one of the book")["orderBook"] == [row]
    for change in ("modify", "modify without a quantity", "to a stop"):
        assert (value(steps, change)["code"], value(steps, change)["id"]) == (1101, order)
    [row] = value(steps, "book after changes")["orderBook"]
    assert (row["type"], row["qty"], row["limitPrice"], row["stopPrice"]) == (4, 20, 1530, 1520)
    assert (value(steps, "cancel")["code"], value(steps, "cancel")["id"]) == (1103, order)
    [row] = value(steps, "book after cancel")["orderBook"]
    assert (row["status"], row["filledQty"]) == (1, 0)
    assert value(steps, "cancel after the market")["id"] == value(steps, "after the market")["id"]
    ampersand = only(value(steps, "book")["orderBook"], id=value(steps, "place another")["id"])
    assert ampersand["symbol"] == "NSE:M&M-EQ"


def test_it_reads_what_was_traded(steps: Steps) -> None:
    [trade] = value(steps, "trades")["tradeBook"]
    assert trade["orderNumber"] == value(steps, "buy")["id"]
    assert (trade["tradedQty"], trade["tradePrice"], trade["tradeValue"]) == (10, 1500, 15000)
    assert (trade["side"], trade["orderType"], trade["orderTag"]) == (1, 2, "1:ordo3")


def test_positions_are_read_converted_and_closed(steps: Steps) -> None:
    [row] = value(steps, "positions")["netPositions"]
    assert (row["id"], row["netQty"], row["side"], row["netAvg"]) == ("NSE:INFY-EQ-INTRADAY", 10, 1, 1500)
    assert "onverted" in value(steps, "convert")["message"]
    rows = value(steps, "positions after converting")["netPositions"]
    assert {row["id"]: row["netQty"] for row in rows} == {"NSE:INFY-EQ-INTRADAY": 6, "NSE:INFY-EQ-CNC": 4}
    rows = value(steps, "positions after an exit")["netPositions"]
    assert {row["id"]: row["netQty"] for row in rows} == {"NSE:INFY-EQ-INTRADAY": 0, "NSE:INFY-EQ-CNC": 4}
    assert value(steps, "sell a future")["id"]
    rows = value(steps, "positions after all exits")["netPositions"]
    assert {row["segment"] for row in rows} == {10, 11}
    assert all((row["netQty"], row["qty"], row["side"]) == (0, 0, 0) for row in rows)


def test_it_reads_holdings_and_funds(steps: Steps) -> None:
    [row] = value(steps, "holdings")["holdings"]
    assert (row["symbol"], row["quantity"], row["costPrice"], row["ltp"]) == ("NSE:INFY-EQ", 7, 1400, 1500)
    titled = {row["title"]: row["equityAmount"] for row in value(steps, "funds")["fund_limit"]}
    assert titled["Available Balance"] == titled["Total Balance"] > 0
    assert titled["Utilized Amount"] == 0


def test_it_reads_the_market(steps: Steps) -> None:
    share, ampersand, nothing = value(steps, "quotes")["d"]
    assert (share["n"], share["s"], share["v"]["lp"]) == ("NSE:INFY-EQ", "ok", 1500)
    assert (ampersand["n"], ampersand["v"]["short_name"]) == ("NSE:M&M-EQ", "M&M-EQ")
    assert (nothing["n"], nothing["s"]) == ("NSE:NOSUCH-EQ", "error")
    [posted] = value(steps, "quotes by post")["d"]
    assert (posted["n"], posted["v"]["lp"]) == ("NSE:INFY-EQ", 1500)
    depth = value(steps, "depth")["d"]["NSE:INFY-EQ"]
    assert (depth["ltp"], len(depth["bids"]), len(depth["ask"])) == (1500, 5, 5)
    assert {each["status"] for each in value(steps, "market status")["marketStatus"]} == {"OPEN"}


def test_it_speaks_for_several_orders_at_once(steps: Steps) -> None:
    taken, refused = value(steps, "place several")["data"]
    assert (taken["statusCode"], taken["body"]["code"], refused["body"]["code"]) == (200, 1101, -300)
    [changed] = value(steps, "modify several")["data"]
    assert changed["body"]["id"] == taken["body"]["id"]
    cancelled, unknown = value(steps, "cancel several")["data"]
    assert (cancelled["body"]["code"], unknown["body"]["code"]) == (1103, -51)


def test_its_asynchronous_side_is_understood_as_well(steps: Steps) -> None:
    done = steps["without waiting"]["value"]
    assert (done["placed"]["code"], done["modified"]["code"], done["cancelled"]["code"]) == (1101, 1101, 1103)
    assert (done["refused"]["s"], done["refused"]["code"]) == ("error", -300)
    row = only(done["book"]["orderBook"], id=done["placed"]["id"])
    assert (row["status"], row["limitPrice"]) == (1, 1480)


def test_it_tells_silence_as_a_refusal(steps: Steps) -> None:
    """Why ordo does not use it: what was never answered has the code of an order that was refused."""
    said = steps["an order without an answer"]["value"]
    assert (said["s"], said["code"]) == ("error", -99)
    row = only(value(steps, "book at the end")["orderBook"], orderTag="1:ordo2", symbol="NSE:INFY-EQ")
    assert row["status"] == 6


def test_what_is_not_there_is_said_not_to_be(steps: Steps) -> None:
    said = {method: steps[f"nothing there: {method}"]["value"] for method in CANNOT}
    assert [method for method, body in said.items() if body["s"] != "error" or body["code"] not in (-404, -405)] == []


def test_every_method_is_driven_or_listed(steps: Steps) -> None:
    driven = {line["method"] for line in steps.values() if "method" in line}
    assert driven == set(steps["methods"]["value"])
