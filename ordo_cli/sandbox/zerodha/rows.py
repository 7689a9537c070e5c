"""Orders and trades as Kite's books show them (MOCK orders.json, order_info.json, trades.json; confirmed)."""

from __future__ import annotations

from ordo_cli.brokers.paper.amounts import average, rupees
from ordo_cli.brokers.paper.book import AMO, BOOK, CANCELLED, EXPIRED, FILLED, REJECTED, STOP, Order
from ordo_cli.brokers.paper.listing import Listing
from ordo_cli.domain.portfolio import Trade
from ordo_cli.sandbox.accounts import SandboxAccount
from ordo_cli.sandbox.catalog import exchange_token, short_symbol
from ordo_cli.sandbox.floor import Floor, Past, listed
from ordo_cli.sandbox.gateway import Row
from ordo_cli.sandbox.zerodha.answers import stamp, stamp_at

UNHEARD_OF = "SANDBOX UNHEARD OF"
DIGITS = 10**8
SEGMENT_CODES = {"NSE": 1, "NFO": 2}  # the low byte of an instrument token; its other bytes are the exchange's number
TYPES = {"market": "MARKET", "limit": "LIMIT", "sl": "SL", "sl-m": "SL-M"}
WAITING = {AMO: "AMO REQ RECEIVED", STOP: "TRIGGER PENDING", BOOK: "OPEN"}
# An order that lapses shows CANCELLED: that EXPIRED does not exist is unconfirmed beyond its absence from the docs.
ENDED = {FILLED: "COMPLETE", CANCELLED: "CANCELLED", EXPIRED: "CANCELLED", REJECTED: "REJECTED"}


def order_id(number: int) -> str:
    """Fifteen digits, the day first."""
    return f"{number // DIGITS:06d}{number % DIGITS:09d}"


def number_of(text: str) -> int | None:
    """The exchange's number of an order that Kite calls so; None for what is no id."""
    if len(text) != 15 or not (text.isascii() and text.isdecimal()) or text[6] != "0":
        return None
    return int(text[:6]) * DIGITS + int(text[6:])


def instrument_token(item: Listing) -> int:
    return exchange_token(item) << 8 | SEGMENT_CODES[str(item.id.exchange)]


def status_of(phase: str, outcome: str | None) -> str:
    return WAITING[phase] if outcome is None else ENDED[outcome]


def order_row(floor: Floor, account: SandboxAccount, order: Order, *, strange: bool = False) -> Row:
    noted = floor.noted(order.number)
    status = status_of(order.phase, order.outcome)
    if status == "CANCELLED" and noted.get("variety") == "amo" and not noted.get("released"):
        status = "CANCELLED AMO"
    item = listed(order.instrument)
    cancelled = order.remaining if order.outcome in (CANCELLED, EXPIRED) else 0
    at_exchange = order.phase != AMO and order.outcome != REJECTED
    tags = [order.tag] if order.tag else []
    if "slice_of" in noted:
        tags += ["autoslice", f"autoslice:{noted['slice_of']}"]
    row: Row = {
        "placed_by": account.user,
        "account_id": account.user,
        "order_id": order_id(order.number),
        "exchange_order_id": f"1100{order.number % DIGITS:012d}" if at_exchange else None,
        "parent_order_id": noted.get("parent_order_id"),
        "status": UNHEARD_OF if strange else status,
        "status_message": order.message if order.outcome == REJECTED else None,
        "status_message_raw": f"RMS: {order.message}" if order.outcome == REJECTED else None,
        "order_timestamp": stamp_at(order.arrived),
        "exchange_update_timestamp": stamp_at(floor.last_change(order.number)) if at_exchange else None,
        "exchange_timestamp": stamp_at(order.arrived) if at_exchange else None,
        "variety": noted.get("variety", "regular"),
        "modified": bool(noted.get("modifications")),
        "exchange": str(item.id.exchange),
        "tradingsymbol": short_symbol(item),
        "instrument_token": instrument_token(item),
        "transaction_type": "BUY" if order.side > 0 else "SELL",
        "validity": noted.get("validity", order.validity.upper()),
        "validity_ttl": noted.get("validity_ttl", 0),
        "product": noted.get("product", order.product.upper()),
        "quantity": order.quantity,
        "disclosed_quantity": order.disclosed or 0,
        **_prices(order, noted),
        "average_price": average(order.value, order.filled),
        "filled_quantity": order.filled,
        # A cancelled row keeps what was pending (MOCK orders.json shows one; confirmed).
        "pending_quantity": 0 if order.outcome in (FILLED, REJECTED) else order.remaining,
        "cancelled_quantity": cancelled,
        "auction_number": None,
        "meta": noted.get("meta", {}),
        "tag": order.tag or None,
        "tags": tags,
        "guid": f"{order.number:x}",
    }
    return row


def _prices(order: Order, noted: Row) -> Row:
    """A market order that rests shows as the limit that its protection made of it (FORUM 15912)."""
    trigger = 0 if order.trigger_price is None else rupees(order.trigger_price)
    if order.type == "market" and order.phase == BOOK and order.book_price is not None:
        return {"order_type": "LIMIT", "price": rupees(order.book_price), "trigger_price": 0, "market_protection": 0}
    return {
        "order_type": TYPES[order.type],
        "price": 0 if order.limit_price is None else rupees(order.limit_price),
        "trigger_price": trigger,
        "market_protection": noted.get("market_protection", 0),
    }


def history_rows(row: Row, order: Order, past: list[Past]) -> list[Row]:
    """The order's life, oldest first; the last row is now. Rows of history lack the raw message, meta and guid."""
    now = {name: value for name, value in row.items() if name not in ("status_message_raw", "meta", "guid")}
    arrived = stamp_at(order.arrived)
    nothing = {"filled_quantity": 0, "average_price": 0, "cancelled_quantity": 0, "pending_quantity": order.quantity}
    before = {**now, **nothing, "exchange_order_id": None, "exchange_timestamp": None, "status_message": None}
    rows = [
        {**before, "status": status, "order_timestamp": arrived}
        for status in ("PUT ORDER REQ RECEIVED", "VALIDATION PENDING", "OPEN PENDING")
    ]
    for moment in past[:-1]:
        rows.append(
            {
                **now,
                "status": status_of(moment.phase, moment.outcome),
                "order_timestamp": stamp_at(moment.at),
                "quantity": moment.quantity,
                "price": 0 if moment.limit_price is None else rupees(moment.limit_price),
                "trigger_price": 0 if moment.trigger_price is None else rupees(moment.trigger_price),
                "filled_quantity": moment.filled,
                "pending_quantity": moment.quantity - moment.filled,
                "average_price": average(moment.value, moment.filled),
            }
        )
    return [*rows, now]


def trade_row(trade: Trade) -> Row:
    """`order_timestamp` is a time of day alone; a trade carries no tag (MOCK trades.json, confirmed)."""
    item = listed(str(trade.instrument))
    when = stamp(trade.traded_at)
    return {
        "trade_id": trade.trade_id,
        "order_id": order_id(int(trade.order_id)),
        "exchange_order_id": f"1100{int(trade.order_id) % DIGITS:012d}",
        "exchange": str(trade.instrument.exchange),
        "tradingsymbol": short_symbol(item),
        "instrument_token": instrument_token(item),
        "product": trade.product.upper(),
        "transaction_type": trade.side.upper(),
        "quantity": trade.quantity,
        "average_price": trade.price,
        "fill_timestamp": when,
        "order_timestamp": when[11:],
        "exchange_timestamp": when,
    }
