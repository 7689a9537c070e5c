"""The paper exchange's door: codes on its telephone, and sessions that end."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from ordo_cli.brokers import spec
from ordo_cli.brokers.base import WRONG_ANSWER, BrokerSession, Challenge, Login, Tools
from ordo_cli.brokers.paper.exchange import Exchange
from ordo_cli.brokers.paper.line import FILE
from ordo_cli.domain.accounts import Account, AccountId, BrokerName
from ordo_cli.domain.errors import Invalid, Rejected, SessionExpired, Unreachable
from ordo_cli.domain.instruments import parse_instrument
from ordo_cli.domain.orders import OrderIntent, Side, Tag
from ordo_cli.domain.values import replace
from ordo_cli.machine import SystemChance
from tests.brokers.contract import OpenPermit
from tests.fakes import MONDAY_NOON, FakeClock

PAPER = spec("paper")


def account(*behaviours: str) -> Account:
    return Account(AccountId("alice"), BrokerName("paper"), behaviours=behaviours or ("otp",))


def login_of(who: Account) -> Login:
    found = PAPER.login(who)
    assert found is not None
    return found


@pytest.fixture
def tools(tmp_path: Path) -> Tools:
    return Tools(FakeClock(MONDAY_NOON), SystemChance(), tmp_path)


def code(tools: Tools) -> str:
    path = tools.data / "paper-phone" / "alice.txt"
    assert os.stat(path).st_mode & 0o077 == 0
    return path.read_text().splitlines()[-1]


async def asked(tools: Tools, who: Account) -> Challenge:
    step = await login_of(who).start(who, {}, tools)
    assert isinstance(step, Challenge)
    return step


async def admitted(tools: Tools, who: Account) -> BrokerSession:
    challenge = await asked(tools, who)
    step = await login_of(who).answer(who, {}, tools, challenge.state, code(tools))
    assert isinstance(step, BrokerSession)
    return step


async def refused(tools: Tools, who: Account, challenge: Challenge, text: str) -> str:
    with pytest.raises(Rejected) as caught:
        await login_of(who).answer(who, {}, tools, challenge.state, text)
    return caught.value.reason


async def test_a_wrong_code_may_be_mended_until_the_exchange_has_enough(tools: Tools) -> None:
    who = account()
    challenge = await asked(tools, who)
    right = code(tools)
    wrong = "000000" if right != "000000" else "000001"
    assert [await refused(tools, who, challenge, wrong) for _ in range(4)] == [WRONG_ANSWER] * 4
    assert await refused(tools, who, challenge, wrong) == "CODE_LOCKED"
    assert await refused(tools, who, challenge, right) == "CODE_EXPIRED"


async def test_a_code_lives_five_minutes_and_opens_once(tools: Tools) -> None:
    who = account()
    challenge = await asked(tools, who)
    right = code(tools)
    tools.clock.pass_(301)  # type: ignore[attr-defined]
    assert await refused(tools, who, challenge, right) == "CODE_EXPIRED"
    challenge = await asked(tools, who)
    right = code(tools)
    await login_of(who).answer(who, {}, tools, challenge.state, right)
    assert await refused(tools, who, challenge, right) == "CODE_EXPIRED"
    assert not (tools.data / "paper-phone" / "alice.txt").exists()


async def test_a_newer_code_replaces_the_older(tools: Tools) -> None:
    who = account()
    first = await asked(tools, who)
    old = code(tools)
    await asked(tools, who)
    assert await refused(tools, who, first, old) == "CODE_EXPIRED"


async def test_a_session_ends_at_six_in_the_morning_or_when_it_was_told_to(tools: Tools) -> None:
    assert (await admitted(tools, account())).expires_at == datetime(2026, 11, 24, 0, 30, tzinfo=UTC)
    short = await admitted(tools, account("otp=30"))
    assert (short.expires_at - tools.clock.now()).total_seconds() == 30


async def test_only_the_newest_session_is_known(tools: Tools) -> None:
    who = account()
    first = await admitted(tools, who)
    await login_of(who).probe(who, {}, tools, first)
    second = await admitted(tools, who)
    with pytest.raises(SessionExpired):
        await login_of(who).probe(who, {}, tools, first)
    await login_of(who).logout(who, {}, tools, first)  # which ends nothing of the second
    await login_of(who).probe(who, {}, tools, second)
    await login_of(who).logout(who, {}, tools, second)
    await login_of(who).logout(who, {}, tools, second)
    with pytest.raises(SessionExpired):
        await login_of(who).probe(who, {}, tools, second)


async def test_orders_and_reads_want_the_session(tools: Tools) -> None:
    who = account("otp=60")
    intent = OrderIntent(Side.BUY, parse_instrument("NSE:INFY"), 10, Decimal(1420))
    session = await admitted(tools, who)
    async with PAPER.connect(who, {}, replace(tools, session=session)) as broker:
        placed = await broker.place(intent, Tag("OFIRST"), OpenPermit())
        assert [row.order_id for row in await broker.orders()] == [placed.order_id]
        tools.clock.pass_(60)  # type: ignore[attr-defined]
        for call in (broker.orders(), broker.positions(), broker.funds(), broker.cancel(placed.order_id)):
            with pytest.raises(SessionExpired):
                await call
        with pytest.raises(SessionExpired):
            await broker.place(intent, Tag("OSECOND"), OpenPermit())
    async with PAPER.connect(who, {}, tools) as nobody:
        with pytest.raises(SessionExpired):
            await nobody.orders()


async def test_the_exchange_keeps_neither_code_nor_token(tools: Tools) -> None:
    who = account()
    await asked(tools, who)
    text = code(tools)
    session = await admitted(tools, who)
    await asked(tools, who)
    with closing(sqlite3.connect(tools.data / FILE)) as database:
        dump = "".join(database.iterdump())
    assert text not in dump
    assert session.token["token"] not in dump


async def test_an_exchange_that_is_down_sends_no_code(tools: Tools) -> None:
    with pytest.raises(Unreachable):
        await asked(tools, account("otp", "down"))
    assert not (tools.data / "paper-phone").exists()


def test_only_accounts_that_were_told_to_log_in() -> None:
    assert PAPER.login(Account(AccountId("bob"), BrokerName("paper"))) is None
    with pytest.raises(Invalid):
        PAPER.check_account(account("otp=never"))


def test_an_older_exchange_gets_a_door_and_keeps_what_it_has(tmp_path: Path) -> None:
    path, clock = str(tmp_path / FILE), FakeClock(MONDAY_NOON)
    Exchange(path, clock).close()
    with closing(sqlite3.connect(path)) as database:  # as version 1 left it
        database.execute("DROP TABLE codes")
        database.execute("DROP TABLE sessions")
        database.execute("INSERT INTO cash VALUES ('alice', 42)")
        database.execute("PRAGMA user_version = 1")
        database.commit()
    for _ in range(2):
        exchange = Exchange(path, clock)
        assert exchange.db.execute("SELECT amount FROM cash").fetchall() == [(42,)]
        assert exchange.db.execute("SELECT count(*) FROM sessions").fetchone() == (0,)
        exchange.close()
