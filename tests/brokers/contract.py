"""What every adapter must do, whatever its dialect: a test class to inherit, and the stage an adapter sets for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol, cast

import pytest

from ordo_cli.brokers.base import Broker, BrokerSpec, Permit
from ordo_cli.domain.accounts import Account, AccountId
from ordo_cli.domain.errors import KillEngaged, NoAnswer, OrdoError, Rejected, SessionExpired, Unreachable
from ordo_cli.domain.instruments import InstrumentId
from ordo_cli.domain.orders import FINAL, BrokerOrderId, Changes, OrderIntent, OrderReport, OrderState, Side, Tag
from ordo_cli.domain.portfolio import Margin

WORKING = {OrderState.PENDING, OrderState.OPEN, OrderState.PARTIAL}


class Trouble(StrEnum):
    """What a stage can make its broker do."""

    NONE = "none"
    REFUSES = "refuses"  # a definitive no to every order
    SILENT = "silent"  # takes orders and never answers
    LATE = "late"  # as silent, and the order arrives only after the sender has given up
    EXPIRED = "expired"  # the session is over
    UNREACHABLE = "unreachable"  # nothing can be connected to
    TAGLESS = "tagless"  # the book does not carry tags
    LAGGING = "lagging"  # the book shows what was, a minute ago


class Stage(Protocol):
    """One adapter in front of a broker that the tests control."""

    spec: BrokerSpec
    instrument: InstrumentId  # one that is traded
    unknown: InstrumentId  # one that is not
    resting: OrderIntent  # waits in the book when it is placed
    marketable: OrderIntent  # is filled when it is placed
    troubles: frozenset[Trouble]  # those that this stage can make; cases of others are skipped

    def account(self, trouble: Trouble) -> Account: ...

    def connect(self, trouble: Trouble = Trouble.NONE) -> AbstractAsyncContextManager[Broker]: ...

    async def arrived(self, tag: Tag) -> int:
        """How many orders with this tag the broker ever got, whatever it said to them."""
        ...

    async def pass_time(self, seconds: float) -> None: ...


class OpenPermit:
    """Lets everything through and notes that it was asked."""

    def __init__(self) -> None:
        self.bytes_sent = 0
        self.first_byte_at: float | None = None
        self.claims = self.passes = 0

    async def claim(self) -> None:
        assert self.bytes_sent == 0, "bytes were counted before the order was claimed"
        self.claims += 1

    @contextmanager
    def passing(self) -> Iterator[None]:
        assert self.bytes_sent == 0, "bytes were counted before the gate was passed"
        self.passes += 1
        yield


class ShutPermit(OpenPermit):
    @contextmanager
    def passing(self) -> Iterator[None]:
        if self.bytes_sent == 0:
            raise KillEngaged("the switch is on")
        yield


@asynccontextmanager
async def line(stage: Stage, trouble: Trouble = Trouble.NONE) -> AsyncIterator[Broker]:
    """A broker with this trouble; the test is skipped where the stage cannot make it."""
    if trouble is not Trouble.NONE and trouble not in stage.troubles:
        pytest.skip(f"{stage.spec.name} cannot be made {trouble}")
    async with stage.connect(trouble) as broker:
        yield broker if trouble is Trouble.TAGLESS else recognising(stage, broker)


def recognising(stage: Stage, broker: Broker) -> Broker:
    """The broker itself; for one that declares itself tagless, with orders that the tests can look up all the same."""
    return broker if stage.spec.capabilities(stage.account(Trouble.NONE)).tagged else cast(Broker, Recognising(broker))


class Recognising:
    """Puts beside each row of a book without tags the tag that its order was sent with.

    It goes by the order's id where the broker has told it, and by its terms where nothing was told.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._told: dict[BrokerOrderId, Tag] = {}
        self._untold: dict[Tag, OrderIntent] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._broker, name)

    async def place(self, intent: OrderIntent, tag: Tag, permit: Permit) -> OrderReport:
        self._untold[tag] = intent
        report = await self._broker.place(intent, tag, permit)
        del self._untold[tag]
        self._told[report.order_id] = tag
        return report

    async def orders(self) -> Sequence[OrderReport]:
        book = await self._broker.orders()
        assert all(row.tag is None for row in book), "a tagless broker's book proves nothing by a tag"
        return [replace(row, tag=self._told.get(row.order_id) or self._by_terms(row)) for row in book]

    def _by_terms(self, row: OrderReport) -> Tag | None:
        return next((tag for tag, intent in self._untold.items() if same(row, intent)), None)


async def row_of(broker: Broker, tag: Tag) -> OrderReport:
    found = [row for row in await broker.orders() if row.tag == tag]
    assert len(found) == 1, f"{len(found)} orders carry {tag}"
    return found[0]


def same(row: OrderReport, intent: OrderIntent) -> bool:
    """Whether a row of the book is this order: what reconciliation without tags goes by."""
    return (row.instrument, row.side, row.quantity, row.type, row.product, row.validity) == (
        intent.instrument,
        intent.side,
        intent.quantity,
        intent.type,
        intent.product,
        intent.validity,
    ) and (row.limit_price, row.trigger_price) == (intent.limit_price, intent.trigger_price)


class BrokerContract:
    """Inherit, and give a fixture `stage`."""

    # Placing

    async def test_an_order_that_was_taken_is_in_the_book_under_its_tag(self, stage: Stage) -> None:
        async with line(stage) as broker:
            report = await broker.place(stage.resting, Tag("OTAKEN0000000001"), OpenPermit())
            row = await row_of(broker, Tag("OTAKEN0000000001"))
        assert report.state in WORKING
        assert row.order_id == report.order_id
        assert same(row, stage.resting)

    async def test_the_first_byte_leaves_inside_the_permit_and_is_counted(self, stage: Stage) -> None:
        permit = OpenPermit()
        async with line(stage) as broker:
            await broker.place(stage.resting, Tag("OCOUNTED00000001"), permit)
        assert (permit.claims, permit.passes) == (1, 1), "written down once, then passed once"
        assert permit.bytes_sent > 0
        assert await stage.arrived(Tag("OCOUNTED00000001")) == 1

    async def test_without_a_permit_nothing_leaves(self, stage: Stage) -> None:
        permit = ShutPermit()
        async with line(stage) as broker:
            with pytest.raises(KillEngaged):
                await broker.place(stage.resting, Tag("OSHUT00000000001"), permit)
            assert not [row for row in await broker.orders() if row.tag == "OSHUT00000000001"]
        assert permit.bytes_sent == 0
        assert await stage.arrived(Tag("OSHUT00000000001")) == 0

    async def test_a_marketable_order_is_filled_and_its_trades_add_up(self, stage: Stage) -> None:
        async with line(stage) as broker:
            report = await broker.place(stage.marketable, Tag("OFILLED000000001"), OpenPermit())
            row = await row_of(broker, Tag("OFILLED000000001"))
            trades = [trade for trade in await broker.trades() if trade.order_id == report.order_id]
            position = [each for each in await broker.positions() if each.instrument == stage.marketable.instrument]
        assert (row.state, row.filled_quantity) == (OrderState.FILLED, stage.marketable.quantity)
        assert sum(trade.quantity for trade in trades) == row.filled_quantity
        assert row.average_price == sum(trade.price * trade.quantity for trade in trades) / row.filled_quantity
        assert [each.quantity for each in position] == [stage.marketable.quantity * stage.marketable.side.sign]

    async def test_every_order_has_an_id_of_its_own(self, stage: Stage) -> None:
        async with line(stage) as broker:
            reports = [
                await broker.place(stage.resting, Tag(f"OMANY0000000000{number}"), OpenPermit()) for number in range(5)
            ]
            book = await broker.orders()
        assert len({report.order_id for report in reports}) == 5
        assert len({row.order_id for row in book}) == len(book)

    # Being refused

    async def test_a_refusal_is_definite_and_has_the_brokers_code(self, stage: Stage) -> None:
        permit = OpenPermit()
        async with line(stage, Trouble.REFUSES) as broker:
            with pytest.raises(Rejected) as refusal:
                await broker.place(stage.resting, Tag("OREFUSED00000001"), permit)
            rows = [row for row in await broker.orders() if row.tag == "OREFUSED00000001"]
        assert refusal.value.reason != "rejected"
        assert refusal.value.message
        assert permit.bytes_sent > 0
        assert all(row.state is OrderState.REJECTED for row in rows)

    async def test_an_instrument_that_is_not_traded_is_refused_and_missing_from_answers(self, stage: Stage) -> None:
        intent = OrderIntent(Side.BUY, stage.unknown, 1, Decimal(100))
        async with line(stage) as broker:
            with pytest.raises(OrdoError) as refusal:
                await broker.place(intent, Tag("OUNKNOWN00000001"), OpenPermit())
            assert await broker.instrument(stage.unknown) is None
            assert stage.unknown not in await broker.quotes([stage.instrument, stage.unknown])
        assert not isinstance(refusal.value, NoAnswer)

    async def test_an_order_is_taken_up_to_the_margin_that_was_told_and_refused_above_it(self, stage: Stage) -> None:
        if not _tells_margins(stage):
            pytest.skip(f"{stage.spec.name} does not tell")
        async with line(stage) as broker:
            one = await _margin(broker, replace(stage.resting, quantity=1))
            most = int(one.available / one.needed)
            within, above = replace(stage.resting, quantity=most), replace(stage.resting, quantity=most + 1)
            enough, short = await _margin(broker, within), await _margin(broker, above)
            assert enough.needed <= enough.available == short.available < short.needed
            with pytest.raises(Rejected):
                await broker.place(above, Tag("OABOVE0000000001"), OpenPermit())
            report = await broker.place(within, Tag("OWITHIN000000001"), OpenPermit())
            after = await _margin(broker, stage.resting)
        assert report.state in WORKING
        assert after.available == enough.available - enough.needed
        assert after.needed > after.available

    async def test_a_broker_that_does_not_tell_margins_says_nothing_and_fails_nothing(self, stage: Stage) -> None:
        if _tells_margins(stage):
            pytest.skip(f"{stage.spec.name} tells")
        async with line(stage) as broker:
            assert await broker.margin(stage.resting) is None

    # Silence and breakdown

    async def test_silence_is_no_answer_and_the_order_is_found_by_its_tag(self, stage: Stage) -> None:
        permit = OpenPermit()
        async with line(stage, Trouble.SILENT) as broker:
            with pytest.raises(NoAnswer):
                await broker.place(stage.resting, Tag("OSILENT000000001"), permit)
            row = await row_of(broker, Tag("OSILENT000000001"))
        assert permit.bytes_sent > 0
        assert same(row, stage.resting)
        assert await stage.arrived(Tag("OSILENT000000001")) == 1

    async def test_an_order_may_arrive_after_its_sender_has_given_up(self, stage: Stage) -> None:
        async with line(stage, Trouble.LATE) as broker:
            with pytest.raises(NoAnswer):
                await broker.place(stage.resting, Tag("OLATE00000000001"), OpenPermit())
            assert not [row for row in await broker.orders() if row.tag == "OLATE00000000001"]
            await stage.pass_time(120)
            assert same(await row_of(broker, Tag("OLATE00000000001")), stage.resting)
        assert await stage.arrived(Tag("OLATE00000000001")) == 1

    async def test_what_cannot_be_reached_got_no_byte(self, stage: Stage) -> None:
        permit = OpenPermit()
        async with line(stage, Trouble.UNREACHABLE) as broker:
            with pytest.raises(Unreachable):
                await broker.place(stage.resting, Tag("ODOWN00000000001"), permit)
            for read in (broker.orders, broker.trades, broker.positions, broker.holdings, broker.funds):
                with pytest.raises((Unreachable, NoAnswer)):
                    await read()
            if _tells_margins(stage):
                with pytest.raises((Unreachable, NoAnswer)):
                    await broker.margin(stage.resting)
        assert permit.bytes_sent == 0
        assert await stage.arrived(Tag("ODOWN00000000001")) == 0

    async def test_a_session_that_is_over_is_told_apart(self, stage: Stage) -> None:
        async with line(stage, Trouble.EXPIRED) as broker:
            with pytest.raises(SessionExpired):
                await broker.place(stage.resting, Tag("OEXPIRED00000001"), OpenPermit())
            for read in (broker.orders, broker.trades, broker.positions, broker.holdings, broker.funds):
                with pytest.raises(SessionExpired):
                    await read()
            if _tells_margins(stage):
                with pytest.raises(SessionExpired):
                    await broker.margin(stage.resting)

    async def test_without_tags_an_order_is_found_by_its_content(self, stage: Stage) -> None:
        async with line(stage, Trouble.TAGLESS) as broker:
            assert stage.spec.capabilities(stage.account(Trouble.TAGLESS)).tagged is False
            before = {row.order_id for row in await broker.orders()}
            report = await broker.place(stage.resting, Tag("OTAGLESS00000001"), OpenPermit())
            new = [row for row in await broker.orders() if row.order_id not in before]
        assert [row.tag for row in new] == [None]
        assert [row.order_id for row in new] == [report.order_id]
        assert same(new[0], stage.resting)

    async def test_a_book_that_lags_shows_the_order_later(self, stage: Stage) -> None:
        async with line(stage, Trouble.LAGGING) as broker:
            await broker.place(stage.resting, Tag("OLAGGING00000001"), OpenPermit())
            assert not [row for row in await broker.orders() if row.tag == "OLAGGING00000001"]
            await stage.pass_time(120)
            assert (await row_of(broker, Tag("OLAGGING00000001"))).state in WORKING

    # Cancelling and changing

    async def test_a_cancel_ends_an_open_order_as_the_book_then_shows(self, stage: Stage) -> None:
        async with line(stage) as broker:
            report = await broker.place(stage.resting, Tag("OCANCEL000000001"), OpenPermit())
            await broker.cancel(report.order_id)
            assert (await row_of(broker, Tag("OCANCEL000000001"))).state is OrderState.CANCELLED

    async def test_a_cancel_that_comes_too_late_changes_no_fill(self, stage: Stage) -> None:
        async with line(stage) as broker:
            report = await broker.place(stage.marketable, Tag("OTOOLATE00000001"), OpenPermit())
            try:
                answer = await broker.cancel(report.order_id)
            except Rejected:
                pass  # brokers may say no, or show the order as it is
            else:
                assert answer.state is OrderState.FILLED
            row = await row_of(broker, Tag("OTOOLATE00000001"))
        assert (row.state, row.filled_quantity) == (OrderState.FILLED, stage.marketable.quantity)

    async def test_a_cancel_may_be_repeated(self, stage: Stage) -> None:
        async with line(stage) as broker:
            report = await broker.place(stage.resting, Tag("OCANCEL200000001"), OpenPermit())
            await broker.cancel(report.order_id)
            with suppress(Rejected):
                assert (await broker.cancel(report.order_id)).state is OrderState.CANCELLED
            assert (await row_of(broker, Tag("OCANCEL200000001"))).state is OrderState.CANCELLED

    async def test_a_cancel_of_nothing_is_refused(self, stage: Stage) -> None:
        async with line(stage) as broker:
            with pytest.raises(Rejected):
                await broker.cancel(BrokerOrderId("999999999999"))

    async def test_a_change_shows_in_the_book(self, stage: Stage) -> None:
        assert stage.resting.limit_price is not None
        moved = stage.resting.limit_price - 5 * stage.resting.side.sign
        async with line(stage) as broker:
            report = await broker.place(stage.resting, Tag("OCHANGE000000001"), OpenPermit())
            permit = OpenPermit()
            await broker.modify(
                report.order_id, Changes(quantity=stage.resting.quantity + 1, limit_price=moved), permit
            )
            row = await row_of(broker, Tag("OCHANGE000000001"))
        assert (row.quantity, row.limit_price) == (stage.resting.quantity + 1, moved)
        assert permit.bytes_sent > 0

    async def test_without_a_permit_nothing_is_changed(self, stage: Stage) -> None:
        permit = ShutPermit()
        async with line(stage) as broker:
            report = await broker.place(stage.resting, Tag("OCHANGE200000001"), OpenPermit())
            with pytest.raises(KillEngaged):
                await broker.modify(report.order_id, Changes(quantity=stage.resting.quantity + 1), permit)
            assert (await row_of(broker, Tag("OCHANGE200000001"))).quantity == stage.resting.quantity
        assert permit.bytes_sent == 0

    # What is read

    async def test_a_new_account_has_funds_and_an_empty_book(self, stage: Stage) -> None:
        async with line(stage) as broker:
            assert await _nothing(await broker.orders(), await broker.trades(), await broker.positions())
            funds = await broker.funds()
        assert all(isinstance(amount, Decimal) for amount in (funds.available, funds.used, funds.total))
        assert funds.available > 0

    async def test_rows_are_whole_and_exact(self, stage: Stage) -> None:
        async with line(stage) as broker:
            await broker.place(stage.resting, Tag("OEXACT0000000001"), OpenPermit())
            await broker.place(stage.marketable, Tag("OEXACT0000000002"), OpenPermit())
            for row in await broker.orders():
                assert isinstance(row.quantity, int)
                assert isinstance(row.limit_price, Decimal | None)
                assert row.placed_at is not None
                assert row.placed_at.tzinfo is not None
                assert (row.pending_quantity == 0) == (row.state in FINAL)

    async def test_quotes_and_instruments_are_known_by_ordos_names(self, stage: Stage) -> None:
        async with line(stage) as broker:
            quotes = await broker.quotes([stage.instrument])
            known = await broker.instrument(stage.instrument)
            found = await broker.search(stage.instrument.symbol)
        assert quotes[stage.instrument].low <= quotes[stage.instrument].last_price <= quotes[stage.instrument].high
        assert known is not None
        assert known.id == stage.instrument
        assert stage.instrument in [each.id for each in found]

    def test_an_account_of_the_brokers_own_settings_is_accepted(self, stage: Stage) -> None:
        stage.spec.check_account(stage.account(Trouble.NONE))
        stage.spec.check_account(Account(AccountId("plain"), stage.spec.name))


def _tells_margins(stage: Stage) -> bool:
    return stage.spec.capabilities(stage.account(Trouble.NONE)).margins


async def _margin(broker: Broker, intent: OrderIntent) -> Margin:
    told = await broker.margin(intent)
    assert told is not None
    assert not told.estimated
    return told


async def _nothing(*answers: Sequence[object]) -> bool:
    return not any(answers)
