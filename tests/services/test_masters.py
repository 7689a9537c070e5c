"""Masters: fetched side by side, each with its own outcome; an order needs one of the trading day."""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from ordo_cli.brokers.fetching import Bounds
from ordo_cli.brokers.indexed import IndexedMaster
from ordo_cli.brokers.masters import Listing, Master, MasterFile, MasterSource, Row
from ordo_cli.desk import Desk
from ordo_cli.domain.accounts import Account, AccountId, Target
from ordo_cli.domain.errors import Invalid, LimitExceeded, NotAllowed, NotFound
from ordo_cli.domain.instruments import parse_instrument
from ordo_cli.domain.orders import Product
from ordo_cli.domain.portfolio import Position
from ordo_cli.domain.tokens import Rights, TokenScope
from ordo_cli.secrets import VAULT
from ordo_cli.services import accounts, batch, doctor, instruments, login, masters, orders, setup, status
from ordo_cli.services.planning import PlaceRequest
from tests.brokers.masters.server import Server, cut, says, serving
from tests.fakes import INFY, FakeClock, Firm, ScriptedLogin, buy, lives
from tests.services.conftest import Add, Opener

LINES = b"exchange,symbol,name,tick,lot,code,token\nNSE,INFY,Infosys,0.05,1,INFY-EQ,1594\nNSE,TCS,TCS,0.05,1,TCS-EQ,2\n"
NAMES = "exchange,symbol,name,tick,lot,code,token"


def parse(file: str, lines: Iterable[str]) -> Iterator[Row]:
    """As an adapter reads a file: columns are checked, lines that are none are left out."""
    for number, line in enumerate(lines):
        if number == 0:
            if line.strip() != NAMES:
                raise ValueError(f"{file} has other columns")
            continue
        exchange, symbol, name, tick, lot, code, token = line.strip().split(",")
        yield Row(f"{exchange}:{symbol}", name, tick, int(lot), code, token, exchange)


class Source:
    """A firm's files on a server, and what its adapter was given."""

    def __init__(self, server: Server) -> None:
        self.server, self.names, self.secret = server, ["NSE_CM"], False

    def files(self, account: Account) -> Sequence[MasterFile]:
        return [MasterFile(name, f"{self.server.url}/{account.broker}/{name}", self.secret) for name in self.names]

    def headers(self, credentials: Mapping[str, str], token: Mapping[str, str]) -> Mapping[str, str]:
        return {"authorization": f"token {token['access_token']}"}

    def master(self) -> MasterSource:
        return MasterSource(self.files, parse, self.headers)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving(body=LINES) as found:
        yield found


@pytest.fixture
def source(server: Server, firm: Firm) -> Source:
    made = Source(server)
    firm.master = made.master()
    firm.names = ["acme", "zenith"]
    return made


def order(*names: str, quantity: int = 10) -> PlaceRequest:
    return PlaceRequest(buy(quantity), tuple(map(Target, names or ("alice",))))


def master_of(firm: Firm) -> Master:
    return firm.tools[-1].master


async def join(desk: Desk, name: str, broker: str, **more: Any) -> None:
    await accounts.add(desk, name, broker, accounts.Wishes(**more), {})


async def test_a_list_is_fetched_indexed_and_there_for_the_adapter(
    desk: Desk, source: Source, firm: Firm, add: Add
) -> None:
    await add("alice")
    (done,) = await masters.sync(desk)
    assert (done.problem, done.rows, done.left_out, done.received) == (None, 2, 0, len(LINES))
    await desk.lines.to(await desk.store.accounts.get(AccountId("alice")))
    listing = master_of(firm).listing(INFY)
    assert listing is not None
    assert (listing.code, listing.token, listing.segment, listing.instrument.lot) == ("INFY-EQ", "1594", "NSE", 1)
    assert master_of(firm).coded("INFY-EQ", "NSE") == master_of(firm).numbered("1594") == listing
    assert [each.instrument.id for each in master_of(firm).search("infy")] == [INFY]
    assert master_of(firm).day == date(2026, 11, 23)
    files = [os.path.join(folder, name) for folder, _, names in os.walk(desk.home.instruments) for name in names]
    assert len(files) == 3
    assert {stat.S_IMODE(os.stat(each).st_mode) for each in files} == {0o600}


async def test_an_open_line_sees_the_newer_list_at_once(desk: Desk, source: Source, firm: Firm, add: Add) -> None:
    await add("alice")
    await masters.sync(desk)
    await desk.lines.to(await desk.store.accounts.get(AccountId("alice")))
    master = master_of(firm)
    assert master.listing(parse_instrument("NSE:WIPRO")) is None
    source.server.body += b"NSE,WIPRO,Wipro,0.05,1,WIPRO-EQ,3\n"
    source.server.etag = '"two"'
    await masters.sync(desk)
    assert master.listing(parse_instrument("NSE:WIPRO")) is not None


async def test_one_list_that_cannot_be_had_does_not_keep_the_others(desk: Desk, source: Source) -> None:
    await join(desk, "alice", "acme")
    await join(desk, "bob", "zenith")
    source.names = ["NSE_CM"]

    async def by_broker(server: Server, asked: dict[str, str], writer: Any) -> None:
        from tests.brokers.masters.server import plain

        answer = says("404 No", Content_Length=0) if "zenith" in server.paths[-1] else plain
        await answer(server, asked, writer)

    source.server.script = [by_broker] * 4
    told: list[masters.Progress] = []
    done = {each.broker: each for each in await masters.sync(desk, watch=told.append)}
    assert (done["acme"].problem, done["acme"].rows) == (None, 2)  # type: ignore[index]
    assert done["zenith"].problem is not None  # type: ignore[index]
    assert done["zenith"].day is None  # type: ignore[index]
    assert {(each.name, each.step) for each in told if each.step in ("done", "failed")} == {
        ("acme", "done"),
        ("zenith", "failed"),
    }


async def test_accounts_of_one_broker_share_its_list_and_a_sandbox_has_its_own(
    desk: Desk, source: Source, firm: Firm, server: Server
) -> None:
    await join(desk, "alice", "acme")
    await join(desk, "bob", "acme")
    await join(desk, "sandy", "acme", base_url=server.url)
    done = await masters.sync(desk, account="sandy")
    assert [(each.name == "acme", each.base_url) for each in done] == [(False, server.url)]
    live, sandbox = [await desk.store.accounts.get(AccountId(name)) for name in ("alice", "sandy")]
    assert desk.lines.tools(live).master.day is None
    assert desk.lines.tools(sandbox).master.day == date(2026, 11, 23)
    assert len(await masters.sync(desk)) == 2


async def test_a_sandbox_on_this_machine_fetches_nothing_elsewhere(desk: Desk, source: Source, server: Server) -> None:
    await join(desk, "sandy", "acme", base_url=server.url)
    source.files = lambda account: [MasterFile("NSE_CM", "https://example.com/NSE_CM.csv")]  # type: ignore[method-assign]
    firm_master = MasterSource(source.files, parse)
    spec_master = desk.find("acme").master
    assert spec_master is not firm_master
    (done,) = await _with(desk, firm_master)
    assert done.problem is not None
    assert "sandbox on this machine" in done.problem.message


async def _with(desk: Desk, master: MasterSource) -> list[masters.Synced]:
    """A sync by a desk at which every broker has this source."""
    from ordo_cli.domain.values import replace

    find = desk.find
    object.__setattr__(desk, "find", lambda name: replace(find(name), master=master))
    return await masters.sync(desk)


@pytest.mark.parametrize("name", ["../evil", "", "a/b", "NSE CM", "x" * 80, "a.part"])
async def test_a_file_is_never_named_out_of_its_folder(desk: Desk, source: Source, add: Add, name: str) -> None:
    await add("alice")
    source.names = [name]
    (done,) = await masters.sync(desk)
    assert done.problem is not None
    assert source.server.asked == []


async def test_a_file_that_breaks_its_promise_keeps_the_list_of_before(desk: Desk, source: Source, add: Add) -> None:
    await add("alice")
    await masters.sync(desk)
    source.server.body, source.server.etag = b"<html>log in</html>\n", '"two"'
    (done,) = await masters.sync(desk)
    assert done.problem is not None
    assert "other columns" in done.problem.message
    assert done.day == date(2026, 11, 23)
    source.server.body, source.server.etag = LINES, '"two"'  # as if the server had lied about the tag
    assert (await masters.sync(desk))[0].problem is None


async def test_an_empty_list_is_none(desk: Desk, source: Source, add: Add) -> None:
    await add("alice")
    source.server.body = NAMES.encode()
    (done,) = await masters.sync(desk)
    assert done.problem is not None
    assert "not one instrument" in done.problem.message


async def test_a_bug_of_an_adapter_is_told_and_hurts_no_other(desk: Desk, source: Source, add: Add) -> None:
    await add("alice")
    source.server.body = LINES + b"NSE,too,few\n"
    source.server.body = NAMES.encode() + b"\nNSE,INFY,Infosys,0.05,one,INFY-EQ,1\n"
    (done,) = await masters.sync(desk)
    assert done.problem is not None  # int("one") is a ValueError: the file is not as it should be
    source.files = lambda account: 1 / 0  # type: ignore[assignment, method-assign, return-value]
    (done,) = await _with(desk, MasterSource(source.files, parse))
    assert done.problem is not None
    assert done.problem.code == "bug"


async def test_a_file_that_did_not_change_is_of_today_all_the_same(
    desk: Desk, source: Source, add: Add, clock: FakeClock
) -> None:
    await add("alice")
    await masters.sync(desk)
    clock.pass_(86_400)
    (done,) = await masters.sync(desk)
    assert (done.received, done.rows, done.day) == (0, 2, date(2026, 11, 24))


async def test_a_secret_file_takes_the_session_of_an_account_that_has_one(
    desk: Desk, reopen: Opener, source: Source, firm: Firm, add: Add
) -> None:
    await setup.initialise(desk, setup.propose(desk, VAULT, None, None))
    await add("alice")
    await add("bob")
    source.secret = True
    firm.logins = {"alice": ScriptedLogin(), "bob": ScriptedLogin([lives()])}
    (done,) = await masters.sync(desk)
    assert done.problem is not None
    assert done.problem.code == "session_needed"
    assert source.server.asked == []
    async with reopen() as opened:
        await login.start(opened, [Target("bob")])
        (done,) = await masters.sync(opened)
    assert done.problem is None
    assert source.server.asked[0]["authorization"] == "token a-token-of-acme"


async def test_a_public_file_is_asked_for_without_anything_of_the_account(
    desk: Desk, source: Source, firm: Firm, add: Add
) -> None:
    await add("alice")
    firm.logins = {"alice": ScriptedLogin()}
    assert (await masters.sync(desk))[0].problem is None
    assert "authorization" not in source.server.asked[0]


async def test_only_one_process_fetches_a_list_at_a_time(desk: Desk, source: Source, add: Add, reopen: Opener) -> None:
    await add("alice")
    async with reopen() as other, other.locks.only_one("instruments-acme"):
        (done,) = await masters.sync(desk)
    assert done.problem is not None
    assert done.problem.code == "busy"
    assert (await masters.sync(desk))[0].problem is None


async def test_what_a_crash_left_half_written_is_swept_away_and_was_never_read(
    desk: Desk, source: Source, add: Add
) -> None:
    await add("alice")
    await masters.sync(desk)
    left = os.path.join(desk.home.instruments, "acme.idx.new-4711-abcd")
    with open(left, "wb") as file:
        file.write(b"half")
    assert desk.lines.tools(await desk.store.accounts.get(AccountId("alice"))).master.day is not None
    await masters.sync(desk)
    assert not os.path.exists(left)


async def test_who_may_not_administer_may_not_fetch(desk: Desk, source: Source, add: Add) -> None:
    await add("alice")
    trader = desk.acting_as("token:x", Rights(frozenset({TokenScope.TRADE, TokenScope.READ})))
    with pytest.raises(NotAllowed):
        await masters.sync(trader)


async def test_a_sync_without_anything_to_fetch_says_so(desk: Desk, firm: Firm, add: Add) -> None:
    await add("alice")
    with pytest.raises(NotFound):
        await masters.sync(desk)
    with pytest.raises(Invalid):
        await masters.sync(desk, account="alice")
    with pytest.raises(Invalid):
        await masters.sync(desk, account="alice", broker="acme")
    with pytest.raises(NotFound):
        await masters.sync(desk, broker="nobody")


async def test_bounds_hold_for_each_file(desk: Desk, source: Source, add: Add) -> None:
    await add("alice")
    (done,) = await masters.sync(desk, bounds=Bounds(wire=10))
    assert done.problem is not None
    source.server.script = [cut(5)] * 3
    (done,) = await masters.sync(desk)
    assert done.problem is not None
    (done,) = await masters.sync(desk)
    assert (done.problem, done.received) == (None, len(LINES) - 5)


# orders need one of the day


async def test_without_a_list_an_order_is_refused_with_the_command_that_helps(
    desk: Desk, source: Source, add: Add
) -> None:
    alice = await add("alice")
    with pytest.raises(LimitExceeded) as caught:
        await orders.place(desk, order())
    assert caught.value.reason == masters.STALE
    assert caught.value.hint == "ordo instrument sync --account alice"
    assert alice.book == []
    await masters.sync(desk)
    assert (await orders.place(desk, order())).summary.accepted == 1


@pytest.mark.parametrize(
    ("at", "fresh"),
    [
        (datetime(2026, 11, 23, 18, 29, 59, tzinfo=UTC), True),  # 23:59:59 in India on the day of the list
        (datetime(2026, 11, 23, 18, 30, 0, tzinfo=UTC), False),  # midnight: the next trading day
        (datetime(2026, 11, 24, 3, 45, tzinfo=UTC), False),
        (datetime(2026, 11, 22, 20, 0, tzinfo=UTC), True),  # a clock set back within the day
    ],
)
async def test_a_list_is_stale_from_midnight_in_india_of_the_next_trading_day(
    desk: Desk, source: Source, add: Add, clock: FakeClock, at: datetime, fresh: bool
) -> None:
    alice = await add("alice")
    await masters.sync(desk)
    clock.pass_((at - clock.now()).total_seconds())
    found = masters.stale(desk, alice.account)
    assert (found is None) is fresh
    assert found is None or "is of 23 Nov 2026" in found.message


@pytest.mark.parametrize(
    ("synced", "now", "fresh"),
    [
        ((2026, 11, 27), (2026, 11, 28), True),  # of Friday, on Saturday
        ((2026, 11, 27), (2026, 11, 29), True),  # and on Sunday
        ((2026, 11, 27), (2026, 11, 30), False),  # on Monday no more
        ((2026, 11, 28), (2026, 11, 30), False),  # fetched on Saturday it is of Friday
        ((2026, 11, 30), (2026, 11, 30), True),
    ],
)
async def test_a_weekend_makes_no_list_stale(
    desk: Desk,
    source: Source,
    add: Add,
    clock: FakeClock,
    synced: tuple[int, int, int],
    now: tuple[int, int, int],
    fresh: bool,
) -> None:
    alice = await add("alice")
    clock.pass_((datetime(*synced, 6, tzinfo=UTC) - clock.now()).total_seconds())
    await masters.sync(desk)
    clock.pass_((datetime(*now, 6, tzinfo=UTC) - clock.now()).total_seconds())
    assert (masters.stale(desk, alice.account) is None) is fresh


async def test_a_damaged_list_counts_as_none(desk: Desk, source: Source, add: Add) -> None:
    alice = await add("alice")
    await masters.sync(desk)
    path = os.path.join(desk.home.instruments, "acme.idx")
    with open(path, "rb") as file:
        data = file.read()
    with open(path + ".cut", "wb") as file:
        file.write(data[:-1])
    os.replace(path + ".cut", path)
    found = masters.stale(desk, alice.account)
    assert found is not None
    assert "is not on this machine" in found.message
    assert IndexedMaster(path).listing(INFY) is None


async def test_closing_needs_no_list(desk: Desk, source: Source, add: Add) -> None:
    alice = await add("alice")
    held = Position(INFY, Product.CNC, 10, Decimal(1500), Decimal(1500), Decimal(0), Decimal(0))
    alice.position_rows = [held]
    closed = await orders.close_position(desk, alice.account, held, 10)
    assert closed.broker_order_id is not None


async def test_a_stale_account_blocks_its_leg_and_no_other(
    desk: Desk, source: Source, firm: Firm, server: Server
) -> None:
    await join(desk, "alice", "acme")
    await join(desk, "bob", "zenith")
    await masters.sync(desk, broker="acme")
    fan_out = await orders.place(desk, order("alice", "bob"))
    assert [leg.problem.code if leg.problem else None for leg in fan_out.legs] == [None, masters.STALE]


async def test_a_batch_is_told_that_its_list_is_missing(desk: Desk, source: Source, add: Add) -> None:
    from tests.services.test_batch import row

    await add("alice")
    judged = await batch.judge(desk, [row(2)], ())
    assert any("is not on this machine" in fault.message for fault in judged.faults)


async def test_status_and_doctor_tell_how_old_a_list_is(desk: Desk, source: Source, add: Add, clock: FakeClock) -> None:
    await add("alice")
    (before,) = (await status.status(desk)).lists
    assert (before.name, before.accounts, before.day, before.stale) == ("acme", ("alice",), None, True)
    await masters.sync(desk)
    (age,) = (await status.status(desk)).lists
    assert (age.day, age.stale) == (date(2026, 11, 23), False)
    (verdict,) = doctor._masters(desk, await desk.store.accounts.all())
    assert verdict.verdict is doctor.Level.OK
    clock.pass_(86_400)
    (verdict,) = doctor._masters(desk, await desk.store.accounts.all())
    assert (verdict.verdict, verdict.mend) == (doctor.Level.WARN, "ordo instrument sync --broker acme")


async def test_doctor_finds_a_byte_that_changed_on_the_disk(desk: Desk, source: Source, add: Add) -> None:
    await add("alice")
    await masters.sync(desk)
    path = os.path.join(desk.home.instruments, "acme.idx")
    with open(path, "r+b") as file:
        file.seek(-1, os.SEEK_END)
        last = file.read(1)
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last[0] ^ 1]))
    (verdict,) = doctor._masters(desk, await desk.store.accounts.all())
    assert verdict.verdict is doctor.Level.FAIL


# looking


async def test_the_search_asks_every_list_here_without_an_account_or_a_session(
    desk: Desk, source: Source, firm: Firm, reopen: Opener
) -> None:
    await join(desk, "alice", "acme")
    await join(desk, "bob", "zenith")
    firm.logins = {"alice": ScriptedLogin(), "bob": ScriptedLogin()}
    await masters.sync(desk)
    (found,) = await instruments.search(desk, "infosys")
    assert (found.instrument.id, found.brokers) == (INFY, ("acme", "zenith"))
    assert [each.instrument.id for each in await instruments.search(desk, "infy", account="alice")] == [INFY]
    assert (await instruments.show(desk, INFY)).lot == 1
    for name in ("alice", "bob"):
        await accounts.remove(desk, name)
    assert [each.instrument.id for each in await instruments.search(desk, "infy")] == [INFY]
    assert (await instruments.show(desk, INFY)).name == "Infosys"
    assert await instruments.search(desk, "nobody") == []
    with pytest.raises(NotFound):
        await instruments.show(desk, parse_instrument("NSE:NOBODY"))
    assert firm.sessions == []


async def test_a_name_that_two_rows_give_differently_is_no_instrument(desk: Desk, source: Source, add: Add) -> None:
    alice = await add("alice")
    source.server.body = LINES + b"NSE,INFY,Infosys,0.05,1,INFY-BL,77\n"
    await masters.sync(desk)
    assert desk.lines.tools(alice.account).master.listing(INFY) is None
    assert isinstance(desk.lines.tools(alice.account).master.coded("INFY-BL"), Listing)
