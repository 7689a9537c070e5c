"""Every fault on the way to Fyers, over real sockets: what is refused surely, and what nobody can know."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable

import pytest

from ordo_cli.brokers.answers import Row, load
from ordo_cli.brokers.base import Broker
from ordo_cli.domain.errors import KillEngaged, NoAnswer, OrdoError, Rejected, SessionExpired, Unreachable
from ordo_cli.domain.orders import BrokerOrderId, Changes
from tests.brokers.fyers.fake import recorded
from tests.brokers.fyers.faults import FAULTS, NO_ANSWER, NUMBERS, PAGES, SESSION, Fault, error, said, yes
from tests.brokers.fyers.setting import RESTING, TAG, opened, tools
from tests.brokers.wire.fakes import Leave
from tests.brokers.wire.faults import answer, saying
from tests.brokers.wire.server import Peer, RawServer, serving

ORDER = BrokerOrderId("26112300000001")
IMPATIENT = 0.25  # seconds


def named(fault: Fault) -> str:
    return fault.name


def verdict(error: OrdoError) -> str:
    if isinstance(error, Rejected):
        assert (error.reason == SESSION) == isinstance(error, SessionExpired) or error.reason == "session_expired"
        return SESSION if isinstance(error, SessionExpired) else error.reason
    assert isinstance(error, NoAnswer | Unreachable)
    return "unreachable" if isinstance(error, Unreachable) else NO_ANSWER


async def fate(server: RawServer, asking: Callable[[Broker], Awaitable[object]]) -> str:
    async with opened(tools(read_timeout=IMPATIENT), server.url) as broker:
        try:
            await asking(broker)
        except OrdoError as error:
            return verdict(error)
    return "accepted"


@pytest.mark.parametrize("fault", [*FAULTS, *NUMBERS], ids=named)
async def test_an_order_is_refused_only_by_what_is_on_record(fault: Fault) -> None:
    permit = Leave()
    async with serving(fault.play) as server:
        told = await fate(server, lambda broker: broker.place(RESTING, TAG, permit))
    if told == "unreachable":  # a connection that broke early enough: then no byte may have left
        assert (permit.bytes_sent, fault.write) == (0, NO_ANSWER)
    else:
        assert told == fault.write
        assert permit.bytes_sent > 0
    assert permit.passed <= 1


@pytest.mark.parametrize("fault", FAULTS, ids=named)
async def test_a_cancel_is_refused_only_by_what_is_on_record(fault: Fault) -> None:
    async with serving(fault.play) as server:
        told = await fate(server, lambda broker: broker.cancel(ORDER))
    assert told == fault.write or (told, fault.write) == ("unreachable", NO_ANSWER)


@pytest.mark.parametrize("fault", [*FAULTS, *PAGES], ids=named)
async def test_a_read_gives_the_whole_book_or_none(fault: Fault) -> None:
    async with serving(fault.play) as server:
        told = await fate(server, lambda broker: broker.orders())
    assert told == fault.read or (told, fault.read) == ("unreachable", NO_ANSWER)


@pytest.mark.parametrize("fault", FAULTS, ids=named)
async def test_a_change_is_refused_only_by_what_is_on_record(fault: Fault) -> None:
    async def play(peer: Peer) -> None:
        """The order is read well; what happens to the change is the fault."""
        while b"\r\n\r\n" not in peer.buffer:
            await peer._more()
        if peer.buffer.startswith(b"GET"):
            await said(recorded("orders"))(peer)
            await play(peer)
        else:
            await fault.play(peer)

    permit = Leave()
    async with serving(play) as server:
        told = await fate(server, lambda broker: broker.modify(ORDER, Changes(quantity=12), permit))
    assert told == fault.write or (told, fault.write, permit.bytes_sent) == ("unreachable", NO_ANSWER, 0)


def test_the_faults_are_many_and_different() -> None:
    assert len({fault.name for fault in [*FAULTS, *NUMBERS, *PAGES]}) == len(FAULTS) + len(NUMBERS) + len(PAGES)
    assert len(FAULTS) >= 22
    codes = {row.code for row in load("fyers").rows if not (row.code or "").startswith("login")}
    told = {fault.write for fault in FAULTS}
    assert told - {NO_ANSWER} < {row.named for row in load("fyers").rows if row.code in codes}


@pytest.mark.parametrize("row", [row for row in load("fyers").rows if row.code and row.code[0] == "-"], ids=str)
async def test_every_row_of_the_table_says_what_it_means_and_no_other_code_means_anything(row: Row) -> None:
    assert row.code is not None
    status = f"{row.http or 200} X"
    headers = ["Retry-After: 1"] if row.http == 429 else []
    async with serving(said(error(int(row.code), "no"), status, *headers)) as server:
        assert await fate(server, lambda broker: broker.place(RESTING, TAG, Leave())) == row.named
    async with serving(said(error(int(row.code) - 1000, "no"), status, *headers)) as server:
        assert await fate(server, lambda broker: broker.place(RESTING, TAG, Leave())) == NO_ANSWER


async def test_where_nobody_listens_no_byte_leaves() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url, permit = f"http://127.0.0.1:{taken.getsockname()[1]}", Leave()
        async with opened(tools(), url) as broker:
            with pytest.raises(Unreachable):
                await broker.place(RESTING, TAG, permit)
            with pytest.raises(Unreachable):
                await broker.cancel(ORDER)
            with pytest.raises(Unreachable):
                await broker.orders()
    assert permit.bytes_sent == 0


async def test_bytes_that_leave_are_those_that_arrive_and_they_arrive_once() -> None:
    permit = Leave()
    async with serving(said(yes())) as server, opened(tools(), server.url) as broker:
        report = await broker.place(RESTING, TAG, permit)
        assert server.received == permit.bytes_sent > 0
    assert (report.order_id, permit.claimed, permit.passed) == (ORDER, 1, 1)


async def test_a_write_is_never_repeated_and_follows_no_redirect() -> None:
    for play in (saying(answer(b"{}", "503 Busy", "Retry-After: 0")), said(yes(), "307 X", "Location: /elsewhere")):
        permit = Leave()
        async with serving(play) as server, opened(tools(), server.url) as broker:
            with pytest.raises(NoAnswer):
                await broker.place(RESTING, TAG, permit)
            assert server.received == permit.bytes_sent


async def test_a_read_waits_as_long_as_fyers_wants_and_asks_again() -> None:
    times = 0

    async def play(peer: Peer) -> None:
        nonlocal times
        while True:
            await peer.question()
            times += 1
            if times < 3:
                peer.say(answer(b'{"s":"error","code":-429,"message":""}', "429 X", "Retry-After: 0"))
            else:
                peer.say(answer(b'{"s":"ok","code":200,"orderBook":[]}'))

    async with serving(play) as server, opened(tools(), server.url) as broker:
        assert await broker.orders() == []
    assert times == 3


async def test_a_shut_gate_lets_no_byte_of_an_order_out() -> None:
    permit = Leave(KillEngaged("the switch is on"))
    async with serving(said(yes())) as server, opened(tools(), server.url) as broker:
        with pytest.raises(KillEngaged):
            await broker.place(RESTING, TAG, permit)
        assert (server.received, permit.bytes_sent) == (0, 0)
