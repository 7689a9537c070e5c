"""What an HDFC Securities account holds, last prices, and the security master (DOC, OA)."""

from __future__ import annotations

import csv
import io

from ordo_cli.brokers.paper.amounts import rupees
from ordo_cli.brokers.paper.listing import Listing
from ordo_cli.domain.instruments import Kind
from ordo_cli.sandbox.catalog import by_token, exchange_token, of_day, short_symbol
from ordo_cli.sandbox.gateway import Call, Row
from ordo_cli.sandbox.hdfc.answers import bad_input, success
from ordo_cli.sandbox.hdfc.rows import SEGMENTS, holding_row, position_row, security_id, underlying
from ordo_cli.sandbox.wire import Reply, json_reply

COLUMNS = (
    "exchange",
    "security_id",
    "instrument_segment",
    "expiry_date",
    "strike_price",
    "option_type",
    "lot_size",
    "tick_size",
    "close_price",
    "exch_security_id",
    "symbol_name",
    "underline_symbol",
    "open_price",
)
NO_STRIKE = "-0.01"  # one of the sentinels that futures carry (OA, confirmed)


def positions(call: Call) -> Reply:
    """`GET /oapi/v1/portfolio/cumulative-positions`; the other path of the documents answers 404 (OA)."""
    return success({"net": [position_row(stand) for stand in call.desk.floor.positions(call.account.paper)]})


def holdings(call: Call) -> Reply:
    return success([holding_row(held) for held in call.desk.floor.holdings(call.account.paper) if held.quantity])


def funds(call: Call) -> Reply:
    """`GET /oapi/v1/user/margins`: the mixed casing is real (DOC, OA)."""
    money = call.desk.floor.money(call.account.paper)
    total = money.available + money.used
    equity: Row = {
        "total_available_limit": money.available,
        "total_utilised_limit": money.used,
        "total_limit": total,
        "totalAvailableLimitDetails": {
            "cash": money.available,
            "mtf": 0,
            "equity_intraday": 0,
            "equity_margin": 0,
            "cover_order": 0,
            "derivative_future_shortOption": 0,
            "option_buy": 0,
            "mutual_fund": 0,
        },
        "totalUtilizationDetails": {"cash": money.used, "mtf": 0},
        "totalLimitDetails": {
            "bank_hold": 0,
            "intraday_sales_proceed": 0,
            "ledger_balance": total,
            "adhoc_limit": 0,
            "pledge_limit": 0,
        },
    }
    return success({"equity": equity})


def last_prices(call: Call) -> Reply:
    """`PUT /oapi/v1/fetch-ltp`: tokens go in as text and come back as numbers. How unknown ones read is unconfirmed."""
    given = call.request.json_object().get("data")
    if not isinstance(given, list) or not given:
        raise bad_input("Invalid data")
    rows = []
    for each in given:
        token = str(each.get("token")) if isinstance(each, dict) else ""
        item = by_token(call.desk.floor.today).get(int(token)) if token.isascii() and token.isdecimal() else None
        if item is not None and each.get("exchange") in _exchanges(item):
            quote = call.desk.floor.quotes([item])[str(item.id)]
            rows.append(
                {
                    "prev_close": quote.previous_close,
                    "ltp": quote.last_price,
                    "exchange": each["exchange"] if item.kind is Kind.EQUITY else "",
                    "token": int(token),
                }
            )
    return json_reply({"data": rows, "meta": {"statusCode": 200, "statusMsg": "OK"}})


def _exchanges(item: Listing) -> tuple[str, ...]:
    """Contracts are asked for under either name (sources disagree), and come back without one (OAD)."""
    return ("NSE",) if item.kind is Kind.EQUITY else ("NSE", "NFO")


def master(call: Call) -> Reply:
    """`GET /oapi/v1/security-master`: CSV, for anybody.

    A tick that is a whole number is in paise, one with a point in rupees (OA; unconfirmed): both are in this file.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows(_line(item) for item in of_day(call.desk.floor.today))
    headers = (("Content-Disposition", 'attachment; filename="ir-security-master.csv"'),)
    return Reply(200, text.getvalue().encode(), "text/csv", headers)


def _line(item: Listing) -> tuple[object, ...]:
    equity = item.kind is Kind.EQUITY
    strike = "0" if equity else NO_STRIKE if item.strike is None else f"{item.strike / 10_000:.2f}"
    return (
        "NSE",
        security_id(item),
        SEGMENTS[item.kind],
        "" if item.expiry is None else item.expiry.isoformat(),
        strike,
        str(item.right) if item.right is not None else "XX",
        item.lot,
        f"{rupees(item.tick) * 100:.0f}" if equity else f"{rupees(item.tick):f}",
        f"{rupees(item.base):f}",
        exchange_token(item),
        short_symbol(item) if equity else item.underlying,
        underlying(item) if not equity else security_id(item),
        f"{rupees(item.base):f}",
    )
