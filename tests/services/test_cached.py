"""What may be told again instead of asked: quotes, instruments and funds, for a moment, and to no order's harm."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from ordo_cli.desk import Desk
from ordo_cli.domain.accounts import AccountId, Target
from ordo_cli.domain.errors import LimitExceeded, Unreachable
from ordo_cli.domain.fanouts import Mode
from ordo_cli.domain.instruments import Instrument, InstrumentId, parse_instrument
from ordo_cli.domain.kill import GLOBAL
from ordo_cli.domain.limits import Limits
from ordo_cli.domain.orders import Changes
from ordo_cli.domain.portfolio import Funds, Quote
from ordo_cli.services import cached, cancelling, instruments, kill, modifying, orders, portfolio, reconcile
from ordo_cli.services.planning import PlaceRequest
from tests.fakes import INFY, FakeClock, Firm, ScriptedBroker, buy
from tests.services.conftest import Add

TCS = parse_instrument("NSE:TCS")
ALL = (Target("all"),)
LIMIT = float(Limits().ltp_max_age)


class Asked:
    """A line that counts what it is asked, and whose quotes may be of another time."""

    def __init__(self, line: ScriptedBroker) -> None:
        self.line, self.log, self.at, self.banded = line, list[str](), timedelta(0), False
        self._quotes, self._instrument, self._funds = line.quotes, line.instrument, line.funds
        line.quotes, line.instrument, line.funds = self.quotes, self.instrument, self.funds  # type: ignore[method-assign]

    async def quotes(self, instruments: Sequence[InstrumentId]) -> Mapping[InstrumentId, Quote]:
        self.log += [f"quote {name}" for name in instruments]
        found = await self._quotes(instruments)
        return {name: replace(quote, at=quote.at + self.at) for name, quote in found.items()}

    async def instrument(self, instrument: InstrumentId) -> Instrument | None:
        self.log.append(f"instrument {instrument}")
        found = await self._instrument(instrument)
        return replace(found, upper_band=Decimal(9000)) if found is not None and self.banded else found

    async def funds(self) -> Funds:
        self.log.append("funds")
        return await self._funds()


@pytest.fixture
async def alice(add: Add) -> Asked:
    return Asked(await add("alice"))


async def test_a_price_is_asked_once_a_second_however_often_it_is_wanted(
    desk: Desk, alice: Asked, clock: FakeClock
) -> None:
    first = await instruments.quotes(desk, [INFY])
    assert await instruments.quotes(desk, [INFY]) == first
    assert alice.log == ["quote NSE:INFY"]
    clock.pass_(cached.QUOTE)
    alice.line.last_price = Decimal(1600)
    assert (await instruments.quotes(desk, [INFY]))[INFY].last_price == Decimal(1600)


async def test_only_what_is_not_known_is_asked(desk: Desk, alice: Asked) -> None:
    await instruments.quotes(desk, [INFY])
    assert list(await instruments.quotes(desk, [TCS, INFY])) == [TCS, INFY]
    assert alice.log == ["quote NSE:INFY", "quote NSE:TCS"]


async def test_what_is_told_again_is_what_was_said(desk: Desk, alice: Asked, clock: FakeClock) -> None:
    account = await desk.store.accounts.get(AccountId("alice"))
    alice.banded = True
    least = Decimal("0.0001")
    quote = Quote(INFY, Decimal("1500.05"), None, Decimal("1.10"), least, least, least, least, 12, clock.now())
    alice._quotes = lambda _: _soon({INFY: quote})  # type: ignore[assignment]
    assert await cached.quotes(desk, account, [INFY]) == await cached.quotes(desk, account, [INFY]) == {INFY: quote}
    assert await cached.instrument(desk, account, INFY) == await cached.instrument(desk, account, INFY)
    assert await cached.funds(desk, account) == await cached.funds(desk, account)
    assert alice.log == ["quote NSE:INFY", "instrument NSE:INFY", "funds"]


async def _soon[T](value: T) -> T:
    return value


async def test_funds_are_asked_every_two_seconds_and_of_each_account(desk: Desk, add: Add, clock: FakeClock) -> None:
    alice, bob = Asked(await add("alice")), Asked(await add("bob"))
    for _ in range(3):
        assert len((await portfolio.funds(desk)).rows) == 2
    assert alice.log == bob.log == ["funds"]
    clock.pass_(cached.FUNDS)
    await portfolio.funds(desk)
    assert alice.log == bob.log == ["funds"] * 2


async def test_an_instrument_is_asked_again_after_an_hour_and_on_a_new_trading_day(
    desk: Desk, alice: Asked, clock: FakeClock
) -> None:
    await instruments.show(desk, INFY)
    clock.pass_(cached.INSTRUMENT - 1)
    await instruments.show(desk, INFY)
    assert len(alice.log) == 1
    clock.pass_(1)
    await instruments.show(desk, INFY)
    assert len(alice.log) == 2
    clock.pass_(16 * 3600 - cached.INSTRUMENT - 1)
    await instruments.show(desk, INFY)
    clock.pass_(2 * 3600)
    await instruments.show(desk, INFY)
    assert len(alice.log) == 4


async def test_an_instrument_whose_band_may_move_is_asked_every_minute(
    desk: Desk, alice: Asked, clock: FakeClock
) -> None:
    alice.banded = True
    await instruments.show(desk, INFY)
    clock.pass_(cached.BANDED)
    await instruments.show(desk, INFY)
    assert len(alice.log) == 2


async def test_the_paper_exchange_is_always_asked(desk: Desk, add: Add, firm: Firm) -> None:
    firm.mode = Mode.PAPER
    alice = Asked(await add("alice"))
    for _ in range(2):
        await instruments.quotes(desk, [INFY])
        await instruments.show(desk, INFY)
        await portfolio.funds(desk)
    assert alice.log == ["quote NSE:INFY", "instrument NSE:INFY", "funds"] * 2


@pytest.mark.parametrize("age", [-LIMIT / 2, 1.0], ids=["soon too old", "from a time that has not come"])
async def test_a_price_is_told_to_the_checks_only_while_a_fresh_one_like_it_would_do(
    desk: Desk, alice: Asked, clock: FakeClock, age: float
) -> None:
    """Its broker's time stamp decides, and where that says no, the broker is asked; a cache refuses no order."""
    alice.at = timedelta(seconds=age)
    await instruments.quotes(desk, [INFY])
    alice.log.clear()
    clock.pass_(0.6)
    alice.at = timedelta(0)
    fan_out = await orders.place(desk, PlaceRequest(buy(limit=None), ALL))
    assert fan_out.legs[0].problem is None
    assert "quote NSE:INFY" in alice.log


async def test_a_price_too_old_by_its_own_stamp_refuses_whether_or_not_it_was_told_before(
    desk: Desk, alice: Asked
) -> None:
    alice.at = timedelta(seconds=-60)
    await instruments.quotes(desk, [INFY])
    with pytest.raises(LimitExceeded) as refused:
        await orders.place(desk, PlaceRequest(buy(limit=None), ALL))
    assert refused.value.reason == "LTP_STALE"


async def test_a_broker_that_cannot_be_asked_is_not_hidden_by_what_it_said_before(
    desk: Desk, alice: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    await instruments.quotes(desk, [INFY])

    async def down(account: object) -> None:
        raise Unreachable("connection refused")

    monkeypatch.setattr(desk.lines, "to", down)
    with pytest.raises(Unreachable):
        await instruments.quotes(desk, [INFY])


async def test_an_order_is_held_against_the_money_of_this_moment(desk: Desk, alice: Asked) -> None:
    await portfolio.funds(desk)
    alice.log.clear()
    await orders.place(desk, PlaceRequest(buy(), ALL))
    assert "funds" in alice.log


def quote_of(name: str, last: str, **more: str) -> bytes:
    prices = dict.fromkeys(cached.PRICES, "1") | {"last_price": last, "bid": None, "ask": None}
    moment = "2026-11-23T06:30:00+00:00"
    return json.dumps({"instrument": name, **prices, "volume": 1, "at": moment, "said_at": moment, **more}).encode()


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"not json",
        b"\xff",
        b'{"said_at":"2026-11-23T06:30:00"}',
        b'{"said_at":"2026-11-23T06:30:00+00:00","instrument":"NSE:INFY","last_price":1}',
        quote_of("NSE:INFY", "NaN"),
        quote_of("NSE:TCS", "1"),
        quote_of("NSE:INFY", "1", said_at="2026-11-23T06:31:00+00:00"),
        quote_of("NSE:INFY", "1", at="2026-11-23T06:30:00"),
    ],
)
async def test_what_cannot_be_understood_is_asked_anew(desk: Desk, alice: Asked, garbage: bytes) -> None:
    await instruments.quotes(desk, [INFY])
    account = await desk.store.accounts.get(AccountId("alice"))
    key = cached._quote_key(account, INFY)
    assert await desk.cache.get(key)
    await desk.cache.put(key, garbage, 100.0)
    assert (await instruments.quotes(desk, [INFY]))[INFY].last_price == Decimal(1500)
    assert alice.log == ["quote NSE:INFY"] * 2


async def test_nothing_else_is_ever_put_into_the_cache(desk: Desk, add: Add, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, keys, values = await add("alice"), list[str](), list[bytes]()
    put = desk.cache.put

    async def noted(key: str, value: bytes, seconds: float) -> None:
        keys.append(key)
        values.append(value)
        await put(key, value, seconds)

    monkeypatch.setattr(desk.cache, "put", noted)
    alice.fill = False
    fan_out = await orders.place(desk, PlaceRequest(buy(), ALL, key="a-key-of-the-user"))
    leg = fan_out.legs[0]
    await modifying.modify(desk, leg.id, Changes(limit_price=Decimal(1501)))
    await reconcile.reconcile(desk)
    await cancelling.cancel_fan_out(desk, fan_out.id)
    for read in (portfolio.positions, portfolio.holdings, portfolio.orders, portfolio.trades, portfolio.funds):
        await read(desk)
    await kill.engage(desk, GLOBAL)
    await kill.state(desk)
    assert {key.partition("/")[0] for key in keys} == {"quote", "instrument", "funds"}
    assert not [each for each in values if leg.tag.encode() in each or b"a-key-of-the-user" in each]
