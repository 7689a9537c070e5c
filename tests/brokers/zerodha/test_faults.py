"""For every fault the verdict of an order, a cancel and a read is what a source proves, and else unknown."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from ordo_cli.brokers import spec
from ordo_cli.brokers.answers import load
from ordo_cli.domain.accounts import Account
from ordo_cli.domain.errors import OrdoError, Rejected, SessionExpired, Unreachable
from ordo_cli.domain.orders import BrokerOrderId, Changes, OrderState, Tag
from tests.brokers.wire.fakes import Leave
from tests.brokers.wire.faults import answer, chunked, close_at_once, reset_at_once, saying
from tests.brokers.wire.server import Peer, Play, RawServer, serving
from tests.brokers.zerodha.fakes import ALICE, CREDENTIALS, RECORDED, SECRETS, refusal, tools
from tests.fakes import buy

TAG = Tag("O582CZSRH6MTZYPW")
PLACED = BrokerOrderId("261123000000017")  # of the recorded answers, where it is OPEN
UNKNOWN = "no_answer"
ACCEPTED = "accepted"
FUNDS_SHORT = "Insufficient funds. Required margin is 95417.84 but available margin is 74251.80. Check the orderbook."
UNPROTECTED = (
    "Market orders without market protection are not allowed via API. "
    "Please set market protection or use a Limit order."
)
CLOSED = "MIS (intraday) are blocked as the markets are not open for trading today. Try placing an AMO order."
NO_IPS = "No IPs configured for this app. Add allowed IPs on the Kite developer console to place orders."
OTHER_IP = (
    "IP (2001:db8::17) is not allowed to place orders for this app. "
    "Update allowed IPs on the Kite developer console to place orders."
)
NO_SESSION = "Incorrect `api_key` or `access_token`."


def no(message: str, kind: str = "InputException", status: str = "400 Bad Request") -> Play:
    return saying(answer(refusal(message, kind), status))


def yes(body: bytes) -> Play:
    return saying(answer(body))


@dataclass(frozen=True)
class Fault:
    name: str
    play: Play
    place: str  # ordo's code of the error that an order ends in, or of none
    read: str | None = None  # the same for the order book, where it differs
    partly: bool = False  # the server goes away without reading all


GOOD = (RECORDED / "order_response.json").read_bytes().strip()
BOOK = (RECORDED / "orders.json").read_bytes()
PAGE = b"<!doctype html><html><title>Kite</title><body>log in</body></html>"


def bare(data: object, status: object = "success") -> bytes:
    return json.dumps({"status": status, "data": data}).encode()


ODD_IDS: list[object] = [
    261123000000017,
    261123000000017.0,
    None,
    "",
    "0",
    [],
    {},
    True,
    "26112300001x",
    "../x",
    " 261123",
]

FAULTS = [
    # the connection, and bytes of it
    Fault("closed after accepting", close_at_once, UNKNOWN, partly=True),
    Fault("reset after accepting", reset_at_once, UNKNOWN, partly=True),
    Fault("reset after the question", saying(then=Peer.reset), UNKNOWN),
    Fault("closed after the question", saying(then=Peer.end), UNKNOWN),
    Fault("reset within the answer", saying(answer(GOOD)[:-9], then=Peer.reset, pause=0.02), UNKNOWN),
    Fault("silence", saying(), UNKNOWN),
    Fault("silence within the answer", saying(answer(GOOD)[:-9]), UNKNOWN),
    Fault("a chunked answer without its end", saying(chunked(b"5\r\n{\"sta"), then=Peer.end), UNKNOWN),
    # statuses
    *(Fault(f"{status} with a good body", saying(answer(GOOD, status, "Location: /orders")), UNKNOWN)
      for status in ("301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect")),
    *(Fault(f"{status} that says {kind}", no(FUNDS_SHORT, kind, status), UNKNOWN) for status, kind in (
        ("500 Internal Server Error", "OrderException"), ("500 Internal Server Error", "GeneralException"),
        ("500 Internal Server Error", "MarginException"), ("502 Bad Gateway", "DataException"),
        ("503 Service Unavailable", "NetworkException"), ("504 Gateway Timeout", "NetworkException"))),
    *(Fault(f"{status} with a page", saying(answer(PAGE, status)), UNKNOWN) for status in (
        "400 Bad Request", "403 Forbidden", "429 Too Many Requests", "500 Oops", "502 Bad Gateway", "504 Timeout")),
    *(Fault(f"{status} without a body", saying(answer(b"", status)), UNKNOWN) for status in (
        "400 Bad Request", "401 Unauthorized", "403 Forbidden", "404 Not Found", "408 Request Timeout")),
    # refusals that are listed
    Fault("margin", no(FUNDS_SHORT, "MarginException"), "MARGIN"),
    Fault("market order without protection", no(UNPROTECTED), "MARKET_UNPROTECTED"),
    Fault("the same, of another kind", no(UNPROTECTED, "OrderException"), "MARKET_UNPROTECTED"),
    Fault("market closed", no(CLOSED), "MARKET_CLOSED"),
    Fault("no addresses listed", no(NO_IPS, "PermissionException", "403 Forbidden"), "EGRESS_IP"),
    Fault("another address", no(OTHER_IP, "PermissionException", "403 Forbidden"), "EGRESS_IP"),
    Fault("another address, of another kind and status", no(OTHER_IP, "InputException"), "EGRESS_IP"),
    Fault("session", no(NO_SESSION, "TokenException", "403 Forbidden"), "session_expired"),
    Fault("too many", no("Too many requests", "NetworkException", "429 Too Many Requests"), "RATE", UNKNOWN),
    Fault("too many in a day", no("Maximum allowed order requests exceeded", "NetworkException"), "RATE_DAY"),
    Fault("too many in a day, by 429",
          no("Maximum allowed order requests exceeded", "GeneralException", "429 Too Many"), "RATE_DAY", UNKNOWN),
    # refusals that are not
    Fault("a 400 that was a time-out", no("Request timed out.", "InputException"), UNKNOWN),
    Fault("a field that is wrong", no("Invalid `quantity`.", "InputException"), UNKNOWN),
    Fault("shares short", no("Insufficient stock holding.", "HoldingException"), UNKNOWN),
    Fault("margin in other words", no("Margin is not enough.", "MarginException"), UNKNOWN),
    Fault("margin words of another kind", no(FUNDS_SHORT, "OrderException"), UNKNOWN),
    Fault("margin words within others", no(f"Timed out. {FUNDS_SHORT}", "MarginException"), UNKNOWN),
    Fault("the order management failed", no("Order could not be placed.", "OrderException"), UNKNOWN),
    Fault("a session in other words", no("Session expired.", "TokenException", "403 Forbidden"), UNKNOWN),
    Fault("a session, with 400", no(NO_SESSION, "TokenException"), UNKNOWN),
    Fault("permission", no("Insufficient permission for that call.", "PermissionException", "403 Forbidden"), UNKNOWN),
    Fault("two factors", no("Two-factor needed.", "TwoFAException", "403 Forbidden"), UNKNOWN),
    Fault("429 in other words", no("Slow down.", "NetworkException", "429 Too Many Requests"), UNKNOWN),
    Fault("the login's own kind", no("stale", "login:TokenException", "403 Forbidden"), UNKNOWN),
    Fault("a refusal without a kind", saying(answer(b'{"status":"error","message":"no"}', "400 No")), UNKNOWN),
    Fault("a refusal whose text is a number",
          saying(answer(b'{"status":"error","message":7,"error_type":"MarginException"}', "400 No")), UNKNOWN),
    Fault("a refusal that says success",
          saying(answer(refusal(FUNDS_SHORT, "MarginException").replace(b'"error"', b'"success"'), "400 No")), UNKNOWN),
    # 200 that says nothing certain
    Fault("200 with an empty body", yes(b""), UNKNOWN),
    Fault("204", saying(b"HTTP/1.1 204 No Content\r\n\r\n"), UNKNOWN),
    Fault("200 with a page", yes(PAGE), UNKNOWN),
    Fault("200 with an error in it", yes(refusal(FUNDS_SHORT, "MarginException")), UNKNOWN),
    Fault("200 with a refused address in it", yes(refusal(OTHER_IP, "PermissionException")), UNKNOWN),
    Fault("200 with a list", yes(b"[]"), UNKNOWN),
    Fault("200 with nothing in it", yes(b"{}"), UNKNOWN),
    Fault("200 with a status that nobody knows", yes(bare({"order_id": "261123000000017"}, "partial")), UNKNOWN),
    Fault("200 with a status that is no text", yes(bare({"order_id": "261123000000017"}, True)), UNKNOWN),
    Fault("200 without data", yes(b'{"status":"success"}'), UNKNOWN),
    Fault("200 with data that is null", yes(bare(None)), UNKNOWN),
    Fault("200 without an id", yes(bare({})), UNKNOWN),
    *(Fault(f"200 whose id is {odd!r}", yes(bare({"order_id": odd})), UNKNOWN)
      for odd in ODD_IDS),
    Fault("200 with children, which were never asked for",
          yes(bare({"order_id": "261123000000017", "children": [{"order_id": "261123000000018"}]})), UNKNOWN),
    Fault("200 with a bare list of children", yes(bare([{"order_id": "261123000000018"}])), UNKNOWN, read=UNKNOWN),
    *(Fault(f"200 cut at {tenth * 10} %", yes(GOOD[: len(GOOD) * tenth // 10]), UNKNOWN) for tenth in range(10)),
    # odd, and yet a yes
    Fault("a good answer of the wrong content type",
          saying(answer(GOOD).replace(b"application/json", b"text/html")), ACCEPTED, read=UNKNOWN),
    Fault("a good answer", yes(GOOD), ACCEPTED, read=UNKNOWN),
]  # fmt: skip


async def verdict(work: Awaitable[object]) -> str:
    try:
        await work
    except OrdoError as error:
        told = f"{error!r} {error.message} {error.hint}"
        assert not any(secret in told for secret in SECRETS), told
        return error.code if not isinstance(error, Rejected) or isinstance(error, SessionExpired) else error.reason
    return ACCEPTED


def at(server: RawServer) -> Account:
    return replace(ALICE, base_url=server.url)


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
async def test_an_order_ends_as_a_source_proves_and_is_never_sent_twice(fault: Fault) -> None:
    leave = Leave()
    async with serving(fault.play) as server, spec("zerodha").connect(at(server), CREDENTIALS, tools(None)) as broker:
        found = await verdict(broker.place(buy(12, "1490.5"), TAG, leave))
        await asyncio.sleep(0.01)
        assert len(server.peers) <= 1
        if fault.partly:
            assert found in (fault.place, Unreachable.code)
            assert (leave.bytes_sent == 0) == (found == Unreachable.code)
        else:
            assert found == fault.place
            assert leave.bytes_sent == server.received > 0


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
async def test_a_read_ends_so_too_and_gives_no_part_of_a_book(fault: Fault) -> None:
    async with serving(fault.play) as server, spec("zerodha").connect(at(server), CREDENTIALS, tools(None)) as broker:
        found = await verdict(broker.orders())
        if fault.name == "200 with a bare list of children":
            assert found == UNKNOWN
        else:
            assert found in ((fault.read or fault.place), *((Unreachable.code,) if fault.partly else ()))


def first_the_book(then: bytes | None) -> Play:
    """Answers the read before a cancel, then says this, or nothing at all."""

    async def play(peer: Peer) -> None:
        while True:
            question = await peer.question()
            if question.startswith(b"GET"):
                peer.say(answer(BOOK))
            elif then is not None:
                peer.say(then)

    return play


CANCELS = {
    "silence": (None, UNKNOWN),
    "order exception": (answer(refusal("Order cannot be cancelled", "OrderException"), "400 No"), UNKNOWN),
    "500": (answer(refusal("oops", "GeneralException"), "500 No"), UNKNOWN),
    "503": (answer(refusal("oops", "NetworkException"), "503 No"), UNKNOWN),
    "302": (answer(GOOD, "302 Found", "Location: /"), UNKNOWN),
    "page": (answer(PAGE), UNKNOWN),
    "empty": (answer(b""), UNKNOWN),
    "error in 200": (answer(refusal("no")), UNKNOWN),
    "another id": (answer(bare({"order_id": "261123000000018"})), UNKNOWN),
    "no id": (answer(bare({})), UNKNOWN),
    "address": (answer(refusal(OTHER_IP, "PermissionException"), "403 No"), "EGRESS_IP"),
    "too many": (answer(refusal("Too many requests", "NetworkException"), "429 No"), "RATE"),
    "session": (answer(refusal(NO_SESSION, "TokenException"), "403 No"), "session_expired"),
    **{f"cut at {tenth * 10} %": (answer(GOOD[: len(GOOD) * tenth // 10]), UNKNOWN) for tenth in range(10)},
}


@pytest.mark.parametrize("fault", CANCELS, ids=CANCELS.keys())
@pytest.mark.parametrize("call", ["cancel", "modify"])
async def test_a_cancel_or_change_ends_as_a_source_proves(fault: str, call: str) -> None:
    says, expected = CANCELS[fault]
    async with (
        serving(first_the_book(says)) as server,
        spec("zerodha").connect(at(server), CREDENTIALS, tools(None)) as broker,
    ):
        work = broker.cancel(PLACED) if call == "cancel" else broker.modify(PLACED, Changes(quantity=13), Leave())
        assert await verdict(work) == expected


async def test_a_cancel_that_was_taken_is_shown_as_the_order_then_stands() -> None:
    history = (RECORDED / "order_info.json").read_bytes()

    async def play(peer: Peer) -> None:
        while True:
            question = await peer.question()
            alone = question.startswith(b"GET /orders/")
            peer.say(answer(history if alone else BOOK if question.startswith(b"GET") else GOOD))

    async with serving(play) as server, spec("zerodha").connect(at(server), CREDENTIALS, tools(None)) as broker:
        report = await broker.cancel(PLACED)
    assert report.state is OrderState.PARTIAL, "Kite took it, and still shows the order as it was"


async def test_a_refused_connection_is_unreachable() -> None:
    async with serving(saying()) as server:
        pass
    leave = Leave()
    async with spec("zerodha").connect(at(server), CREDENTIALS, tools(None)) as broker:
        assert await verdict(broker.place(buy(), TAG, leave)) == Unreachable.code
        assert leave.bytes_sent == 0
        assert await verdict(broker.orders()) == Unreachable.code


MISSING = "a field that is not there"


def mutated(row: Mapping[str, object], field: str, value: object) -> bytes:
    changed = {name: value if name == field else old for name, old in row.items()}
    if value is MISSING:
        del changed[field]
    return bare([changed])


ROW = json.loads(BOOK)["data"][0]
BROKEN: dict[str, list[object]] = {
    "order_id": [None, 261123000000017, "", "../x"],
    "quantity": [None, "twelve", True, 12.5, [12], "\u0661\u0662"],
    "filled_quantity": [None, "", 1.5],
    "transaction_type": [None, "HOLD", 1, []],
    "status": [None, "", 5],
    "tradingsymbol": [None, "", 7],
    "exchange": [None, ""],
    "variety": [None, "../session", ""],
}
CASES = [(field, value) for field, values in BROKEN.items() for value in (MISSING, *values)]
CASES += [("price", "free"), ("price", True), ("price", [])]


@pytest.mark.parametrize(("field", "value"), CASES, ids=str)
async def test_a_row_that_cannot_be_read_makes_the_whole_book_unknown(field: str, value: object) -> None:
    play = yes(mutated(ROW, field, value))
    async with serving(play) as server, spec("zerodha").connect(at(server), CREDENTIALS, tools(None)) as broker:
        assert await verdict(broker.orders()) == UNKNOWN


NUMBERS_AS_TEXT = {**ROW, "quantity": "12", "filled_quantity": "5", "price": "1490.50", "average_price": "1490.5"}


async def test_numbers_as_text_are_the_same_numbers() -> None:
    play = yes(bare([NUMBERS_AS_TEXT]))
    async with serving(play) as server, spec("zerodha").connect(at(server), CREDENTIALS, tools(None)) as broker:
        (row,) = await broker.orders()
    assert (row.quantity, row.filled_quantity, str(row.limit_price)) == (12, 5, "1490.50")


READS = ("trades", "positions", "holdings", "funds")


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (answer(bare(None)), UNKNOWN),
        (answer(bare([{}])), UNKNOWN),
        (answer(bare({"net": [{}]})), UNKNOWN),
        (answer(bare({"day": []})), UNKNOWN),
        (answer(PAGE), UNKNOWN),
        (answer(refusal("no")), UNKNOWN),
        (answer(refusal(NO_SESSION, "TokenException"), "403 No"), "session_expired"),
        (answer(b"", "503 No"), UNKNOWN),
    ],
)
async def test_other_reads_give_the_whole_or_nothing(read: str, said: bytes, expected: str) -> None:
    async with (
        serving(asked_again(said)) as server,
        spec("zerodha").connect(at(server), CREDENTIALS, tools(None)) as broker,
    ):
        assert await verdict(getattr(broker, read)()) == expected


def asked_again(said: bytes) -> Play:
    async def play(peer: Peer) -> None:
        while True:
            await peer.question()
            peer.say(said)

    return play


def test_the_faults_are_many_and_different() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 22


def test_every_row_of_the_table_has_an_exact_text_or_is_about_a_login() -> None:
    for row in load("zerodha").rows:
        assert row.source
        if row.code is None or not row.code.startswith("login:"):
            assert row.message is not None
            assert row.message.pattern.startswith("^")


def test_no_recorded_answer_is_left_unused() -> None:
    used = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("*.py"))
    assert [path.name for path in RECORDED.iterdir() if path.stem not in used] == []
