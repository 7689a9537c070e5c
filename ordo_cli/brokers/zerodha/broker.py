"""One account's line to Zerodha, by Kite Connect v3 (https://kite.trade/docs/connect/v3/).

Quirks. An answer to a place, change or cancel says that the request was received, not what became of it (DOC/05,
confirmed), so nothing is read into it but the order's id. An order's path has its variety in it, and a cancel or change
by another path is refused (confirmed), so the line remembers what it has seen and else looks first. Nothing at Kite
acts on many orders at once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import batched
from urllib.parse import urlencode

from ordo_cli.brokers.base import Broker, Permit, Tools
from ordo_cli.brokers.http import Http, after_write
from ordo_cli.brokers.wire import Ungated
from ordo_cli.brokers.zerodha import decode, encode
from ordo_cli.brokers.zerodha.envelope import authorization, data_of, line_to, order_id_of
from ordo_cli.brokers.zerodha.names import Names
from ordo_cli.brokers.zerodha.reading import Row, amount, inner, rows, text, unreadable, words
from ordo_cli.domain.accounts import Account
from ordo_cli.domain.errors import Rejected, SessionNeeded
from ordo_cli.domain.instruments import Instrument, InstrumentId
from ordo_cli.domain.orders import (
    FINAL,
    BrokerOrderId,
    Changes,
    OrderIntent,
    OrderReport,
    OrderState,
    OrderType,
    Tag,
)
from ordo_cli.domain.portfolio import Funds, Holding, Margin, Position, Quote, Trade
from ordo_cli.domain.values import dataclass

QUOTES_AT_ONCE = 500  # (DOC/09, confirmed)


@dataclass(frozen=True, slots=True)
class Seen:
    """What this line knows of an order: the path it takes, and how it stood when it was last shown."""

    variety: str
    type: OrderType
    parent: str | None = None  # which a cancel of a cover order's second leg must name (PY, confirmed)
    state: OrderState | None = None  # None until a book shows it

    @property
    def works(self) -> bool:
        return self.state is not None and self.state not in FINAL


class ZerodhaBroker:
    def __init__(self, http: Http, names: Names) -> None:
        self._http = http
        self._names = names
        self._seen: dict[BrokerOrderId, Seen] = {}

    # orders

    async def place(self, intent: OrderIntent, tag: Tag, permit: Permit) -> OrderReport:
        form = encode.order_form(intent, self._names.listing(intent.instrument), tag)
        variety = encode.variety_of(intent)
        order_id = order_id_of(await self._http.post(f"/orders/{variety}", form=form, permit=permit))
        self._seen[order_id] = Seen(variety, intent.type)
        return OrderReport(
            order_id=order_id,
            state=OrderState.PENDING,
            instrument=intent.instrument,
            side=intent.side,
            quantity=intent.quantity,
            type=intent.type,
            product=intent.product,
            validity=intent.validity,
            limit_price=intent.limit_price,
            trigger_price=intent.trigger_price,
            tag=tag,
        )

    async def modify(self, order_id: BrokerOrderId, changes: Changes, permit: Permit) -> OrderReport:
        """Ask for a change; the report is the order as the book then shows it, which may not have it yet."""
        seen = self._seen.get(order_id) or await self._looked_up(order_id)
        form = encode.change_form(changes, seen.type)
        path = f"/orders/{seen.variety}/{order_id}"
        if seen.parent is not None:
            form["parent_order_id"] = seen.parent
        order_id_of(await self._http.write("PUT", path, form=form, permit=permit), order_id)
        return await after_write(self._order(order_id), "the change was taken")

    async def cancel(self, order_id: BrokerOrderId) -> OrderReport:
        """Ask for it, unless the book shows that the order has ended; a book without the order is a definite no."""
        seen = self._seen.get(order_id)
        if seen is None or not seen.works:
            shown = next((row for row in await self.orders() if row.order_id == order_id), None)
            if shown is not None and shown.state in FINAL:
                return shown
            seen = self._known(order_id)
        params = None if seen.parent is None else {"parent_order_id": seen.parent}
        path = f"/orders/{seen.variety}/{order_id}"
        order_id_of(await self._http.write("DELETE", path, params=params, permit=Ungated()), order_id)
        return await after_write(self._order(order_id), "the cancel was taken")

    async def orders(self) -> Sequence[OrderReport]:
        return [self._reported(row) for row in rows(data_of(await self._http.get("/orders")), "the order book")]

    async def trades(self) -> Sequence[Trade]:
        found = rows(data_of(await self._http.get("/trades")), "the trade book")
        return [decode.trade_of(row, self._names) for row in found]

    # the account

    async def positions(self) -> Sequence[Position]:
        """The net positions (`net` is the exposure; DOC/08, confirmed)."""
        data = data_of(await self._http.get("/portfolio/positions"))
        net = data.get("net") if isinstance(data, dict) else None
        return [decode.position_of(row, self._names) for row in rows(net, "positions")]

    async def holdings(self) -> Sequence[Holding]:
        found = rows(data_of(await self._http.get("/portfolio/holdings")), "holdings")
        return [decode.holding_of(row, self._names) for row in found]

    async def funds(self) -> Funds:
        """The money for shares and their derivatives. That for commodities, which ordo does not trade, is apart."""
        data = data_of(await self._http.get("/user/margins/equity"))
        return decode.funds_of(inner({"equity": data}, "equity"))

    async def margin(self, intent: OrderIntent) -> Margin | None:
        row = encode.margin_row(intent, self._names.listing(intent.instrument))
        data = data_of(await self._http.post("/margins/orders", json=[row], permit=Ungated()))
        found = rows(data, "the margin of an order")
        if len(found) != 1:
            raise unreadable("the margin of one order is not one row")
        return Margin(needed=amount(found[0], "total"), available=(await self.funds()).available)

    # the market

    async def quotes(self, instruments: Sequence[InstrumentId]) -> Mapping[InstrumentId, Quote]:
        """Five hundred at a time; one that is unknown or does not trade is missing from Kite's answer too."""
        self._names.require_list()
        keys = {
            name: f"{item.segment}:{item.code}" for name in instruments if (item := self._names.master.listing(name))
        }
        found: dict[InstrumentId, Quote] = {}
        for some in batched(keys.items(), QUOTES_AT_ONCE):
            data = data_of(await self._http.get("/quote?" + urlencode([("i", key) for _, key in some])))
            for name, key in some:
                row = data.get(key) if isinstance(data, dict) else None
                quote = decode.quote_of(row, name) if isinstance(row, dict) else None
                if quote is not None:
                    found[name] = quote
        return found

    async def instrument(self, instrument: InstrumentId) -> Instrument | None:
        self._names.require_list()
        listing = self._names.master.listing(instrument)
        return None if listing is None else listing.instrument

    async def search(self, text: str, limit: int = 20) -> Sequence[Instrument]:
        self._names.require_list()
        return [listing.instrument for listing in self._names.master.search(text, limit)]

    # one order

    async def _order(self, order_id: BrokerOrderId) -> OrderReport:
        """The order as it is now: the last row of its history (DOC/05, MOCK order_info.json, confirmed)."""
        history = rows(data_of(await self._http.get(f"/orders/{order_id}")), "the history of an order")
        if not history or text(history[-1], "order_id") != order_id:
            raise unreadable("the history of an order is not its own")
        return self._reported(history[-1])

    async def _looked_up(self, order_id: BrokerOrderId) -> Seen:
        await self.orders()
        return self._known(order_id)

    def _known(self, order_id: BrokerOrderId) -> Seen:
        """What is known of it after a look at the book. Raises Rejected for an order that is not there."""
        seen = self._seen.get(order_id)
        if seen is None:
            message = "zerodha's order book of today has no such order"
            raise Rejected(message, hint="see: ordo orders", code="ORDER_UNKNOWN")
        return seen

    def _reported(self, row: Row) -> OrderReport:
        """The row in ordo's words; how its order can be reached is remembered."""
        report, variety = decode.report_of(row, self._names), text(row, "variety")
        if not (variety.isascii() and variety.isalpha()):  # it becomes a part of a path
            raise unreadable("variety is none")
        self._seen[report.order_id] = Seen(variety, report.type, words(row, "parent_order_id"), report.state)
        return report


@asynccontextmanager
async def connect(account: Account, credentials: Mapping[str, str], tools: Tools) -> AsyncIterator[Broker]:
    """Open the line of one account. Raises SessionNeeded for one that is not logged in."""
    if tools.session is None:
        raise SessionNeeded(f"{account.id} is not logged in", hint=f"ordo login {account.id}")
    api_key, access_token = credentials["api_key"], tools.session.token["access_token"]
    headers = authorization(api_key, access_token)
    async with line_to(account, tools, headers, access_token, api_key, credentials["api_secret"]) as http:
        yield ZerodhaBroker(http, Names(tools.master))
