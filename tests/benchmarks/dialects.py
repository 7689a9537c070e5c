"""How the loopback server answers in the words of the real brokers: what an order and its planning ask, and no more."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

IST = timezone(timedelta(hours=5, minutes=30))

Row = tuple[str, str]
"""What a question begins with after `/<milliseconds>/<broker>`, and how it is answered; `%d` is the order's number."""

INFY = '"last_price":1500,"ohlc":{"open":1490,"high":1505.5,"low":1485.05,"close":1488}'
PLACES = {
    "zerodha": "post /orders/",
    "fyers": "post /api/v3/orders/sync",
    "hdfc": "post /oapi/v1/orders/regular",
    "mstock": "post /openapi/typea/orders/regular",
}
PLACED = {
    "zerodha": '{"status":"success","data":{"order_id":"2611240%08d"}}',
    "fyers": '{"s":"ok","code":1101,"message":"Order submitted successfully.","id":"2611240%08d"}',
    "hdfc": '{"status":"success","data":{"order_id":"2611240%08d"}}',
    "mstock": '[{"status":"success","data":{"order_id":"2611240%08d"}}]',
}
READ: dict[str, tuple[Row, ...]] = {
    "zerodha": (
        ("get /quote", '{"status":"success","data":{"NSE:INFY":{"timestamp":"NOW","volume":1234567,' + INFY + "}}}"),
        ("post /margins/orders", '{"status":"success","data":[{"type":"equity","total":1500}]}'),
        (
            "get /user/margins/equity",
            '{"status":"success","data":{"net":81250.4,"available":{"collateral":0},"utilised":{"debits":18749.6}}}',
        ),
        ("get /orders", '{"status":"success","data":[]}'),
    ),
    "fyers": (
        (
            "get /data/quotes",
            '{"s":"ok","code":200,"d":[{"n":"NSE:INFY-EQ","s":"ok","v":{"lp":1500,"bid":0,"ask":0,"open_price":1490,'
            '"high_price":1505.5,"low_price":1485.05,"prev_close_price":1488,"volume":1234567}}]}',
        ),
        (
            "get /api/v3/funds",
            '{"s":"ok","code":200,"fund_limit":[{"id":1,"equityAmount":81250.4},{"id":2,"equityAmount":0},'
            '{"id":5,"equityAmount":0},{"id":10,"equityAmount":81250.4}]}',
        ),
        ("get /api/v3/orders", '{"s":"ok","code":200,"orderBook":[]}'),
    ),
    "hdfc": (
        (
            "get /oapi/v1/user/margins",
            '{"status":"success","data":{"equity":{"total_available_limit":81250.4,"total_utilised_limit":0,'
            '"total_limit":81250.4,"totalLimitDetails":{"pledge_limit":0}}}}',
        ),
        ("get /oapi/v1/orders", '{"status":"success","data":[]}'),
    ),
    "mstock": (
        ("get /openapi/typea/instruments/quote/ohlc", '{"status":"success","data":{"NSE:INFY":{' + INFY + "}}}"),
        ("post /openapi/typea/margins/orders", '{"status":"success","data":{"total":1500}}'),
        (
            "get /openapi/typea/user/fundsummary",
            '{"status":"success","data":[{"AVAILABLE_BALANCE":"81250.40","AMOUNT_UTILIZED":"0.00","COLLATERALS":null}]}',
        ),
        ("get /openapi/typea/orders", '{"status":"success","data":null}'),
    ),
}


def path_of(broker: str) -> str:
    """Where that broker takes a plain order."""
    return {**{name: place.removeprefix("post ") for name, place in PLACES.items()}, "zerodha": "/orders/regular"}[
        broker
    ]


def is_place(broker: str, question: str) -> bool:
    """Whether it is an order; `question` is the method and the path after the broker, in lower case."""
    return question.startswith(PLACES[broker])


def answer(broker: str, question: str, number: int) -> bytes:
    """The JSON that answers it."""
    if is_place(broker, question):
        return (PLACED[broker] % number).encode()
    for beginning, said in READ[broker]:
        if question.startswith(beginning):
            return said.replace("NOW", f"{datetime.now(IST):%Y-%m-%d %H:%M:%S}").encode()
    return json.dumps({"status": "error", "message": f"nobody asks this here: {question[:80]}"}).encode()
