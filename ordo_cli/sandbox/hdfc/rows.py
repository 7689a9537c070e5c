"""Orders, trades, positions and holdings as HDFC Securities shows them, in its answers' own words (DOC, OA)."""

from __future__ import annotations

from ordo_cli.brokers.paper.amounts import average, date_of, day_of, rupees
from ordo_cli.brokers.paper.book import AMO, CANCELLED, EXPIRED, FILLED, REJECTED, STOP, Order
from ordo_cli.brokers.paper.listing import Listing
from ordo_cli.domain.instruments import Kind, Right
from ordo_cli.domain.portfolio import Trade
from ordo_cli.sandbox.accounts import SandboxAccount
from ordo_cli.sandbox.catalog import exchange_token, short_symbol
from ordo_cli.sandbox.floor import Floor, Held, Stand, listed
from ordo_cli.sandbox.gateway import Row
from ordo_cli.sandbox.hdfc.answers import month, stamp, stamp_at

DIGITS = 10**8
UNHEARD_OF = "Sandbox Unheard Of"
TYPES = {"market": "MARKET", "limit": "LIMIT", "sl": "SL", "sl-m": "SL-M"}
PRODUCTS = {"cnc": "DELIVERY", "nrml": "OVERNIGHT", "mis": "INTRADAY", "mtf": "MTF"}
SEGMENTS = {Kind.EQUITY: "EQUITY", Kind.FUTURE: "FUTIDX", Kind.OPTION: "OPTIDX"}
RIGHTS = {Right.CALL: "Call", Right.PUT: "Put", None: ""}
# Traded, Rejected and CANCELLED are documented; the words of orders that live are unconfirmed, and so is that one that
# lapsed reads as cancelled.
ENDED = {FILLED: "Traded", REJECTED: "Rejected", CANCELLED: "CANCELLED", EXPIRED: "CANCELLED"}


def order_id(number: int) -> str:
    """Fifteen digits, the day first."""
    return f"{number // DIGITS:06d}{number % DIGITS:09d}"


def number_of(text: str) -> int | None:
    if len(text) != 15 or not (text.isascii() and text.isdecimal()) or text[6] != "0":
        return None
    return int(text[:6]) * DIGITS + int(text[6:])


def security_id(item: Listing) -> str:
    """`INFYEQNR` for shares, the exchange's number for contracts (DOC, OA: forms confirmed, these names made up)."""
    if item.kind is Kind.EQUITY:
        return "".join(sign for sign in item.id.symbol if sign.isalnum()) + "EQNR"
    return str(exchange_token(item))


def underlying(item: Listing) -> str:
    """As the master's `underline_symbol` (OA); empty for shares."""
    return "" if item.kind is Kind.EQUITY else f"{item.underlying}EQEQNR"


def status_of(order: Order) -> str:
    if order.outcome is not None:
        return ENDED[order.outcome]
    if order.phase == AMO:
        return "After Market Order Req Received"
    if order.phase == STOP:
        return "Trigger Pending"
    return "Partially Traded" if order.filled else "Pending"


def reference(order: Order, *, echo: bool) -> str:
    """The client's own number, which is hoped to come back (unconfirmed); without one a text of the gateway's own."""
    if echo and order.tag:
        return order.tag
    return f"STAPI{date_of(day_of(order.arrived)):%Y%m%d}{order.number % 10**7:07d}"


def order_row(floor: Floor, account: SandboxAccount, order: Order, *, echo: bool = True, strange: bool = False) -> Row:
    """`average_price` reads 0 on traded rows too, and the flags of what is allowed are empty (DOC samples)."""
    item = listed(order.instrument)
    noted = floor.noted(order.number)
    at_exchange = order.phase != AMO and order.outcome != REJECTED
    return {
        "client_id": account.user,
        "order_id": order_id(order.number),
        "exchange_order_id": f"1100{order.number % DIGITS:012d}" if at_exchange else "",
        "status": UNHEARD_OF if strange else status_of(order),
        "status_message": (order.message or "") if order.outcome == REJECTED else "",
        "status_message_raw": f"RMS: {order.message}" if order.outcome == REJECTED else "",
        "order_timestamp": stamp_at(order.arrived),
        "exchange": "NSE",
        "tradingsymbol": item.underlying if item.kind is not Kind.EQUITY else short_symbol(item),
        "security_id": security_id(item),
        "company_name": item.name.upper(),
        "underlying_symbol": underlying(item),
        "instrument_segment": SEGMENTS[item.kind],
        "instrument_type": "",
        "expiry_date": _long_date(item),
        "strike_price": _strike(item),
        "option_type": RIGHTS[item.right],
        "isin": item.isin or "",
        "transaction_type": "Buy" if order.side > 0 else "Sell",
        "validity": order.validity.upper(),
        "product": PRODUCTS[order.product],
        "quantity": order.quantity,
        "disclosed_quantity": order.disclosed or 0,
        "price": 0 if order.limit_price is None else rupees(order.limit_price),
        "trigger_price": 0 if order.trigger_price is None else rupees(order.trigger_price),
        "filled_quantity": order.filled,
        "pending_quantity": order.remaining if order.outcome is None else 0,
        "cancelled_quantity": order.remaining if order.outcome in (CANCELLED, EXPIRED) else 0,
        "average_price": 0.0,
        "total_traded_value": rupees(order.value),
        "order_source": "API",
        "order_subchannel": "",
        "modification_allowed": "",
        "cancellation_allowed": "",
        "order_slot": "AMO" if noted.get("amo") else "Online",
        "good_till_date": "",
        "external_reference_number": reference(order, echo=echo),
        "modified": bool(noted.get("modified")),
        "instrument_token": "",
        "token_id": "",
        "order_type": TYPES[order.type],
        "market_protection": 0,
    }


def _long_date(item: Listing) -> str:
    """`30 APR 2024`."""
    return "" if item.expiry is None else f"{item.expiry:%d} {month(item.expiry.month)} {item.expiry:%Y}"


def _short_date(item: Listing) -> str:
    """`27-JUN-24`."""
    return "" if item.expiry is None else f"{item.expiry:%d}-{month(item.expiry.month)}-{item.expiry:%y}"


def _strike(item: Listing) -> int:
    return 0 if item.strike is None else item.strike // 10_000


def trade_row(trade: Trade, order: Order) -> Row:
    """No reference; of contracts `security_id` is the underlying's name (DOC, OA; confirmed)."""
    item = listed(str(trade.instrument))
    return {
        "trade_id": trade.trade_id,
        "order_id": order_id(order.number),
        "exchange": "NSE",
        "product": PRODUCTS[trade.product],
        "average_price": trade.price,
        "filled_quantity": trade.quantity,
        "pending_quantity": 0,
        "exchange_order_id": f"1100{order.number % DIGITS:012d}",
        "transaction_type": trade.side.capitalize(),
        "fill_timestamp": stamp(trade.traded_at),
        "security_id": security_id(item) if item.kind is Kind.EQUITY else item.underlying,
        "company_name": item.name.upper(),
        "underlying_symbol": underlying(item),
        "instrument_segment": SEGMENTS[item.kind],
        "expiry_date": _long_date(item),
        "strike_price": _strike(item),
        "option_type": RIGHTS[item.right],
        "isin": item.isin or "",
        "status": "Traded",
        "validity": order.validity.upper(),
        "total_traded_value": trade.price * trade.quantity,
        "order_source": "API",
        "order_type": TYPES[order.type],
    }


def camel_row(account: SandboxAccount, row: Row) -> Row:
    """A trade of one order: the same in camel case, but for the client's id; validity reads "1" (DOC, confirmed)."""
    found: Row = {"client_id": account.user}
    for name, value in row.items():
        first, *others = name.split("_")
        found[first + "".join(word.capitalize() for word in others)] = value
    return {**found, "validity": "1"}


def position_row(stand: Stand) -> Row:
    """No last price and no unrealised profit (DOC, OA; confirmed). What follows `t_day_` and `cf_` is unconfirmed."""
    item = stand.item
    carried = stand.overnight
    carried_buy, carried_sell = max(carried, 0), max(-carried, 0)
    bought, sold = carried_buy + stand.buy_quantity, carried_sell + stand.sell_quantity
    buy_value = carried_buy * stand.close + stand.buy_value
    sell_value = carried_sell * stand.close + stand.sell_value
    return {
        "security_id": security_id(item),
        "instrument_segment": SEGMENTS[item.kind],
        "underlying_symbol": underlying(item),
        "product": PRODUCTS[stand.product],
        "exchange": "NSE",
        "expiry_date": _short_date(item),
        "option_type": RIGHTS[item.right],
        "strike_price": _strike(item),
        "total_buy_quantity": bought,
        "total_sell_qty": sold,
        "net_qty": stand.net - stand.from_holdings,
        "average_buy_price": average(buy_value, bought),
        "average_sell_price": average(sell_value, sold),
        "total_buy_value": rupees(buy_value),
        "total_sell_value": rupees(sell_value),
        "t_day_buy_quantity": stand.buy_quantity,
        "t_day_buy_value": rupees(stand.buy_value),
        "t_day_sell_quantity": stand.sell_quantity,
        "t_day_sell_value": rupees(stand.sell_value),
        "cf_buy_quantity": carried_buy,
        "cf_sell_quantity": carried_sell,
        "realised_pl_overall_position": rupees(stand.realised),
        "realised_pl_t_day_position": rupees(stand.realised),
    }


def holding_row(held: Held) -> Row:
    """`security_id` is empty, as in the sample: the key is the ISIN (DOC, OA)."""
    return {
        "security_id": "",
        "exchange": "NSE",
        "company_name": held.item.name.upper(),
        "sector_name": "",
        "isin": held.item.isin or "",
        "quantity": held.quantity,
        "average_price": average(held.cost, held.quantity),
        "investment_value": rupees(held.cost),
        "close_price": rupees(held.close),
        "realised": 0,
        "sip_indicator": "N",
        "mtf_indicator": "N",
        "ltcg_quantity": 0,
        "corporate_action_indicator": "N",
    }
