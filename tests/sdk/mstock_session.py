"""What m.Stock's official client (Type A) does at an address; runs in an environment of its own, prints JSON lines.

The argument is a JSON object of facts: where the gateway is, two accounts (one is sent codes, the other has an
authenticator), and which of the client's methods are known to reach nothing there. Each line has a step and what the
client gave for it, or its exception with the HTTP status that the client kept.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

import requests
from tradingapi_a import __config__, mconnect  # type: ignore[import-not-found]  # of the test's own environment


def shown(value: Any) -> Any:
    """An answer as it can be printed: the client gives whole HTTP responses, bytes, or what it made up itself."""
    if isinstance(value, requests.Response):
        return value.json()
    return value.decode() if isinstance(value, bytes) else value


def tell(step: str, work: Callable[[], Any], **more: object) -> Any:
    try:
        value = shown(work())
    except Exception as error:
        facts = {"error": type(error).__name__, "message": str(error), "status": getattr(error, "code", None)}
        print(json.dumps({"step": step, **more, **facts}), flush=True)
        return None
    print(json.dumps({"step": step, **more, "value": value}), flush=True)
    return value


class Driven:
    """The client, each of whose calls is told with its method."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.client = mconnect.MConnect()

    def __call__(self, step: str, method: str, *arguments: object) -> Any:
        return tell(step, lambda: getattr(self.client, method)(*arguments), method=method)

    def code_of(self, account: Mapping[str, str], kind: str) -> str:
        """What a person reads off a telephone or an authenticator."""
        asked = {"broker": "mstock", "account": account["user"]}
        [row] = requests.get(f"{self.base}/_sandbox/otp", params=asked, timeout=10).json()["codes"]
        return str(row[kind])


def log_in_with_a_sent_code(do: Driven, account: Mapping[str, str]) -> None:
    key = account["api_key"]
    do("wrong password", "login", account["user"], "wrong")
    do("login", "login", account["user"], account["password"])
    do("wrong code", "generate_session", key, "000", "L")
    do("session", "generate_session", key, do.code_of(account, "otp"), "L")
    do("login again", "login", account["user"], account["password"])
    do("session with the other constant", "generate_session", key, do.code_of(account, "otp"), "W")


def log_in_with_an_authenticator(do: Driven, account: Mapping[str, str]) -> None:
    do("login for an authenticator", "login", account["user"], account["password"])
    do("wrong authenticator", "verify_totp", account["api_key"], "000000")
    do("session by authenticator", "verify_totp", account["api_key"], do.code_of(account, "totp"))
    do("funds by authenticator", "get_fund_summary")


def order(symbol: str = "INFY", exchange: str = "NSE", side: str = "BUY", kind: str = "LIMIT", quantity: str = "10",
          product: str = "CNC", price: str = "1490.5", trigger: str = "0", variety: str = "regular",
          tag: str | None = "ordo1") -> tuple[object, ...]:  # fmt: skip
    """The arguments of place_order, which takes them by place."""
    return (variety, symbol, exchange, side, kind, quantity, product, "DAY", price, trigger, "0", tag)


def placed(answer: Any) -> str:
    return str(answer[0]["data"]["order_id"])


def orders(do: Driven) -> None:
    resting = placed(do("place", "place_order", *order()))
    do("place with an ampersand", "place_order", *order("M&M", price="3500", tag=None))
    do("book", "get_order_book")
    do("details", "get_order_details", resting, "E")
    do("modify", "modify_order", resting, "LIMIT", "20", "1495", "DAY", "0", "0")
    do("book after a change", "get_order_book")
    do("to a stop", "modify_order", resting, "SL", "20", "1530", "DAY", "1520", "0")
    do("book of a stop", "get_order_book")
    do("cancel", "cancel_order", resting)
    do("cancel again", "cancel_order", resting)
    do("book after cancel", "get_order_book")
    later = placed(do("after the market", "place_order", *order(variety="amo")))
    do("cancel after the market", "cancel_order", later)
    do("cancel all", "cancel_all")
    do("cancel nothing", "cancel_all")


def refused_orders(do: Driven) -> None:
    do("too dear", "place_order", *order(quantity="90000"))
    do("wrong symbol", "place_order", *order("NOSUCH"))
    do("off the tick", "place_order", *order(price="1490.51"))
    do("wrong side", "place_order", *order(side="HOLD"))
    do("wrong variety", "place_order", *order(variety="iceberg"))
    do("details of no order", "get_order_details", "1", "E")


def trading(do: Driven, future: str, today: str) -> None:
    do("buy", "place_order", *order(kind="MARKET", product="MIS", price="0"))
    do("trade book", "get_trade_book")
    do("trade history", "get_trade_history", today, today)
    do("trade history of another day", "get_trade_history", "2026-01-01", "2026-01-31")
    do("positions", "get_net_position")
    do("convert", "convert_position", "INFY", "NSE", "BUY", "DAY", "4", "MIS", "CNC")
    do("convert too much", "convert_position", "INFY", "NSE", "BUY", "DAY", "400", "MIS", "CNC")
    do("sell a future", "place_order", *order(future, "NFO", "SELL", "MARKET", "65", "NRML", "0"))
    do("positions at the end", "get_net_position")
    do("book at the end", "get_order_book")


def without_an_answer(do: Driven) -> None:
    """An order that arrives and is never answered."""
    rule = {"rule": "mstock:place:accept-then-dropx1"}
    assert requests.post(f"{do.base}/_sandbox/faults", json=rule, timeout=10).ok
    do("an order without an answer", "place_order", *order("M&M", quantity="3", price="3500"))
    do("book after silence", "get_order_book")


def reads(do: Driven) -> None:
    do("holdings", "get_holdings")
    do("funds", "get_fund_summary")
    do("margin", "calculate_order_margin", "NSE", "INFY", "BUY", "regular", "CNC", "LIMIT", "10", "1490.5", "0")
    do("last prices", "get_ltp", ["NSE:INFY", "NSE:INFY-EQ", "NSE:NOSUCH"])
    do("open, high, low, close", "get_ohlc", ["NSE:INFY", "NSE:M&M"])


def nothing_there(do: Driven, methods: Mapping[str, list[object]]) -> None:
    for method, arguments in methods.items():
        do(f"nothing there: {method}", method, *arguments)


def main(facts: dict[str, Any]) -> None:
    base = facts["base"]
    __config__.default_root_uri = f"{base}/"
    do = Driven(base)
    log_in_with_a_sent_code(do, facts["sent"])
    listed = do("instruments", "get_instruments")
    future = next(line for line in listed.splitlines() if ",FUT,NFO-FUT,NFO" in line).split(",")[2]
    reads(do)
    orders(do)
    refused_orders(do)
    trading(do, future, facts["today"])
    without_an_answer(do)
    nothing_there(do, facts["nothing"])

    hooked: list[str] = []
    do("set a hook", "set_session_expiry_hook", lambda: hooked.append("called"))
    do("logout", "logout")
    do("funds after logout", "get_fund_summary")
    do("trade book after logout", "get_trade_book")
    tell("hook", lambda: hooked)
    do("forget the key", "set_api_key", None)
    do("forget the token", "set_access_token", None)

    another = Driven(base)
    log_in_with_an_authenticator(another, facts["authenticator"])
    methods = inspect.getmembers(mconnect.MConnect, inspect.isfunction)
    tell("methods", lambda: [name for name, _ in methods if not name.startswith("_")])


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
