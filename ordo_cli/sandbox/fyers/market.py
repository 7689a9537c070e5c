"""Fyers' quotes, depth and market status, and its symbol files, which need no login (DOC, OA)."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, time, timedelta

from ordo_cli.brokers.paper.amounts import rupees
from ordo_cli.brokers.paper.listing import Listing
from ordo_cli.domain.instruments import Kind
from ordo_cli.domain.market import IST
from ordo_cli.sandbox.catalog import exchange_token, of_day, short_symbol
from ordo_cli.sandbox.fyers.answers import UNKNOWN_SYMBOL, bad_input, fy_token, ok, segment, ticker
from ordo_cli.sandbox.fyers.reading import find, known
from ordo_cli.sandbox.gateway import Call, Row
from ordo_cli.sandbox.wire import Reply, json_reply

MOST_QUOTES = 50
FILES = {"NSE_CM": Kind.EQUITY, "NSE_FO": None}  # the others exist and are empty: the paper exchange has no more
OTHERS = ("NSE_CD", "NSE_COM", "BSE_CM", "BSE_FO", "MCX_COM")
INSTRUMENT_TYPES = {Kind.EQUITY: 0, Kind.FUTURE: 11, Kind.OPTION: 14}  # 11 index future, 14 index option
SESSION = "0915-1530|1815-1915:"


def quotes(call: Call) -> Reply:
    """`GET /data/quotes?symbols=A,B`: each with an `s` of its own. How an unknown one reads is unconfirmed."""
    return _quotes(call, [name for name in call.request.asked("symbols").split(",") if name])


def quotes_by_post(call: Call) -> Reply:
    """`POST /data/quotes` with an array of symbols (SDK 3.2.0, confirmed; its comment names another path)."""
    names = call.request.json_object().get("symbols")
    if not isinstance(names, list):
        raise bad_input("symbols should be an array")
    return _quotes(call, [str(name) for name in names])


def _quotes(call: Call, names: list[str]) -> Reply:
    if not 1 <= len(names) <= MOST_QUOTES:
        raise bad_input(f"between 1 and {MOST_QUOTES} symbols are taken")
    return ok(d=[_quote(call, name) for name in names])


def _quote(call: Call, name: str) -> Row:
    item = find(call, name)
    if item is None:
        return {"n": name, "s": "error", "v": {"code": UNKNOWN_SYMBOL, "errmsg": "Invalid symbol provided"}}
    quote = call.desk.floor.quotes([item])[str(item.id)]
    return {
        "n": name,
        "s": "ok",
        "v": {
            "symbol": name,
            "short_name": name.partition(":")[2],
            "exchange": "NSE",
            "fyToken": fy_token(item),
            "lp": quote.last_price,
            "ch": quote.last_price - quote.previous_close,
            "bid": quote.bid or 0,
            "ask": quote.ask or 0,
            "open_price": quote.open,
            "high_price": quote.high,
            "low_price": quote.low,
            "prev_close_price": quote.previous_close,
            "volume": quote.volume,
            "tt": str(int(quote.at.timestamp())),
        },
    }


def depth(call: Call) -> Reply:
    """`GET /data/depth?symbol=X`: one symbol."""
    name = call.request.asked("symbol")
    item = known(call, name)
    quote = call.desk.floor.quotes([item])[str(item.id)]
    lower, upper = call.desk.floor.band(item)
    bids, offers = call.desk.floor.depth(item)
    return ok(
        d={
            name: {
                "totalbuyqty": sum(size for _, size in bids),
                "totalsellqty": sum(size for _, size in offers),
                "bids": [{"price": price, "volume": size, "ord": 1} for price, size in bids],
                "ask": [{"price": price, "volume": size, "ord": 1} for price, size in offers],
                "ltp": quote.last_price,
                "o": quote.open,
                "h": quote.high,
                "l": quote.low,
                "c": quote.previous_close,
                "v": quote.volume,
                "lower_ckt": lower,
                "upper_ckt": upper,
                "tick_Size": rupees(item.tick),
                "oi": 0,
            }
        }
    )


def market_status(call: Call) -> Reply:
    """`GET /data/marketStatus`."""
    status = "OPEN" if call.desk.floor.is_open() else "CLOSED"
    return ok(
        marketStatus=[
            {"exchange": 10, "segment": number, "market_type": "NORMAL", "status": status} for number in (10, 11)
        ]
    )


def _listed(call: Call, name: str) -> list[Listing]:
    if name in OTHERS:
        return []
    if name not in FILES:
        raise bad_input("There is no such file")
    items = of_day(call.desk.floor.today)
    return [item for item in items if (item.kind is Kind.EQUITY) == (FILES[name] is Kind.EQUITY)]


def symbol_file(call: Call) -> Reply:
    """`/sym_details/NSE_CM.csv` and its like: 21 columns and no head; `…_sym_master.json`: an object by ticker."""
    name, _, end = call.parts["file"].partition(".")
    if end == "json" and name.endswith("_sym_master"):
        items = _listed(call, name.removesuffix("_sym_master"))
        return json_reply({ticker(item): _facts(call, item) for item in items})
    if end != "csv":
        raise bad_input("There is no such file")
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(_line(call, item) for item in _listed(call, name))
    return Reply(200, text.getvalue().encode(), "text/csv")


def _expiry(item: Listing) -> str:
    """Seconds since 1970 of 14:30 in India on the last day; empty for shares. The time of day is unconfirmed."""
    if item.expiry is None:
        return ""
    return str(int(datetime.combine(item.expiry, time(14, 30), IST).astimezone(UTC).timestamp()))


def _line(call: Call, item: Listing) -> tuple[object, ...]:
    equity = item.kind is Kind.EQUITY
    updated = (call.now.astimezone(IST) - timedelta(days=1)).date().isoformat()
    return (
        fy_token(item),
        item.name.upper() if equity else _described(item),
        INSTRUMENT_TYPES[item.kind],
        item.lot,
        f"{rupees(item.tick):f}",
        item.isin or "",
        SESSION,
        updated,
        _expiry(item),
        ticker(item),
        10,
        segment(item),
        exchange_token(item),
        item.underlying,
        exchange_token(item) if equity else "",
        f"{item.strike / 10_000:.1f}" if item.strike is not None else "-1.0",
        str(item.right) if item.right is not None else "XX",
        fy_token(item) if equity else "",
        "None",
        0,
        0.0,
    )


def _described(item: Listing) -> str:
    assert item.expiry is not None
    strike = "FUT" if item.strike is None else f"{item.strike // 10_000} {item.right}"
    return f"{item.underlying} {item.expiry:%y %b %d} {strike}"


def _facts(call: Call, item: Listing) -> Row:
    lower, upper = call.desk.floor.band(item)
    equity = item.kind is Kind.EQUITY
    return {
        "fyToken": fy_token(item),
        "isin": item.isin or "",
        "exSymbol": item.underlying,
        "symDetails": item.name.upper() if equity else _described(item),
        "symTicker": ticker(item),
        "exchange": 10,
        "segment": segment(item),
        "exSymName": item.name.upper(),
        "exToken": exchange_token(item),
        "exSeries": "EQ" if equity else "XX",
        "optType": str(item.right) if item.right is not None else "XX",
        "underSym": item.underlying,
        "underFyTok": fy_token(item) if equity else "",
        "exInstType": INSTRUMENT_TYPES[item.kind],
        "minLotSize": item.lot,
        "tickSize": rupees(item.tick),
        "tradingSession": SESSION,
        "expiryDate": _expiry(item),
        "strikePrice": item.strike // 10_000 if item.strike is not None else -1,
        "qtyFreeze": str(item.freeze),
        "tradeStatus": 1,
        "currencyCode": "INR",
        "upperPrice": upper,
        "lowerPrice": lower,
        "faceValue": 0,
        "qtyMultiplier": 1,
        "previousClose": call.desk.floor.quotes([item])[str(item.id)].previous_close,
        "is_mtf_tradable": 0,
        "mtf_margin": 0,
        "stream": short_symbol(item)[:1],
    }
