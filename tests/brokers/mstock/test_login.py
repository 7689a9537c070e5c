"""Logging in to m.Stock: one question a step, codes told apart by their text, and a session that ends in India."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from ordo_cli.brokers import spec
from ordo_cli.brokers.base import WRONG_ANSWER, BrokerSession, Challenge, ChallengeKind, Tools
from ordo_cli.brokers.mstock.login import MStockLogin, expiry
from ordo_cli.domain.errors import Invalid, NoAnswer, OrdoError, Rejected, SessionExpired, SessionNeeded, Unreachable
from ordo_cli.domain.market import IST
from ordo_cli.domain.values import replace
from tests.brokers.mstock.fakes import ALICE, CREDENTIALS, TOKEN, form_of, tools
from tests.brokers.mstock.recorded import recorded
from tests.fakes import MONDAY_NOON, FakeClock

OTP = "OTP-SENTINEL-5"
SESSION = BrokerSession({"access_token": TOKEN}, MONDAY_NOON)
Ask = Callable[[MStockLogin, Tools], Any]


class Desk:
    """Answers in turn, and keeps what was asked."""

    def __init__(self, folder: Path, *answers: httpx.Response | Exception, **options: str) -> None:
        self._answers = list(answers)
        self.asked: list[httpx.Request] = []
        self.clock = FakeClock()
        self.tools = replace(tools(self.clock, httpx.MockTransport(self._answer), folder, **options), session=None)
        self.login = MStockLogin()

    def _answer(self, request: httpx.Request) -> httpx.Response:
        assert request.headers["x-mirae-version"] == "1"
        self.asked.append(request)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def start(self) -> Challenge:
        return await self.login.start(ALICE, CREDENTIALS, self.tools)

    async def answer(self, state: bytes = b"otp", text: str = OTP) -> BrokerSession:
        return await self.login.answer(ALICE, CREDENTIALS, self.tools, state, text)

    async def probe(self) -> None:
        await self.login.probe(ALICE, CREDENTIALS, self.tools, SESSION)

    async def logout(self) -> None:
        await self.login.logout(ALICE, CREDENTIALS, self.tools, SESSION)


def said(call: str, status: int = 200) -> httpx.Response:
    return httpx.Response(status, json=recorded(call))


def error(message: str, kind: str = "MiraeException", status: int = 200) -> httpx.Response:
    return httpx.Response(status, json={"status": "error", "message": message, "error_type": kind, "data": None})


async def test_user_and_password_bring_a_code_to_the_telephone(tmp_path: Path) -> None:
    desk = Desk(tmp_path, said("login"))
    challenge = await desk.start()
    assert (challenge.kind, challenge.state) == (ChallengeKind.OTP, b"otp")
    assert "alice" in challenge.prompt
    assert challenge.expires_at == MONDAY_NOON + timedelta(minutes=5)
    (asked,) = desk.asked
    assert (asked.method, asked.url.path) == ("POST", "/openapi/typea/connect/login")
    assert form_of(asked) == {"username": CREDENTIALS["client_id"], "password": CREDENTIALS["password"]}
    assert "authorization" not in asked.headers


async def test_the_code_and_the_checksum_are_worth_a_session(tmp_path: Path) -> None:
    desk = Desk(tmp_path, said("session"))
    session = await desk.answer()
    assert session.token == {"access_token": recorded("session")["data"]["access_token"]}
    (asked,) = desk.asked
    assert (asked.method, asked.url.path) == ("POST", "/openapi/typea/session/token")
    assert form_of(asked) == {"api_key": CREDENTIALS["api_key"], "request_token": OTP, "checksum": "L"}


async def test_the_checksum_is_a_setting_and_only_one_of_the_two_that_sources_have(tmp_path: Path) -> None:
    desk = Desk(tmp_path, said("session"), checksum="W")
    await desk.answer()
    assert form_of(desk.asked[0])["checksum"] == "W"
    desk = Desk(tmp_path, checksum="X")
    for step in (desk.start(), desk.answer()):
        with pytest.raises(Invalid):
            await step
    assert desk.asked == []


@pytest.mark.parametrize("setting", ["alice", "bob alice", "bob,alice", "alice, bob"])
async def test_an_account_with_an_authenticator_is_asked_for_its_code(setting: str, tmp_path: Path) -> None:
    desk = Desk(tmp_path, said("login"), said("session"), totp=setting)
    challenge = await desk.start()
    assert (challenge.kind, challenge.state) == (ChallengeKind.TOTP, b"totp")
    await desk.answer(challenge.state, "123456")
    assert [request.url.path.removeprefix("/openapi/typea") for request in desk.asked] == [
        "/connect/login",
        "/session/verifytotp",
    ]
    assert form_of(desk.asked[1]) == {"api_key": CREDENTIALS["api_key"], "totp": "123456"}


async def test_others_with_a_name_like_it_are_sent_a_code(tmp_path: Path) -> None:
    assert (await Desk(tmp_path, said("login"), totp="alice2 malice").start()).kind is ChallengeKind.OTP


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize(("call", "state"), [("wrong_otp", b"otp"), ("wrong_totp", b"totp")])
async def test_a_wrong_code_may_be_answered_once_more(call: str, state: bytes, status: int, tmp_path: Path) -> None:
    desk = Desk(tmp_path, said(call, status))
    with pytest.raises(Rejected) as refusal:
        await desk.answer(state)
    assert refusal.value.reason == WRONG_ANSWER
    assert len(desk.asked) == 1


@pytest.mark.parametrize("status", [200, 400, 401])
async def test_a_wrong_password_ends_the_login_and_is_never_tried_again(status: int, tmp_path: Path) -> None:
    desk = Desk(tmp_path, said("wrong_password", status))
    with pytest.raises(Rejected) as refusal:
        await desk.start()
    assert refusal.value.reason == "LOGIN_REFUSED"
    assert "2 attempts remaining" in refusal.value.message
    assert len(desk.asked) == 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (error("Your account is locked"), "LOGIN_REFUSED"),
        (error("OTP expired"), "LOGIN_REFUSED"),
        (error(""), "LOGIN_REFUSED"),
        (said("key_expired", 403), "API_KEY"),
        (said("no_version", 400), "VERSION"),
        (said("session_over", 401), "session_expired"),
    ],
)
async def test_every_other_refusal_ends_the_login(answer: httpx.Response, reason: str, tmp_path: Path) -> None:
    for step in ("start", "answer"):
        desk = Desk(tmp_path, httpx.Response(answer.status_code, content=answer.content))
        with pytest.raises(Rejected) as refusal:
            await getattr(desk, step)()
        assert refusal.value.reason in {reason, "SESSION"}
        assert refusal.value.reason != WRONG_ANSWER
        assert len(desk.asked) == 1


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500, json=recorded("wrong_otp")),
        httpx.Response(200, content=b""),
        httpx.Response(200, content=b"<html>"),
        httpx.Response(200, json={}),
        httpx.Response(200, json={"status": "success", "data": None}),
        httpx.Response(200, json={"status": "success", "data": {"access_token": None}}),
        httpx.Response(200, json={"status": "success", "data": {"access_token": "None"}}),
        httpx.Response(200, json={"status": "success", "data": {"access_token": "with a space in it"}}),
        httpx.Response(200, json={"status": "success", "data": {"access_token": "line\r\nx-evil: yes"}}),
        httpx.ReadTimeout("silence"),
    ],
)
async def test_what_gives_no_session_that_can_be_used_is_no_answer(
    answer: httpx.Response | Exception, tmp_path: Path
) -> None:
    desk = Desk(tmp_path, answer)
    with pytest.raises(NoAnswer):
        await desk.answer()
    assert len(desk.asked) == 1


async def test_a_broker_that_is_not_there_got_nothing(tmp_path: Path) -> None:
    for step in ("start", "answer"):
        with pytest.raises(Unreachable):
            await getattr(Desk(tmp_path, httpx.ConnectError("refused")), step)()


# how long it lasts


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-11-23 09:00:00", "2026-11-23 21:00:00"),
        ("2026-11-23 11:54:59", "2026-11-23 23:54:59"),
        ("2026-11-23 11:55:01", "2026-11-23 23:55:00"),
        ("2026-11-23 16:00:00", "2026-11-23 23:55:00"),
        ("2026-11-23 23:54:59", "2026-11-23 23:55:00"),
        ("2026-11-23 23:55:00", "2026-11-24 00:00:00"),
        ("2026-11-24 00:00:00", "2026-11-24 12:00:00"),
        ("2026-11-24 03:00:00", "2026-11-24 15:00:00"),
    ],
)
def test_a_session_ends_after_twelve_hours_or_before_midnight_in_india(now: str, until: str) -> None:
    def india(text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=IST)

    ends = expiry(india(now).astimezone(UTC))
    assert (ends, ends.tzinfo) == (india(until), UTC)


async def test_a_session_says_when_it_ends(tmp_path: Path) -> None:
    session = await Desk(tmp_path, said("session")).answer()
    assert session.expires_at == datetime(2026, 11, 23, 18, 25, tzinfo=UTC)  # 23:55 in India


# a session that is there


async def test_a_probe_is_one_read_under_the_session(tmp_path: Path) -> None:
    desk = Desk(tmp_path, said("fundsummary"))
    await desk.probe()
    (asked,) = desk.asked
    assert (asked.method, asked.url.path) == ("GET", "/openapi/typea/user/fundsummary")
    assert asked.headers["authorization"] == f"token {CREDENTIALS['api_key']}:{TOKEN}"


async def test_a_session_that_is_over_is_told_by_the_probe_and_no_trouble_to_a_logout(tmp_path: Path) -> None:
    with pytest.raises(SessionExpired):
        await Desk(tmp_path, said("session_over", 401)).probe()
    await Desk(tmp_path, said("session_over", 401)).logout()
    desk = Desk(tmp_path, said("logout"))
    await desk.logout()
    assert (desk.asked[0].method, desk.asked[0].url.path) == ("GET", "/openapi/typea/logout")


async def test_trouble_is_not_taken_for_the_end_of_a_session(tmp_path: Path) -> None:
    for step in ("probe", "logout"):
        with pytest.raises(NoAnswer):
            await getattr(Desk(tmp_path, error("System under maintenance")), step)()


async def test_no_line_is_opened_without_a_session(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    with pytest.raises(SessionNeeded):
        async with spec("mstock").connect(ALICE, CREDENTIALS, desk.tools):
            pass


# nothing secret


ECHO = " ".join((*CREDENTIALS.values(), TOKEN, OTP))


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 500])
@pytest.mark.parametrize("kind", ["MiraeException", "TokenException", "APIKeyException", "InputException", ""])
async def test_a_broker_that_repeats_what_it_was_told_is_not_repeated(status: int, kind: str, tmp_path: Path) -> None:
    for step, secrets in (
        ("start", (*CREDENTIALS.values(),)),
        ("answer", (*CREDENTIALS.values(), OTP)),
        ("probe", (*CREDENTIALS.values(), TOKEN)),
        ("logout", (*CREDENTIALS.values(), TOKEN)),
    ):
        desk = Desk(tmp_path, *[error(f"no: {' '.join(secrets)}", kind, status) for _ in range(4)])
        try:
            await getattr(desk, step)()
        except OrdoError as problem:
            told = f"{problem} {problem!r} {problem.hint} {problem.__cause__!r} {problem.__context__!r}"
            assert "SENTINEL" not in told
        else:
            assert (step, kind) == ("logout", "TokenException")


async def test_what_is_kept_of_a_login_is_not_shown(tmp_path: Path) -> None:
    desk = Desk(tmp_path, said("login"), said("session"))
    challenge = await desk.start()
    session = await desk.answer()
    assert recorded("session")["data"]["access_token"] not in repr(session)
    assert not [secret for secret in CREDENTIALS.values() if secret in f"{challenge!r}{challenge.state!r}"]
