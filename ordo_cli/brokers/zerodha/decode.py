"""Kite's rows in ordo's words (MOCK orders.json, trades.json, positions.json, holdings.json, quote.json; confirmed)."""

from __future__ import annotations

from decimal import Decimal

from ordo_cli import log
from ordo_cli.brokers.codes import Codes
from ordo_cli.brokers.zerodha import reading
from ordo_cli.brokers.zerodha.codes import PRODUCTS, SIDES, TYPES, VALIDITIES, state_of, type_of
from ordo_cli.brokers.zerodha.envelope import ORDER_ID
from ordo_cli.brokers.zerodha.names import Names
from ordo_cli.brokers.zerodha.reading import Row, amount, moment, price, text, unreadable, whole, words
from ordo_cli.domain.instruments import Exchange, InstrumentId
from ordo_cli.domain.orders import BrokerOrderId, OrderReport, OrderState, OrderType, Product, Side, Tag, Validity
from ordo_cli.domain.portfolio import Funds, Holding, Position, Quote, Trade, to_close
from ordo_cli.domain.tags import is_ours


def report_of(row: Row, names: Names) -> OrderReport:
    """One row of the order book, or of an order's history. Raises NoAnswer for one that cannot be read."""
    quantity, filled, word = whole(row, "quantity"), whole(row, "filled_quantity"), text(row, "status")
    state = state_of(word, quantity, filled)
    if state is OrderState.UNCLEAR:
        log.get(__name__).warning("status_not_known", broker="zerodha", status=word)
    limit, trigger = price(row, "price"), price(row, "trigger_price")
    kind = _word(TYPES, row, "order_type", type_of(limit=limit is not None, trigger=trigger is not None))
    return OrderReport(
        order_id=order_id(row),
        state=state,
        instrument=names.instrument(row),
        side=side(row),
        quantity=quantity,
        type=kind,
        product=_word(PRODUCTS, row, "product", Product.MIS),
        validity=_word(VALIDITIES, row, "validity", Validity.DAY),
        filled_quantity=filled,
        # A protected market order may show the price at its limit of protection, which is not a limit of the user's.
        limit_price=limit if kind in {OrderType.LIMIT, OrderType.SL} else None,
        trigger_price=trigger,
        average_price=price(row, "average_price"),
        tag=tag_of(row),
        placed_at=moment(row, "order_timestamp"),
        message=words(row, "status_message") or words(row, "status_message_raw"),
    )


def trade_of(row: Row, names: Names) -> Trade:
    """One trade. `order_timestamp` is a time of day alone, and is not read (MOCK trades.json, confirmed)."""
    at = moment(row, "fill_timestamp") or moment(row, "exchange_timestamp")
    if at is None:
        raise unreadable("a trade has no time")
    return Trade(
        trade_id=text(row, "trade_id"),
        order_id=order_id(row),
        instrument=names.instrument(row),
        side=side(row),
        quantity=whole(row, "quantity"),
        price=amount(row, "average_price"),
        product=_word(PRODUCTS, row, "product", Product.MIS),
        traded_at=at,
    )


def position_of(row: Row, names: Names) -> Position:
    """One net position.

    Shares sold out of holdings show as a negative CNC row (FORUM, OA, confirmed), which `to_close` knows.
    """
    quantity = whole(row, "quantity")
    product = PRODUCTS.into(row.get("product"))
    if product is None and quantity:  # a close by another product would open a second position
        raise unreadable(f"a position of a product that is not known ({text(row, 'product')[:20]})")
    if product is not None:
        quantity = to_close(product, quantity)
    if row.get("exchange") == Exchange.MCX:  # lots there; units per lot beside it (as in MOCK, otherwise unconfirmed)
        quantity *= whole(row, "multiplier")
    return Position(
        instrument=names.instrument(row),
        product=product or Product.MIS,
        quantity=quantity,
        average_price=amount(row, "average_price"),
        last_price=price(row, "last_price"),
        realised=amount(row, "realised"),
        unrealised=amount(row, "unrealised"),
    )


def holding_of(row: Row, names: Names) -> Holding:
    """One holding: what is owned today are the settled shares and those that arrive (FORUM, OA, confirmed)."""
    return Holding(
        instrument=names.instrument(row),
        isin=words(row, "isin"),
        quantity=whole(row, "quantity") + whole(row, "t1_quantity"),
        average_price=amount(row, "average_price"),
        last_price=price(row, "last_price"),
        pnl=amount(row, "pnl"),
    )


def funds_of(segment: Row) -> Funds:
    """The money of one segment; what can be spent is `net` (DOC/04, OA, confirmed)."""
    used, free = amount(reading.inner(segment, "utilised"), "debits"), amount(segment, "net")
    return Funds(
        available=free,
        used=used,
        collateral=amount(reading.inner(segment, "available"), "collateral"),
        total=free + used,
    )


def quote_of(row: Row, instrument: InstrumentId) -> Quote | None:
    """One quote; None for an instrument that has not traded, or whose quote does not tell its time."""
    last, at = price(row, "last_price"), moment(row, "timestamp") or moment(row, "last_trade_time")
    if last is None or at is None:
        return None
    day, depth = reading.inner(row, "ohlc"), row.get("depth")
    return Quote(
        instrument=instrument,
        last_price=last,
        bid=_best(depth, "buy"),
        ask=_best(depth, "sell"),
        open=amount(day, "open"),
        high=amount(day, "high"),
        low=amount(day, "low"),
        previous_close=amount(day, "close"),
        volume=whole(row, "volume"),
        at=at,
    )


def order_id(row: Row) -> BrokerOrderId:
    """The id of an order, which may become a part of a path. Raises NoAnswer for one that is none."""
    found = text(row, "order_id")
    if not ORDER_ID.fullmatch(found):
        raise unreadable("order_id is none")
    return BrokerOrderId(found)


def side(row: Row) -> Side:
    """Which side. Raises NoAnswer for a word that is not known: there is nothing that it could be taken for."""
    found = SIDES.into(row.get("transaction_type"))
    if found is None:
        raise unreadable("transaction_type is neither side")
    return found


def tag_of(row: Row) -> Tag | None:
    """Our tag as the book carries it: in `tag`, or among `tags`, to which the broker may add words of its own (MOCK
    orders.json, GO, confirmed). One of ours counts before any other word."""
    tag, several = words(row, "tag"), row.get("tags")
    told = [tag.strip()] if tag is not None else []
    told += [each for each in several if isinstance(each, str)] if isinstance(several, list) else []
    ours = [each for each in told if is_ours(each)]
    return Tag(ours[0]) if ours else Tag(told[0]) if tag is not None else None


def _best(depth: object, name: str) -> Decimal | None:
    """The best price of a side; None when nobody offers there."""
    levels = depth.get(name) if isinstance(depth, dict) else None
    return price(levels[0], "price") if isinstance(levels, list) and levels and isinstance(levels[0], dict) else None


def _word[Word](table: Codes[Word, str], row: Row, name: str, otherwise: Word) -> Word:
    """Our word, or another in place of one that only orders from elsewhere carry: the product CO, say, for which
    intraday comes nearest.

    Such a row may not take its whole book with it, whose orders must stay cancellable. It is logged each time.
    """
    found = table.into(row.get(name))
    if found is None:
        log.get(__name__).warning("word_not_known", broker="zerodha", field=name, word=str(row.get(name))[:40])
        return otherwise
    return found
