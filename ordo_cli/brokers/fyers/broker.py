"""Fyers API v3: one account's line. Reference: https://myapi.fyers.in .

Quirks. Only the synchronous paths are used: the asynchronous ones queue an order where no kill switch reaches it, and
those for several orders say yes although one of them failed. Code 201 is neither yes nor no. A tag comes back with `1:`
before it. A market order is made one with a protection price (confirmed, KB). No helper that exits positions is called:
with a body that is a little wrong it closes everything (confirmed, DOC).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import batched

from ordo_cli.brokers.answers import classify
from ordo_cli.brokers.base import Broker, Permit, Tools
from ordo_cli.brokers.fyers import decode, encode
from ordo_cli.brokers.fyers.codes import TYPES, tag_asked
from ordo_cli.brokers.fyers.told import CANCELLED, CHANGED, done, order_number, telling
from ordo_cli.brokers.http import Http, after_write
from ordo_cli.brokers.masters import Listing, Master
from ordo_cli.brokers.opening import line_of
from ordo_cli.brokers.wire import Ungated
from ordo_cli.domain.accounts import Account
from ordo_cli.domain.errors import NoAnswer, Refused, SessionNeeded
from ordo_cli.domain.instruments import Instrument, InstrumentId
from ordo_cli.domain.orders import FINAL, BrokerOrderId, Changes, OrderIntent, OrderReport, OrderState, Tag
from ordo_cli.domain.portfolio import Funds, Holding, Margin, Position, Quote, Trade
from ordo_cli.domain.seams import Clock
from ordo_cli.domain.values import replace

HOST = "https://api-t1.fyers.in"  # of orders, account and quotes alike: confirmed (DOC, SDK, GO)
ONE_ORDER = "/api/v3/orders/sync"  # POST places, PATCH changes, DELETE cancels: confirmed (DOC)
BOOK = "/api/v3/orders"
QUOTES = "/data/quotes"
AT_ONCE = 50  # instruments in one question for quotes: confirmed (DOC)


def bearer(credentials: Mapping[str, str], token: str) -> dict[str, str]:
    """`app_id:token`, without a word for the scheme: confirmed (DOC, SDK, GO, OA)."""
    return {"authorization": f"{credentials['app_id']}:{token}"}


class FyersBroker:
    """`writing` and `reading` are one line, of whose answers a read believes less: a connection that a read has opened
    serves the order after it."""

    def __init__(self, writing: Http, reading: Http, master: Master, clock: Clock) -> None:
        self._writing = writing
        self._reading = reading
        self._master = master
        self._clock = clock

    # orders

    async def place(self, intent: OrderIntent, tag: Tag, permit: Permit) -> OrderReport:
        body = encode.order(intent, self._listing(intent.instrument), tag)
        answer = await self._writing.post(ONE_ORDER, permit=permit, json=body)
        return OrderReport(
            order_id=order_number(answer),
            state=OrderState.PENDING,  # it is a yes to the order, and says nothing of the exchange
            instrument=intent.instrument,
            side=intent.side,
            quantity=intent.quantity,
            type=intent.type,
            product=intent.product,
            validity=intent.validity,
            limit_price=intent.limit_price,
            trigger_price=intent.trigger_price,
            tag=tag,
            placed_at=self._clock.now(),
        )

    async def modify(self, order_id: BrokerOrderId, changes: Changes, permit: Permit) -> OrderReport:
        """Reads the order first, whose type a change must repeat; the report is that reading with what was changed."""
        row = await self._row_to_change(order_id)
        before, type_ = decode.order(row, self._master), TYPES.into(row.get("type"))
        if before.state in FINAL:
            raise Refused(f"order {order_id} is already {before.state}", code="NOT_OPEN")
        if type_ is None:
            raise Refused(f"order {order_id} is of a type that ordo does not know", code="CHANGE")
        encode.orderable(before.instrument)
        body = encode.changes(order_id, type_, changes)
        done(await self._writing.write("PATCH", ONE_ORDER, permit=permit, json=body), CHANGED, order_id)
        return replace(
            before,
            quantity=changes.quantity or before.quantity,
            limit_price=changes.limit_price or before.limit_price,
            trigger_price=changes.trigger_price or before.trigger_price,
        )

    async def cancel(self, order_id: BrokerOrderId) -> OrderReport:
        answer = await self._writing.write("DELETE", ONE_ORDER, permit=Ungated(), json={"id": order_id})
        done(answer, CANCELLED, order_id)
        return await after_write(self.order(order_id), "the cancel was taken")

    async def orders(self) -> Sequence[OrderReport]:
        return [decode.order(row, self._master) for row in await self._book()]

    async def order(self, order_id: BrokerOrderId) -> OrderReport:
        """One order of the book. Raises NoAnswer when the book does not show it."""
        return decode.order(await self._row(order_id), self._master)

    async def orders_tagged(self, tag: Tag) -> Sequence[OrderReport]:
        """The orders that carry this tag, by Fyers' own search for it (confirmed, DOC, GO)."""
        found = [decode.order(row, self._master) for row in await self._book({"order_tag": tag_asked(tag)})]
        return [row for row in found if row.tag == tag]  # a search that ignored the tag gave all of them

    # what is read

    async def trades(self) -> Sequence[Trade]:
        found = decode.rows(await self._reading.get("/api/v3/tradebook"), "tradeBook", "trades")
        return [decode.trade(row, self._master) for row in found]

    async def positions(self) -> Sequence[Position]:
        found = decode.rows(await self._reading.get("/api/v3/positions"), "netPositions", "positions")
        return [decode.position(row, self._master) for row in found]

    async def holdings(self) -> Sequence[Holding]:
        found = decode.rows(await self._reading.get("/api/v3/holdings"), "holdings", "holdings")
        return [decode.holding(row, self._master) for row in found]

    async def funds(self) -> Funds:
        return decode.funds(await self._reading.get("/api/v3/funds"))

    async def margin(self, intent: OrderIntent) -> Margin | None:
        """None: how the question is put is not on record, only what answers it."""
        return None

    async def quotes(self, instruments: Sequence[InstrumentId]) -> Mapping[InstrumentId, Quote]:
        """Those that the master lists and Fyers has a price of."""
        listed = [found for each in dict.fromkeys(instruments) if (found := self._master.listing(each)) is not None]
        quotes: dict[InstrumentId, Quote] = {}
        for some in batched(listed, AT_ONCE):
            asked = {listing.code: listing.instrument.id for listing in some}
            answer = await self._reading.get(QUOTES, params={"symbols": ",".join(asked)})
            for row in decode.rows(answer, "d", "quotes"):
                instrument = asked.get(str(row.get("n")))
                quote = None if instrument is None else decode.quote(row, instrument, self._clock.now())
                if quote is not None:
                    quotes[quote.instrument] = quote
        return quotes

    async def instrument(self, instrument: InstrumentId) -> Instrument | None:
        listing = self._master.listing(instrument)
        return None if listing is None else listing.instrument

    async def search(self, text: str, limit: int = 20) -> Sequence[Instrument]:
        return [listing.instrument for listing in self._master.search(text, limit)]

    # inside

    def _listing(self, instrument: InstrumentId) -> Listing:
        """What orders call it. Raises Refused for what the master does not list: no ticker is ever made up."""
        listing = self._master.listing(instrument)
        if listing is not None:
            return listing
        if self._master.day is None:
            message = "fyers' list of instruments is not on this machine, and no ticker is guessed"
            raise Refused(message, hint="fetch it, then order again", code="MASTER_MISSING")
        raise Refused(f"fyers does not list {instrument}", code="INSTRUMENT_UNKNOWN")

    async def _row(self, order_id: BrokerOrderId) -> decode.Row:
        found = [row for row in await self._book({"id": order_id}) if row.get("id") == order_id]
        if len(found) != 1:  # the filter is not to be relied upon (SDK); a book that lags shows nothing
            raise NoAnswer(f"fyers' book shows {len(found)} orders {order_id} at this moment")
        return found[0]

    async def _row_to_change(self, order_id: BrokerOrderId) -> decode.Row:
        try:
            return await self._row(order_id)
        except NoAnswer as error:
            # Silence to this read says nothing of the change, which has not been sent: it must not look in doubt.
            message = f"nothing was changed, because the order could not be read first: {error.message}"
            raise Refused(message, hint="try again", code="ORDER_UNREAD") from error

    async def _book(self, params: Mapping[str, str] | None = None) -> Sequence[decode.Row]:
        return decode.rows(await self._reading.get(BOOK, params=params), "orderBook", "order book")


@asynccontextmanager
async def connect(account: Account, credentials: Mapping[str, str], tools: Tools) -> AsyncIterator[Broker]:
    """Open the line of one account under its session. Raises SessionNeeded without one."""
    if tools.session is None:
        raise SessionNeeded(f"{account.id} is not logged in", hint=f"ordo login {account.id}")
    token = tools.session.token["access_token"]
    secrets, headers = (token, credentials["app_secret"]), bearer(credentials, token)
    reads = classify("fyers", telling(*secrets, writing=False))
    async with line_of(account, tools, HOST, classify=classify("fyers", telling(*secrets)), headers=headers) as line:
        yield FyersBroker(line, line.judging(reads), tools.master, tools.clock)
