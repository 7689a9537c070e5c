"""One account's line to m.Stock: orders, books, portfolio, quotes.

Quirks. Success of a new order is an array of one object (MOCK, confirmed). Everything goes to the path `regular`:
whether an after-market or cover order could be cancelled there is unconfirmed, so none is sent. The tag is sent, for a
person who looks for it at the broker, and never read: whether it comes back is unconfirmed (MOCK: null), so orders are
found again by what was in the book before them. The call for a single order has no confirmed body, so one order is
read from the book. The calls that cancel everything, and baskets, are not used.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from urllib.parse import quote, urlencode

from ordo_cli.brokers.base import Broker, Permit, Tools
from ordo_cli.brokers.http import Http
from ordo_cli.brokers.masters import Listing
from ordo_cli.brokers.mstock import decode, encode
from ordo_cli.brokers.mstock.envelope import (
    HOME,
    PREFIX,
    data_of,
    discreet,
    headers_for,
    judge,
    message_of,
    refusal_in,
    rows_of,
)
from ordo_cli.brokers.mstock.fields import Row, amount, text, whole
from ordo_cli.brokers.mstock.naming import Names
from ordo_cli.brokers.opening import line_of
from ordo_cli.brokers.wire import Ungated
from ordo_cli.domain.accounts import Account
from ordo_cli.domain.errors import NoAnswer, OrdoError, Refused, Rejected, SessionNeeded
from ordo_cli.domain.instruments import Exchange, Instrument, InstrumentId, kind_of
from ordo_cli.domain.orders import BrokerOrderId, Changes, OrderIntent, OrderReport, OrderState, OrderType, Tag
from ordo_cli.domain.portfolio import Funds, Holding, Margin, Position, Quote, Trade
from ordo_cli.domain.text import clean

ORDERS, TRADES = f"{PREFIX}/orders", f"{PREFIX}/tradebook"
REGULAR = "regular"
ORDER_ID = re.compile(r"[0-9]{6,24}", re.ASCII)
"""What an answer must name for an order to be taken: samples have 13 digits (MOCK), the grammar is unconfirmed."""
RMS = re.compile(r"\s*RMS:([0-9]{6,24}):", re.ASCII)  # how a refusal of the risk desk begins (TXT, confirmed)
AT_ONCE = 50  # quotes in one question


class MStockBroker:
    def __init__(self, http: Http, tools: Tools, secrets: Iterable[str]) -> None:
        self._http = http
        self._clock = tools.clock
        self._options = tools.options
        self._master = tools.master
        self._names = Names(tools.master)
        self._secrets = tuple(secrets)

    # orders

    async def place(self, intent: OrderIntent, tag: Tag, permit: Permit) -> OrderReport:
        """As `Broker.place`. Also raises Refused, with nothing sent: MASTER_MISSING, INSTRUMENT_UNKNOWN,
        MARKET_UNPROTECTED, UNSUPPORTED."""
        listing, order = await self._sendable(intent)
        form = encode.encode_order(order, listing, tag)
        body = await self._http.post(f"{ORDERS}/{REGULAR}", permit=permit, form=form)
        refusal = refusal_in(body)
        named = None if refusal is None else RMS.match(message_of(refusal))
        if refusal is not None and named is not None:
            return await self._as_recorded(BrokerOrderId(named[1]), order, message_of(refusal))
        return _accepted(order, _order_id(data_of(body, self._secrets)))

    async def modify(self, order_id: BrokerOrderId, changes: Changes, permit: Permit) -> OrderReport:
        """As `Broker.modify`. A change repeats all that stays, so the order is read first, and again afterwards."""
        found = await self._one(order_id)
        if found is None:
            raise Refused(f"m.Stock's book does not have order {order_id}", code="ORDER_UNKNOWN")
        raw, row = found
        form = encode.encode_changes(row, changes, whole(raw, "disclosed_quantity") or 0)
        body = await self._http.write("PUT", _path_of(order_id), permit=permit, form=form)
        self._same_order(order_id, data_of(body, self._secrets))
        return await self._shown(order_id)

    async def cancel(self, order_id: BrokerOrderId) -> OrderReport:
        body = await self._http.write("DELETE", _path_of(order_id), permit=Ungated())
        self._same_order(order_id, data_of(body, self._secrets))
        return await self._shown(order_id)

    async def orders(self) -> Sequence[OrderReport]:
        return [row for _, row in await self._book()]

    async def trades(self) -> Sequence[Trade]:
        return [decode.decode_trade(row, self._names) for row in await self._rows(TRADES)]

    # portfolio

    async def positions(self) -> Sequence[Position]:
        data = await self._read(f"{PREFIX}/portfolio/positions")
        if data is not None and not isinstance(data, dict):
            raise NoAnswer("m.Stock gave something else where positions should be")
        net = None if data is None else data.get("net")
        return [decode.decode_position(row, self._names) for row in rows_of(net)]

    async def holdings(self) -> Sequence[Holding]:
        rows = await self._rows(f"{PREFIX}/portfolio/holdings")
        return [decode.decode_holding(row, self._names) for row in rows]

    async def funds(self) -> Funds:
        rows = await self._rows(f"{PREFIX}/user/fundsummary")
        if not rows:
            raise NoAnswer("m.Stock did not tell the funds")
        return decode.decode_funds(rows[0])

    async def margin(self, intent: OrderIntent) -> Margin | None:
        """What the order would block is `total` (MA, MOCK: confirmed); what is there for it, the available balance."""
        listing, order = await self._sendable(intent)
        asked = encode.encode_margin(order, listing, REGULAR)
        body = await self._http.post(f"{PREFIX}/margins/orders", permit=Ungated(), json=asked)
        data = data_of(body, self._secrets)
        if not isinstance(data, dict):
            raise NoAnswer("m.Stock did not tell the margin")
        return Margin(amount(data, "total"), (await self.funds()).available)

    # market

    async def quotes(self, instruments: Sequence[InstrumentId]) -> Mapping[InstrumentId, Quote]:
        listings = [listing for each in instruments if (listing := self._master.listing(each)) is not None]
        found: dict[InstrumentId, Quote] = {}
        for start in range(0, len(listings), AT_ONCE):
            found |= await self._quotes(listings[start : start + AT_ONCE])
        return found

    async def instrument(self, instrument: InstrumentId) -> Instrument | None:
        listing = self._master.listing(instrument)
        return None if listing is None else listing.instrument

    async def search(self, text: str, limit: int = 20) -> Sequence[Instrument]:
        return [listing.instrument for listing in self._master.search(text, limit)]

    # one order

    async def _sendable(self, intent: OrderIntent) -> tuple[Listing, OrderIntent]:
        """The instrument as m.Stock lists it, and the order with a price. Raises Refused; then nothing is sent."""
        encode.require_sendable(intent)
        listing = self._master.listing(intent.instrument)
        if listing is None:
            missing = self._master.day is None
            what = "the list of m.Stock's instruments is not on this machine" if missing else "m.Stock does not list it"
            raise Refused(f"{intent.instrument}: {what}", code="MASTER_MISSING" if missing else "INSTRUMENT_UNKNOWN")
        if intent.type is not OrderType.MARKET:
            return listing, intent
        percent = encode.protection_of(self._options, kind_of(intent.instrument))
        quote = (await self._quotes([listing])).get(intent.instrument)
        if quote is None:
            raise Refused(
                f"no last price of {intent.instrument} is known to protect a market order with",
                hint="give a limit",
                code="MARKET_UNPROTECTED",
            )
        return listing, encode.protected(intent, quote.last_price, listing.instrument.tick, percent)

    async def _as_recorded(self, order_id: BrokerOrderId, order: OrderIntent, message: str) -> OrderReport:
        """What the book made of an order whose refusal names it, and is on no list of certain ones.

        Raises NoAnswer unless the book has that very order: a refusal that nobody documents proves nothing alone.
        """
        row = await self._shown(order_id, said=message)
        if not _same(row, order) or row.state is OrderState.UNCLEAR:
            raise self._uncertain(message)
        return row

    async def _shown(self, order_id: BrokerOrderId, said: str = "") -> OrderReport:
        """The order as the book has it after something was sent. Whatever keeps it from being read is NoAnswer."""
        try:
            found = await self._one(order_id)
        except OrdoError as error:  # an expired session too: it says nothing of what was sent before
            raise NoAnswer(f"what m.Stock made of order {order_id} could not be read: {error.message}") from None
        if found is None:
            raise self._uncertain(said or f"its book does not show order {order_id}")
        return found[1]

    async def _one(self, order_id: BrokerOrderId) -> tuple[Row, OrderReport] | None:
        return next((pair for pair in await self._book() if pair[1].order_id == order_id), None)

    def _same_order(self, order_id: BrokerOrderId, data: object) -> None:
        """Raises NoAnswer when the answer names another order. That it names one at all is unconfirmed."""
        named = text(data, "order_id") if isinstance(data, dict) else None
        if named is not None and named != order_id:
            raise NoAnswer(f"m.Stock answered for another order than {order_id}")

    def _uncertain(self, message: str) -> NoAnswer:
        said = clean(discreet(message, self._secrets))
        return NoAnswer(f"m.Stock gave an answer whose meaning is not certain: {said}")

    # reading

    async def _book(self) -> list[tuple[Row, OrderReport]]:
        """The order book, and after it the trade book where only that can tell the fills."""
        rows = await self._rows(ORDERS)
        fills = decode.fills_of(await self._rows(TRADES)) if any(map(decode.needs_fills, rows)) else None
        now = self._clock.now()
        return [(row, decode.decode_order(row, fills, self._names, now)) for row in rows]

    async def _rows(self, path: str) -> list[Row]:
        return rows_of(await self._read(path))

    async def _read(self, path: str) -> object:
        return data_of(await self._http.get(path), self._secrets)

    async def _quotes(self, listings: Sequence[Listing]) -> dict[InstrumentId, Quote]:
        """Quotes by `EXCHANGE:SYMBOL` (SDKA, MOCK: confirmed). A symbol that is not known is answered with null."""
        keys = {each.instrument.id: _keys_of(each) for each in listings}
        asked = urlencode([("i", key) for each in keys.values() for key in each])
        data = await self._read(f"{PREFIX}/instruments/quote/ohlc?{asked}")
        if not isinstance(data, dict):
            return {}
        now = self._clock.now()
        found: dict[InstrumentId, Quote] = {}
        for instrument, each in keys.items():
            told = (decode.decode_quote(instrument, data.get(key), now) for key in each)
            first = next((quote for quote in told if quote is not None), None)
            if first is not None:
                found[instrument] = first
        return found


def _path_of(order_id: BrokerOrderId) -> str:
    """Where an order is changed and cancelled. Raises Rejected for an id that m.Stock cannot have given."""
    if not ORDER_ID.fullmatch(order_id):
        raise Rejected("that is no order number of m.Stock's", code="ORDER_UNKNOWN")
    return f"{ORDERS}/{REGULAR}/{quote(order_id, safe='')}"


def _keys_of(listing: Listing) -> tuple[str, ...]:
    """How a quote is asked for. Samples have the series in a question (`NSE:ACC-EQ`) and not in an order (MOCK)."""
    code, exchange = listing.code, listing.instrument.id.exchange
    plain = exchange is Exchange.NSE and code == listing.instrument.id.symbol
    return (f"{exchange}:{code}", f"{exchange}:{code}-EQ") if plain else (f"{exchange}:{code}",)


def _order_id(data: object) -> BrokerOrderId:
    """The number of a new order: text of digits, as every source has it. Raises NoAnswer for anything else."""
    named = data.get("order_id") if isinstance(data, dict) else None
    if not isinstance(named, str) or not ORDER_ID.fullmatch(named.strip()):
        raise NoAnswer("m.Stock took the order and named no number for it")
    return BrokerOrderId(named.strip())


def _accepted(order: OrderIntent, order_id: BrokerOrderId) -> OrderReport:
    """The order as it was sent: nothing more is known of it yet."""
    return OrderReport(
        order_id=order_id,
        state=OrderState.PENDING,
        instrument=order.instrument,
        side=order.side,
        quantity=order.quantity,
        type=order.type,
        product=order.product,
        validity=order.validity,
        limit_price=order.limit_price,
        trigger_price=order.trigger_price,
    )


def _same(row: OrderReport, order: OrderIntent) -> bool:
    return (row.instrument, row.side, row.quantity) == (order.instrument, order.side, order.quantity)


@asynccontextmanager
async def connect(account: Account, credentials: Mapping[str, str], tools: Tools) -> AsyncIterator[Broker]:
    """The line of one account under its session. Raises SessionNeeded without one."""
    if tools.session is None:
        raise SessionNeeded(f"{account.id} is not logged in", hint=f"ordo login {account.id}")
    api_key, token = credentials["api_key"], tools.session.token["access_token"]
    secrets = (*credentials.values(), *tools.session.token.values())
    headers = headers_for(api_key, token)
    async with line_of(account, tools, HOME, classify=judge(secrets), headers=headers) as http:
        yield MStockBroker(http, tools, secrets)
