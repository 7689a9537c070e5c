"""Logging in at Fyers: the page, what comes back from it, how long it lasts, and what is never repeated."""

from __future__ import annotations

import base64
import json
import traceback
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import pytest

from ordo_cli.brokers import spec
from ordo_cli.brokers.base import WRONG_ANSWER, BrokerSession, Challenge, ChallengeKind, Login, Tools
from ordo_cli.brokers.fyers.login import next_end, session_of
from ordo_cli.domain.errors import NoAnswer, OrdoError, Rejected, SessionExpired, SessionNeeded, Unreachable
from ordo_cli.domain.text import clean
from tests.brokers.fyers.fake import recorded
from tests.brokers.fyers.setting import CREDENTIALS, SESSION, account, opened, tools
from tests.brokers.wire.faults import answer, saying
from tests.brokers.wire.server import serving
from tests.fakes import MONDAY_NOON

CODE = "SENTINEL-AUTH-CODE.made.up"
STATE = "0" * 32  # the chance of these tests draws nothing else
SECRETS = (CREDENTIALS["app_secret"], CODE, "SENTINEL-TOKEN", "SENTINEL-REFRESH", sha256(b"x").hexdigest())


def fyers() -> Login:
    found = spec("fyers").login(account())
    assert found is not None
    return found


def landing(**more: str) -> str:
    query = {"s": "ok", "code": "200", "message": "", "auth_code": CODE, "state": STATE} | more
    return CREDENTIALS["redirect_uri"] + "&" + "&".join(f"{name}={quote(value)}" for name, value in query.items())


def jwt(**claims: object) -> str:
    middle = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJub25lIn0.{middle}.SENTINEL-TOKEN"


class Exchange:
    """What answers the exchange of a code, and what it was asked."""

    def __init__(self, answer: object, status: int = 200) -> None:
        self._answer, self._status = answer, status
        self.bodies: list[dict[str, str]] = []

    def tools(self) -> Tools:
        return tools(httpx.MockTransport(self._handle), session=None)

    def _handle(self, request: httpx.Request) -> httpx.Response:
        assert (request.method, request.url.path) == ("POST", "/api/v3/validate-authcode")
        assert "authorization" not in request.headers
        self.bodies.append(json.loads(request.content))
        return httpx.Response(self._status, json=self._answer)


async def answered(text: str, exchange: Exchange) -> BrokerSession:
    step = await fyers().answer(account(), CREDENTIALS, exchange.tools(), STATE.encode(), text)
    assert isinstance(step, BrokerSession)
    return step


# the page


async def test_a_login_begins_at_fyers_own_page_with_a_fresh_state() -> None:
    challenge = await fyers().start(account(), CREDENTIALS, tools(session=None))
    assert isinstance(challenge, Challenge)
    assert challenge.kind is ChallengeKind.REDIRECT
    page = urlsplit(challenge.prompt.split()[-1])
    assert f"{page.scheme}://{page.netloc}{page.path}" == "https://api-t1.fyers.in/api/v3/generate-authcode"
    assert parse_qs(page.query) == {
        "client_id": [CREDENTIALS["app_id"]],
        "redirect_uri": [CREDENTIALS["redirect_uri"]],
        "response_type": ["code"],
        "state": [challenge.state.decode()],
    }
    assert MONDAY_NOON < challenge.expires_at <= MONDAY_NOON + timedelta(minutes=15)
    assert CREDENTIALS["app_secret"] not in challenge.prompt
    assert STATE not in repr(challenge).replace(challenge.prompt, "")


async def test_a_sandbox_has_its_page_at_its_own_address() -> None:
    challenge = await fyers().start(account("http://127.0.0.1:9/"), CREDENTIALS, tools(session=None))
    assert isinstance(challenge, Challenge)
    assert " http://127.0.0.1:9/api/v3/generate-authcode?client_id=" in challenge.prompt


async def test_the_address_of_the_page_is_shown_whole_or_not_at_all() -> None:
    for length in (10, 100, 150, 1000):
        credentials = {**CREDENTIALS, "redirect_uri": "https://127.0.0.1/" + "x" * length}
        try:
            challenge = await fyers().start(account(), credentials, tools(session=None))
        except Rejected:
            assert length == 1000
        else:
            assert isinstance(challenge, Challenge)
            assert clean(challenge.prompt) == challenge.prompt


# what comes back


@pytest.mark.parametrize(
    "text",
    [landing(), f"  {landing()}\n", landing().partition("?")[2], CODE, landing(code="-1"), landing(more="x")],
)
async def test_the_whole_address_or_the_bare_code_lets_in(text: str) -> None:
    exchange = Exchange(recorded("validate_authcode"))
    session = await answered(text, exchange)
    assert session.token == {"access_token": recorded("validate_authcode")["access_token"]}, "no refresh token is kept"
    assert exchange.bodies == [
        {
            "grant_type": "authorization_code",
            "appIdHash": sha256(b"ABCD1234XY-100:SENTINEL-APP-SECRET").hexdigest(),
            "code": CODE,
        }
    ]


@pytest.mark.parametrize(
    "text",
    [
        landing(state="1" * 32),
        landing(state=""),
        landing(state="é"),
        landing() + f"&state={STATE}",
        landing() + f"&state={'1' * 32}",
        landing().replace("state=", "State="),
        landing(auth_code=""),
        landing(auth_code="200"),
        landing(auth_code="a code with spaces"),
        landing() + "&auth_code=ANOTHER-CODE-THAT-WAS-ADDED",
        f"https://127.0.0.1/#{landing().partition('?')[2]}",
        "https://127.0.0.1/fyers",
        "https://[::1/?state=x",
        "&".join(f"a{n}=1" for n in range(80)) + "&state=1",
        "200",
        "",
        "what do you want?",
        CODE + "\n" + CODE,
    ],
)
async def test_an_answer_of_another_login_or_of_none_is_wrong_and_reaches_nobody(text: str) -> None:
    exchange = Exchange(recorded("validate_authcode"))
    with pytest.raises(Rejected) as refusal:
        await answered(text, exchange)
    assert refusal.value.reason == WRONG_ANSWER
    assert exchange.bodies == []
    assert CODE not in str(refusal.value)


async def test_a_page_that_did_not_let_in_ends_the_login() -> None:
    exchange = Exchange(recorded("validate_authcode"))
    with pytest.raises(Rejected) as refusal:
        await answered(landing(s="error", code="-1", auth_code=""), exchange)
    assert refusal.value.reason == "NOT_LET_IN"
    assert exchange.bodies == []


@pytest.mark.parametrize(
    ("status", "said", "code"),
    [
        (200, recorded("authcode_stale"), "AUTH_CODE"),
        (401, recorded("authcode_stale"), "AUTH_CODE"),
        (400, {"s": "error", "code": -374, "message": "code is missing"}, "AUTH_CODE"),
        (400, {"s": "error", "code": -371, "message": "invalid app hash"}, "APP_SECRET"),
        (400, {"s": "error", "code": -352, "message": "invalid app id"}, "APP_ID"),
    ],
)
async def test_a_code_that_is_stale_or_of_another_app_is_refused_for_good(status: int, said: object, code: str) -> None:
    exchange = Exchange(said, status)
    with pytest.raises(Rejected) as refusal:
        await answered(landing(), exchange)
    assert refusal.value.reason == code
    assert not isinstance(refusal.value, SessionExpired)
    assert len(exchange.bodies) == 1, "a code is shown once"


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (200, {}),
        (200, []),
        (200, {"s": "ok", "code": 200}),
        (200, {"s": "ok", "code": 200, "access_token": None}),
        (200, {"s": "ok", "code": 200, "access_token": ""}),
        (200, {"s": "ok", "code": 200, "access_token": "with a\r\nline"}),
        (200, {"s": "ok", "code": 200, "access_token": 12345678}),
        (200, {"s": "error", "code": 200, "access_token": "SENTINEL-TOKEN"}),
        (200, {"access_token": "SENTINEL-TOKEN"}),
        (200, {"s": "error", "code": -99, "message": "rejected"}),
        (200, {"s": "error", "code": -16, "message": "of a session, and there is none yet"}),
        (400, {"s": "error", "code": -1, "message": "?"}),
        (404, recorded("authcode_stale")),
        (302, {}),
        (500, recorded("authcode_stale")),
        (429, recorded("too_many")),
    ],
)
async def test_an_answer_that_is_neither_yes_nor_a_documented_no_is_no_answer(status: int, said: object) -> None:
    with pytest.raises(NoAnswer):
        await answered(landing(), Exchange(said, status))


async def test_a_fyers_that_is_not_there_is_unreachable() -> None:
    def down(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(Unreachable):
        await fyers().answer(
            account(), CREDENTIALS, tools(httpx.MockTransport(down), session=None), STATE.encode(), landing()
        )


# how long it lasts


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-11-23T08:30+05:30", "2026-11-24T06:00+05:30"),
        ("2026-11-23T23:59+05:30", "2026-11-24T06:00+05:30"),
        ("2026-11-24T00:01+05:30", "2026-11-24T06:00+05:30"),
        ("2026-11-24T05:59:59+05:30", "2026-11-24T06:00+05:30"),
        ("2026-11-24T06:00+05:30", "2026-11-25T06:00+05:30"),
        ("2026-12-31T20:00+00:00", "2027-01-01T06:00+05:30"),
        ("2026-12-31T12:00-11:00", "2027-01-01T06:00+05:30"),
    ],
)
def test_a_session_ends_at_the_next_six_in_the_morning_in_india(now: str, until: str) -> None:
    found = next_end(datetime.fromisoformat(now))
    assert found == datetime.fromisoformat(until)
    assert found.tzinfo is UTC


def epoch(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


@pytest.mark.parametrize(
    ("token", "until"),
    [
        (jwt(exp=epoch("2026-11-23T18:00+05:30")), "2026-11-23T18:00+05:30"),
        (jwt(exp=epoch("2026-11-29T18:00+05:30")), "2026-11-24T06:00+05:30"),
        (jwt(exp="soon"), "2026-11-24T06:00+05:30"),
        (jwt(exp=10**30), "2026-11-24T06:00+05:30"),
        (jwt(), "2026-11-24T06:00+05:30"),
        ("a.!!!.b.SENTINEL-TOKEN", "2026-11-24T06:00+05:30"),
        ("a.bm90IGpzb24.SENTINEL-TOKEN", "2026-11-24T06:00+05:30"),
        ("no-jwt-SENTINEL-TOKEN", "2026-11-24T06:00+05:30"),
    ],
)
def test_a_token_may_end_a_session_sooner_and_never_later(token: str, until: str) -> None:
    found = session_of({"s": "ok", "code": 200, "access_token": token}, MONDAY_NOON)
    assert found.expires_at == datetime.fromisoformat(until)
    assert "SENTINEL" not in repr(found)


def test_a_token_that_is_over_already_is_no_session() -> None:
    with pytest.raises(Rejected) as refusal:
        session_of({"s": "ok", "access_token": jwt(exp=epoch("2026-11-23T11:00+05:30"))}, MONDAY_NOON)
    assert refusal.value.reason == "SESSION_OVER"
    assert "SENTINEL" not in str(refusal.value)


# probing and ending


async def probed(status: int, said: object) -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        assert (request.method, request.url.path) == ("GET", "/api/v3/profile")
        assert request.headers["authorization"] == "ABCD1234XY-100:LIVE-TOKEN"
        return httpx.Response(status, json=said)

    await fyers().probe(account(), CREDENTIALS, tools(httpx.MockTransport(handle)), SESSION)


async def test_a_session_that_lives_is_told_from_one_that_is_over_and_from_silence() -> None:
    await probed(200, recorded("profile"))
    for code in (-8, -15, -16, -17):
        for status in (200, 401):
            with pytest.raises(SessionExpired):
                await probed(status, {"s": "error", "code": code, "message": "no"})
    for status, said in ((200, {}), (200, {"s": "error", "code": -1, "message": ""}), (403, {}), (503, {})):
        with pytest.raises(NoAnswer):
            await probed(status, said)


async def logged_out(status: int, said: object) -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        assert (request.method, request.url.path, request.content) == ("POST", "/api/v3/logout", b"")
        assert request.headers["authorization"] == "ABCD1234XY-100:LIVE-TOKEN"
        return httpx.Response(status, json=said)

    await fyers().logout(account(), CREDENTIALS, tools(httpx.MockTransport(handle)), SESSION)


async def test_a_logout_ends_a_session_and_one_that_is_over_already_is_no_error() -> None:
    await logged_out(200, recorded("logout"))
    await logged_out(401, recorded("not_authenticated"))
    with pytest.raises(NoAnswer):
        await logged_out(500, {})
    with pytest.raises(NoAnswer):
        await logged_out(200, {"s": "error", "code": -1, "message": ""})


async def test_without_a_session_no_line_is_opened() -> None:
    with pytest.raises(SessionNeeded):
        async with opened(tools(session=None)):
            raise AssertionError("it was opened")


# secrets

ECHO = {"s": "error", "code": -437, "message": " ".join(SECRETS), "access_token": "SENTINEL-TOKEN"}


@pytest.mark.parametrize("code", [-437, -371, -374, -352, -16, -99, 201])
@pytest.mark.parametrize("status", [200, 400, 401, 429, 500])
async def test_no_error_of_a_login_repeats_a_secret_even_if_fyers_does(
    code: int, status: int, capfd: pytest.CaptureFixture[str]
) -> None:
    for text in (landing(), CODE):
        with pytest.raises(OrdoError) as trouble:
            await answered(text, Exchange({**ECHO, "code": code}, status))
        shown = "".join(traceback.format_exception(trouble.value)) + repr(trouble.value) + (trouble.value.hint or "")
        assert "SENTINEL" not in shown
    assert "SENTINEL" not in "".join(capfd.readouterr())


async def test_no_error_over_a_real_wire_repeats_a_secret() -> None:
    said = json.dumps({**ECHO, "refresh_token": "SENTINEL-REFRESH"}).encode()
    for play in (saying(answer(said)), saying(answer(said[:-5])), saying(answer(said, "500 X")), saying(said)):
        async with serving(play) as server:
            with pytest.raises(OrdoError) as trouble:
                await fyers().answer(
                    account(server.url), CREDENTIALS, tools(session=None, read_timeout=0.3), STATE.encode(), landing()
                )
        assert "SENTINEL" not in "".join(traceback.format_exception(trouble.value))


@pytest.mark.parametrize("code", [-8, -50, -51, -99, -300, -1, 201])
@pytest.mark.parametrize("status", [200, 401, 404, 500])
async def test_no_error_of_an_account_repeats_its_token_even_if_fyers_does(code: int, status: int) -> None:
    token = "SENTINEL-TOKEN"
    said = {"s": "error", "code": code, "message": f"Bearer {token} of {CREDENTIALS['app_secret']} is not good"}
    transport = httpx.MockTransport(lambda request: httpx.Response(status, json=said))
    session = BrokerSession({"access_token": token}, SESSION.expires_at)
    async with opened(tools(transport, session=session)) as broker:
        assert "SENTINEL" not in repr(broker)
        for read in (broker.orders, broker.funds, broker.positions, broker.trades, broker.holdings):
            with pytest.raises(OrdoError) as trouble:
                await read()
            assert "SENTINEL" not in "".join(traceback.format_exception(trouble.value)) + repr(trouble.value)
    with pytest.raises(OrdoError) as trouble:
        await fyers().probe(account(), CREDENTIALS, tools(transport), session)
    shown = "".join(traceback.format_exception(trouble.value))
    if code != -8 or status > 401:  # else the session is over already, which is what a logout wants
        with pytest.raises(OrdoError) as trouble:
            await fyers().logout(account(), CREDENTIALS, tools(transport), session)
        shown += "".join(traceback.format_exception(trouble.value))
    assert "SENTINEL" not in shown
