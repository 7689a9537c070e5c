"""Logging in: only the landing address of the login that ordo started, by the account's own user, makes a session."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import pytest

from ordo_cli.brokers import spec
from ordo_cli.brokers.base import WRONG_ANSWER, BrokerSession, Challenge, ChallengeKind, Tools
from ordo_cli.brokers.zerodha.login import ZerodhaLogin, dies_at, request_token_in
from ordo_cli.domain.errors import NoAnswer, OrdoError, Rejected, SessionExpired, SessionNeeded, Unreachable
from ordo_cli.domain.market import IST
from ordo_cli.machine import SystemChance
from tests.brokers.zerodha.fakes import (
    ACCESS_TOKEN,
    ALICE,
    CREDENTIALS,
    REQUEST_TOKEN,
    SECRETS,
    SESSION,
    Kite,
    form_of,
    recorded,
    refused,
    said,
    tools,
    without_session,
)
from tests.fakes import MONDAY_NOON, FakeClock

STATE = "0123456789abcdefghjkmnpqrs"
LANDING = f"http://127.0.0.1:5000/?action=login&type=login&status=success&request_token={REQUEST_TOKEN}&state={STATE}"


class Door:
    """Kite's login, as it answers `POST /session/token` and what comes after."""

    def __init__(self, response: httpx.Response | Exception | None = None) -> None:
        answer = recorded("session_token")
        answer["data"]["access_token"] = ACCESS_TOKEN
        self.response = response or said(answer)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if isinstance(self.response, Exception):
            raise self.response
        return self.response

    @property
    def tools(self) -> Tools:
        return without_session(tools(httpx.MockTransport(self)))


def session_answer(**changes: Any) -> httpx.Response:
    answer = recorded("session_token")
    answer["data"] |= {"access_token": ACCESS_TOKEN, **changes}
    return said(answer)


async def answered(door: Door, text: str = LANDING) -> BrokerSession:
    return await ZerodhaLogin().answer(ALICE, CREDENTIALS, door.tools, STATE.encode(), text)


async def refusal_of(door: Door, text: str = LANDING) -> OrdoError:
    with pytest.raises(OrdoError) as refusal:
        await answered(door, text)
    words = f"{refusal.value!r} {refusal.value.message} {refusal.value.hint}"
    assert not any(secret in words for secret in (*SECRETS, STATE)), words
    return refusal.value


async def started(**account: Any) -> Challenge:
    given = replace(Door().tools, chance=SystemChance())
    return await ZerodhaLogin().start(replace(ALICE, **account), CREDENTIALS, given)


# starting


async def test_starting_asks_for_kites_own_page_with_a_state_and_sends_nothing() -> None:
    door = Door()
    challenge = await ZerodhaLogin().start(ALICE, CREDENTIALS, door.tools)
    assert challenge.kind is ChallengeKind.REDIRECT
    assert challenge.expires_at > MONDAY_NOON
    assert door.requests == []
    page = urlsplit(next(word for word in challenge.prompt.split() if word.startswith("https://")))
    assert (page.netloc, page.path) == ("kite.zerodha.com", "/connect/login")
    query = {name: values[0] for name, values in parse_qs(page.query, strict_parsing=True).items()}
    assert query["v"] == "3"
    assert query["api_key"] == CREDENTIALS["api_key"]
    assert dict(parse_qsl(query["redirect_params"])) == {"state": challenge.state.decode()}
    assert CREDENTIALS["user_id"] in challenge.prompt
    assert CREDENTIALS["api_secret"] not in challenge.prompt


async def test_every_login_has_a_state_of_its_own() -> None:
    states = {(await started()).state for _ in range(20)}
    assert len(states) == 20
    assert all(len(state) >= 26 for state in states)


async def test_an_account_at_another_address_signs_in_there() -> None:
    assert " http://127.0.0.1:9999/connect/login?" in (await started(base_url="http://127.0.0.1:9999")).prompt


# answering


@pytest.mark.parametrize(
    "text",
    [
        LANDING,
        REQUEST_TOKEN,
        f"https://app.example/kite?state={STATE}&request_token={REQUEST_TOKEN}",
        f"{LANDING}#fragment",
        LANDING.replace("request_token", "request%5Ftoken"),
    ],
)
async def test_the_landing_address_or_the_bare_token_is_worth_a_session(text: str) -> None:
    door = Door()
    session = await answered(door, text)
    assert session.token == {"access_token": ACCESS_TOKEN, "user_id": "ZZ0001"}
    (request,) = door.requests
    assert (request.method, str(request.url)) == ("POST", "https://api.kite.trade/session/token")
    assert request.headers["x-kite-version"] == "3"
    assert "authorization" not in request.headers
    parts = CREDENTIALS["api_key"] + REQUEST_TOKEN + CREDENTIALS["api_secret"]
    assert form_of(request) == {
        "api_key": CREDENTIALS["api_key"],
        "request_token": REQUEST_TOKEN,
        "checksum": sha256(parts.encode()).hexdigest(),
    }


@pytest.mark.parametrize(
    "text",
    [
        LANDING.replace(STATE, STATE[::-1]),
        LANDING.replace(STATE, ""),
        LANDING.replace(f"&state={STATE}", ""),
        f"{LANDING}&state={STATE}",
        LANDING.replace(STATE, STATE + "é"),
    ],
    ids=["another", "empty", "missing", "twice", "longer"],
)
async def test_an_address_whose_state_is_not_ours_never_reaches_the_broker(text: str) -> None:
    door = Door()
    refusal = await refusal_of(door, text)
    assert isinstance(refusal, Rejected)
    assert refusal.reason == WRONG_ANSWER, "the same page may be opened again"
    assert door.requests == []


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:5000/",
        "no such thing",
        "abc",
        "x" * 129,
        LANDING.replace("success", "cancelled"),
        LANDING.replace(REQUEST_TOKEN, ""),
        LANDING.replace(REQUEST_TOKEN, "a b c d e f"),
        f"{LANDING}&request_token=another000",
        f"{LANDING}&status=failed",
        "https://[::1/?request_token",
        "?" * 4000,
    ],
)
async def test_what_cannot_be_the_answer_never_reaches_the_broker(text: str) -> None:
    door = Door()
    refusal = await refusal_of(door, text)
    assert refusal.reason == WRONG_ANSWER
    assert door.requests == []


async def test_a_stale_or_used_token_is_a_wrong_answer() -> None:
    for message in ("Token is invalid or has expired.", "Invalid `checksum`.", f"no {REQUEST_TOKEN}"):
        refusal = await refusal_of(Door(refused(message, "TokenException", 403)))
        assert isinstance(refusal, Rejected)
        assert not isinstance(refusal, SessionExpired)
        assert refusal.reason == WRONG_ANSWER
        assert refusal.hint is not None


async def test_a_field_that_is_wrong_ends_the_login() -> None:
    refusal = await refusal_of(Door(refused("Invalid `api_key`.", "InputException")))
    assert isinstance(refusal, Rejected)
    assert refusal.reason == "LOGIN_INPUT"


@pytest.mark.parametrize(
    "response",
    [
        refused("oops", "GeneralException", 500),
        refused("blocked", "UserException", 403),
        refused("busy", "NetworkException", 503),
        httpx.Response(302, headers={"location": "https://elsewhere.example"}),
        httpx.Response(200, text="<html>"),
        httpx.Response(200),
        session_answer(access_token=None),
        session_answer(access_token=7),
        session_answer(access_token=""),
        session_answer(user_id=None),
        said({"status": "success", "data": [ACCESS_TOKEN]}),
        said({"status": "maybe", "data": {"access_token": ACCESS_TOKEN, "user_id": "ZZ0001"}}),
        httpx.ReadTimeout("silence"),
    ],
)
async def test_an_answer_that_proves_nothing_is_no_session(response: httpx.Response | Exception) -> None:
    assert isinstance(await refusal_of(Door(response)), NoAnswer)


async def test_a_login_that_never_left_says_so() -> None:
    assert isinstance(await refusal_of(Door(httpx.ConnectError("refused"))), Unreachable)


async def test_somebody_elses_login_is_thrown_away() -> None:
    """One app serves a family: whoever is signed in to Kite in that browser would get all the orders."""
    refusal = await refusal_of(Door(session_answer(user_id="ZZ0002")))
    assert isinstance(refusal, Rejected)
    assert refusal.reason == "WRONG_ACCOUNT"


async def test_a_user_id_is_the_same_in_small_letters() -> None:
    login = ZerodhaLogin()
    small = {**CREDENTIALS, "user_id": "zz0001"}
    assert (await login.answer(ALICE, small, Door().tools, STATE.encode(), LANDING)).token["user_id"] == "ZZ0001"


# how long it lives


@pytest.mark.parametrize(
    ("login", "end"),
    [
        ("2026-11-23 08:52:10", "2026-11-24 06:00"),
        ("2026-11-23 23:59:59", "2026-11-24 06:00"),
        ("2026-11-24 00:00:00", "2026-11-24 06:00"),
        ("2026-11-24 05:59:59", "2026-11-24 06:00"),
        ("2026-11-24 06:00:00", "2026-11-25 06:00"),
        ("2026-12-31 12:00:00", "2027-01-01 06:00"),
    ],
)
def test_a_session_dies_at_six_in_the_morning_in_india(login: str, end: str) -> None:
    at = dies_at(datetime.fromisoformat(login).replace(tzinfo=IST).astimezone(UTC))
    assert at == datetime.fromisoformat(end).replace(tzinfo=IST)
    assert at.utcoffset() == timedelta(0)


async def test_a_session_says_when_it_ends() -> None:
    assert (await answered(Door())).expires_at == datetime(2026, 11, 24, 0, 30, tzinfo=UTC)


# the session afterwards


async def test_a_probe_reads_the_profile_and_says_nothing() -> None:
    kite = Kite(FakeClock())
    await ZerodhaLogin().probe(ALICE, CREDENTIALS, tools(kite.transport), SESSION)
    assert [request.url.path for request in kite.requests] == ["/user/profile"]


async def test_a_probe_of_a_session_that_was_displaced_says_so() -> None:
    stale = BrokerSession({"access_token": "displaced", "user_id": "ZZ0001"}, SESSION.expires_at)
    with pytest.raises(SessionExpired):
        await ZerodhaLogin().probe(ALICE, CREDENTIALS, tools(Kite(FakeClock()).transport), stale)


async def test_a_logout_ends_the_session_at_the_broker() -> None:
    door = Door(said(recorded("session_logout")))
    await ZerodhaLogin().logout(ALICE, CREDENTIALS, door.tools, SESSION)
    (request,) = door.requests
    assert (request.method, request.url.path) == ("DELETE", "/session/token")
    assert dict(request.url.params) == {"api_key": CREDENTIALS["api_key"], "access_token": ACCESS_TOKEN}


async def test_a_session_that_is_over_already_is_no_error_to_log_out_of() -> None:
    await ZerodhaLogin().logout(ALICE, CREDENTIALS, Door(said(recorded("token_exception"), 403)).tools, SESSION)


@pytest.mark.parametrize("response", [httpx.Response(500), httpx.ReadTimeout(ACCESS_TOKEN), httpx.Response(200)])
async def test_a_logout_that_nobody_answered_says_so(response: httpx.Response | Exception) -> None:
    with pytest.raises(NoAnswer):
        await ZerodhaLogin().logout(ALICE, CREDENTIALS, Door(response).tools, SESSION)


async def test_without_a_session_there_is_no_line() -> None:
    with pytest.raises(SessionNeeded):
        async with spec("zerodha").connect(ALICE, CREDENTIALS, Door().tools):
            raise AssertionError("never opened")


def test_a_session_shows_nothing_secret() -> None:
    assert not any(secret in repr(SESSION) + repr(tools(None)) for secret in SECRETS)


def test_the_state_of_a_challenge_is_not_shown() -> None:
    challenge = Challenge(ChallengeKind.REDIRECT, "sign in", MONDAY_NOON, STATE.encode())
    assert STATE not in repr(challenge)


def test_a_bare_token_is_itself() -> None:
    assert request_token_in(REQUEST_TOKEN, STATE) == REQUEST_TOKEN
