"""What the exchange demands of an order before it is let in; each refusal has its code."""

from __future__ import annotations

from ordo_cli.brokers.paper.amounts import rupees
from ordo_cli.brokers.paper.book import AMO, STOP, Order
from ordo_cli.brokers.paper.codes import Rejection
from ordo_cli.brokers.paper.ledger import Ledger, unit_margin
from ordo_cli.brokers.paper.listing import Listing
from ordo_cli.brokers.paper.market import Market
from ordo_cli.domain.instruments import Kind
from ordo_cli.domain.money import text_of
from ordo_cli.domain.orders import OrderType, Product

PRODUCTS = {
    Kind.EQUITY: (Product.CNC, Product.MIS),
    Kind.FUTURE: (Product.NRML, Product.MIS),
    Kind.OPTION: (Product.NRML, Product.MIS),
}


def check(order: Order, item: Listing, market: Market, ledger: Ledger, at: int) -> None:
    """Raises Rejection; otherwise the order knows the money that it blocks."""
    if order.product not in PRODUCTS[item.kind]:
        raise Rejection("PRODUCT", product=order.product.upper(), instrument=order.instrument)
    check_shape(order, item, market, at)
    check_means(order, item, market, ledger, at)


def check_shape(order: Order, item: Listing, market: Market, at: int) -> None:
    """Lot, freeze, tick, band, and the side of the market on which a stop waits."""
    if order.quantity % item.lot:
        raise Rejection("LOT", quantity=order.quantity, lot=item.lot)
    if order.quantity > item.freeze:
        raise Rejection("FREEZE", quantity=order.quantity, freeze=item.freeze)
    for what, price in (("limit", order.limit_price), ("trigger", order.trigger_price)):
        if price is not None:
            _check_price(what, price, item, market, at)
    if order.trigger_price is not None and order.phase in (STOP, AMO):
        last = market.last(item, at)
        if (order.trigger_price - last) * order.side < 0:
            raise Rejection(
                "TRIGGER",
                side="buy" if order.side > 0 else "sell",
                word="at or above" if order.side > 0 else "at or below",
                last=_text(last),
                price=_text(order.trigger_price),
            )


def _check_price(what: str, price: int, item: Listing, market: Market, at: int) -> None:
    if price % item.tick:
        raise Rejection("TICK", what=what, price=_text(price), tick=_text(item.tick))
    lower, upper = market.band(item, at)
    if not lower <= price <= upper:
        raise Rejection("PRICE_BAND", what=what, price=_text(price), lower=_text(lower), upper=_text(upper))


def check_means(order: Order, item: Listing, market: Market, ledger: Ledger, at: int) -> None:
    """Shares to sell for delivery, money for everything else; closing a position needs none."""
    if _gives_shares(order):
        free = _free(order, ledger) + ledger.held(order.account, order.instrument)[0]
        if order.remaining > free:
            raise Rejection("HOLDINGS", quantity=order.remaining, free=max(free, 0))
    needed, available = margin(order, item, market, ledger, at)
    if needed > available:
        raise Rejection("MARGIN", needed=_text(needed), available=_text(available))


def margin(order: Order, item: Listing, market: Market, ledger: Ledger, at: int) -> tuple[int, int]:
    """The money that the order blocks, which it then knows, and what there is for it."""
    order.unit_margin = order.opening = 0
    if not _gives_shares(order):
        order.opening = max(order.remaining - max(_free(order, ledger), 0), 0)
        order.unit_margin = unit_margin(item, order.product, order.side, _dearest(order, item, market, at))
    return order.blocked, max(ledger.available(order.account), 0)


def _gives_shares(order: Order) -> bool:
    return order.product == Product.CNC and order.side < 0


def _free(order: Order, ledger: Ledger) -> int:
    """Units of the account's position that the order may take off, net of those that others wait to."""
    position = ledger.position(order.account, order.instrument, order.product)
    return max(-order.side * position.net, 0) - ledger.waiting(order)


def _dearest(order: Order, item: Listing, market: Market, at: int) -> int:
    """The price at which the order may cost most."""
    if order.limit_price is not None:
        return order.limit_price
    if order.trigger_price is not None and order.type == OrderType.SL_M:
        return order.trigger_price
    return market.protected(item, order.side, at) if order.side > 0 else market.last(item, at)


def _text(units: int) -> str:
    return text_of(rupees(units))
