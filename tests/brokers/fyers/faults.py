"""What can go wrong between ordo and Fyers, as data, and what each fault must be taken for by a write and by a read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.brokers.fyers.fake import recorded
from tests.brokers.wire import faults
from tests.brokers.wire.faults import answer, saying
from tests.brokers.wire.server import Peer, Play

NO_ANSWER, SESSION = "no_answer", "SESSION"


@dataclass(frozen=True)
class Fault:
    """A verdict is `no_answer` or the code of a Rejected."""

    name: str
    play: Play
    write: str = NO_ANSWER
    read: str = NO_ANSWER


def body(value: Any) -> bytes:
    return json.dumps(value).encode()


def said(value: Any, status: str = "200 OK", *more: str) -> Play:
    return saying(answer(body(value), status, *more))


def error(code: object, message: object = "no", **more: object) -> dict[str, object]:
    return {"s": "error", "code": code, "message": message, **more}


def yes(**more: object) -> dict[str, object]:
    """A yes with something changed; None takes a field out."""
    whole = recorded("place") | more
    return {name: value for name, value in whole.items() if value is not REMOVED}


REMOVED = object()
REJECTED = recorded("place_rejected")
TOO_MANY = recorded("too_many")
HTML = b"<html><title>Attention required</title></html>"
WRONG_TYPE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n"


def as_page(value: Any, status: str = "200 OK") -> Play:
    text = body(value)
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {len(text)}\r\n\r\n"
    return saying(head.encode() + text)


def cut(whole: bytes) -> list[Fault]:
    """The same answer, complete to HTTP and cut as JSON, at each tenth."""
    return [
        Fault(f"JSON that ends at {tenth}0 %", saying(answer(whole[: len(whole) * tenth // 10]))) for tenth in range(10)
    ]


CONNECTION = [
    Fault("closed at once", faults.close_at_once),
    Fault("reset at once", faults.reset_at_once),
    Fault("reset after the head", faults.reset_after_head),
    Fault("reset after the whole question", saying(then=Peer.reset)),
    Fault("closed after the whole question", saying(then=Peer.end)),
    Fault("reset within the answer", saying(answer(body(yes()))[:-9], then=Peer.reset, pause=0.02)),
    Fault("closed within the answer", saying(answer(body(yes()))[:-9], then=Peer.end)),
    Fault("silent", saying()),
    Fault("silent within the answer", saying(answer(body(yes()))[:-9])),
    Fault("garbage", saying(b"\x00\xff\x13\x37 nonsense\r\n\r\n")),
    *cut(body(yes())),
]

STATUSES = [
    Fault("302 to another host", said(yes(), "302 Found", "Location: https://api-y1.fyers.in/api/v3/orders/sync")),
    Fault("307 to itself", said(yes(), "307 Temporary Redirect", "Location: /api/v3/orders/sync")),
    Fault("308 with a body that says yes", said(yes(), "308 Permanent Redirect")),
    Fault("400 that is listed", said(REJECTED, "400 Bad Request"), "REJECTED_BY_BROKER", "REJECTED_BY_BROKER"),
    Fault("400 with a bad parameter", said(recorded("place_invalid"), "400 Bad Request"), "INPUT", "INPUT"),
    Fault("400 that is not listed", said(error(-392, "not a multiple of the tick"), "400 Bad Request")),
    Fault("400 with an empty body", saying(answer(b"", "400 Bad Request"))),
    Fault("400 that says yes", said(yes(), "400 Bad Request")),
    Fault("401 with the session's end", said(recorded("session_expired"), "401 Unauthorized"), SESSION, SESSION),
    Fault("401 without a body", saying(answer(b"", "401 Unauthorized"))),
    Fault("401 with a code that is not listed", said(error(-1, "who are you"), "401 Unauthorized")),
    Fault("403 without the permission", said(error(-373, "no"), "403 Forbidden"), "APP_PERMISSION", "APP_PERMISSION"),
    Fault("403 for a foreign address", said(error(-77, "IP address is not whitelisted"), "403 Forbidden")),
    Fault("403 with a page", saying(answer(HTML, "403 Forbidden"))),
    Fault("404 with a listed code", said(REJECTED, "404 Not Found")),
    Fault("408 with a listed code", said(REJECTED, "408 Request Timeout")),
    Fault("409", said({}, "409 Conflict")),
    Fault("429 of Fyers", said(TOO_MANY, "429 Too Many Requests", "Retry-After: 0"), "RATE"),
    Fault("429 of Fyers in milliseconds", said(TOO_MANY, "429 Too Many Requests", "X-Retry-After-Ms: 10"), "RATE"),
    Fault("429 without a word of when", said(TOO_MANY, "429 Too Many Requests")),
    Fault("429 of something before it", saying(answer(HTML, "429 Too Many Requests", "Retry-After: 0"))),
    Fault("429 without Fyers' code", said({}, "429 Too Many Requests", "Retry-After: 0")),
    Fault("429 that wants minutes", said(TOO_MANY, "429 Too Many Requests", "Retry-After: 600"), "RATE"),
    Fault("500", said({}, "500 Internal Server Error")),
    Fault("500 with a listed code", said(REJECTED, "500 Internal Server Error")),
    Fault("502 with a page", saying(answer(HTML, "502 Bad Gateway"))),
    Fault("503 with Retry-After", said(TOO_MANY, "503 Service Unavailable", "Retry-After: 0")),
    Fault("504", saying(answer(b"", "504 Gateway Timeout"))),
]

BODIES = [
    Fault("200 with an empty body", saying(answer(b""))),
    Fault("204", saying(b"HTTP/1.1 204 No Content\r\n\r\n")),
    Fault("200 with a page", saying(answer(HTML))),
    Fault("200 with null", said(None)),
    Fault("200 with a list", said([yes()])),
    Fault("200 with a text", said("ok")),
    Fault("200 that refuses", said(REJECTED), "REJECTED_BY_BROKER", "REJECTED_BY_BROKER"),
    Fault("200 that refuses as a page", as_page(REJECTED), "REJECTED_BY_BROKER", "REJECTED_BY_BROKER"),
    Fault("200 with the session's end", said(recorded("not_authenticated")), SESSION, SESSION),
    Fault("a refusal that may be a failure", said(error(-99, "RMS: request timed out at the exchange gateway"))),
    Fault("a refusal for want of a connection", said(error(-99, "Connection to OMS lost"))),
    Fault("a refusal over two lines that may be a failure", said(error(-99, "RMS: no\nTimed-out, please try later"))),
    Fault("a refusal that asks to try again", said(error(-99, "Something went wrong, please TRY AGAIN"))),
    Fault("a refusal without words", said(error(-99, "")), "REJECTED_BY_BROKER", "REJECTED_BY_BROKER"),
    Fault("a refusal without a code", said({"s": "error", "message": "RMS: margin shortfall"})),
    Fault("a refusal whose code is text", said(error("-99"))),
    Fault("a refusal whose code is a fraction", saying(answer(b'{"s":"error","code":-99.0,"message":"no"}'))),
    Fault("a refusal whose message is a list", said(error(-99, ["no"]))),
    Fault("trouble with a back end", said(error(-204, "could not reach the order service"))),
    Fault("an ambiguous code", said(error(-352, "invalid app id"))),
    Fault("a code of the older list", said(error(-161, "already cancelled"))),
    Fault("a code that says yes in a refusal", said(error(1101, id="26112300000001"))),
    Fault("not acknowledged", said(recorded("not_acknowledged"))),
    Fault("not acknowledged, with an order's number", said(yes(code=201))),
    Fault("not acknowledged, as an error", said(error(201, id="26112300000001"))),
    Fault("a yes with a refusal's code", said(yes(code=-99))),
    Fault("a yes with another code", said(yes(code=200))),
    Fault("a yes whose code is text", said(yes(code="1101"))),
    Fault("a yes whose code is true", said(yes(code=True))),
    Fault("a yes without s", said(yes(s=REMOVED))),
    Fault("a success in another word", said(yes(s="success"))),
    Fault("the answer to a queued order", said(yes(id=REMOVED, id_fyers="c6697c04-0000"))),
    Fault(
        "the answer to a sliced order",
        said({"code": 1101, "message": "", "data": [{"statusCode": 200, "body": yes(), "statusDescription": "OK"}]}),
    ),
]

NUMBERS = [
    Fault("a yes without a number", said(yes(id=REMOVED))),
    Fault("a number that is null", said(yes(id=None))),
    Fault("a number that is no text", said(yes(id=26112300000001))),
    Fault("a number that is empty", said(yes(id=""))),
    Fault("a number that is a list", said(yes(id=["26112300000001"]))),
    Fault("a number with a line break", said(yes(id="26112300000001\n"))),
    Fault("a number beyond reason", said(yes(id="9" * 41))),
]
"""Of placing alone: nothing else needs the number."""

FAULTS = [*CONNECTION, *STATUSES, *BODIES]


def book(**more: object) -> Any:
    """The recorded book with its first row changed."""
    whole = recorded("orders")
    row = whole["orderBook"][0] | more
    whole["orderBook"][0] = {name: value for name, value in row.items() if value is not REMOVED}
    return whole


PAGES = [
    Fault("a book without rows", said({"s": "ok", "code": 200, "message": ""})),
    Fault("a book of null", said({"s": "ok", "code": 200, "orderBook": None})),
    Fault("a book that is an object", said({"s": "ok", "code": 200, "orderBook": {}})),
    Fault("a row that is null", said({"s": "ok", "code": 200, "orderBook": [None]})),
    Fault("a book that is not said to be fine", said(book() | {"s": "no_data"})),
    Fault("a row without a number", said(book(id=REMOVED))),
    Fault("a row whose number is a number", said(book(id=26112300000001))),
    Fault("a row without an instrument", said(book(symbol=REMOVED))),
    Fault("a row without a side", said(book(side=0))),
    Fault("a row whose side is text", said(book(side="1"))),
    Fault("a quantity that is a fraction", said(book(qty=1.5))),
    Fault("a quantity that is no number", said(book(qty="ten"))),
    Fault("a quantity that is true", said(book(qty=True))),
    Fault("a quantity beyond reason", said(book(qty=10**16))),
    Fault("a price that is null", said(book(limitPrice=None))),
    Fault("a price beyond reason", saying(answer(body(book()).replace(b"6.95", b"1e999999", 1)))),
    Fault("fills that are missing", said(book(filledQty=REMOVED))),
    *[
        Fault(f"a book that ends at {tenth}0 %", saying(answer(body(book())[: len(body(book())) * tenth // 10])))
        for tenth in range(1, 10)
    ],
]
"""Of reading alone."""
