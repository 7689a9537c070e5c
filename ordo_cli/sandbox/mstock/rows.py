"""Orders, trades and holdings as m.Stock's Type A books show them (MOCK, docs, NODEA types)."""

from __future__ import annotations

from ordo_cli.brokers.paper.amounts import average, rupees
from ordo_cli.brokers.paper.book import AMO, CANCELLED, EXPIRED, FILLED, REJECTED, Order
from ordo_cli.brokers.paper.listing import Listing
from ordo_cli.domain.instruments import Kind
from ordo_cli.domain.portfolio import Trade
from ordo_cli.sandbox.accounts import SandboxAccount
from ordo_cli.sandbox.catalog import exchange_token, short_symbol
from ordo_cli.sandbox.floor import Floor, Held, Stand, listed
from ordo_cli.sandbox.gateway import Row
from ordo_cli.sandbox.mstock.answers import stamp, stamp_at, trade_stamp

UNHEARD_OF = "Sandbox-Unheard-Of"
DIGITS = 10**8
TYPES = {"market": "MARKET", "limit": "LIMIT", "sl": "SL", "sl-m": "SL-M"}
# `Pending` for an order at the exchange, a stop that waits included; `O-` before that of an after-market order (OA).
# How a lapsed order reads is not documented: shown as cancelled, unconfirmed.
ENDED = {
    FILLED: ("Traded", "TRADE CONFIRMED"),
    CANCELLED: ("Cancelled", "CANCELLED"),
    EXPIRED: ("Cancelled", "EXPIRED"),
    REJECTED: ("Rejected", ""),
}


def order_id(number: int) -> str:
    """Thirteen digits: 1111, the day, the count of the day."""
    return f"1111{number // DIGITS:06d}{number % DIGITS:03d}"


def number_of(text: str) -> int | None:
    if not (text.isascii() and text.isdecimal()) or not text.startswith("1111") or not 13 <= len(text) <= 18:
        return None
    return int(text[4:10]) * DIGITS + int(text[10:])


def status_of(order: Order, noted: Row) -> tuple[str, str]:
    """Status and its message."""
    if order.outcome is None and order.phase == AMO:
        return ("O-Modified" if noted.get("modified") else "O-Pending"), "CONFIRMED"
    if order.outcome is None:
        return "Pending", "CONFIRMED"
    status, message = ENDED[order.outcome]
    if noted.get("left_as_amo"):
        return "O-Cancelled", message
    return status, order.message or message if order.outcome == REJECTED else message


def order_row(floor: Floor, account: SandboxAccount, order: Order, *, echo: bool, strange: bool = False) -> Row:
    """`pending_quantity` reads 0 as in the recorded row, though the order rests: no reader may lean on it.

    Tag and guid are there and empty, as recorded; that a tag comes back is unconfirmed.
    """
    noted = floor.noted(order.number)
    item = listed(order.instrument)
    status, message = status_of(order, noted)
    at_exchange = order.phase != AMO and order.outcome != REJECTED
    return {
        "placed_by": account.user,
        "order_id": order_id(order.number),
        "exchange_order_id": f"1300{order.number % DIGITS:012d}" if at_exchange else None,
        "parent_order_id": None,
        "status": UNHEARD_OF if strange else status,
        "status_message": message,
        "status_message_raw": None,
        "order_timestamp": stamp_at(order.arrived),
        "exchange_update_timestamp": None,
        "exchange_timestamp": None,
        "variety": None,
        "modified": bool(noted.get("modified")),
        "exchange": str(item.id.exchange),
        "tradingsymbol": short_symbol(item),
        "instrument_token": exchange_token(item),
        "order_type": TYPES[order.type],
        "transaction_type": "BUY" if order.side > 0 else "SELL",
        "validity": order.validity.upper(),
        "product": order.product.upper(),
        "quantity": order.quantity,
        "disclosed_quantity": order.disclosed or 0,
        "price": 0 if order.limit_price is None else rupees(order.limit_price),
        "trigger_price": 0 if order.trigger_price is None else rupees(order.trigger_price),
        "average_price": average(order.value, order.filled),
        "filled_quantity": order.filled,
        "pending_quantity": 0,
        "cancelled_quantity": order.remaining if order.outcome in (CANCELLED, EXPIRED) else 0,
        "market_protection": 0,
        "meta": {},
        "tag": order.tag if echo else None,
        "guid": "",
    }


def tradebook_row(account: SandboxAccount, trade: Trade, order: Order) -> Row:
    """Upper-case keys, joined to orders on ORDER_NUMBER (docs, OA; confirmed)."""
    item = listed(str(trade.instrument))
    equity = item.kind is Kind.EQUITY
    return {
        "ORDER_NUMBER": order_id(order.number),
        "TRADE_NUMBER": trade.trade_id,
        "EXCH_ORDER_NUMBER": f"1300{order.number % DIGITS:012d}",
        "EXCHANGE": "NSE",  # the parent exchange, of derivatives too (OA, confirmed)
        "SEGMENT": "E" if equity else "D",
        "SYMBOL": short_symbol(item) if equity else item.underlying,
        "FULL_SYMBOL": short_symbol(item),
        "SEC_ID": str(exchange_token(item)),
        "INSTRUMENT_NAME": "EQUITY" if equity else "FUTIDX" if item.kind is Kind.FUTURE else "OPTIDX",
        "BUY_SELL": trade.side.capitalize(),
        "QUANTITY": trade.quantity,
        "PRICE": trade.price,
        "TRADE_VALUE": trade.price * trade.quantity,
        "PRODUCT": trade.product.upper(),
        "ORDER_TYPE": TYPES[order.type],
        "ORDER_DATE_TIME": trade_stamp(trade.traded_at),
        "CLIENT_ID": account.user,
        "ALGO_ID": "0",
        "MKT_PROTECT_FLG": "N",
        "MKT_PROTECT_VAL": 0,
    }


def trade_row(trade: Trade) -> Row:
    """A row of the trade history (NODEA types, confirmed)."""
    item = listed(str(trade.instrument))
    when = stamp(trade.traded_at)
    return {
        "trade_id": trade.trade_id,
        "order_id": order_id(int(trade.order_id)),
        "exchange": str(item.id.exchange),
        "tradingsymbol": short_symbol(item),
        "instrument_token": exchange_token(item),
        "product": trade.product.upper(),
        "average_price": trade.price,
        "quantity": trade.quantity,
        "exchange_order_id": f"1300{int(trade.order_id) % DIGITS:012d}",
        "transaction_type": trade.side.upper(),
        "fill_timestamp": when,
        "order_timestamp": when,
        "exchange_timestamp": when,
    }


def position_row(stand: Stand) -> Row:
    """As Zerodha's rows by their names (MOCK, confirmed). Products are those of the orders; a fixture shows another."""
    quantity = stand.net - stand.from_holdings
    carried = stand.overnight
    bought, sold = max(carried, 0) + stand.buy_quantity, max(-carried, 0) + stand.sell_quantity
    buy_value = max(carried, 0) * stand.close + stand.buy_value
    sell_value = max(-carried, 0) * stand.close + stand.sell_value
    unrealised = stand.net * stand.last - stand.cost
    return {
        "tradingsymbol": short_symbol(stand.item),
        "exchange": str(stand.item.id.exchange),
        "instrument_token": exchange_token(stand.item),
        "product": stand.product.upper(),
        "quantity": quantity,
        "overnight_quantity": carried,
        "multiplier": 1,
        "average_price": average(stand.cost, stand.net) if stand.net else average(stand.sell_value, sold),
        "close_price": rupees(stand.close),
        "last_price": rupees(stand.last),
        "value": rupees(sell_value - buy_value),
        "pnl": rupees(stand.realised + unrealised),
        "m2m": rupees(stand.realised + unrealised),
        "unrealised": rupees(unrealised),
        "realised": rupees(stand.realised),
        "buy_quantity": bought,
        "buy_price": average(buy_value, bought),
        "buy_value": rupees(buy_value),
        "sell_quantity": sold,
        "sell_price": average(sell_value, sold),
        "sell_value": rupees(sell_value),
        "day_buy_quantity": stand.buy_quantity,
        "day_buy_price": average(stand.buy_value, stand.buy_quantity),
        "day_buy_value": rupees(stand.buy_value),
        "day_sell_quantity": stand.sell_quantity,
        "day_sell_price": average(stand.sell_value, stand.sell_quantity),
        "day_sell_value": rupees(stand.sell_value),
    }


def holding_row(held: Held) -> Row:
    """`tradingsymbol` holds the company's name (docs, NODEA types; confirmed)."""
    change = rupees(held.last - held.close)
    return {
        "tradingsymbol": held.item.name.upper(),
        "exchange": str(held.item.id.exchange),
        "instrument_token": exchange_token(held.item),
        "isin": held.item.isin or "",
        "product": "CNC",
        "price": 0,
        "quantity": held.quantity,
        "used_quantity": held.sold_today,
        "t1_quantity": 0,
        "average_price": average(held.cost, held.quantity),
        "last_price": rupees(held.last),
        "close_price": rupees(held.close),
        "pnl": rupees(held.quantity * held.last - held.cost),
        "day_change": change,
        "day_change_percentage": round(change * 100 / rupees(held.close), 4),
    }


def kind_of(item: Listing) -> str:
    return {Kind.EQUITY: "EQ", Kind.FUTURE: "FUT"}.get(item.kind) or str(item.right)
