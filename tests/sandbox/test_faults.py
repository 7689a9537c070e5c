"""Faults do exactly what their rules say, to the byte, and no more often."""

from __future__ import annotations

import asyncio
import socket
from urllib.parse import urlencode

import pytest

from ordo_cli.domain.errors import Invalid
from ordo_cli.sandbox.chance import SeededChance
from ordo_cli.sandbox.faults import CALLS, KINDS, Faults, Kind
from tests.sandbox.conftest import Running
from tests.sandbox.kite import Kite, limit_order


def faults(seed: int = 1) -> Faults:
    return Faults(SeededChance(seed), ["zerodha", "fyers"])


@pytest.mark.parametrize(
    "text",
    [
        "zerodha:place:accept-then-drop@20%",
        "*:*:latency=250",
        "zerodha/ZZ0001:book:book-lag=30x3",
        "zerodha:place:status=503@12.5%x2",
        "*:book:book-shrink",
    ],
)
def test_a_rule_is_read(text: str) -> None:
    assert faults().add(text).text == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "zerodha",
        "zerodha:place",
        "nobody:place:html",
        "zerodha:dance:html",
        "zerodha:place:explode",
        "zerodha:place:latency",
        "zerodha:place:status=200",
        "zerodha:place:html=3",
        "zerodha:place:html@0%",
        "zerodha:place:html@101%",
        "zerodha:place:html ",
        "zerodha:place:html; rm",
    ],
)
def test_what_is_no_rule_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        faults().add(text)


def test_every_kind_is_explained() -> None:
    assert set(KINDS) == set(Kind)


def test_a_count_runs_out() -> None:
    some = faults()
    some.add("zerodha:place:htmlx3")
    assert [Kind.HTML in some.strike("zerodha", None, "place") for _ in range(5)] == [True] * 3 + [False] * 2


def test_a_rule_strikes_its_broker_account_and_call_alone() -> None:
    some = faults()
    some.add("zerodha/ZZ0001:place:html")
    assert Kind.HTML in some.strike("zerodha", "zz0001", "place")
    for broker, account, call in (
        ("fyers", "ZZ0001", "place"),
        ("zerodha", "ZZ0002", "place"),
        ("zerodha", None, "place"),
        ("zerodha", "ZZ0001", "book"),
    ):
        assert Kind.HTML not in some.strike(broker, account, call)


def test_a_chance_repeats_with_its_seed() -> None:
    def struck(seed: int) -> list[bool]:
        some = faults(seed)
        some.add("zerodha:*:html@20%")
        return [Kind.HTML in some.strike("zerodha", None, "book") for _ in range(500)]

    assert struck(1) == struck(1) != struck(2)
    assert 60 < sum(struck(1)) < 140


def test_rules_do_not_disturb_each_others_chances() -> None:
    alone, beside = faults(), faults()
    for some in (alone, beside):
        some.add("zerodha:place:html@50%")
    beside.add("zerodha:book:empty@50%")
    seen = []
    for some in (alone, beside):
        row = []
        for _ in range(50):
            some.strike("zerodha", None, "book")
            row.append(Kind.HTML in some.strike("zerodha", None, "place"))
        seen.append(row)
    assert seen[0] == seen[1]


async def raw(running: Running, request: bytes) -> tuple[bytes, bool]:
    """Everything that comes back, byte for byte, and whether the connection was reset."""
    reader, writer = await asyncio.open_connection("127.0.0.1", running.desk("zerodha").port)
    writer.write(request)
    seen, reset = b"", False
    try:
        while part := await asyncio.wait_for(reader.read(1 << 16), 10):
            seen += part
    except ConnectionResetError:
        reset = True
    writer.close()
    return seen, reset


def order_bytes(kite: Kite) -> bytes:
    body = urlencode(limit_order()).encode()
    head = (
        "POST /orders/regular HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        f"Authorization: token {kite.account.api_key}:{kite.token}\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@pytest.fixture
async def kite(running: Running) -> Kite:
    await running.hold("NSE:INFY", "1500")
    return await Kite(running).log_in()


async def accepted(running: Running) -> int:
    return sum(entry["accepted"] for entry in (await running.ask("tags"))["tags"])


async def strike(kite: Kite, kind: str) -> tuple[bytes, bool, int]:
    await kite.running.change("faults", rule=f"zerodha:place:{kind}x1")
    seen, reset = await raw(kite.running, order_bytes(kite))
    return seen, reset, await accepted(kite.running)


async def test_without_a_fault_the_answer_is_whole(kite: Kite) -> None:
    seen, reset = await raw(kite.running, order_bytes(kite))
    head, _, body = seen.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert not reset


async def test_accept_then_drop_takes_the_order_and_sends_no_byte(kite: Kite) -> None:
    assert await strike(kite, "accept-then-drop") == (b"", False, 1)


async def test_drop_before_takes_nothing_and_sends_no_byte(kite: Kite) -> None:
    assert await strike(kite, "drop-before") == (b"", False, 0)


async def test_reset_after_head_takes_the_order_and_sends_the_head_alone(kite: Kite) -> None:
    seen, reset, orders = await strike(kite, "reset-after-head")
    assert (reset, orders) == (True, 1)
    assert seen == b"" or seen.endswith(b"\r\n\r\n")


async def test_the_head_before_a_reset_reaches_who_reads_in_time(kite: Kite) -> None:
    """Read by a plain socket: asyncio may learn of the reset before it looks at what came."""
    await kite.running.change("faults", rule="zerodha:place:reset-after-headx1")

    def ask() -> bytes:
        with socket.create_connection(("127.0.0.1", kite.running.desk("zerodha").port)) as connection:
            connection.sendall(order_bytes(kite))
            seen = b""
            try:
                while part := connection.recv(1 << 16):
                    seen += part
            except ConnectionResetError:
                return seen
        return b"no reset"

    seen = await asyncio.to_thread(ask)
    assert seen.startswith(b"HTTP/1.1 200 OK")
    assert seen.endswith(b"\r\n\r\n")


async def test_truncate_takes_the_order_and_sends_half_the_body(kite: Kite) -> None:
    whole, _ = await raw(kite.running, order_bytes(kite))
    seen, reset, orders = await strike(kite, "truncate")
    head, _, body = seen.partition(b"\r\n\r\n")
    full = whole.partition(b"\r\n\r\n")[2]
    assert (reset, orders) == (False, 2)
    assert f"Content-Length: {len(full)}".encode() in head
    assert len(body) == len(full) // 2


async def test_duplicate_answer_takes_one_order_and_answers_twice(kite: Kite) -> None:
    seen, _, orders = await strike(kite, "duplicate-answer")
    assert orders == 1
    assert seen.count(b"HTTP/1.1 200 OK") == 2
    assert seen[: len(seen) // 2] == seen[len(seen) // 2 :]


@pytest.mark.parametrize(
    ("kind", "status", "body", "orders"),
    [
        ("html", 502, b"<html>", 1),
        ("empty", 200, b"", 1),
        ("not-json", 200, b"{'status'", 1),
        ("status=503", 503, b'{"status": "error"', 0),
        ("status=500", 500, b'{"status": "error"', 0),
        ("accept-then-status=504", 504, b'{"status": "error"', 1),
        ("ip-refused", 403, b'{"status": "error", "message": "IP (127.0.0.1) is not allowed', 0),
        ("session-death", 403, b'{"status": "error", "message": "Incorrect `api_key`', 0),
    ],
)
async def test_an_answer_reads_as_its_rule_says(kite: Kite, kind: str, status: int, body: bytes, orders: int) -> None:
    seen, reset, found = await strike(kite, kind)
    head, _, rest = seen.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert rest.startswith(body)
    assert bool(rest) == bool(body)
    assert (reset, found) == (False, orders)


async def test_429_says_when_to_come_again(kite: Kite) -> None:
    seen, _, orders = await strike(kite, "status=429")
    assert b"\r\nRetry-After: 1\r\n" in seen
    assert orders == 0


async def test_a_session_that_died_stays_dead(kite: Kite) -> None:
    await strike(kite, "session-death")
    assert (await kite.call("GET", "/user/profile")).status_code == 403
    await kite.log_in()
    assert (await kite.call("GET", "/user/profile")).status_code == 200


async def test_latency_and_late_answers_take_their_time(kite: Kite) -> None:
    before = kite.running.clock.elapsed()
    await strike(kite, "latency=250")
    assert kite.running.clock.elapsed() == pytest.approx(before + 0.25)
    await strike(kite, "late-answer=500")
    assert kite.running.clock.elapsed() == pytest.approx(before + 0.75)


async def test_a_late_answer_is_late_for_an_order_that_is_there(kite: Kite) -> None:
    await kite.running.change("faults", rule="zerodha:place:late-answer=600000x1")
    waiting = asyncio.ensure_future(kite.place())
    while not await accepted(kite.running):
        await asyncio.sleep(0.01)
    assert not waiting.done()
    waiting.cancel()


async def test_the_book_lags_and_then_shows_the_order(kite: Kite) -> None:
    await kite.running.change("faults", rule="zerodha:book:book-lag=30")
    await kite.placed()
    assert await kite.book() == []
    kite.running.pass_(30)
    assert len(await kite.book()) == 1


async def test_the_book_shrinks_by_its_newest(kite: Kite) -> None:
    orders = [await kite.placed(tag=f"tag{number}") for number in range(3)]
    await kite.running.change("faults", rule="zerodha:book:book-shrink=2x1")
    assert [row["order_id"] for row in await kite.book()] == orders[:1]
    assert [row["order_id"] for row in await kite.book()] == orders


async def test_an_unknown_status_is_in_no_table(kite: Kite) -> None:
    await kite.placed()
    await kite.running.change("faults", rule="zerodha:book:unknown-statusx1")
    assert (await kite.book())[0]["status"] == "SANDBOX UNHEARD OF"
    assert (await kite.book())[0]["status"] == "OPEN"


@pytest.mark.parametrize("call", CALLS)
async def test_a_rule_for_one_call_leaves_the_others_alone(kite: Kite, call: str) -> None:
    await kite.running.change("faults", rule=f"zerodha:{call}:status=500")
    answer = await kite.call("GET", "/portfolio/holdings")
    assert answer.status_code == (500 if call == "holdings" else 200)


async def test_a_login_can_be_disturbed_for_one_account(running: Running) -> None:
    first, second = Kite(running, 0), Kite(running, 1)
    await running.change("faults", rule=f"zerodha/{first.account.user}:login:status=503")
    assert (await first.page()).status_code == 503
    assert (await second.page()).status_code == 302
