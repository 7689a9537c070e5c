"""kiteconnect, Zerodha's official client, at the sandbox's gateway: what it reads is what the gateway meant.

What the client cannot do: tell a MarginException from others (it has no such class); and, here, open the login page by
itself, for its address is fixed to Zerodha's own host (the page is filled in over plain HTTP instead), or stream ticks
and order updates, for its socket goes to a fixed host too.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.sdk.conftest import Served, environment_with

pytestmark = pytest.mark.sdk
VERSION = "5.2.2"


@pytest.fixture(scope="module")
def steps(zerodha: Served, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Everything that the client did, by step."""
    python = environment_with(tmp_path_factory.mktemp("sdk") / "kiteconnect", f"kiteconnect=={VERSION}")
    account = zerodha.account("zerodha")
    back = zerodha.submit(
        f"{zerodha.base}/connect/login",
        api_key=account["api_key"],
        user_id=account["user"],
        password=account["password"],
        totp=zerodha.totp(account),
    )
    script = Path(__file__).with_name("zerodha_session.py")
    done = subprocess.run(
        [str(python), str(script), zerodha.base, account["api_key"], account["api_secret"], back["request_token"]],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {line["step"]: line for line in lines}


def value(steps: dict[str, dict[str, Any]], name: str) -> Any:
    assert "error" not in steps[name], steps[name]
    return steps[name]["value"]


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("profile before login", "TokenException"),
        ("wrong secret", "TokenException"),
        ("market without protection", "InputException"),
        ("wrong symbol", "InputException"),
        ("too dear", "GeneralException"),  # the client has no class of its own for a MarginException
        ("cancel again", "OrderException"),
        ("profile after logout", "TokenException"),
    ],
)
def test_a_refusal_becomes_the_clients_own_exception(steps: dict[str, dict[str, Any]], name: str, error: str) -> None:
    assert steps[name].get("error") == error
    assert steps[name]["message"]


def test_it_logs_in_and_out(steps: dict[str, dict[str, Any]], zerodha: Served) -> None:
    user = zerodha.account("zerodha")["user"]
    session = value(steps, "session")
    assert session["user_id"] == user
    assert session["login_time"].startswith("20")  # it read a time
    assert value(steps, "profile")["user_id"] == user
    assert value(steps, "logout") is True


def test_it_places_modifies_and_cancels(steps: dict[str, dict[str, Any]], zerodha: Served) -> None:
    order = value(steps, "place")
    assert value(steps, "modify") == order
    [row] = [row for row in value(steps, "book") if row["order_id"] == order]
    assert (row["status"], row["quantity"], row["price"], row["tag"]) == ("OPEN", 20, 1495, "ordo1")
    assert value(steps, "history")[-1]["status"] == "OPEN"
    assert value(steps, "cancel") == order
    [row] = [row for row in value(steps, "book after cancel") if row["order_id"] == order]
    assert row["status"] == "CANCELLED"
    assert value(steps, "cancel amo") == value(steps, "amo")
    assert value(steps, "ampersand")
    [tag] = zerodha.ask("tags")["tags"]
    assert (tag["tag"], tag["accepted"]) == ("ordo1", 4)


def test_it_reads_what_was_traded_and_is_held(steps: dict[str, dict[str, Any]]) -> None:
    order = value(steps, "market")
    [trade] = value(steps, "trades")
    assert (trade["order_id"], trade["quantity"], trade["average_price"]) == (order, 10, 1500)
    assert value(steps, "trades of an order") == [trade]
    [net] = value(steps, "positions")["net"]
    assert (net["tradingsymbol"], net["quantity"]) == ("INFY", 10)
    assert value(steps, "holdings") == []


def test_it_reads_funds_and_margins(steps: dict[str, dict[str, Any]]) -> None:
    assert value(steps, "margins")["equity"] == value(steps, "margins of a segment")
    assert value(steps, "order margins")[0]["total"] == 14905
    assert value(steps, "basket margins")["final"]["total"] == 29810


def test_it_reads_the_market(steps: dict[str, dict[str, Any]]) -> None:
    assert list(value(steps, "ltp")) == ["NSE:INFY"]
    assert value(steps, "ohlc")["NSE:INFY"]["last_price"] == 1500
    assert set(value(steps, "quote")) == {"NSE:INFY", "NSE:M&M"}
    future = value(steps, "instruments")[0]
    assert (future["exchange"], future["instrument_type"], future["lot_size"]) == ("NFO", "FUT", 65)
    assert isinstance(future["tick_size"], float)
