"""Logging in at HDFC: each step once, nothing again after a wrong password, nothing secret in what goes wrong."""

from __future__ import annotations

import json
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from ordo_cli import log
from ordo_cli.brokers import spec
from ordo_cli.brokers.base import WRONG_ANSWER, BrokerSession, Challenge, ChallengeKind, Login
from ordo_cli.domain.errors import NoAnswer, OrdoError, Refused, Rejected, SessionExpired, Unreachable
from ordo_cli.domain.market import IST
from tests.brokers.hdfc.fakes import CREDENTIALS, MONDAY_NOON, OTP, SECRETS, TOKEN, account, jwt, recorded, tools
from tests.fakes import FakeClock

START = ["GET /oapi/v1/login", "POST /oapi/v1/login/validate"]
ANSWER = ["POST /oapi/v1/twofa/validate", "GET /oapi/v1/authorise", "POST /oapi/v1/access-token"]
STEPS = [*START, *ANSWER]


class Door:
    """HDFC's side of a login: the recorded answers, but for those that a test puts in their place."""

    def __init__(self) -> None:
        self.answers: dict[str, httpx.Response | Exception] = {
            STEPS[0]: httpx.Response(200, json=recorded("login")),
            STEPS[1]: httpx.Response(200, json=recorded("login_validate")),
            STEPS[2]: httpx.Response(200, json=recorded("twofa_validate")),
            STEPS[3]: httpx.Response(200, json=recorded("authorise")),
            STEPS[4]: httpx.Response(200, json={"accessToken": TOKEN}),
        }
        self.requests: list[httpx.Request] = []

    def says(self, step: str, answer: httpx.Response | Exception) -> Door:
        self.answers[step] = answer
        return self

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers[f"{request.method} {request.url.path}"]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    @property
    def steps(self) -> list[str]:
        return [f"{request.method} {request.url.path}" for request in self.requests]

    def bodies(self) -> list[Any]:
        return [json.loads(request.content) if request.content else None for request in self.requests]


def login() -> Login:
    found = spec("hdfc").login(account())
    assert found is not None
    return found


def start(door: Door, **more: Any) -> Awaitable[BrokerSession | Challenge]:
    return login().start(account(), CREDENTIALS, tools(httpx.MockTransport(door), token=None, **more))


def answer(door: Door, text: str = OTP, **more: Any) -> Awaitable[BrokerSession | Challenge]:
    state = b'{"token_id":"sentinel-token-id-0001"}'
    return login().answer(account(), CREDENTIALS, tools(httpx.MockTransport(door), token=None, **more), state, text)


async def failure(step: Awaitable[object]) -> OrdoError:
    with pytest.raises(OrdoError) as raised:
        await step
    error = raised.value
    said = f"{error} {error.hint} {error!r} {error.__cause__!r}"
    assert not any(secret in said for secret in SECRETS)
    return error


def bad(http: int, /, **body: object) -> httpx.Response:
    return httpx.Response(http, json=body)


async def test_the_password_is_followed_by_a_question_for_the_otp() -> None:
    door = Door()
    asked = await start(door)
    assert isinstance(asked, Challenge)
    assert asked.kind is ChallengeKind.OTP
    assert "alice" in asked.prompt
    assert "Enter the OTP sent to your mobile" in asked.prompt
    assert MONDAY_NOON < asked.expires_at <= MONDAY_NOON + timedelta(minutes=10)
    assert door.steps == START
    assert door.bodies() == [None, {"username": "sentinel-user-id", "password": "sentinel-password"}]
    assert [dict(request.url.params) for request in door.requests] == [
        {"api_key": "sentinel-api-key"},
        {"api_key": "sentinel-api-key", "token_id": "sentinel-token-id-0001"},
    ]
    assert all(request.headers["user-agent"].startswith("Mozilla/5.0") for request in door.requests)
    assert not any("authorization" in request.headers for request in door.requests)
    assert not any(secret in repr(asked) for secret in SECRETS)


async def test_the_whole_login_from_the_state_of_its_challenge() -> None:
    door = Door()
    asked = await start(door)
    assert isinstance(asked, Challenge)
    using = tools(httpx.MockTransport(door), token=None)
    session = await login().answer(account(), CREDENTIALS, using, asked.state, OTP)
    assert isinstance(session, BrokerSession)
    assert session.token == {"access_token": TOKEN}
    assert door.steps == STEPS
    assert door.bodies()[2:] == [{"answer": OTP}, None, {"apiSecret": "sentinel-api-secret"}]
    key, token_id = {"api_key": "sentinel-api-key"}, {"token_id": "sentinel-token-id-0001"}
    assert [dict(request.url.params) for request in door.requests[2:]] == [
        {**key, **token_id},
        {**key, **token_id, "consent": "true", "request_token": "sentinel-request-one"},
        {**key, "request_token": "sentinel-request-two"},
    ]
    assert not any(secret in repr(session) for secret in SECRETS)


async def test_the_consent_is_given_though_the_otp_says_authorised_already() -> None:
    door = Door().says(STEPS[2], bad(200, **{**recorded("twofa_validate"), "authorised": True}))
    await answer(door)
    assert door.steps == ANSWER


async def test_the_word_of_consent_and_the_user_agent_are_settings() -> None:
    door = Door()
    await answer(door, options={"consent": "Y", "user_agent": "Browser/1.0"})
    assert door.requests[1].url.params["consent"] == "Y"
    assert {request.headers["user-agent"] for request in door.requests} == {"Browser/1.0"}


async def test_an_access_token_inside_data_is_found() -> None:
    session = await answer(Door().says(STEPS[4], bad(200, status="success", data={"accessToken": TOKEN})))
    assert isinstance(session, BrokerSession)
    assert session.token == {"access_token": TOKEN}


# refusals


@pytest.mark.parametrize(
    "refusal",
    [
        bad(401, error="invalid credentials"),
        bad(200, error="invalid credentials"),
        bad(401, status="error", message="wrong"),
        bad(400, message="Login failed"),
        bad(200, status="failed", message="user is locked"),
        bad(403, message="IP not registered"),
    ],
)
async def test_a_wrong_password_ends_the_login_and_is_never_tried_again(refusal: httpx.Response) -> None:
    door = Door().says(STEPS[1], refusal)
    error = await failure(start(door))
    assert isinstance(error, Rejected)
    assert not isinstance(error, SessionExpired)
    assert error.reason not in {"rejected", WRONG_ANSWER}
    assert error.hint
    assert door.steps == START


@pytest.mark.parametrize(
    "refusal",
    [
        bad(200, status="error", message="Invalid OTP"),
        bad(400, message="Invalid OTP"),
        bad(401, error="invalid credentials"),
        bad(401, status="failed", message="session expired"),
    ],
)
async def test_a_wrong_otp_cannot_be_told_apart_and_so_ends_the_login(refusal: httpx.Response) -> None:
    door = Door().says(STEPS[2], refusal)
    error = await failure(answer(door, "111111"))
    assert isinstance(error, Rejected)
    assert error.reason != WRONG_ANSWER
    assert "111111" not in f"{error} {error.hint}"
    assert door.steps == ANSWER[:1]


@pytest.mark.parametrize(
    "text", ["", "12", "abcdef", "12 34 56", "123456789", "https://x/?a=1", "\u0967\u0968\u0969\u096a"]
)
async def test_what_can_be_no_otp_is_asked_for_again_without_a_word_to_the_broker(text: str) -> None:
    door = Door()
    error = await failure(answer(door, text))
    assert error.reason == WRONG_ANSWER
    assert door.requests == []


@pytest.mark.parametrize("demand", [True, "true", 1, {"site": "key"}])
async def test_a_captcha_is_refused_with_what_to_do(demand: object) -> None:
    error = await failure(start(Door().says(STEPS[1], bad(200, **{**recorded("login_validate"), "recaptcha": demand}))))
    assert isinstance(error, Rejected)
    assert error.reason == "CAPTCHA"
    assert "browser" in error.message
    assert error.hint is not None
    assert "ordo login" in error.hint


async def test_a_login_without_a_second_factor_is_not_guessed_through() -> None:
    said = {**recorded("login_validate"), "twoFAEnabled": False, "twofa": None}
    error = await failure(start(Door().says(STEPS[1], bad(200, **said))))
    assert error.reason == "NO_SECOND_FACTOR"


@pytest.mark.parametrize(
    ("step", "body"),
    [
        (STEPS[0], {}),
        (STEPS[0], {"tokenId": ""}),
        (STEPS[0], {"tokenId": 17}),
        (STEPS[0], ["tokenId"]),
        (STEPS[1], {"recaptcha": False, "twoFAEnabled": True}),
        (STEPS[1], {"recaptcha": False, "twoFAEnabled": True, "twofa": {"questions": []}}),
        (STEPS[1], {"recaptcha": False, "twoFAEnabled": True, "twofa": {"questions": [{}, {}]}}),
        (STEPS[1], []),
        (STEPS[2], {"authorised": True}),
        (STEPS[3], {"callbackUrl": "https://callback.invalid/?request_token=sentinel-request-two"}),
        (STEPS[4], {}),
        (STEPS[4], {"accessToken": "no token\r\nX: y"}),
        (STEPS[4], {"accessToken": None}),
    ],
)
async def test_an_answer_without_what_it_must_hold_is_no_answer(step: str, body: object) -> None:
    door = Door().says(step, httpx.Response(200, json=body))
    assert isinstance(await failure(start(door) if step in START else answer(door)), NoAnswer)
    assert door.steps[-1] == step


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    "trouble",
    [
        httpx.Response(500, json={"message": "invalid credentials"}),
        httpx.Response(503, headers={"retry-after": "0"}),
        httpx.Response(429, json={"message": "slow"}, headers={"retry-after": "0"}),
        httpx.Response(302, headers={"location": "https://callback.invalid/"}),
        httpx.Response(200, text="<html>log in</html>"),
        httpx.Response(200, text=""),
        httpx.ReadTimeout("silent"),
        httpx.RemoteProtocolError("garbage"),
    ],
    ids=str,
)
async def test_no_step_is_repeated_whatever_happens(step: str, trouble: httpx.Response | Exception) -> None:
    door = Door().says(step, trouble)
    assert isinstance(await failure(start(door) if step in START else answer(door)), NoAnswer)
    assert door.steps == [
        each for each in (START if step in START else ANSWER) if STEPS.index(each) <= STEPS.index(step)
    ]


@pytest.mark.parametrize("step", STEPS)
async def test_what_cannot_be_reached_is_told_as_that(step: str) -> None:
    door = Door().says(step, httpx.ConnectError("refused"))
    assert isinstance(await failure(start(door) if step in START else answer(door)), Unreachable)


@pytest.mark.parametrize("step", STEPS)
async def test_what_the_broker_repeats_of_a_secret_is_cut_out(step: str) -> None:
    told_by_then = [*CREDENTIALS.values(), "sentinel-token-id-0001"] if step != STEPS[0] else [*CREDENTIALS.values()]
    if step in ANSWER:
        told_by_then.append(OTP)
    if step in ANSWER[1:]:
        told_by_then.append("sentinel-request-one")
    if step == STEPS[4]:
        told_by_then.append("sentinel-request-two")
    door = Door().says(step, bad(400, message="it was " + " ".join(told_by_then)))
    error = await failure(start(door) if step in START else answer(door))
    assert "it was …" in error.message


@pytest.mark.parametrize("missing", [*CREDENTIALS])
async def test_a_missing_credential_is_named_and_the_others_are_not_told(missing: str) -> None:
    door = Door()
    given = {name: value for name, value in CREDENTIALS.items() if name != missing}
    using = tools(httpx.MockTransport(door), token=None)
    asked = (
        login().answer(account(), given, using, b'{"token_id":"t"}', OTP)
        if missing == "api_secret"
        else login().start(account(), given, using)
    )
    error = await failure(asked)
    assert isinstance(error, Refused)
    assert missing in error.message


# how long it lasts


def at(hour: int, minute: int = 0, day: int = 23) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=IST)


@pytest.mark.parametrize(
    ("now", "exp", "until"),
    [
        (at(9), at(17), at(17)),  # eight hours, as in the documentation's sample
        (at(9), at(9, day=24), at(3, day=24)),  # never beyond the next 03:00
        (at(9), at(9, day=30), at(3, day=24)),
        (at(1), at(9), at(3)),  # before 03:00 it is this morning's
        (at(3), at(9, day=24), at(3, day=24)),
        (at(9), None, at(17)),  # a token that tells nothing
        (at(23), None, at(3, day=24)),
    ],
)
async def test_a_session_lasts_as_its_token_says_and_not_past_three(
    now: datetime, exp: datetime | None, until: datetime
) -> None:
    token = jwt(sub="x") if exp is None else jwt(exp=int(exp.timestamp()))
    session = await answer(Door().says(STEPS[4], bad(200, accessToken=token)), clock=FakeClock(now.astimezone(UTC)))
    assert isinstance(session, BrokerSession)
    assert session.expires_at == until
    assert session.expires_at.tzinfo is UTC


@pytest.mark.parametrize("exp", ["1790000000", 1.5, True, None, [], 10**30])
async def test_an_expiry_that_is_none_is_not_believed(exp: object) -> None:
    session = await answer(Door().says(STEPS[4], bad(200, accessToken=jwt(exp=exp))))
    assert isinstance(session, BrokerSession)
    assert session.expires_at == MONDAY_NOON + timedelta(hours=8)


@pytest.mark.parametrize("payload", ["AAAA", "e30", "bm8", "W10", "A", "_-_-"])
async def test_a_token_whose_inside_cannot_be_read_still_opens_a_session(payload: str) -> None:
    session = await answer(Door().says(STEPS[4], bad(200, accessToken=f"eyJh.{payload}.c2ln")))
    assert isinstance(session, BrokerSession)
    assert session.expires_at == MONDAY_NOON + timedelta(hours=8)


async def test_a_token_that_is_over_already_is_no_session() -> None:
    error = await failure(answer(Door().says(STEPS[4], bad(200, accessToken=jwt(exp=int(at(11).timestamp()))))))
    assert error.reason == "TOKEN_OVER"


# a session in use


def probing(*answers: httpx.Response) -> tuple[list[httpx.Request], Awaitable[None]]:
    seen: list[httpx.Request] = []

    def broker(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return answers[min(len(seen), len(answers)) - 1]

    session = BrokerSession({"access_token": TOKEN}, MONDAY_NOON + timedelta(hours=8))
    return seen, login().probe(account(), CREDENTIALS, tools(httpx.MockTransport(broker)), session)


async def test_a_probe_reads_the_funds_with_the_raw_token() -> None:
    seen, probe = probing(httpx.Response(200, json=recorded("funds")))
    await probe
    (request,) = seen
    assert (request.method, request.url.path) == ("GET", "/oapi/v1/user/margins")
    assert request.headers["authorization"] == TOKEN, "without Bearer"
    assert dict(request.url.params) == {"api_key": "sentinel-api-key"}


async def test_a_probe_tells_a_dead_session_and_does_not_take_an_address_for_one() -> None:
    assert isinstance(await failure(probing(bad(401, message="unauthorised"))[1]), SessionExpired)
    assert isinstance(await failure(probing(bad(200, **recorded("session_expired")))[1]), SessionExpired)
    error = await failure(probing(bad(403, message="not whitelisted"))[1])
    assert isinstance(error, NoAnswer)
    assert error.hint


async def test_a_logout_asks_nobody() -> None:
    door = Door()
    session = BrokerSession({"access_token": TOKEN}, MONDAY_NOON + timedelta(hours=8))
    await login().logout(account(), CREDENTIALS, tools(httpx.MockTransport(door)), session)
    assert door.requests == []


async def test_no_secret_reaches_the_log_on_any_of_these_ways(tmp_path: Path) -> None:
    log.configure(str(tmp_path), FakeClock(MONDAY_NOON), "debug")
    for step in STEPS:
        for trouble in (bad(400, message="odd"), httpx.ReadTimeout("silent"), httpx.ConnectError("refused")):
            await failure((start if step in START else answer)(Door().says(step, trouble)))
    strange = {**recorded("orders")["data"][0], "status": "odd word", "product": "COVER", "security_id": "NOSUCH"}
    replies = [httpx.Response(200, json={"status": "success", "data": [strange]}), bad(401), bad(403), bad(502)]
    transport = httpx.MockTransport(lambda request: replies.pop(0) if len(replies) > 1 else replies[0])
    async with spec("hdfc").connect(account(), CREDENTIALS, tools(transport)) as broker:
        await broker.orders()
        for _ in range(3):
            await failure(broker.orders())
    text = (tmp_path / "ordo.log").read_text()
    assert "status_unclear" in text
    assert "order_not_understood" in text
    assert not any(secret in text for secret in SECRETS)
