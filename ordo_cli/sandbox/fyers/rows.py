"""Orders, trades, positions and holdings as Fyers shows them (DOC, confirmed names)."""

from __future__ import annotations

from decimal import Decimal

from ordo_cli.brokers.paper.amounts import average, rupees
from ordo_cli.brokers.paper.book import AMO, CANCELLED, EXPIRED, FILLED, REJECTED, Order
from ordo_cli.domain.orders import OrderType, Product
from ordo_cli.domain.portfolio import Trade
from ordo_cli.sandbox.accounts import SandboxAccount
from ordo_cli.sandbox.floor import Floor, Held, Stand, listed
from ordo_cli.sandbox.fyers.answers import fy_token, segment, stamp, stamp_at, ticker
from ordo_cli.sandbox.fyers.reading import PRODUCTS, TYPES
from ordo_cli.sandbox.gateway import Row

TYPE_CODES = {kind: code for code, kind in TYPES.items()}
PRODUCT_WORDS = {product: word for word, product in PRODUCTS.items()}
PENDING, UNHEARD_OF = 6, 99
# A stop that waits, a part that is filled, an order parked until the opening: all read 6; the last of it unconfirmed.
STATUSES = {FILLED: 2, CANCELLED: 1, REJECTED: 5, EXPIRED: 7}
NO_TAG, NO_TAG_OF_TRADE = "2:Untagged", "1:Untagged"
DIGITS = 10**8


def order_id(number: int) -> str:
    """Fourteen digits, the day first."""
    return f"{number:014d}"


def number_of(text: object) -> int | None:
    word = str(text)
    return int(word) if word.isascii() and word.isdecimal() and len(word) == 14 else None


def shown_tag(tag: str | None) -> str:
    return f"1:{tag}" if tag else NO_TAG


def order_row(floor: Floor, account: SandboxAccount, order: Order, *, strange: bool = False) -> Row:
    item = listed(order.instrument)
    status = UNHEARD_OF if strange else PENDING if order.outcome is None else STATUSES[order.outcome]
    at_exchange = order.phase != AMO and order.outcome != REJECTED
    name = order_id(order.number)
    return {
        "id": name,
        "exchOrdId": f"1100{order.number % DIGITS:012d}" if at_exchange else "",
        "id_fyers": f"00000000-0000-0000-0000-{order.number % 10**12:012d}",
        "symbol": ticker(item),
        "fyToken": fy_token(item),
        "exchange": 10,
        "segment": segment(item),
        "instrument": {"equity": 0, "future": 11, "option": 14}[item.kind],
        "ex_sym": item.underlying,
        "description": item.name.upper(),
        "qty": order.quantity,
        "filledQty": order.filled,
        "remainingQuantity": order.remaining if order.outcome is None else 0,
        "disclosedQty": order.disclosed or 0,
        "type": TYPE_CODES[OrderType(order.type)],
        "side": order.side,
        "productType": PRODUCT_WORDS[Product(order.product)],
        "limitPrice": 0 if order.limit_price is None else rupees(order.limit_price),
        "stopPrice": 0 if order.trigger_price is None else rupees(order.trigger_price),
        "tradedPrice": average(order.value, order.filled),
        "orderValidity": order.validity.upper(),
        "offlineOrder": bool(floor.noted(order.number).get("offline")),
        "status": status,
        "message": order.message or "",
        "orderDateTime": stamp_at(order.arrived),
        "source": "API",
        "parentId": "",
        "orderNumStatus": f"{name}:{status}",
        "orderTag": shown_tag(order.tag),
        "clientId": account.user,
        "lp": _last(floor, order),
        "slNo": 0,
        "takeProfit": 0,
        "stopLoss": 0,
        "dqQtyRem": 0,
        "discloseQty": order.disclosed or 0,
    }


def _last(floor: Floor, order: Order) -> Decimal:
    item = listed(order.instrument)
    quote = floor.quotes([item]).get(str(item.id))
    return Decimal(0) if quote is None else quote.last_price


def trade_row(account: SandboxAccount, trade: Trade, order: Order) -> Row:
    """Names are DOC's, but for `orderType`, which the SDK maps (confirmed)."""
    item = listed(str(trade.instrument))
    number = order.number
    return {
        "clientId": account.user,
        "orderNumber": order_id(number),
        "exchangeOrderNo": f"1100{number % DIGITS:012d}",
        "tradeNumber": f"{order_id(number)}-{trade.trade_id}",
        "symbol": ticker(item),
        "fyToken": fy_token(item),
        "exchange": 10,
        "segment": segment(item),
        "side": trade.side.sign,
        "orderType": TYPE_CODES[OrderType(order.type)],
        "productType": PRODUCT_WORDS[trade.product],
        "tradedQty": trade.quantity,
        "tradePrice": trade.price,
        "tradeValue": trade.price * trade.quantity,
        "orderDateTime": stamp(trade.traded_at),
        "orderTag": f"1:{order.tag}" if order.tag else NO_TAG_OF_TRADE,
        "row": int(trade.trade_id),
    }


def position_id(stand: Stand) -> str:
    return f"{ticker(stand.item)}-{PRODUCT_WORDS[Product(stand.product)]}"


def position_row(stand: Stand) -> Row:
    net = stand.net - stand.from_holdings
    carried = stand.overnight
    bought, sold = max(carried, 0) + stand.buy_quantity, max(-carried, 0) + stand.sell_quantity
    unrealised = stand.net * stand.last - stand.cost
    open_at = average(stand.cost, stand.net) if stand.net else Decimal(0)
    sold_at = average(stand.sell_value + max(-carried, 0) * stand.close, sold)
    return {
        "id": position_id(stand),
        "symbol": ticker(stand.item),
        "fyToken": fy_token(stand.item),
        "exchange": 10,
        "segment": segment(stand.item),
        "netQty": net,
        "qty": abs(net),
        "side": (net > 0) - (net < 0),
        "netAvg": sold_at if net and not stand.net else open_at,
        "avgPrice": sold_at if net and not stand.net else open_at,
        "buyQty": bought,
        "buyAvg": average(stand.buy_value + max(carried, 0) * stand.close, bought),
        "buyVal": rupees(stand.buy_value + max(carried, 0) * stand.close),
        "sellQty": sold,
        "sellAvg": sold_at,
        "sellVal": rupees(stand.sell_value + max(-carried, 0) * stand.close),
        "cfBuyQty": max(carried, 0),
        "cfSellQty": max(-carried, 0),
        "dayBuyQty": stand.buy_quantity,
        "daySellQty": stand.sell_quantity,
        "productType": PRODUCT_WORDS[Product(stand.product)],
        "ltp": rupees(stand.last),
        "pl": rupees(stand.realised + unrealised),
        "realized_profit": rupees(stand.realised),
        "unrealized_profit": rupees(unrealised),
        "crossCurrency": "N",
        "rbiRefRate": 1,
        "qtyMulti_com": 1,
        "slNo": 0,
    }


def holding_row(held: Held, number: int) -> Row:
    return {
        "id": number,
        "symbol": ticker(held.item),
        "fyToken": fy_token(held.item),
        "exchange": 10,
        "segment": 10,
        "isin": held.item.isin or "",
        "holdingType": "HLD",
        "quantity": held.quantity + held.sold_today,
        "remainingQuantity": held.quantity,
        "qty_t1": 0,
        "collateralQuantity": 0,
        "remainingPledgeQuantity": 0,
        "costPrice": average(held.cost, held.quantity),
        "ltp": rupees(held.last),
        "marketVal": rupees(held.last * held.quantity),
        "pl": rupees(held.quantity * held.last - held.cost),
    }
