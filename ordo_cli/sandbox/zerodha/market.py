"""Kite's quotes and its list of instruments (DOC/09, MOCK quote.json, instruments_all.csv; confirmed)."""

from __future__ import annotations

import csv
import gzip
import io
from decimal import Decimal

from ordo_cli.brokers.paper.amounts import rupees
from ordo_cli.brokers.paper.listing import Listing
from ordo_cli.domain.instruments import Kind
from ordo_cli.domain.portfolio import Quote
from ordo_cli.sandbox.catalog import by_short_symbol, exchange_token, of_day, short_symbol
from ordo_cli.sandbox.gateway import Call, Row
from ordo_cli.sandbox.wire import Reply
from ordo_cli.sandbox.zerodha.answers import bad_input, stamp, success
from ordo_cli.sandbox.zerodha.reading import EXCHANGES
from ordo_cli.sandbox.zerodha.rows import instrument_token

MOST_FULL, MOST_LIGHT = 500, 1_000
COLUMNS = (
    "instrument_token",
    "exchange_token",
    "tradingsymbol",
    "name",
    "last_price",
    "expiry",
    "strike",
    "tick_size",
    "lot_size",
    "instrument_type",
    "segment",
    "exchange",
)
LEVELS = 5


def _asked(call: Call, most: int) -> dict[str, tuple[Listing, Quote]]:
    """What is known of the keys `EXCHANGE:SYMBOL` that were asked for; others are silently absent."""
    names = call.request.every("i")
    if not names or len(names) > most:
        raise bad_input("Invalid `i`.")
    listed = by_short_symbol(call.desk.floor.today)
    items = {name: item for name in names if (item := listed.get(_key(name))) is not None}
    quotes = call.desk.floor.quotes(items.values())
    return {name: (item, quotes[str(item.id)]) for name, item in items.items()}


def _key(name: str) -> tuple[str, str]:
    exchange, _, symbol = name.partition(":")
    return exchange, symbol


def ltp(call: Call) -> Reply:
    found = _asked(call, MOST_LIGHT)
    return success(
        {
            name: {"instrument_token": instrument_token(item), "last_price": quote.last_price}
            for name, (item, quote) in found.items()
        }
    )


def ohlc(call: Call) -> Reply:
    found = _asked(call, MOST_LIGHT)
    return success(
        {
            name: {
                "instrument_token": instrument_token(item),
                "last_price": quote.last_price,
                "ohlc": _ohlc(quote),
            }
            for name, (item, quote) in found.items()
        }
    )


def full(call: Call) -> Reply:
    return success({name: _full(call, *found) for name, found in _asked(call, MOST_FULL).items()})


def _ohlc(quote: Quote) -> Row:
    return {"open": quote.open, "high": quote.high, "low": quote.low, "close": quote.previous_close}


def _full(call: Call, item: Listing, quote: Quote) -> Row:
    """Open interest is called `oi` on the wire (MOCK), whatever the doc mirror says."""
    lower, upper = call.desk.floor.band(item)
    bids, offers = call.desk.floor.depth(item)
    return {
        "instrument_token": instrument_token(item),
        "timestamp": stamp(quote.at),
        "last_trade_time": stamp(quote.at),
        "last_price": quote.last_price,
        "last_quantity": item.lot,
        "buy_quantity": sum(size for _, size in bids),
        "sell_quantity": sum(size for _, size in offers),
        "volume": quote.volume,
        "average_price": quote.last_price,
        "oi": 0,
        "oi_day_high": 0,
        "oi_day_low": 0,
        "net_change": quote.last_price - quote.previous_close,
        "lower_circuit_limit": lower,
        "upper_circuit_limit": upper,
        "ohlc": _ohlc(quote),
        "depth": {"buy": _side(bids), "sell": _side(offers)},
    }


def _side(levels: list[tuple[Decimal, int]]) -> list[Row]:
    """Five levels always: those that nobody fills read nothing."""
    shown: list[Row] = [{"price": price, "quantity": size, "orders": 1} for price, size in levels[:LEVELS]]
    nobody: Row = {"price": 0, "quantity": 0, "orders": 0}
    return shown + [nobody] * (LEVELS - len(shown))


def instruments(call: Call) -> Reply:
    """`GET /instruments` or `/instruments/{EXCHANGE}`: CSV, gzipped for whoever takes that."""
    wanted = call.parts.get("exchange")
    if wanted is not None and wanted not in EXCHANGES:
        raise bad_input("Invalid `exchange`.")
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for item in of_day(call.desk.floor.today):
        if wanted in (None, str(item.id.exchange)):
            table.writerow(_line(item))
    body = text.getvalue().encode()
    if "gzip" not in call.request.header("accept-encoding"):
        return Reply(200, body, "text/csv")
    return Reply(200, gzip.compress(body, mtime=0), "text/csv", (("Content-Encoding", "gzip"),))


def _line(item: Listing) -> tuple[object, ...]:
    """Tick in rupees; expiry empty and strike 0 for shares."""
    exchange = str(item.id.exchange)
    kind = {Kind.EQUITY: "EQ", Kind.FUTURE: "FUT"}.get(item.kind) or str(item.right)
    segment = "NSE" if item.kind is Kind.EQUITY else "NFO-FUT" if item.kind is Kind.FUTURE else "NFO-OPT"
    return (
        instrument_token(item),
        exchange_token(item),
        short_symbol(item),
        item.name.upper() if item.kind is Kind.EQUITY else item.underlying,
        0,
        "" if item.expiry is None else item.expiry.isoformat(),
        0 if item.strike is None else item.strike // 10_000,
        f"{rupees(item.tick):f}",
        item.lot,
        kind,
        segment,
        exchange,
    )
