"""One account's line to HDFC Securities' InvestRight Open API (developer.hdfcsec.com, documented at /ir-docs).

Quirks. `api_key` is a query parameter of every call, so no URL may reach a log or an error. Every call needs a
User-Agent. A taken order may be rejected a moment later: an answer with an id is PENDING and no more. A change may give
the order another number (unconfirmed): the answer's id is kept as an alias and the book is read again. There are no
baskets, no cancel-all, no margins and no quotes with the figures that ordo's need (confirmed absent, DOC).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from ordo_cli import log
from ordo_cli.brokers.base import Broker, Permit, Tools
from ordo_cli.brokers.hdfc import line
from ordo_cli.brokers.hdfc.codes import reference_of
from ordo_cli.brokers.hdfc.decode import decode_funds, decode_holding, decode_order, decode_position, decode_trades
from ordo_cli.brokers.hdfc.encode import encode_changes, encode_order
from ordo_cli.brokers.hdfc.line import NOT_FOUND, Unlisted, credential, data_of, id_of, open_line, path_of, rows_of
from ordo_cli.brokers.hdfc.securities import UNREAD
from ordo_cli.brokers.http import Http, after_write
from ordo_cli.brokers.masters import Listing, Master
from ordo_cli.brokers.wire import Ungated
from ordo_cli.domain.accounts import Account
from ordo_cli.domain.errors import NoAnswer, OrdoError, Refused, Rejected, SessionNeeded
from ordo_cli.domain.instruments import Instrument, InstrumentId
from ordo_cli.domain.orders import FINAL, BrokerOrderId, Changes, OrderIntent, OrderReport, OrderState, Tag
from ordo_cli.domain.portfolio import Funds, Holding, Margin, Position, Quote, Trade
from ordo_cli.domain.seams import Clock

ACCESS_TOKEN = "access_token"  # noqa: S105  (the name under which a session keeps it)
LOOKS = (0.0, 0.5, 1.0)  # seconds before each look at the book for the number that a changed order goes by


class HdfcBroker:
    def __init__(self, http: Http, api_key: str, master: Master, clock: Clock) -> None:
        self._http, self._clock = http, clock
        self._key = {"api_key": api_key}
        self._master = master
        # What a change made of an id, as long as this line lives.
        self._aliases: dict[BrokerOrderId, BrokerOrderId] = {}

    async def place(self, intent: OrderIntent, tag: Tag, permit: Permit) -> OrderReport:
        """Raises Refused with MASTER_MISSING or INSTRUMENT_UNKNOWN before anything is sent: no id is guessed."""
        body = encode_order(intent, self._listing(intent.instrument), reference_of(tag))
        answer = await self._http.write("POST", line.REGULAR, permit=permit, json=body, params=self._key)
        return OrderReport(
            order_id=id_of(answer, "an order"),
            state=OrderState.PENDING,
            instrument=intent.instrument,
            side=intent.side,
            quantity=intent.quantity,
            type=intent.type,
            product=intent.product,
            validity=intent.validity,
            limit_price=intent.limit_price,
            trigger_price=intent.trigger_price,
        )

    async def modify(self, order_id: BrokerOrderId, changes: Changes, permit: Permit) -> OrderReport:
        """The order is read first, as a change must repeat its type and quantity, and the book after it.

        Raises Refused, with nothing sent, for an order that has ended or has terms that cannot be repeated.
        """
        wanted = self._now(order_id)
        row, before = await self._one(wanted)
        if before.state in FINAL:
            raise Refused(f"order {wanted} is {before.state}: there is nothing to change", code="ALREADY_DONE")
        if before.instrument.symbol.startswith(f"{UNREAD}."):
            raise Refused(f"order {wanted} has terms that ordo has no words for", code="UNSUPPORTED")
        body = encode_changes(before, row, changes)
        path = path_of(line.REGULAR, wanted)
        try:
            answer = await self._http.write("PUT", path, permit=permit, json=body, params=self._key)
        except Unlisted as error:
            raise await self._explained(wanted, error) from None
        return await self._changed(wanted, id_of(answer, "a change"), changes)

    async def cancel(self, order_id: BrokerOrderId) -> OrderReport:
        """Raises Rejected for an order that a 404 and then the whole book say is not there."""
        wanted = self._now(order_id)
        path = path_of(line.REGULAR, wanted)
        try:
            answer = await self._http.write("DELETE", path, permit=Ungated(), params=self._key)
        except Unlisted as error:
            return await self._ended(wanted, error)
        id_of(answer, "a cancel")
        return (await after_write(self._one(wanted), "HDFC took the cancel"))[1]

    async def orders(self) -> Sequence[OrderReport]:
        return [decode_order(row, self._master) for row in await self._book()]

    async def order(self, order_id: BrokerOrderId) -> OrderReport:
        """One order as the broker shows it now. Raises Rejected for one that it does not know."""
        return (await self._one(self._now(order_id)))[1]

    async def trades(self) -> Sequence[Trade]:
        """The day's trades; the order book is read too, where there are any, for the instruments of derivatives."""
        rows = rows_of(await self._read(line.TRADES), "trades")
        return decode_trades(rows, await self._book(), self._master) if rows else []

    async def positions(self) -> Sequence[Position]:
        try:
            body = await self._read(line.POSITIONS)
        except Unlisted as error:
            if error.status != NOT_FOUND:
                raise
            body = await self._read(line.POSITIONS_ELSE)
        data = data_of(body, "positions")
        net = data.get("net") if isinstance(data, dict) else None
        if not isinstance(net, list) or not all(isinstance(row, dict) for row in net):
            raise NoAnswer("HDFC's answer for positions has no list of net positions")
        return [decode_position(row, self._master) for row in net]

    async def holdings(self) -> Sequence[Holding]:
        rows = rows_of(await self._read(line.HOLDINGS), "holdings")
        return [decode_holding(row, self._master) for row in rows]

    async def funds(self) -> Funds:
        return decode_funds(data_of(await self._read(line.FUNDS), "funds"))

    async def margin(self, intent: OrderIntent) -> Margin | None:
        """None: HDFC has no margin calculator (confirmed absent, DOC)."""
        return None

    async def quotes(self, instruments: Sequence[InstrumentId]) -> Mapping[InstrumentId, Quote]:
        """None of them. HDFC tells a last price and the close before it by REST (confirmed, DOC), without day's range,
        volume and time, and a quote with made-up figures is none."""
        return {}

    async def instrument(self, instrument: InstrumentId) -> Instrument | None:
        listing = self._master.listing(instrument)
        return None if listing is None else listing.instrument

    async def search(self, text: str, limit: int = 20) -> Sequence[Instrument]:
        return [listing.instrument for listing in self._master.search(text, limit)]

    # what these are made of

    async def _read(self, path: str) -> Any:
        return await self._http.get(path, params=self._key)

    async def _book(self) -> list[dict[str, Any]]:
        return rows_of(await self._read(line.ORDERS), "the order book")

    async def _one(self, order_id: BrokerOrderId) -> tuple[dict[str, Any], OrderReport]:
        """An order's own row, which comes in a list (confirmed, DOC)."""
        try:
            rows = rows_of(await self._read(path_of(line.ORDERS, order_id)), "an order")
        except Unlisted as error:
            raise await self._explained(order_id, error) from None
        reports = [(row, decode_order(row, self._master)) for row in rows]
        mine = [each for each in reports if each[1].order_id == order_id]
        if len(mine) != 1:
            raise NoAnswer(f"HDFC shows order {order_id} {len(mine)} times when asked for it")
        return mine[0]

    async def _explained(self, order_id: BrokerOrderId, error: Unlisted) -> NoAnswer | Rejected:
        """What a refusal about an order id means: with 404, and no such order in the whole book, that there is none."""
        if error.status != NOT_FOUND:
            return error
        try:
            book = await self.orders()
        except OrdoError:
            return error
        known = any(row.order_id == order_id for row in book)
        return error if known else Rejected(f"HDFC knows no order {order_id}", code="ORDER_UNKNOWN")

    async def _ended(self, order_id: BrokerOrderId, error: Unlisted) -> OrderReport:
        """The order that a cancel was refused for, if it has ended, which is then why. Raises the refusal otherwise."""
        try:
            book = await self.orders()
        except OrdoError:
            raise error from None
        report = next((row for row in book if row.order_id == order_id), None)
        if report is not None and report.state in FINAL:
            return report
        if report is None and error.status == NOT_FOUND:
            raise Rejected(f"HDFC knows no order {order_id}", code="ORDER_UNKNOWN") from None
        raise error from None

    async def _changed(self, asked: BrokerOrderId, named: BrokerOrderId, changes: Changes) -> OrderReport:
        """The order as the book shows it after a change, whichever number it now goes by.

        The documentation's sample answers with another number. The book alone says whether the order has it, and may
        lag: the old row, unchanged, proves nothing then.
        """
        before: OrderReport | None = None
        for pause in LOOKS:
            await self._clock.sleep(pause)
            book = {row.order_id: row for row in await after_write(self.orders(), "HDFC took the change")}
            before, after = book.get(asked), book.get(named)
            if named != asked and after is not None and (before is None or before.state in FINAL):
                self._aliases[asked] = named
                self._aliases.pop(named, None)
                log.get(__name__).warning("order_renumbered", before=asked, after=named)
                return after
            if before is not None and (named == asked or _shows(before, changes)):
                return before
        if before is None:
            raise NoAnswer(f"HDFC took the change of order {asked}, and its book does not show the order")
        raise NoAnswer(f"HDFC answered the change of order {asked} with number {named}, which its book does not show")

    def _now(self, order_id: BrokerOrderId) -> BrokerOrderId:
        """The number that an order goes by now."""
        while order_id in self._aliases:
            order_id = self._aliases[order_id]
        return order_id

    def _listing(self, instrument: InstrumentId) -> Listing:
        if self._master.day is None:
            message = "HDFC's list of instruments is not on this machine, and no order can be written without it"
            raise Refused(message, hint="ordo instrument sync", code="MASTER_MISSING")
        listing = self._master.listing(instrument)
        if listing is None:
            hint = f"try: ordo instrument search {instrument.symbol}"
            raise Refused(f"HDFC's list of instruments has no {instrument}", hint=hint, code="INSTRUMENT_UNKNOWN")
        return listing


def _shows(row: OrderReport, changes: Changes) -> bool:
    """Whether the order is as it was to be."""
    wanted = (changes.quantity, changes.limit_price, changes.trigger_price)
    shown = (row.quantity, row.limit_price, row.trigger_price)
    return all(wish is None or wish == there for wish, there in zip(wanted, shown, strict=True))


@asynccontextmanager
async def connect(account: Account, credentials: Mapping[str, str], tools: Tools) -> AsyncIterator[Broker]:
    """Open the line of one account with its session. Raises SessionNeeded without one."""
    token = None if tools.session is None else tools.session.token.get(ACCESS_TOKEN)
    if not token:
        raise SessionNeeded(f"{account.id} is not logged in", hint=f"ordo login {account.id}")
    api_key = credential(account, credentials, "api_key")
    async with open_line(account, tools, [*credentials.values(), token], token) as http:
        yield HdfcBroker(http, api_key, tools.master, tools.clock)
