"""mStock-TradingApi-A, m.Stock's official client for Type A, at the sandbox's gateway: both mean the same."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.sdk.conftest import Served, environment_of, session_of

pytestmark = pytest.mark.sdk
VERSION = "0.1.9"

_PRICES = "past prices and chains are no part of trading; the gateway has the market of now"
_BASKETS = "baskets are kept and priced by the broker and never executed by a call, so no order comes of them"
CANNOT: dict[str, tuple[str, list[str]]] = {
    "get_historical_chart": (_PRICES, ["NSE", "1231", "day", "2026-01-01", "2026-01-31"]),
    "get_intraday_chart": (_PRICES, ["1", "INFY", "minute"]),
    "get_option_chain_master": (_PRICES, ["2"]),
    "get_option_chain_data": (_PRICES, ["2", "1795564800", "41016"]),
    "loser_gainer": ("which shares rise and fall is told by no part of the paper exchange", ["1", "13", "1", "G"]),
    "create_basket": (_BASKETS, ["Basket", "of a test"]),
    "fetch_basket": (_BASKETS, []),
    "rename_basket": (_BASKETS, ["Another", "1"]),
    "delete_basket": (_BASKETS, ["1"]),
    "calculate_basket": (_BASKETS, ["1"] * 17),
}
"""What the client has and the gateway has not, with the reason, and arguments: each is tried, and is told so.

Beside its methods: its socket for ticks and order updates, as the gateway has none; its call for the health of the API,
which has a path in it and no method; and cover orders, which the paper exchange would take without their second leg.
What it cannot tell: a refusal of the trade book, of a chart of the day or of an option chain (it swallows the answer
and fails with an unbound variable); that a session has ended, to its hook (it waits for HTTP 403, where the documents
say 401); and a variety that it does not know (it sends nothing, and gives a refusal of its own making).
"""
SWALLOWED = frozenset({"get_intraday_chart", "get_option_chain_master", "get_option_chain_data"})

Steps = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def steps(mstock: Served, tmp_path_factory: pytest.TempPathFactory) -> Steps:
    """Everything that the client did, by step."""
    python = environment_of("mStock-TradingApi-A", VERSION)
    sent, authenticator = mstock.account("mstock"), mstock.account("mstock", 1)
    held = {"instrument": "NSE:INFY", "quantity": 7, "price": "1400"}
    mstock.change("holding", broker="mstock", account=sent["user"], **held)
    facts = {
        "base": mstock.base,
        "today": mstock.now().date().isoformat(),
        "sent": sent,
        "authenticator": authenticator,
        "nothing": {method: arguments for method, (_, arguments) in CANNOT.items()},
    }
    return session_of(python, "mstock_session.py", tmp_path_factory.mktemp("session"), json.dumps(facts))


def value(steps: Steps, name: str) -> Any:
    """What the client gave for a step that worked: the data of the answer."""
    assert steps[name].get("value", {}).get("status") == "success", steps[name]
    return steps[name]["value"]["data"]


def placed(steps: Steps, name: str) -> str:
    """The number of an order that was taken: the answer is an array of one."""
    [one] = steps[name]["value"]
    assert one["status"] == "success"
    return str(one["data"]["order_id"])


def row_of(steps: Steps, book: str, order: str) -> dict[str, Any]:
    found: dict[str, Any]
    [found] = [row for row in value(steps, book) if row["order_id"] == order]
    return found


@pytest.mark.parametrize(
    ("name", "error", "status", "message"),
    [
        ("wrong password", "MiraeException", 200, "Invalid username or password. 4 attempts remaining"),
        ("wrong code", "MiraeException", 200, "(-MACM60)"),
        ("wrong authenticator", "MiraeException", 200, "Please enter correct TOTP"),
        ("too dear", "MiraeException", 200, "FUND LIMIT INSUFFICIENT"),
        ("cancel again", "MiraeException", 200, "ALREADY CANCELLED"),
        ("convert too much", "MiraeException", 200, "INSUFICIENT QUANTITY"),
        ("wrong symbol", "InputException", 400, "tradingsymbol"),
        ("off the tick", "InputException", 400, "tick size"),
        ("wrong side", "InputException", 400, "transaction_type"),
        ("details of no order", "InputException", 400, "order_no"),
        ("cancel nothing", "InputException", 400, "No open orders"),
        ("funds after logout", "TokenException", 401, "Invalid request. Please try again."),
    ],
)
def test_a_refusal_becomes_the_clients_own_exception(
    steps: Steps, name: str, error: str, status: int, message: str
) -> None:
    assert (steps[name].get("error"), steps[name].get("status")) == (error, status)
    assert message in steps[name]["message"]


def test_what_it_refuses_at_risk_management_names_an_order_of_the_book(steps: Steps) -> None:
    word, order, _ = steps["too dear"]["message"].split(":", 2)
    assert word == "RMS"
    row = row_of(steps, "book at the end", order)
    assert (row["status"], row["filled_quantity"]) == ("Rejected", 0)


def test_it_logs_in_by_a_sent_code_and_by_an_authenticator(steps: Steps, mstock: Served) -> None:
    for number, first, second in (
        (0, "login", "session"),
        (1, "login for an authenticator", "session by authenticator"),
    ):
        account = mstock.account("mstock", number)
        assert value(steps, first)["cid"] == account["user"]
        session = value(steps, second)
        assert (session["user_id"], session["api_key"]) == (account["user"], account["api_key"])
        assert session["access_token"]
    assert value(steps, "session with the other constant")["access_token"] != value(steps, "session")["access_token"]
    assert value(steps, "funds by authenticator")[0]["AVAILABLE_BALANCE"]
    assert value(steps, "logout") is None


def test_it_places_modifies_and_cancels(steps: Steps) -> None:
    order = placed(steps, "place")
    row = row_of(steps, "book", order)
    assert (row["tradingsymbol"], row["status"], row["order_type"]) == ("INFY", "Pending", "LIMIT")
    assert (row["transaction_type"], row["product"], row["validity"]) == ("BUY", "CNC", "DAY")
    assert (row["quantity"], row["price"], row["filled_quantity"]) == (10, 1490.5, 0)
    assert value(steps, "details") == [row]
    assert value(steps, "modify") == value(steps, "to a stop") == value(steps, "cancel") == {"order_id": order}
    row = row_of(steps, "book after a change", order)
    assert (row["quantity"], row["price"], row["modified"]) == (20, 1495, True)
    row = row_of(steps, "book of a stop", order)
    assert (row["order_type"], row["price"], row["trigger_price"], row["status"]) == ("SL", 1530, 1520, "Pending")
    row = row_of(steps, "book after cancel", order)
    assert (row["status"], row["cancelled_quantity"]) == ("Cancelled", 20)
    ampersand = placed(steps, "place with an ampersand")
    assert row_of(steps, "book", ampersand)["tradingsymbol"] == "M&M"
    assert value(steps, "cancel after the market") == {"order_id": placed(steps, "after the market")}
    assert value(steps, "cancel all") == {"order_id": [ampersand]}
    assert row_of(steps, "book at the end", ampersand)["status"] == "Cancelled"


def test_tags_arrive_and_do_not_come_back(steps: Steps, mstock: Served) -> None:
    assert {row["tag"] for row in value(steps, "book at the end")} == {None}
    assert [tag["tag"] for tag in mstock.ask("tags")["tags"]] == ["ordo1"]


def test_it_reads_what_was_traded(steps: Steps) -> None:
    order = placed(steps, "buy")
    [trade] = value(steps, "trade book")
    assert (trade["ORDER_NUMBER"], trade["SYMBOL"], trade["BUY_SELL"]) == (order, "INFY", "Buy")
    assert (trade["QUANTITY"], trade["PRICE"], trade["TRADE_VALUE"]) == (10, 1500, 15000)
    [trade] = value(steps, "trade history")
    assert (trade["order_id"], trade["quantity"], trade["average_price"]) == (order, 10, 1500)
    assert value(steps, "trade history of another day") == []
    row = row_of(steps, "book at the end", order)
    assert (row["status"], row["status_message"], row["average_price"]) == ("Traded", "TRADE CONFIRMED", 1500)


def test_positions_are_read_and_converted(steps: Steps) -> None:
    [row] = value(steps, "positions")["net"]
    assert (row["tradingsymbol"], row["product"], row["quantity"], row["average_price"]) == ("INFY", "MIS", 10, 1500)
    assert value(steps, "convert") is None
    net = value(steps, "positions at the end")["net"]
    [future] = [row for row in net if row["exchange"] == "NFO"]
    assert (future["product"], future["quantity"]) == ("NRML", -65)
    assert {row["product"]: row["quantity"] for row in net if row["exchange"] == "NSE"} == {"MIS": 6, "CNC": 4}
    assert value(steps, "positions at the end")["day"] is None


def test_it_reads_holdings_funds_and_margins(steps: Steps) -> None:
    [row] = value(steps, "holdings")
    assert (row["tradingsymbol"], row["quantity"], row["average_price"]) == ("INFOSYS", 7, 1400)
    [funds] = value(steps, "funds")
    assert (funds["AVAILABLE_BALANCE"], funds["AMOUNT_UTILIZED"]) == ("10000000.00", "0.00")
    assert value(steps, "margin")["total"] == 14905


def test_it_reads_the_market(steps: Steps) -> None:
    last = value(steps, "last prices")
    assert last["NSE:INFY"]["last_price"] == last["NSE:INFY-EQ"]["last_price"] == 1500
    assert last["NSE:NOSUCH"] is None
    prices = value(steps, "open, high, low, close")
    assert set(prices) == {"NSE:INFY", "NSE:M&M"}
    assert set(prices["NSE:INFY"]["ohlc"]) == {"open", "high", "low", "close"}
    head, *lines = steps["instruments"]["value"].splitlines()
    names = head.split(",")
    [share] = [row for line in lines if (row := dict(zip(names, line.split(","), strict=True)))["name"] == "INFOSYS"]
    assert (share["tradingsymbol"], share["exchange"], share["tick_size"]) == ("INFY", "NSE", "0.05")


def test_silence_is_told_as_silence_and_the_order_is_there(steps: Steps) -> None:
    assert steps["an order without an answer"]["error"] == "ConnectionError"
    [row] = [row for row in value(steps, "book after silence") if row["quantity"] == 3]
    assert (row["tradingsymbol"], row["status"]) == ("M&M", "Pending")


def test_what_the_client_cannot_tell(steps: Steps) -> None:
    assert steps["trade book after logout"]["error"] == "UnboundLocalError"
    assert steps["hook"]["value"] == []
    assert steps["wrong variety"]["value"]["status"] == "error"  # it sent nothing, and raises nothing


def test_what_is_not_there_is_said_not_to_be(steps: Steps) -> None:
    said = {method: steps[f"nothing there: {method}"] for method in CANNOT}
    found = {method: (line["error"], line["status"]) for method, line in said.items()}
    missing, swallowed = ("GeneralException", 404), ("UnboundLocalError", None)
    assert found == {method: swallowed if method in SWALLOWED else missing for method in CANNOT}


def test_every_method_is_driven_or_listed(steps: Steps) -> None:
    driven = {line["method"] for line in steps.values() if "method" in line}
    assert driven == set(steps["methods"]["value"])
