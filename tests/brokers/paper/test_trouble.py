"""Each behaviour does what its sentence says, and a word that is none is refused."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from ordo_cli.brokers.base import Broker, Tools
from ordo_cli.brokers.paper import BEHAVIOURS, SPEC, set_price
from ordo_cli.brokers.paper.amounts import SECOND
from ordo_cli.brokers.paper.exchange import Exchange
from ordo_cli.brokers.paper.line import FILE
from ordo_cli.brokers.paper.oracle import busiest_second, duplicates, orders_per_tag, received
from ordo_cli.domain.accounts import Account, AccountId, BrokerName
from ordo_cli.domain.errors import Invalid, NoAnswer, NotFound, Rejected, SessionExpired, Unreachable
from ordo_cli.domain.instruments import parse_instrument
from ordo_cli.domain.orders import BrokerOrderId, Changes, OrderIntent, OrderState, Side, Tag
from ordo_cli.machine import SystemChance, SystemClock
from tests.brokers.contract import OpenPermit
from tests.brokers.paper.fakes import MONDAY_NOON
from tests.fakes import FakeClock

INFY = parse_instrument("NSE:INFY")
RESTING = OrderIntent(Side.BUY, INFY, 10, Decimal(1420))
MARKET = OrderIntent(Side.BUY, INFY, 10)


@dataclass
class Street:
    """Accounts of one exchange file."""

    folder: Path
    clock: FakeClock
    read_timeout: float = 15.0

    @property
    def tools(self) -> Tools:
        return Tools(self.clock, SystemChance(), self.folder, self.read_timeout)

    @asynccontextmanager
    async def line(self, *behaviours: str, name: str = "alice") -> AsyncIterator[Broker]:
        account = Account(AccountId(name), BrokerName("paper"), behaviours=behaviours)
        SPEC.check_account(account)
        async with SPEC.connect(account, {}, self.tools) as broker:
            yield broker

    def exchange(self) -> Exchange:
        return Exchange(str(self.folder / FILE), self.clock)


@pytest.fixture
def street(tmp_path: Path) -> Street:
    return Street(tmp_path, FakeClock(MONDAY_NOON))


def waited(street: Street, since: float) -> float:
    return round(street.clock.elapsed() - since, 6)


@pytest.mark.parametrize(
    "word",
    [
        *("quiet", "latency", "latency=", "latency=0", "latency=x", "latency=-5", "latency=1.2345", "LATENCY=5"),
        *("late", "late=0", "lagging", "refuse=", "refuse=no", "refuse=A;B", "silent=", "silent=x", "partial=0"),
        *("expired=1", "down=1", "tagless=yes"),
    ],
)
def test_a_word_that_is_no_behaviour_is_refused(word: str) -> None:
    account = Account(AccountId("alice"), BrokerName("paper"), behaviours=(word,))
    with pytest.raises(Invalid) as refusal:
        SPEC.check_account(account)
    assert refusal.value.hint


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_every_behaviour_of_the_table_is_accepted_as_it_is_written_there(name: str) -> None:
    word = name.replace("=MS", "=50").replace("=SECONDS", "=2")
    SPEC.check_account(Account(AccountId("alice"), BrokerName("paper"), behaviours=(word,)))
    assert BEHAVIOURS[name][0].islower()


def test_a_paper_account_has_no_base_url() -> None:
    with pytest.raises(Invalid):
        SPEC.check_account(Account(AccountId("alice"), BrokerName("paper"), base_url="https://example.com"))


async def test_latency_is_the_time_until_the_order_arrives(street: Street) -> None:
    start = street.clock.elapsed()
    async with street.line("latency=250") as broker:
        report = await broker.place(MARKET, Tag("OLATENCY"), OpenPermit())
        assert waited(street, start) == 0.25
        assert report.placed_at is not None
        assert (report.placed_at - MONDAY_NOON).total_seconds() == 0.25
        await broker.cancel((await broker.place(RESTING, Tag("O2"), OpenPermit())).order_id)
    assert waited(street, start) == 0.75


async def test_latency_beyond_the_senders_patience_is_no_answer(street: Street) -> None:
    street.read_timeout = 2.0
    start = street.clock.elapsed()
    async with street.line("latency=5000") as broker:
        with pytest.raises(NoAnswer):
            await broker.place(RESTING, Tag("OSLOW"), OpenPermit())
        assert waited(street, start) == 2.0
        assert await broker.orders() == []
        street.clock.pass_(3)
        assert len(await broker.orders()) == 1


async def test_refuse_may_name_its_code(street: Street) -> None:
    async with street.line("refuse=MARGIN") as broker:
        with pytest.raises(Rejected) as refusal:
            await broker.place(RESTING, Tag("OREFUSED"), OpenPermit())
    assert refusal.value.reason == "MARGIN"


async def test_an_account_told_to_refuse_for_margin_still_tells_the_margin_it_has(street: Street) -> None:
    async with street.line("refuse=MARGIN") as broker:
        told = await broker.margin(RESTING)
    assert told is not None
    assert told.needed == 14_200 < told.available


@pytest.mark.parametrize(("word", "seconds"), [("silent", 1.0), ("silent=0.25", 0.25), ("silent=60", 15.0)])
async def test_silence_lasts_as_long_as_the_sender_waits(street: Street, word: str, seconds: float) -> None:
    start = street.clock.elapsed()
    async with street.line(word) as broker:
        with pytest.raises(NoAnswer):
            await broker.place(MARKET, Tag("OSILENT"), OpenPermit())
        assert waited(street, start) == seconds
        (row,) = await broker.orders()
        assert row.state is OrderState.FILLED
        with pytest.raises(NoAnswer):
            await broker.modify(row.order_id, Changes(quantity=20), OpenPermit())


async def test_a_silent_account_still_answers_cancels_unless_it_is_told_not_to(street: Street) -> None:
    async with street.line("silent") as broker:
        with pytest.raises(NoAnswer):
            await broker.place(RESTING, Tag("OSILENT"), OpenPermit())
        (row,) = await broker.orders()
        assert (await broker.cancel(row.order_id)).state is OrderState.CANCELLED
    async with street.line("silent-cancel", name="bob") as broker:
        report = await broker.place(RESTING, Tag("OBOB"), OpenPermit())
        with pytest.raises(NoAnswer):
            await broker.cancel(report.order_id)
        assert [row.state for row in await broker.orders()] == [OrderState.CANCELLED]


async def test_a_late_order_arrives_in_a_process_that_did_not_send_it(street: Street) -> None:
    async with street.line("late=30") as broker:
        with pytest.raises(NoAnswer):
            await broker.place(MARKET, Tag("OLATE"), OpenPermit())
    street.clock.pass_(31)
    async with street.line() as broker:
        (row,) = await broker.orders()
    assert (row.tag, row.state) == ("OLATE", OrderState.FILLED)
    assert row.placed_at is not None
    assert (row.placed_at - MONDAY_NOON).total_seconds() == 30


async def test_an_expired_session_is_seen_by_the_exchange_and_makes_no_order(street: Street) -> None:
    permit = OpenPermit()
    async with street.line("expired") as broker:
        with pytest.raises(SessionExpired) as refusal:
            await broker.place(MARKET, Tag("OEXPIRED"), permit)
        with pytest.raises(SessionExpired):
            await broker.cancel(BrokerOrderId("1"))
    assert refusal.value.reason == "SESSION"
    assert permit.bytes_sent > 0
    async with street.line() as broker:
        assert await broker.orders() == []


async def test_a_lagging_book_shows_fills_and_trades_later_too(street: Street) -> None:
    await set_price(street.tools, INFY, Decimal(1500))
    async with street.line("lagging=10") as broker, street.line(name="bob") as now:
        await broker.place(RESTING, Tag("OLAG"), OpenPermit())
        await now.place(RESTING, Tag("ONOW"), OpenPermit())
        street.clock.pass_(8)
        await set_price(street.tools, INFY, Decimal(1415))
        assert [row.state for row in await now.orders()] == [OrderState.FILLED]
        assert await broker.orders() == []
        street.clock.pass_(4)
        assert [row.state for row in await broker.orders()] == [OrderState.OPEN]
        assert await broker.trades() == []
        street.clock.pass_(8)
        assert [row.state for row in await broker.orders()] == [OrderState.FILLED]
        assert len(await broker.trades()) == 1


@pytest.mark.parametrize("word", ["down", "unreachable"])
async def test_nothing_reaches_an_exchange_that_is_down(street: Street, word: str) -> None:
    async with street.line(word) as broker:
        for call in (
            broker.quotes([INFY]),
            broker.instrument(INFY),
            broker.search("INFY"),
            broker.cancel(BrokerOrderId("1")),
        ):
            with pytest.raises(Unreachable):
                await call
    exchange = street.exchange()
    assert received(exchange) == []
    exchange.close()


async def test_the_oracle_counts_orders_duplicates_and_rates(street: Street) -> None:
    async with street.line("duplicate-sensitive") as broker:
        for _ in range(2):
            with suppress(Rejected):
                await broker.place(RESTING, Tag("OSAME"), OpenPermit())
        street.clock.pass_(0.9)
        await broker.place(MARKET, Tag("OOTHER"), OpenPermit())
        street.clock.pass_(0.2)
        await broker.cancel((await broker.orders())[0].order_id)
    exchange = street.exchange()
    assert orders_per_tag(exchange) == {("alice", "OSAME"): 2, ("alice", "OOTHER"): 1}
    assert [message.tag for message in duplicates(exchange)] == ["OSAME"]
    assert busiest_second(exchange) == {"alice": 3}
    assert [message.kind for message in received(exchange)] == ["place", "place", "place", "cancel"]
    assert received(exchange)[2].sent - received(exchange)[0].sent == round(0.9 * SECOND)
    exchange.close()


async def test_a_thousand_accounts_place_at_once_through_one_handle(tmp_path: Path) -> None:
    tools = Tools(SystemClock(), SystemChance(), tmp_path)
    async with AsyncExitStack() as stack:
        accounts = [Account(AccountId(f"a{number}"), BrokerName("paper")) for number in range(1_000)]
        brokers = [await stack.enter_async_context(SPEC.connect(account, {}, tools)) for account in accounts]
        reports = await asyncio.gather(
            *(broker.place(MARKET, Tag(f"OMANY{number}"), OpenPermit()) for number, broker in enumerate(brokers))
        )
    assert {report.state for report in reports} == {OrderState.FILLED}
    assert len({report.order_id for report in reports}) == 1_000


async def test_a_price_can_be_held_and_let_go(street: Street) -> None:
    assert (await set_price(street.tools, INFY, Decimal("1500.05"))).last_price == Decimal("1500.05")
    with pytest.raises(Invalid):
        await set_price(street.tools, INFY, Decimal("1500.01"))
    with pytest.raises(NotFound):
        await set_price(street.tools, parse_instrument("NSE:NOSUCH"), Decimal(10))
    assert (await set_price(street.tools, INFY, None)).last_price != Decimal("1500.05")


async def test_a_clock_that_is_set_back_while_an_order_travels_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    clock = Unsteady()
    tools = Tools(clock, SystemChance(), tmp_path, read_timeout=0.5)
    account = Account(AccountId("alice"), BrokerName("paper"))
    async with SPEC.connect(account, {}, tools) as broker:
        clock.set_back_after = 1
        with pytest.raises(NoAnswer):
            await broker.place(RESTING, Tag("OBACK"), OpenPermit())
        clock.pass_(3_600)
        assert [row.tag for row in await broker.orders()] == ["OBACK"]


class Unsteady(FakeClock):
    """Told so, it jumps back a minute once it has been looked at a number of times."""

    set_back_after: int | None = None

    def now(self) -> datetime:
        if self.set_back_after is None:
            return super().now()
        self.set_back_after -= 1
        return super().now() - timedelta(seconds=0 if self.set_back_after >= 0 else 60)


async def test_a_file_that_is_damaged_gives_no_answer(street: Street) -> None:
    async with street.line() as broker:
        damage = sqlite3.connect(street.folder / FILE)
        damage.execute("DROP TABLE history")
        damage.close()
        for call in (broker.place(RESTING, Tag("ODAMAGED"), OpenPermit()), broker.orders()):
            with pytest.raises(NoAnswer):
                await call
    exchange = street.exchange()
    assert orders_per_tag(exchange) == {("alice", "ODAMAGED"): 1}
    exchange.close()


async def test_a_file_that_cannot_be_made_is_unreachable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    tools = Tools(FakeClock(), SystemChance(), tmp_path / "file")
    with pytest.raises(Unreachable):
        async with SPEC.connect(Account(AccountId("alice"), BrokerName("paper")), {}, tools):
            pass


async def test_who_stops_waiting_does_not_call_the_order_back(street: Street) -> None:
    async with street.line() as broker:
        waiting = asyncio.ensure_future(broker.place(RESTING, Tag("OGONE"), OpenPermit()))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert [row.tag for row in await broker.orders()] == ["OGONE"]


@pytest.mark.parametrize(
    "options", [{"hours": "never"}, {"seed": "x"}, {"funds": "1.5"}, {"funds": "1" * 12}, {"colour": "red"}]
)
async def test_a_setting_of_the_exchange_that_means_nothing_is_refused(tmp_path: Path, options: dict[str, str]) -> None:
    tools = Tools(FakeClock(), SystemChance(), tmp_path, options=options)
    with pytest.raises(Invalid):
        async with SPEC.connect(Account(AccountId("alice"), BrokerName("paper")), {}, tools):
            pass


async def test_the_settings_of_the_exchange_are_followed(tmp_path: Path) -> None:
    options = {"hours": "exchange", "seed": "7", "funds": "500"}
    tools = Tools(FakeClock(MONDAY_NOON), SystemChance(), tmp_path, options=options)
    async with SPEC.connect(Account(AccountId("alice"), BrokerName("paper")), {}, tools) as broker:
        assert (await broker.funds()).total == Decimal(500)
        with pytest.raises(Rejected) as refusal:
            await broker.place(MARKET, Tag("OPOOR"), OpenPermit())
    assert refusal.value.reason == "MARGIN"
