"""What Zerodha's official client does at an address; runs in its own environment and prints JSON lines.

Arguments: base address, API key, secret, request token. Each line has a step and its value, or the client's exception.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from kiteconnect import KiteConnect  # type: ignore[import-not-found]  # of the test's own environment


def main(base: str, api_key: str, secret: str, request_token: str) -> None:
    kite = KiteConnect(api_key=api_key, root=base)

    def step(name: str, work: Callable[[], Any]) -> Any:
        try:
            value = work()
        except Exception as error:
            print(json.dumps({"step": name, "error": type(error).__name__, "message": str(error)}), flush=True)
            return None
        print(json.dumps({"step": name, "value": value}, default=str), flush=True)
        return value

    order: dict[str, Any] = {
        "variety": kite.VARIETY_REGULAR,
        "exchange": kite.EXCHANGE_NSE,
        "tradingsymbol": "INFY",
        "transaction_type": kite.TRANSACTION_TYPE_BUY,
        "quantity": 10,
        "product": kite.PRODUCT_CNC,
        "order_type": kite.ORDER_TYPE_LIMIT,
        "price": 1490.5,
        "validity": kite.VALIDITY_DAY,
        "tag": "ordo1",
    }
    step("profile before login", kite.profile)
    step("wrong secret", lambda: kite.generate_session(request_token, api_secret="wrong"))
    step("session", lambda: kite.generate_session(request_token, api_secret=secret))
    step("profile", kite.profile)
    step("margins", kite.margins)
    step("margins of a segment", lambda: kite.margins("equity"))

    resting = step("place", lambda: kite.place_order(**order))
    step("modify", lambda: kite.modify_order(kite.VARIETY_REGULAR, resting, quantity=20, price=1495))
    step("history", lambda: kite.order_history(resting))
    step("book", kite.orders)
    step("cancel", lambda: kite.cancel_order(kite.VARIETY_REGULAR, resting))
    step("cancel again", lambda: kite.cancel_order(kite.VARIETY_REGULAR, resting))
    step("book after cancel", kite.orders)

    market = {**order, "order_type": kite.ORDER_TYPE_MARKET, "price": None}
    step("market without protection", lambda: kite.place_order(**market))
    filled = step("market", lambda: kite.place_order(**market, market_protection=-1))
    step("trades", kite.trades)
    step("trades of an order", lambda: kite.order_trades(filled))
    step("positions", kite.positions)
    step("holdings", kite.holdings)

    amo = step("amo", lambda: kite.place_order(**{**order, "variety": kite.VARIETY_AMO}))
    step("cancel amo", lambda: kite.cancel_order(kite.VARIETY_AMO, amo))
    step("wrong symbol", lambda: kite.place_order(**{**order, "tradingsymbol": "NOSUCH"}))
    step("too dear", lambda: kite.place_order(**{**order, "quantity": 90_000}))
    step("ampersand", lambda: kite.place_order(**{**order, "tradingsymbol": "M&M", "price": 3500.0}))

    step("ltp", lambda: kite.ltp("NSE:INFY", "NSE:NOSUCH"))
    step("ohlc", lambda: kite.ohlc(["NSE:INFY"]))
    step("quote", lambda: kite.quote(["NSE:INFY", "NSE:M&M"]))
    step("instruments", lambda: kite.instruments("NFO")[:3])
    wanted = {
        "exchange": "NSE",
        "tradingsymbol": "INFY",
        "transaction_type": "BUY",
        "variety": "regular",
        "product": "CNC",
        "order_type": "LIMIT",
        "quantity": 10,
        "price": 1490.5,
        "trigger_price": 0,
    }
    step("order margins", lambda: kite.order_margins([wanted]))
    step("basket margins", lambda: kite.basket_order_margins([wanted, wanted]))
    step("logout", kite.invalidate_access_token)
    step("profile after logout", kite.profile)


if __name__ == "__main__":
    main(*sys.argv[1:])
