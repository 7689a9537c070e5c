"""Setting a price on the paper exchange, so that a user can watch a stop or a limit being reached."""

from __future__ import annotations

from decimal import Decimal

from ordo_cli.brokers.base import Tools
from ordo_cli.brokers.paper import views
from ordo_cli.brokers.paper.amounts import rupees, to_units
from ordo_cli.brokers.paper.exchange import Exchange
from ordo_cli.brokers.paper.line import line
from ordo_cli.domain.errors import Invalid, NotFound
from ordo_cli.domain.instruments import InstrumentId
from ordo_cli.domain.money import text_of
from ordo_cli.domain.portfolio import Quote


async def set_price(tools: Tools, instrument: InstrumentId, price: Decimal | None, depth: int | None = None) -> Quote:
    """Hold an instrument at a price until it is released with None; the quote afterwards.

    Orders that the price reaches are filled at once. `depth` 0 leaves nothing on offer but the orders of accounts.
    Raises NotFound for an instrument that is not traded, Invalid for a price off its tick.
    """
    async with line(tools) as shared:
        return await shared.run(_set, shared.exchange, instrument, price, depth)


def _set(exchange: Exchange, instrument: InstrumentId, price: Decimal | None, depth: int | None) -> Quote:
    item = exchange.market.listing(str(instrument), exchange.now())
    if item is None:
        raise NotFound(f"{instrument} is not traded on the paper exchange", hint="see: ordo instrument search")
    if price is not None and (price <= 0 or to_units(price) % item.tick):
        raise Invalid(f"price {price} is not a multiple of the tick of {text_of(rupees(item.tick))}")
    exchange.set_price(str(instrument), None if price is None else to_units(price), depth)
    return views.quotes(exchange, [instrument])[instrument]
