"""For every fault, over real sockets, an order, a cancel and a read are told what is certain: unknown by default."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ordo_cli.brokers.base import Broker, Tools
from ordo_cli.brokers.mstock.broker import connect
from ordo_cli.brokers.mstock.login import MStockLogin
from ordo_cli.domain.accounts import Account
from ordo_cli.domain.errors import NoAnswer, OrdoError, Rejected, SessionExpired, Unreachable
from ordo_cli.domain.instruments import parse_instrument
from ordo_cli.domain.orders import BrokerOrderId, OrderIntent, OrderState, Side, Tag
from tests.brokers.mstock.fakes import ALICE, CREDENTIALS, TOKEN, tools
from tests.brokers.mstock.recorded import raw, recorded
from tests.brokers.wire.fakes import Leave
from tests.brokers.wire.faults import FAULTS as ON_THE_WIRE
from tests.brokers.wire.faults import NO_ANSWER as UNTOLD
from tests.brokers.wire.faults import answer, reset_after_head, saying
from tests.brokers.wire.server import Peer, Play, RawServer, serving
from tests.fakes import FakeClock

INTENT = OrderIntent(Side.BUY, parse_instrument("NSE:INFY"), 10, Decimal(1420))
ORDER = BrokerOrderId("1111261015222")
ACCEPTED = "accepted"
REJECTED, SESSION, NO_ANSWER = Rejected.code, SessionExpired.code, NoAnswer.code
GOOD = raw("place")


@dataclass(frozen=True)
class Fault:
    """What the broker does, and what an order, a cancel and a read must each be told."""

    name: str
    play: Play
    order: str = NO_ANSWER
    cancel: str = NO_ANSWER
    read: str = NO_ANSWER


def said(body: bytes, status: str = "200 OK", *more: str) -> Play:
    return saying(answer(body, status, *more))


def error(message: str, kind: str | None = "MiraeException", status: str = "200 OK") -> Play:
    body = {"status": "error", "message": message, "error_type": kind, "data": None}
    return said(json.dumps(body).encode(), status)


def every(name: str, play: Play, verdict: str) -> Fault:
    return Fault(name, play, verdict, verdict, verdict)


def named(order_id: Any) -> bytes:
    return json.dumps([{"status": "success", "data": {"order_id": order_id}}]).encode()


def cut(part: int) -> bytes:
    return GOOD[: len(GOOD.rstrip()) * part // 10]


PROBLEM = b'{"type":"https://example.invalid/400","title":"One or more validation errors","status":400,"errors":{}}'
STATUSES = (
    "400 Bad Request",
    "401 Unauthorized",
    "403 Forbidden",
    "404 Not Found",
    "408 Request Timeout",
    "422 Unprocessable",
    "429 Too Many Requests",
    "500 Oops",
    "502 Bad Gateway",
    "503 Busy",
    "504 Gateway Timeout",
)

NO_NUMBERS: tuple[Any, ...] = (None, 1111261015222, 1.5, True, [], {}, "")

FAULTS = [
    # what the sources make certain
    every("the session is over, 401", said(raw("session_over"), "401 Unauthorized"), SESSION),
    every("the session is over, 403", said(raw("session_over"), "403 Forbidden"), SESSION),
    every("the session is over, 200", said(raw("session_over")), SESSION),
    every("the key is expired", said(raw("key_expired"), "403 Forbidden"), REJECTED),
    every("a field is bad", said(raw("bad_input"), "400 Bad Request"), REJECTED),
    every("the version is missing", said(raw("no_version"), "400 Bad Request"), REJECTED),
    every("the version is named as missing", error("x", "VersionException"), REJECTED),
    every("the funds are short", said(raw("place_short")), REJECTED),
    every("the funds are short, in an array", said(b"[" + raw("place_short").strip() + b"]"), REJECTED),
    # refusals that no source makes certain
    every("a closed market", error("Market is closed"), NO_ANSWER),
    every("an exchange that is not connected", error("Exchange not connected"), NO_ANSWER),
    every("another text of the risk desk", error("RMS:Rule: Check circuit limit"), NO_ANSWER),
    every("an address that is not let in", error("IP not registered for orders", status="403 Forbidden"), NO_ANSWER),
    every("a bad field that speaks of time", error("Request timed out", "InputException", "400 No"), NO_ANSWER),
    every("a general failure", error("Something went wrong", "GeneralException"), NO_ANSWER),
    every("an error without a kind", error("No", None), NO_ANSWER),
    every("an error without words", said(b'{"status":"error"}'), NO_ANSWER),
    every("an error of Type B", said(b'{"status":false,"errorcode":"IA401","message":"x"}', "401 No"), NO_ANSWER),
    every("a validation problem", said(PROBLEM, "400 Bad Request"), NO_ANSWER),
    every("a refusal with 500", said(raw("place_short"), "500 Oops"), NO_ANSWER),
    # statuses alone
    *(every(f"{status} without a body", said(b"", status, "Retry-After: 0"), NO_ANSWER) for status in STATUSES),
    *(every(f"{status} with {{}}", said(b"{}", status, "Retry-After: 0"), NO_ANSWER) for status in STATUSES),
    every("302", said(GOOD, "302 Found", "Location: /elsewhere"), NO_ANSWER),
    every("307", said(GOOD, "307 Temporary Redirect", "Location: /openapi/typea/orders/regular"), NO_ANSWER),
    # 200 that says nothing
    every("200 with nothing", said(b""), NO_ANSWER),
    every("200 with a page", said(b"<html>log in</html>"), NO_ANSWER),
    every("200 with a text", said(b'"success"'), NO_ANSWER),
    every("200 with null", said(b"null"), NO_ANSWER),
    every("200 with an empty object", said(b"{}"), NO_ANSWER),
    every("200 with two answers", said(b"[" + b",".join([GOOD.strip()[1:-1]] * 2) + b"]"), NO_ANSWER),
    every("200 with another word for success", said(GOOD.replace(b"success", b"ok")), NO_ANSWER),
    every("200 with success as true", said(GOOD.replace(b'"success"', b"true")), NO_ANSWER),
    # an order without a number of its own; a cancel's answer need not name one, and then the book is silent
    *(Fault(f"an order named {what!r}", said(named(what))) for what in NO_NUMBERS),
    *(Fault(f"an order named {what!r}", said(named(what))) for what in ("None", "12", "A" * 30, "1111261015222.0")),
    Fault("200 without data", said(b'{"status":"success"}'), read=ACCEPTED),  # that is how an empty book reads
    # cut
    *(every(f"JSON cut at {part}0 %", said(cut(part)), NO_ANSWER) for part in range(1, 10)),
    *(
        every(f"a body cut at {part}0 %", saying(answer(GOOD)[: -len(GOOD)] + cut(part), then=Peer.end), NO_ANSWER)
        for part in range(1, 10)
    ),
    # an answer all the same
    Fault("the order's number in an array", said(GOOD), ACCEPTED),
    Fault("the order's number in an object", said(GOOD.strip()[1:-1]), ACCEPTED),
    Fault("a number with spaces around it", said(named(" 1111261015222 ")), ACCEPTED),
    Fault("a wrong content type", saying(answer(GOOD).replace(b"application/json", b"text/html")), ACCEPTED),
]
# What has no end is cut off by the clock of the whole exchange, which is long and the wire's own matter to prove.
WIRE = [each for each in ON_THE_WIRE if each.verdict == UNTOLD and "end" not in each.name and "drips" not in each.name]


def test_the_faults_are_many_and_different() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 22
    assert {fault.order for fault in FAULTS} == {ACCEPTED, REJECTED, SESSION, NO_ANSWER}


async def verdict(asking: Awaitable[object]) -> str:
    try:
        await asking
    except OrdoError as problem:
        require_discreet(problem)
        return problem.code
    return ACCEPTED


def require_discreet(problem: BaseException | None) -> None:
    """Neither the error nor what it came from repeats a secret."""
    while problem is not None:
        words = f"{problem} {problem!r} {getattr(problem, 'hint', '')}"
        assert not [secret for secret in (TOKEN, *CREDENTIALS.values()) if secret in words], words
        problem = problem.__cause__ or problem.__context__


def asked_once(server: RawServer) -> bool:
    """Whether one question came and nothing after it, answered or not."""
    return len(server.peers) == 1 and not server.peers[0].buffer


def at(server: RawServer) -> Account:
    return replace(ALICE, base_url=server.url)


def patient(folder: Path, seconds: float = 0.15) -> Tools:
    return replace(tools(FakeClock(), None, folder), read_timeout=seconds)


async def asked(play: Play, folder: Path, ask: Callable[[Broker], Awaitable[object]]) -> tuple[str, RawServer]:
    async with serving(play) as server:
        async with connect(at(server), CREDENTIALS, patient(folder)) as broker:
            told = await verdict(ask(broker))
            await asyncio.sleep(0.01)
        return told, server


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
async def test_an_order_is_told_as_the_sources_allow_and_never_sent_twice(fault: Fault, tmp_path: Path) -> None:
    leave = Leave()
    tag = Tag("O00000000000TAG1")
    told, server = await asked(fault.play, tmp_path, lambda broker: broker.place(INTENT, tag, leave))
    assert told == fault.order
    assert leave.bytes_sent == server.received > 0
    assert (leave.claimed, leave.passed) == (1, 1)
    assert asked_once(server)


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
async def test_a_cancel_is_told_as_the_sources_allow(fault: Fault, tmp_path: Path) -> None:
    told, server = await asked(fault.play, tmp_path, lambda broker: broker.cancel(ORDER))
    # Where it was taken, the book is asked next, which this server leaves without an answer: then nobody knows.
    assert told == fault.cancel
    assert asked_once(server) or told == NO_ANSWER


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
async def test_a_book_is_whole_or_not_given(fault: Fault, tmp_path: Path) -> None:
    told, server = await asked(fault.play, tmp_path, lambda broker: broker.orders())
    assert told == fault.read
    assert server.received > 0


@pytest.mark.parametrize("fault", WIRE, ids=[fault.name for fault in WIRE])
async def test_what_breaks_on_the_wire_leaves_an_order_unknown_or_unsent(fault: Any, tmp_path: Path) -> None:
    leave = Leave()
    told, server = await asked(fault.play, tmp_path, lambda broker: broker.place(INTENT, Tag("O1"), leave))
    allowed = {NO_ANSWER} if fault.reads_all else {NO_ANSWER, Unreachable.code}
    assert told in allowed
    assert (leave.bytes_sent == 0) == (told == Unreachable.code)
    assert len(server.peers) <= 1


async def test_a_refused_connection_sends_nothing(tmp_path: Path) -> None:
    async with serving(saying()) as server:
        pass
    leave = Leave()
    async with connect(at(server), CREDENTIALS, patient(tmp_path)) as broker:
        assert await verdict(broker.place(INTENT, Tag("O1"), leave)) == Unreachable.code
        assert await verdict(broker.cancel(ORDER)) == Unreachable.code
        assert await verdict(broker.orders()) == Unreachable.code
    assert leave.bytes_sent == leave.passed == 0


# what is asked once, and what again


def playing(*bodies: bytes, statuses: tuple[str, ...] = (), seen: list[bytes] | None = None) -> Play:
    """Answer one question after another, and keep them."""

    async def play(peer: Peer) -> None:
        for number, body in enumerate(bodies):
            question = await peer.question()
            if seen is not None:
                seen.append(question)
            peer.say(answer(body, statuses[number] if number < len(statuses) else "200 OK", "Retry-After: 0"))

    return play


BUSY = ("429 Too Many Requests", "503 Busy", "200 OK")


async def test_a_read_that_was_too_much_is_asked_again_and_an_order_is_not(tmp_path: Path) -> None:
    seen: list[bytes] = []
    play = playing(*[raw("orders_empty")] * 3, statuses=BUSY, seen=seen)
    assert (await asked(play, tmp_path, lambda broker: broker.orders()))[0] == ACCEPTED
    assert [question.split(b" HTTP")[0] for question in seen] == [b"GET /openapi/typea/orders"] * 3
    seen.clear()
    assert (await asked(play, tmp_path, lambda broker: broker.place(INTENT, Tag("O1"), Leave())))[0] == NO_ANSWER
    assert [question.split(b" HTTP")[0] for question in seen] == [b"POST /openapi/typea/orders/regular"]
    seen.clear()
    assert (await asked(play, tmp_path, lambda broker: broker.cancel(ORDER)))[0] == NO_ANSWER
    assert [question.split(b" HTTP")[0] for question in seen] == [b"DELETE /openapi/typea/orders/regular/1111261015222"]


# after an order was taken, or was not, by name of its number


def book(**changes: Any) -> bytes:
    return json.dumps({"status": "success", "data": [{**recorded("order"), **changes}]}).encode()


async def placed(play: Play, folder: Path) -> tuple[str, OrderState | None]:
    found: list[OrderState] = []

    async def place(broker: Broker) -> None:
        report = await broker.place(INTENT, Tag("O1"), Leave())
        assert report.order_id == ORDER
        found.append(report.state)

    told, _ = await asked(play, folder, place)
    return told, found[0] if found else None


async def test_a_refusal_that_names_its_order_is_what_the_book_says_of_that_order(tmp_path: Path) -> None:
    told = await placed(playing(raw("place_rms"), book(status="Rejected", status_message="RMS no")), tmp_path)
    assert told == (ACCEPTED, OrderState.REJECTED)
    assert await placed(playing(raw("place_rms"), book()), tmp_path) == (ACCEPTED, OrderState.OPEN)


@pytest.mark.parametrize(
    "second",
    [
        raw("orders_empty"),
        book(order_id="1111261015999"),
        book(status="Rejected", quantity=11),
        book(status="Rejected", transaction_type="SELL"),
        book(status="Never heard of"),
        raw("session_over"),
        b"<html>",
    ],
)
async def test_a_refusal_whose_order_the_book_does_not_show_stays_unknown(second: bytes, tmp_path: Path) -> None:
    """An expired session too: it says nothing of the order that went before it."""
    assert await placed(playing(raw("place_rms"), second), tmp_path) == (NO_ANSWER, None)


@pytest.mark.parametrize(
    "second", [raw("orders_empty"), raw("session_over"), raw("bad_input"), b"", book(quantity="x")]
)
async def test_a_cancel_that_was_taken_is_unknown_while_the_book_cannot_be_read(second: bytes, tmp_path: Path) -> None:
    taken = GOOD.strip()[1:-1]
    told, _ = await asked(playing(taken, *[second] * 4), tmp_path, lambda broker: broker.cancel(ORDER))
    assert told == NO_ANSWER


async def test_an_answer_for_another_order_proves_nothing(tmp_path: Path) -> None:
    play = playing(named("1111261015999"), book(status="Cancelled"))
    assert (await asked(play, tmp_path, lambda broker: broker.cancel(ORDER)))[0] == NO_ANSWER
    play = playing(named(str(ORDER)), book(status="Cancelled"))
    assert (await asked(play, tmp_path, lambda broker: broker.cancel(ORDER)))[0] == ACCEPTED


@pytest.mark.parametrize("id", ["", "abc", "1/../2", "12345678901234567890123456", "1111261015222\r\nX: y"])
async def test_an_id_that_cannot_be_one_goes_into_no_path(id: str, tmp_path: Path) -> None:
    async with serving(saying(answer(GOOD))) as server:
        async with connect(at(server), CREDENTIALS, patient(tmp_path)) as broker:
            with pytest.raises(Rejected):
                await broker.cancel(BrokerOrderId(id))
        assert server.received == 0


# logging in


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
async def test_a_step_of_a_login_is_never_tried_again_whatever_comes(fault: Fault, tmp_path: Path) -> None:
    login, way = MStockLogin(), patient(tmp_path)
    async with serving(fault.play) as server:
        with suppress(OrdoError):
            await login.start(at(server), CREDENTIALS, way)
        assert asked_once(server)
    async with serving(fault.play) as server:
        with pytest.raises((Rejected, NoAnswer)) as problem:
            await login.answer(at(server), CREDENTIALS, way, b"otp", "OTP-SENTINEL-5")
        require_discreet(problem.value)
        assert asked_once(server)


async def test_a_login_that_is_reset_is_no_answer_and_says_nothing_secret(tmp_path: Path) -> None:
    async with serving(reset_after_head) as server:
        with pytest.raises(NoAnswer) as problem:
            await MStockLogin().start(at(server), CREDENTIALS, patient(tmp_path))
    require_discreet(problem.value)
