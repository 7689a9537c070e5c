"""What a Kite account holds: positions, holdings, funds, and what an order would block (DOC/08, DOC/14, MOCK).

Field names are confirmed by MOCK positions.json, holdings.json, margins.json and order_margins.json. Charges
read 0: the paper exchange has none.
"""

from __future__ import annotations

from decimal import Decimal

from ordo_cli.brokers.paper.amounts import average, rupees
from ordo_cli.domain.errors import Invalid
from ordo_cli.domain.orders import OrderIntent, OrderType
from ordo_cli.sandbox.catalog import by_short_symbol, short_symbol
from ordo_cli.sandbox.floor import Held, Stand
from ordo_cli.sandbox.gateway import Call, Row
from ordo_cli.sandbox.wire import Reply, Unreadable
from ordo_cli.sandbox.zerodha.answers import bad_input, success
from ordo_cli.sandbox.zerodha.reading import PRODUCTS, SIDES, TYPES
from ordo_cli.sandbox.zerodha.rows import instrument_token

CHARGES = {
    "transaction_tax": 0,
    "transaction_tax_type": "stt",
    "exchange_turnover_charge": 0,
    "sebi_turnover_charge": 0,
    "brokerage": 0,
    "stamp_duty": 0,
    "gst": {"igst": 0, "cgst": 0, "sgst": 0, "total": 0},
    "total": 0,
}


def positions(call: Call) -> Reply:
    """`net` is the exposure; rows with nothing left stay for the day. `day` is what was traded today."""
    stands = call.desk.floor.positions(call.account.paper)
    today = [stand for stand in stands if stand.buy_quantity or stand.sell_quantity]
    return success({"net": [_position(each) for each in stands], "day": [_position(each) for each in today]})


def _position(stand: Stand) -> Row:
    """Shares sold out of a holding show as a negative CNC position of the day (FORUM, confirmed)."""
    quantity = stand.net - stand.from_holdings
    carried = stand.overnight
    sold_average = average(stand.sell_value, stand.sell_quantity)
    open_at = average(stand.cost, stand.net) if stand.net else (sold_average if quantity else Decimal(0))
    unrealised = stand.net * stand.last - stand.cost
    bought, sold = max(carried, 0) + stand.buy_quantity, max(-carried, 0) + stand.sell_quantity
    buy_value = max(carried, 0) * stand.close + stand.buy_value
    sell_value = max(-carried, 0) * stand.close + stand.sell_value
    return {
        "tradingsymbol": short_symbol(stand.item),
        "exchange": str(stand.item.id.exchange),
        "instrument_token": instrument_token(stand.item),
        "product": stand.product.upper(),
        "quantity": quantity,
        "overnight_quantity": carried,
        "multiplier": 1,
        "average_price": open_at,
        "close_price": rupees(stand.close) if carried else 0,
        "last_price": rupees(stand.last),
        "value": rupees(sell_value - buy_value),
        "pnl": rupees(stand.realised + unrealised),
        "m2m": rupees(stand.realised + unrealised),
        "unrealised": rupees(unrealised),
        "realised": rupees(stand.realised),
        "buy_quantity": bought,
        "buy_price": average(buy_value, bought),
        "buy_value": rupees(buy_value),
        "buy_m2m": rupees(buy_value),
        "sell_quantity": sold,
        "sell_price": average(sell_value, sold),
        "sell_value": rupees(sell_value),
        "sell_m2m": rupees(sell_value),
        "day_buy_quantity": stand.buy_quantity,
        "day_buy_price": average(stand.buy_value, stand.buy_quantity),
        "day_buy_value": rupees(stand.buy_value),
        "day_sell_quantity": stand.sell_quantity,
        "day_sell_price": sold_average,
        "day_sell_value": rupees(stand.sell_value),
    }


def convert(call: Call) -> Reply:
    """`PUT /portfolio/positions`: units of a position under another product (PY, MOCK; confirmed)."""
    form = call.request.form()
    item = by_short_symbol(call.desk.floor.today).get((form.get("exchange", ""), form.get("tradingsymbol", "")))
    old, new, side = (
        PRODUCTS.get(form.get("old_product", "")),
        PRODUCTS.get(form.get("new_product", "")),
        SIDES.get(form.get("transaction_type", "")),
    )
    quantity = form.get("quantity", "")
    if item is None or old is None or new is None or side is None or not quantity.isdecimal():
        raise bad_input("Invalid position to convert.")
    if not call.desk.floor.convert(call.account.paper, str(item.id), old, new, side.sign * int(quantity)):
        raise bad_input("There is no such open position to convert.")
    return success(True)


def holdings(call: Call) -> Reply:
    """Owned today is `quantity` and `t1_quantity`; what was sold today is in `used_quantity` (FORUM, confirmed)."""
    return success([_holding(held) for held in call.desk.floor.holdings(call.account.paper)])


def _holding(held: Held) -> Row:
    bought_at = average(held.cost, held.quantity)
    change = rupees(held.last - held.close)
    return {
        "tradingsymbol": short_symbol(held.item),
        "exchange": str(held.item.id.exchange),
        "instrument_token": instrument_token(held.item),
        "isin": held.item.isin or "",
        "product": "CNC",
        "price": 0,
        "quantity": held.quantity,
        "used_quantity": held.sold_today,
        "t1_quantity": 0,
        "realised_quantity": held.quantity,
        "authorised_quantity": 0,
        "authorised_date": "",
        "authorisation": {},
        "opening_quantity": held.quantity + held.sold_today,
        "short_quantity": 0,
        "collateral_quantity": 0,
        "collateral_type": "",
        "discrepancy": False,
        "average_price": bought_at,
        "last_price": rupees(held.last),
        "close_price": rupees(held.close),
        "pnl": rupees(held.quantity * held.last - held.cost),
        "day_change": change,
        "day_change_percentage": round(change * 100 / rupees(held.close), 4),
        "mtf": {"quantity": 0, "used_quantity": 0, "average_price": 0, "value": 0, "initial_margin": 0},
    }


def funds(call: Call) -> Reply:
    return success({"equity": _equity(call), "commodity": _commodity()})


def funds_of_segment(call: Call) -> Reply:
    """With a segment in the path the inner object comes alone (MOCK margins_equity.json, confirmed)."""
    segment = call.parts["segment"]
    if segment not in ("equity", "commodity"):
        raise bad_input("Invalid `segment`.")
    return success(_equity(call) if segment == "equity" else _commodity())


def _equity(call: Call) -> Row:
    money = call.desk.floor.money(call.account.paper)
    return {
        "enabled": True,
        "net": money.available,
        "available": {
            "adhoc_margin": 0,
            "cash": money.cash,
            "opening_balance": money.cash,
            "live_balance": money.available,
            "collateral": 0,
            "intraday_payin": 0,
        },
        "utilised": {
            "debits": money.used - money.realised,
            "exposure": 0,
            "m2m_realised": money.realised,
            "m2m_unrealised": 0,
            "option_premium": 0,
            "payout": 0,
            "span": 0,
            "holding_sales": 0,
            "turnover": 0,
            "liquid_collateral": 0,
            "stock_collateral": 0,
            "delivery": money.used,
        },
    }


def _commodity() -> Row:
    return {"enabled": False, "net": 0, "available": {}, "utilised": {}}


def order_margins(call: Call) -> Reply:
    """`POST /margins/orders`: a JSON array of orders; what each would block by itself."""
    return success([_margin(call, order) for order in _orders(call)])


def basket_margins(call: Call) -> Reply:
    """`POST /margins/basket`: no benefit of one order to another is known here, so it is their sum."""
    orders = [_margin(call, order) for order in _orders(call)]
    total = sum((Decimal(str(order["total"])) for order in orders), Decimal(0))
    whole = {**_margin_row("", "", "", Decimal(0)), "total": total}
    return success({"initial": whole, "final": whole, "orders": orders, "charges": CHARGES})


def contract_note(call: Call) -> Reply:
    """`POST /charges/orders`: a virtual contract note, which needs a price (DOC/14, confirmed)."""
    notes = []
    for order in _orders(call):
        if not order.get("average_price"):
            raise bad_input("`average_price` should be above zero.")
        notes.append({**order, "charges": CHARGES})
    return success(notes)


def _orders(call: Call) -> list[Row]:
    found = call.request.json()
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise Unreadable("the body is not a JSON array of orders")
    return found


def _margin(call: Call, order: Row) -> Row:
    exchange, symbol = str(order.get("exchange")), str(order.get("tradingsymbol"))
    item = by_short_symbol(call.desk.floor.today).get((exchange, symbol))
    kind, product = TYPES.get(str(order.get("order_type"))), PRODUCTS.get(str(order.get("product")))
    side = SIDES.get(str(order.get("transaction_type")))
    if item is None or kind is None or product is None or side is None:
        raise bad_input("Invalid order to find the margin of.")
    limited, stopping = kind in (OrderType.LIMIT, OrderType.SL), kind in (OrderType.SL, OrderType.SL_M)
    try:
        intent = OrderIntent(
            side=side,
            instrument=item.id,
            quantity=int(str(order.get("quantity"))),
            limit_price=Decimal(str(order.get("price"))) if limited else None,
            trigger_price=Decimal(str(order.get("trigger_price"))) if stopping else None,
            product=product,
        )
    except (Invalid, ArithmeticError, ValueError):
        raise bad_input("Invalid order to find the margin of.") from None
    margin = call.desk.floor.margin(call.account.paper, intent)
    needed = Decimal(0) if margin is None else margin.needed
    return _margin_row("equity", symbol, exchange, needed)  # shares and contracts on them are one segment of money


def _margin_row(kind: str, symbol: str, exchange: str, needed: Decimal) -> Row:
    return {
        "type": kind,
        "tradingsymbol": symbol,
        "exchange": exchange,
        "span": 0,
        "exposure": 0,
        "option_premium": 0,
        "additional": 0,
        "bo": 0,
        "cash": 0,
        "var": needed,
        "pnl": {"realised": 0, "unrealised": 0},
        "leverage": 1,
        "charges": CHARGES,
        "total": needed,
    }
