"""What an m.Stock account holds, what an order would block, prices, and the script master (MOCK, OA, SDKA)."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

from ordo_cli.brokers.paper.amounts import rupees
from ordo_cli.domain.errors import Invalid
from ordo_cli.domain.instruments import Kind
from ordo_cli.domain.money import text_of
from ordo_cli.domain.orders import OrderIntent, OrderType
from ordo_cli.domain.portfolio import Quote
from ordo_cli.sandbox.catalog import exchange_token, of_day, short_symbol
from ordo_cli.sandbox.gateway import Call, Row
from ordo_cli.sandbox.mstock.answers import Refused, bad_input, success
from ordo_cli.sandbox.mstock.orders import PRODUCTS, SIDES, TYPES, find
from ordo_cli.sandbox.mstock.rows import holding_row, kind_of, position_row
from ordo_cli.sandbox.wire import Reply

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
NOTHING = (
    "ADHOC_LIMIT",
    "BANK_HOLDING",
    "MTM_COMBINED",
    "PEAK_MARGIN",
    "UNCLEAR_BALANCE",
    "PAY_OUT_AMT",
    "MTF_AVAILABLE_BALANCE",
    "MTF_UTILIZE",
    "COLLATERALS",
)


def positions(call: Call) -> Reply:
    """`day` is null (MOCK, confirmed)."""
    return success({"net": [position_row(each) for each in call.desk.floor.positions(call.account.paper)], "day": None})


def holdings(call: Call) -> Reply:
    """`data` is null when there are none (MOCK, confirmed)."""
    rows = [holding_row(held) for held in call.desk.floor.holdings(call.account.paper)]
    return success(rows or None)


def convert(call: Call) -> Reply:
    """`POST /portfolio/convertposition` (SDKA, confirmed); the misspelt refusal is recorded so (MOCK)."""
    form = call.request.form()
    item = find(call, form.get("exchange", ""), form.get("tradingsymbol", ""))
    old, new = PRODUCTS.get(form.get("old_product", "")), PRODUCTS.get(form.get("new_product", ""))
    side, quantity = SIDES.get(form.get("transaction_type", "")), form.get("quantity", "")
    if item is None or old is None or new is None or side is None or not quantity.isdecimal():
        raise bad_input("Invalid position to convert.")
    if not call.desk.floor.convert(call.account.paper, str(item.id), old, new, side.sign * int(quantity)):
        raise Refused("MiraeException", "INSUFICIENT QUANTITY")
    return success(None)


def funds(call: Call) -> Reply:
    """`GET /user/fundsummary`: a list of one, all numbers as text or null (MOCK, OA; confirmed)."""
    money = call.desk.floor.money(call.account.paper)
    row: Row = dict.fromkeys(NOTHING, "0.00")
    row |= {
        "AVAILABLE_BALANCE": text_of(money.available),
        "AMOUNT_UTILIZED": text_of(money.used),
        "CLEAR_BALANCE": text_of(money.cash),
        "LIMIT_SOD": text_of(money.cash),
        "REALISED_PROFITS": text_of(money.realised),
        "SUM_OF_ALL": text_of(money.available + money.used),
        "RECEIVABLES": None,
        "SEG": "A",
        "LIMIT_TYPE": "CAPITAL",
    }
    return success([row])


def margin(call: Call) -> Reply:
    """`POST /margins/orders`: JSON, one order; what it needs is `total` (MA, MOCK; confirmed)."""
    order = call.request.json_object()
    exchange, symbol = str(order.get("exchange")), str(order.get("tradingsymbol"))
    item = find(call, exchange, symbol)
    kind, product = TYPES.get(str(order.get("order_type"))), PRODUCTS.get(str(order.get("product")))
    side = SIDES.get(str(order.get("transaction_type")))
    if item is None or kind is None or product is None or side is None:
        raise bad_input("Invalid order to find the margin of.")
    limited, stopping = kind in (OrderType.LIMIT, OrderType.SL), kind in (OrderType.SL, OrderType.SL_M)
    try:
        intent = OrderIntent(
            side,
            item.id,
            int(str(order.get("quantity"))),
            Decimal(str(order.get("price"))) if limited else None,
            Decimal(str(order.get("trigger_price"))) if stopping else None,
            product,
        )
    except (Invalid, ArithmeticError, ValueError):
        raise bad_input("Invalid order to find the margin of.") from None
    found = call.desk.floor.margin(call.account.paper, intent)
    needed = Decimal(0) if found is None else found.needed
    return success(
        {
            "type": "equity",
            "tradingsymbol": symbol,
            "exchange": exchange,
            "span": 0,
            "exposure": 0,
            "option_premium": 0,
            "additional": 0,
            "cash": found.available if found is not None else 0,
            "var": 0,
            "pnl": {"realised": 0, "unrealised": 0},
            "leverage": 0,
            "charges": {"total": 0},
            "total": needed,
        }
    )


def ltp(call: Call) -> Reply:
    return success(
        {
            name: None if found is None else {"instrument_token": found[0], "last_price": found[1].last_price}
            for name, found in _asked(call).items()
        }
    )


def ohlc(call: Call) -> Reply:
    return success(
        {
            name: (
                None
                if found is None
                else {
                    "instrument_token": found[0],
                    "last_price": found[1].last_price,
                    "ohlc": {
                        "open": found[1].open,
                        "high": found[1].high,
                        "low": found[1].low,
                        "close": found[1].previous_close,
                    },
                }
            )
            for name, found in _asked(call).items()
        }
    )


def _asked(call: Call) -> dict[str, tuple[int, Quote] | None]:
    """An unknown symbol reads null (SDKA, MOCK; confirmed)."""
    names = call.request.every("i")
    if not names:
        raise bad_input("Invalid i.")
    items = {name: find(call, *name.partition(":")[::2]) for name in names}
    quotes = call.desk.floor.quotes(item for item in items.values() if item is not None)
    return {
        name: None if item is None else (exchange_token(item), quotes[str(item.id)]) for name, item in items.items()
    }


def master(call: Call) -> Reply:
    """`GET /instruments/scriptmaster`: CSV, for who is logged in. That the tick is in rupees is unconfirmed."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for item in of_day(call.desk.floor.today):
        exchange = str(item.id.exchange)
        equity = item.kind is Kind.EQUITY
        table.writerow(
            (
                exchange_token(item),
                exchange_token(item),
                short_symbol(item),
                item.name.upper() if equity else item.underlying,
                0,
                "" if item.expiry is None else item.expiry.isoformat(),
                0 if item.strike is None else item.strike // 10_000,
                f"{rupees(item.tick):f}",
                item.lot,
                kind_of(item),
                exchange if equity else f"NFO-{'FUT' if item.kind is Kind.FUTURE else 'OPT'}",
                exchange,
            )
        )
    return Reply(200, text.getvalue().encode(), "text/csv")
