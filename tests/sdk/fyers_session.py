"""What Fyers' official client does at an address; runs in an environment of its own, prints JSON lines.

The first argument is a JSON object of facts: where the gateway is, whose account it is, and which of the client's
methods are known to reach nothing there. Each line has a step and what the client gave for it, or its exception.
"""

from __future__ import annotations

import asyncio
import csv
import inspect
import json
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
from fyers_apiv3 import fyersModel  # type: ignore[import-not-found]  # of the test's own environment

SHARE, POSITION = "NSE:INFY-EQ", "NSE:INFY-EQ-INTRADAY"
LIMIT: Mapping[str, object] = {
    "symbol": SHARE,
    "qty": 10,
    "type": 1,
    "side": 1,
    "productType": "CNC",
    "limitPrice": 1490.5,
    "stopPrice": 0,
    "validity": "DAY",
    "disclosedQty": 0,
    "offlineOrder": False,
}
MARKET: Mapping[str, object] = {**LIMIT, "type": 2, "limitPrice": 0, "productType": "INTRADAY"}


def tell(step: str, work: Callable[[], Any], **more: object) -> Any:
    """Do one step and print it; what the client prints itself goes where errors go."""
    try:
        with redirect_stdout(sys.stderr):
            value = work()
    except Exception as error:
        print(json.dumps({"step": step, **more, "error": type(error).__name__, "message": str(error)}), flush=True)
        return None
    print(json.dumps({"step": step, **more, "value": value}), flush=True)
    return value


class Driven:
    """The client, each of whose calls is told with its method."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def __call__(self, step: str, method: str, *arguments: object) -> Any:
        return tell(step, lambda: getattr(self.client, method)(*arguments), method=method)


def log_in_by_hand(address: str, facts: Mapping[str, str]) -> str:
    """Open the page that the client names and fill it in, as a person does; the auth code that comes back."""
    asked = dict(parse_qsl(urlsplit(address).query))
    assert "<form" in requests.get(address, timeout=10).text
    typed = {"fy_id": facts["user"], "totp": facts["totp"], "pin": facts["pin"]}
    back = requests.post(address, data={**asked, **typed}, allow_redirects=False, timeout=10)
    told = dict(parse_qsl(urlsplit(back.headers["location"]).query))
    assert (told["s"], told["state"]) == ("ok", asked["state"])
    return told["auth_code"]


def log_in(facts: Mapping[str, str]) -> str:
    """A session by the client's own calls; its token."""
    session = fyersModel.SessionModel(
        client_id=facts["app_id"],
        secret_key=facts["secret"],
        redirect_uri=facts["redirect"],
        response_type="code",
        grant_type="authorization_code",
        state="s & t",
    )
    code = log_in_by_hand(session.generate_authcode(), facts)
    session.set_token("wrong")
    tell("session of a wrong code", session.generate_token)
    session.set_token(code)
    session.secret_key = "wrong"
    tell("session of a wrong secret", session.generate_token)
    session.secret_key = facts["secret"]
    token: str = tell("session", session.generate_token)["access_token"]
    tell("session of the same code", session.generate_token)
    return token


def reads(do: Driven) -> None:
    do("profile", "get_profile")
    do("funds", "funds")
    do("holdings", "holdings")
    do("market status", "market_status")
    do("quotes", "quotes", {"symbols": f"{SHARE},NSE:M&M-EQ,NSE:NOSUCH-EQ"})
    do("quotes by post", "quotes_v2", {"symbols": [SHARE]})
    do("depth", "depth", {"symbol": SHARE, "ohlcv_flag": 1})


def single_orders(do: Driven) -> None:
    placed = do("place", "place_order", {**LIMIT, "orderTag": "ordo1"})["id"]
    do("place another", "place_order", {**LIMIT, "symbol": "NSE:M&M-EQ", "limitPrice": 3500, "orderTag": "ordo2"})
    do("book", "orderbook")
    do("book of a tag", "orderbook", {"order_tag": "1:ordo1"})
    do("one of the book", "get_orders", {"id": placed})
    do("modify", "modify_order", {"id": placed, "type": 1, "qty": 20, "limitPrice": 1495})
    do("modify without a quantity", "modify_order", {"id": placed, "type": 1, "qty": 0, "limitPrice": 1494.5})
    do("to a stop", "modify_order", {"id": placed, "type": 4, "limitPrice": 1530, "stopPrice": 1520})
    do("book after changes", "get_orders", {"id": placed})
    do("cancel", "cancel_order", {"id": placed})
    do("cancel again", "cancel_order", {"id": placed})
    do("book after cancel", "get_orders", {"id": placed})
    later = do("after the market", "place_order", {**LIMIT, "offlineOrder": True})["id"]
    do("cancel after the market", "cancel_order", {"id": later})


def refused_orders(do: Driven) -> None:
    do("too dear", "place_order", {**LIMIT, "qty": 90_000})
    do("wrong symbol", "place_order", {**LIMIT, "symbol": "NSE:NOSUCH-EQ"})
    do("off the tick", "place_order", {**LIMIT, "limitPrice": 1490.51})
    do("wrong tag", "place_order", {**LIMIT, "orderTag": "or-do"})
    do("with exits", "place_order", {**LIMIT, "takeProfit": 10.5, "stopLoss": 5.0, "legType": 1})
    do("change of no order", "modify_order", {"id": "1", "type": 1, "qty": 5})
    do("exit of no position", "exit_positions", {"id": "NSE:NOSUCH-EQ-CNC"})


def trading(do: Driven, future: str) -> None:
    do("buy", "place_order", {**MARKET, "orderTag": "ordo3"})
    do("trades", "tradebook")
    do("positions", "positions")
    convert = {"positionSide": 1, "convertQty": 4, "convertFrom": "INTRADAY", "convertTo": "CNC"}
    do("convert", "convert_position", {"symbol": POSITION, **convert})
    do("positions after converting", "positions")
    do("exit", "exit_positions", {"id": POSITION})
    do("positions after an exit", "positions")
    do("sell a future", "place_order", {**MARKET, "symbol": future, "qty": 65, "side": -1, "productType": "MARGIN"})
    do("exit all", "exit_positions")
    do("positions after all exits", "positions")
    do("exit nothing", "exit_positions")


def several_orders(do: Driven) -> None:
    answer = do("place several", "place_basket_orders", [dict(LIMIT), {**LIMIT, "symbol": "NSE:NOSUCH-EQ"}])
    placed = answer["data"][0]["body"]["id"]
    do("modify several", "modify_basket_orders", [{"id": placed, "type": 1, "limitPrice": 1491, "qty": 0}])
    do("cancel several", "cancel_basket_orders", [{"id": placed}, {"id": "1"}])


async def without_waiting(client: Any) -> dict[str, Any]:
    """The same calls by the client's other way of speaking, through another library."""
    try:
        placed = await client.place_order(dict(LIMIT))
        return {
            "placed": placed,
            "modified": await client.modify_order({"id": placed["id"], "type": 1, "limitPrice": 1480}),
            "cancelled": await client.cancel_order({"id": placed["id"]}),
            "refused": await client.place_order({**LIMIT, "symbol": "NSE:NOSUCH-EQ"}),
            "book": await client.orderbook(),
        }
    finally:
        await client.close()


def without_an_answer(do: Driven, base: str) -> None:
    """An order that arrives and is never answered."""
    rule = {"rule": "fyers:place:accept-then-dropx1"}
    assert requests.post(f"{base}/_sandbox/faults", json=rule, timeout=10).ok
    do("an order without an answer", "place_order", {**LIMIT, "orderTag": "ordo2"})


def nothing_there(do: Driven, methods: list[str]) -> None:
    for method in methods:
        takes = inspect.signature(getattr(do.client, method)).parameters
        do(f"nothing there: {method}", method, *([{"id": "1"}] if takes else []))


def main(facts: dict[str, Any]) -> None:
    base, app_id = facts["base"], facts["app_id"]
    fyersModel.Config.API, fyersModel.Config.DATA_API = f"{base}/api/v3", f"{base}/data"
    lines = requests.get(f"{base}/sym_details/NSE_FO.csv", timeout=10).text.splitlines()
    future = next(row[9] for row in csv.reader(lines) if row[9].endswith("FUT"))

    Driven(fyersModel.FyersModel(client_id=app_id))("profile before login", "get_profile")
    token = log_in(facts)
    do = Driven(fyersModel.FyersModel(client_id=app_id, token=token))
    reads(do)
    single_orders(do)
    refused_orders(do)
    trading(do, future)
    several_orders(do)
    other = fyersModel.FyersModel(client_id=app_id, token=token, is_async=True)
    tell("without waiting", lambda: asyncio.run(without_waiting(other)), method="close")
    without_an_answer(do, base)
    do("book at the end", "orderbook")
    nothing_there(do, facts["nothing"])
    do("logout", "logout")
    do("profile after logout", "get_profile")
    methods = inspect.getmembers(fyersModel.FyersModel, inspect.isfunction)
    tell("methods", lambda: [name for name, _ in methods if not name.startswith("_")])


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
