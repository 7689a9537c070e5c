"""Answers become plain data or one of four errors; reads are repeated, writes never."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from ordo_cli.brokers.http import READ_ATTEMPTS, Answer, Http, decode_json, encode_json
from ordo_cli.brokers.wire import Question, Reply, Timeouts, Ungated
from ordo_cli.domain.errors import NoAnswer, OrdoError, Rejected, SessionExpired, Unreachable
from tests.brokers.wire.fakes import Leave, http_over


class Waiting:
    """A clock that notes nothing and stands still; stamina sleeps by the event loop."""

    def now(self) -> datetime:
        return datetime(2026, 11, 23, 4, 0, tzinfo=UTC)

    def elapsed(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("not used")


class Script:
    """A broker that gives these answers in turn, and the last one for ever."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self._answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    @property
    def http(self) -> Http:
        return http_over(httpx.MockTransport(self), "https://broker.example/v2/")


OK = httpx.Response(200, json={"price": 1.10})
BUSY = httpx.Response(503)


@pytest.mark.parametrize(
    "trouble",
    [
        BUSY,
        httpx.Response(429, headers={"retry-after": "0"}),
        httpx.Response(200, text="<html>"),
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("silent"),
        httpx.RemoteProtocolError("garbage"),
    ],
    ids=str,
)
async def test_a_read_is_repeated(trouble: httpx.Response | Exception) -> None:
    script = Script(trouble, trouble, OK)
    assert await script.http.get("/funds", params={"day": "1 2"}) == {"price": Decimal("1.1")}
    assert len(script.requests) == 3
    assert str(script.requests[2].url) == "https://broker.example/v2/funds?day=1+2"


async def test_a_read_is_repeated_no_more_than_four_times() -> None:
    script = Script(BUSY)
    with pytest.raises(NoAnswer, match="503"):
        await script.http.get("/funds")
    assert len(script.requests) == READ_ATTEMPTS == 4


@pytest.mark.parametrize("status", [302, 400, 404])
async def test_a_read_is_not_repeated_when_that_cannot_help(status: int) -> None:
    script = Script(httpx.Response(status, json={}), OK)
    with pytest.raises(NoAnswer):
        await script.http.get("/funds")
    assert len(script.requests) == 1


async def test_a_read_that_was_refused_for_certain_is_not_repeated() -> None:
    script = Script(httpx.Response(400, json={"code": "MARGIN"}), OK)
    with pytest.raises(Rejected):
        await script.http.get("/funds")
    assert len(script.requests) == 1


async def test_a_read_too_many_is_repeated_whatever_a_table_says_of_orders() -> None:
    script = Script(httpx.Response(429, json={"code": "MARGIN"}), OK)
    assert await script.http.get("/funds")
    with pytest.raises(Rejected):
        await Script(httpx.Response(429, json={"code": "MARGIN"})).http.post("/orders", permit=Leave(), json={})


@pytest.mark.parametrize("wish", ["3600", format_datetime(Waiting().now() + timedelta(hours=1), usegmt=True)])
async def test_a_read_that_the_broker_wants_much_later_is_not_repeated(wish: str) -> None:
    script = Script(httpx.Response(503, headers={"retry-after": wish}), OK)
    http = script.http
    http._clock = Waiting()
    with pytest.raises(NoAnswer):
        await http.get("/funds")
    assert len(script.requests) == 1


@pytest.mark.parametrize("wish", ["soon", "-5", "", "Mon, 23 Nov 2026 00:00:00 GMT", "Mon, 23 Nov 2026 00:00:00"])
async def test_a_strange_wish_to_wait_does_no_harm(wish: str) -> None:
    script = Script(httpx.Response(503, headers={"retry-after": wish}), OK)
    http = script.http
    http._clock = Waiting()
    assert await http.get("/funds")
    assert len(script.requests) == 2


async def test_repetitions_are_not_told_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    await Script(BUSY, OK).http.get("/funds")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("trouble", [BUSY, httpx.Response(429, headers={"retry-after": "0"}), httpx.ReadTimeout("")])
@pytest.mark.parametrize("permit", [Leave, Ungated])
async def test_a_write_is_never_repeated(trouble: httpx.Response | Exception, permit: type) -> None:
    script = Script(trouble, OK)
    with pytest.raises(NoAnswer):
        await script.http.post("/orders", permit=permit(), json={})
    assert len(script.requests) == 1


async def test_a_write_that_never_left_is_not_repeated_either() -> None:
    script = Script(httpx.ConnectError("refused"), OK)
    with pytest.raises(Unreachable):
        await script.http.post("/orders", permit=Leave(), json={})
    assert len(script.requests) == 1, "whether it may go again is for the journal to say"


async def test_a_redirect_is_not_followed() -> None:
    script = Script(httpx.Response(307, headers={"location": "https://elsewhere.example/"}), OK)
    with pytest.raises(NoAnswer, match="307"):
        await script.http.post("/orders", permit=Leave(), json={})
    assert len(script.requests) == 1


@pytest.mark.parametrize("status", [199, 301, 500, 599])
async def test_a_table_is_not_asked_about_what_can_never_be_certain(status: int) -> None:
    def every_answer_is_a_refusal(answer: Answer) -> OrdoError | None:
        return Rejected("no")

    http = Script(httpx.Response(status, json={})).http
    http._classify = every_answer_is_a_refusal
    with pytest.raises(NoAnswer):
        await http.post("/orders", permit=Leave(), json={})


async def test_a_table_sees_status_headers_and_body() -> None:
    seen: list[Answer] = []

    def table(answer: Answer) -> OrdoError | None:
        seen.append(answer)
        return SessionExpired("log in again")

    http = Script(httpx.Response(403, headers={"X-Code": "7"}, json={"a": 0.10})).http
    http._classify = table
    with pytest.raises(SessionExpired):
        await http.post("/orders", permit=Leave(), json={})
    assert (seen[0].status, seen[0].headers["x-code"], seen[0].body) == (403, "7", {"a": Decimal("0.1")})


async def test_a_write_says_what_it_carries() -> None:
    script = Script(OK)
    script.http.headers["authorization"] = "not this one's"
    http = script.http
    http.headers["authorization"] = "token a:b"
    await http.post("/orders", permit=Leave(), json={"price": Decimal("10.50")}, headers={"x-id": "1"})
    await http.write("PUT", "/orders/1", permit=Leave(), form={"price": "10.5", "tag": "a b"})
    await http.write("DELETE", "/orders/1", permit=Ungated(), params={"variety": "regular"})
    first, second, third = script.requests
    assert (first.method, first.content, first.headers["content-type"]) == (
        "POST",
        b'{"price":10.50}',
        "application/json",
    )
    assert (first.headers["authorization"], first.headers["x-id"]) == ("token a:b", "1")
    assert (second.content, second.headers["content-type"]) == (
        b"price=10.5&tag=a+b",
        "application/x-www-form-urlencoded",
    )
    assert (str(third.url), third.content) == ("https://broker.example/v2/orders/1?variety=regular", b"")
    assert "content-type" not in third.headers


async def test_a_file_is_downloaded_as_it_is() -> None:
    script = Script(httpx.Response(500), httpx.Response(200, content=b"a,b\r\n"))
    assert await script.http.download("/instruments.csv") == b"a,b\r\n"
    with pytest.raises(NoAnswer):
        await Script(httpx.Response(404)).http.download("/instruments.csv")


async def test_a_path_never_leads_to_another_host() -> None:
    script = Script(OK)
    for path in ("https://elsewhere.example/orders", "orders", ".elsewhere.example/"):
        with pytest.raises(Unreachable):
            await script.http.post(path, permit=Leave(), json={})
    assert not script.requests


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (7, "7"),
        ('a"\u2028é', '"a\\"\\u2028\\u00e9"'),
        (Decimal("0.10"), "0.10"),
        (Decimal("1E+3"), "1000"),
        ({"a": [Decimal("-1.5"), ()], "b": {}}, '{"a":[-1.5,[]],"b":{}}'),
    ],
)
def test_json_is_written_exactly(value: object, text: str) -> None:
    assert encode_json(value) == text


@pytest.mark.parametrize("value", [1.5, {"a": 1.5}, object(), b"x", Decimal("NaN"), Decimal("Infinity")])
def test_json_takes_no_floats_and_nothing_strange(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        encode_json(value)


@pytest.mark.parametrize("body", [b"", b"NaN", b'{"a":Infinity}', b"{", b"\xff", b"1 2", b'{"a":' + b"9" * 5000 + b"}"])
def test_json_that_is_none_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        decode_json(body)


def test_json_is_read_without_floats() -> None:
    value: Any = decode_json(b'{"a":0.1,"b":1e2,"c":3}')
    assert value == {"a": Decimal("0.1"), "b": Decimal("1e2"), "c": 3}
    assert not any(isinstance(item, float) for item in value.values())


def test_neither_a_question_nor_an_answer_shows_what_may_be_secret() -> None:
    secret = b"secret-of-alice"
    pairs = [(b"Authorization", secret)]
    question = Question("GET", b"/login?token=" + secret, pairs, secret, Ungated(), Timeouts())
    shown = repr(question) + repr(Reply(200, pairs, secret))
    assert "secret" not in shown
