"""Every fault over real sockets: bytes are counted, and only what is cited is certain. The default is: nobody knows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal

import pytest

from ordo_cli.brokers import spec
from ordo_cli.brokers.base import Broker
from ordo_cli.domain.errors import NoAnswer, OrdoError, Rejected, SessionExpired, Unreachable
from ordo_cli.domain.instruments import parse_instrument
from ordo_cli.domain.orders import BrokerOrderId, Changes, OrderIntent, OrderState, Side, Tag
from tests.brokers.hdfc.fakes import CREDENTIALS, SECRETS, TOKEN, account, recorded, tools
from tests.brokers.wire.fakes import Leave
from tests.brokers.wire.faults import answer, chunked
from tests.brokers.wire.server import Peer, Play, RawServer, serving

ORDER = OrderIntent(Side.BUY, parse_instrument("NSE:WIPRO"), 10, Decimal("440.05"))
TAG = Tag("O1234567890ABCDE")
ID = BrokerOrderId("261123000012345")
OPEN_ROW = {
    **recorded("orders")["data"][0],
    "status": "OPEN",
    "filled_quantity": 0,
    "pending_quantity": 10,
    "total_traded_value": 0,
}
BOOK = json.dumps({"status": "success", "data": [OPEN_ROW]}).encode()
EMPTY = b'{"status":"success","data":[]}'
GOOD = json.dumps(recorded("place")).encode()
REFUSAL = json.dumps(recorded("refused")).encode()
EXPIRED = json.dumps(recorded("session_expired")).encode()
PAGE = b"<html><title>Service</title>please log in</html>"

ACCEPTED, REJECTED, SESSION, NO_ANSWER = "accepted", Rejected.code, SessionExpired.code, NoAnswer.code


@dataclass(frozen=True)
class Fault:
    name: str
    says: bytes
    verdict: str = NO_ANSWER
    then: Callable[[Peer], None] | None = None
    read: str = NO_ANSWER  # what a read makes of it, which is never certain of an order


def told(body: object, status: str = "200 OK", *more: str) -> bytes:
    return answer(json.dumps(body).encode(), status, *more)


def data(order_id: object) -> bytes:
    return told({"status": "success", "data": {"order_id": order_id}})


FAULTS = [
    Fault("reset after the question", b"", then=Peer.reset),
    Fault("closed after the question", b"", then=Peer.end),
    Fault("reset within the head", b"HTTP/1.1 200 O", then=Peer.reset),
    Fault("closed within the body", answer(GOOD)[:-6], then=Peer.end),
    Fault("silence", b""),
    Fault("silence within the body", answer(GOOD)[:-6]),
    Fault("301", answer(GOOD, "301 Moved Permanently", "Location: /elsewhere")),
    Fault("302", answer(GOOD, "302 Found", "Location: /elsewhere")),
    Fault("307", answer(GOOD, "307 Temporary Redirect", "Location: /oapi/v1/orders/regular")),
    Fault("400 that is cited", answer(REFUSAL, "400 Bad Request"), REJECTED, read=REJECTED),
    Fault("400 that is not", told({"status": "error", "message": "Invalid price"}, "400 Bad Request")),
    Fault("400 that speaks of a token", told({"message": "1004 invalid token"}, "400 Bad Request")),
    Fault("400 with a page", answer(PAGE, "400 Bad Request")),
    Fault("401", answer(EXPIRED, "401 Unauthorized"), SESSION, read=SESSION),
    Fault("401 in other words", told({"error": "unauthorised"}, "401 Unauthorized"), SESSION, read=SESSION),
    Fault("401 with a page", answer(PAGE, "401 Unauthorized")),
    Fault("401 without a body", answer(b"", "401 Unauthorized")),
    Fault("403 of an address", told({"message": "IP address not whitelisted"}, "403 Forbidden")),
    Fault("403 of a session", told({"message": "Invalid session"}, "403 Forbidden"), SESSION, read=SESSION),
    Fault("403 of an access token", told({"error": "access token dead"}, "403 Forbidden"), SESSION, read=SESSION),
    Fault("403 with a page", answer(PAGE, "403 Forbidden")),
    Fault("404", told({"status": "error", "message": "Not Found"}, "404 Not Found")),
    Fault("404 with a page", answer(PAGE, "404 Not Found")),
    Fault("408", answer(b"{}", "408 Request Timeout")),
    Fault("422", told({"status": "error", "message": "quantity"}, "422 Unprocessable Entity")),
    Fault("429", told({"message": "slow down"}, "429 Too Many Requests", "Retry-After: 0")),
    Fault("500 that looks like a refusal", answer(REFUSAL, "500 Internal Server Error")),
    Fault("502 with a page", answer(PAGE, "502 Bad Gateway")),
    Fault("503", answer(b"{}", "503 Service Unavailable", "Retry-After: 0")),
    Fault("504", answer(EXPIRED, "504 Gateway Timeout")),
    Fault("200 with an empty body", answer(b"")),
    Fault("204", b"HTTP/1.1 204 No Content\r\n\r\n"),
    Fault("200 with a page", answer(PAGE, "200 OK")),
    Fault("200 with NaN", answer(b'{"status":"success","data":{"order_id":NaN}}')),
    Fault("200 and margin is short", answer(REFUSAL), REJECTED, read=REJECTED),
    Fault("200 and the session is over", answer(EXPIRED), SESSION, read=SESSION),
    Fault("200 and another refusal", told({"status": "error", "message": "RMS: something else"})),
    Fault("200 and a market that is closed", told({"status": "error", "message": "Market session closed"})),
    Fault("200 and a bare error", told({"error": "something"})),
    Fault("200 and a bare message", told({"message": "something"})),
    Fault("200 and a refusal without words", told({"status": "failed"})),
    Fault("200 without success", told({"data": {"order_id": ID}})),
    Fault("200 with an unknown word", told({"status": "accepted", "data": {"order_id": ID}})),
    Fault("200 and success as a number", told({"status": 1, "data": {"order_id": ID}})),
    Fault("200 without data", told({"status": "success"})),
    Fault("200 with data null", told({"status": "success", "data": None})),
    Fault("200 without an id", told({"status": "success", "data": {}})),
    Fault("200 with an id that is a number", data(261123000012345)),
    Fault("200 with an id that is null", data(None)),
    Fault("200 with an id that is empty", data("")),
    Fault("200 with an id that is a path", data("../1")),
    Fault("200 with a list", told([{"order_id": ID}])),
    Fault("a reset after the whole answer", answer(GOOD), ACCEPTED, then=Peer.end),
    Fault("an answer in chunks", chunked(b"%x\r\n%s\r\n0\r\n\r\n" % (len(GOOD), GOOD)), ACCEPTED),
    Fault("another type of content", answer(GOOD).replace(b"application/json", b"text/html"), ACCEPTED),
    *[Fault(f"JSON cut at {tenth}0 %", answer(GOOD[: len(GOOD) * tenth // 10])) for tenth in range(1, 10)],
]


def playing(fault: Fault, call: bytes, book: bytes = BOOK) -> Play:
    """The fault for that call, and the book for every other."""

    async def play(peer: Peer) -> None:
        while True:
            question = await peer.question()
            if not question.startswith(call):
                peer.say(answer(book))
                continue
            peer.say(fault.says)
            if fault.then is not None:
                await asyncio.sleep(0.01)
                fault.then(peer)

    return play


@asynccontextmanager
async def line(server: RawServer) -> AsyncIterator[Broker]:
    using = tools(None, read_timeout=0.2)
    async with spec("hdfc").connect(account(server.url), CREDENTIALS, using) as broker:
        yield broker


async def verdict(call: Awaitable[object]) -> tuple[str, OrdoError | None]:
    found: OrdoError | None = None
    try:
        await call
    except OrdoError as error:
        found = error
    if found is None:
        return ACCEPTED, None
    said = f"{found} {found.hint} {found!r} {found.__cause__!r} {found.__context__!r}"
    assert not any(secret in said for secret in SECRETS)
    return found.code, found


def test_the_faults_are_many_and_different() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 22
    assert {fault.verdict for fault in FAULTS} == {ACCEPTED, REJECTED, SESSION, NO_ANSWER}


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
async def test_an_order_is_sent_once_and_is_what_the_answer_proves(fault: Fault) -> None:
    leave = Leave()
    async with serving(playing(fault, b"POST")) as server, line(server) as broker:
        found, _ = await verdict(broker.place(ORDER, TAG, leave))
        await asyncio.sleep(0.01)
    assert found == fault.verdict
    assert leave.bytes_sent == server.received > 0
    assert (leave.claimed, leave.passed, len(server.peers)) == (1, 1, 1)


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
async def test_a_cancel_is_asked_once_and_is_what_the_answer_proves(fault: Fault) -> None:
    asked = 0

    async def counting(peer: Peer) -> None:
        nonlocal asked
        asked += 1
        await playing(fault, b"DELETE")(peer)

    async with serving(counting) as server, line(server) as broker:
        found, _ = await verdict(broker.cancel(ID))
    assert found == fault.verdict
    assert asked <= 2, "the cancel, and a look at the book on a line of its own"


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
async def test_a_change_is_sent_once_and_is_what_the_answer_proves(fault: Fault) -> None:
    leave = Leave()
    async with serving(playing(fault, b"PUT")) as server, line(server) as broker:
        found, _ = await verdict(broker.modify(ID, Changes(limit_price=Decimal(441)), leave))
    assert found == fault.verdict
    assert (leave.claimed, leave.passed) == (1, 1)


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
async def test_a_read_gives_all_or_says_that_it_cannot(fault: Fault) -> None:
    async with serving(playing(fault, b"GET")) as server, line(server) as broker:
        found, _ = await verdict(broker.orders())
    assert found == fault.read


@pytest.mark.parametrize("tenth", range(1, 10))
async def test_a_book_that_is_cut_is_no_book(tenth: int) -> None:
    fault = Fault("cut", answer(BOOK[: len(BOOK) * tenth // 10]))
    async with serving(playing(fault, b"GET")) as server, line(server) as broker:
        assert (await verdict(broker.orders()))[0] == NO_ANSWER


async def test_what_cannot_be_connected_to_got_no_byte() -> None:
    leave = Leave()
    async with serving(playing(FAULTS[0], b"POST")) as server:
        pass
    async with line(server) as broker:
        for call in (
            broker.place(ORDER, TAG, leave),
            broker.cancel(ID),
            broker.orders(),
            broker.modify(ID, Changes(1), leave),
        ):
            assert (await verdict(call))[0] == Unreachable.code
    assert leave.bytes_sent == leave.passed == 0


async def test_a_connection_that_is_reset_before_the_question_is_never_a_refusal() -> None:
    async def reset(peer: Peer) -> None:
        peer.reset()

    leave = Leave()
    async with serving(reset) as server, line(server) as broker:
        found, _ = await verdict(broker.place(ORDER, TAG, leave))
    assert found == (NO_ANSWER if leave.bytes_sent else Unreachable.code)


async def test_a_cancel_of_what_neither_the_call_nor_the_book_knows_is_refused() -> None:
    fault = next(each for each in FAULTS if each.name == "404")
    async with serving(playing(fault, b"DELETE", EMPTY)) as server, line(server) as broker:
        found, error = await verdict(broker.cancel(ID))
    assert found == REJECTED
    assert error is not None
    assert error.reason == "ORDER_UNKNOWN"


async def test_a_cancel_that_was_refused_because_the_order_has_ended_shows_it() -> None:
    fault = next(each for each in FAULTS if each.name == "200 and another refusal")
    ended = json.dumps(recorded("orders")).encode()
    async with serving(playing(fault, b"DELETE", ended)) as server, line(server) as broker:
        assert (await broker.cancel(ID)).state is OrderState.FILLED


@pytest.mark.parametrize(("book", "status"), [(EXPIRED, "401 Unauthorized"), (PAGE, "502 Bad Gateway")])
async def test_a_write_whose_outcome_cannot_be_read_is_not_refused(book: bytes, status: str) -> None:
    """The change and the cancel were taken; that the look at them fails makes neither a refusal nor unsent."""

    async def play(peer: Peer) -> None:
        written = False
        while True:
            question = await peer.question()
            writes = not question.startswith(b"GET")
            written = written or writes
            peer.say(answer(GOOD) if writes else answer(book, status) if written else answer(BOOK))

    async with serving(play) as server, line(server) as broker:
        assert (await verdict(broker.modify(ID, Changes(quantity=11), Leave())))[0] == NO_ANSWER
    async with serving(play) as server, line(server) as broker:
        assert (await verdict(broker.cancel(ID)))[0] == NO_ANSWER


async def test_403_is_told_with_both_of_its_readings() -> None:
    fault = next(each for each in FAULTS if each.name == "403 of an address")
    async with serving(playing(fault, b"GET")) as server, line(server) as broker:
        _, error = await verdict(broker.funds())
    assert error is not None
    assert "not whitelisted" in error.message
    assert error.hint is not None
    assert "address" in error.hint
    assert "session" in error.hint


CALLS: list[Callable[[Broker], Awaitable[object]]] = [
    lambda broker: broker.place(ORDER, TAG, Leave()),
    lambda broker: broker.cancel(ID),
    lambda broker: broker.modify(ID, Changes(quantity=11), Leave()),
    lambda broker: broker.orders(),
    lambda broker: broker.funds(),
]


@pytest.mark.parametrize("status", ["200 OK", "400 Bad Request", "401 Unauthorized", "403 Forbidden"])
@pytest.mark.parametrize("call", CALLS)
async def test_what_a_broker_repeats_of_our_secrets_reaches_nobody(
    call: Callable[[Broker], Awaitable[object]], status: str
) -> None:
    echo = told({"status": "error", "message": " ".join(("what is", TOKEN, *CREDENTIALS.values()))}, status)

    async def play(peer: Peer) -> None:
        while True:
            await peer.question()
            peer.say(echo)

    async with serving(play) as server, line(server) as broker:
        found, error = await verdict(call(broker))
        assert not any(secret in repr(broker) for secret in SECRETS)
    assert found != ACCEPTED
    assert error is not None
    assert "what is …" in error.message
