"""Logging in over HTTP: a challenge is data, answered by whoever knows, wherever it was asked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from ordo_cli.cli.main import main
from ordo_cli.client import Ordo
from ordo_cli.desk import Desk, open_desk
from ordo_cli.domain.accounts import Target
from ordo_cli.domain.tokens import TokenScope
from ordo_cli.home import Home, find_home
from tests.api.conftest import bearing, calling, served, token

LOGIN, ANSWER, SESSION = (f"/api/v1/accounts/olga/{route}" for route in ("login", "login/answer", "session"))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Home:
    """A home where olga logs in and bob need not."""
    monkeypatch.setenv("ORDO_HOME", str(tmp_path / "home"))
    for words in (
        "init --secrets vault",
        "account add olga --broker paper --behaviour otp",
        "account add bob --broker paper",
    ):
        assert main(words.split()) == 0
    capsys.readouterr()
    return find_home({"ORDO_HOME": str(tmp_path / "home")})


@pytest.fixture
async def desk(home: Home) -> AsyncIterator[Desk]:
    async with open_desk(home, actor="serve") as opened:
        yield opened


def code(home: Home) -> str:
    return (Path(home.data) / "paper-phone" / "olga.txt").read_text().splitlines()[-1]


async def test_a_wrong_answer_is_a_problem_and_the_last_one_ends_it(client: httpx.AsyncClient, home: Home) -> None:
    assert (await client.post(ANSWER, json={"answer": "1"})).json()["code"] == "no_challenge"
    await client.post(LOGIN)
    wrong = "000000" if code(home) != "000000" else "000001"
    answers = [await client.post(ANSWER, json={"answer": wrong}) for _ in range(4)]
    assert {answer.status_code for answer in answers} == {409}
    codes = [answer.json()["code"] for answer in answers]
    assert codes == ["wrong_answer", "wrong_answer", "too_many_attempts", "too_many_attempts"]
    assert wrong not in "".join(answer.text for answer in answers)


@pytest.mark.parametrize(
    "body",
    [{}, {"answer": ""}, {"answer": 493817}, {"answer": "a\x1bb"}, {"answer": "9" * 4001}, {"answer": "1", "x": 1}, []],
    ids=str,
)
async def test_what_is_no_answer_is_refused_without_repeating_it(client: httpx.AsyncClient, body: object) -> None:
    await client.post(LOGIN)
    answer = await client.post(ANSWER, json=body)
    assert answer.status_code in (400, 422)
    assert "493817" not in answer.text
    assert (await client.post(LOGIN)).json()["challenge"]["attempts_left"] == 3


async def test_who_may_not_trade_or_is_for_others_does_not_log_in(desk: Desk) -> None:
    async with calling(desk) as client:
        reader = await token(desk, TokenScope.READ, name="reader")
        bobs = await token(desk, TokenScope.TRADE, name="bobs", targets=(Target("bob"),))
        for text in (reader, bobs):
            client.headers.update(bearing(text))
            assert (await client.post(LOGIN)).status_code == 403
            assert (await client.post(ANSWER, json={"answer": "1"})).status_code == 403
            assert (await client.delete(SESSION)).status_code == 403
        assert (await client.post("/api/v1/accounts/bob/login")).json()["session"] == "not needed"
        assert (await client.post("/api/v1/accounts/nobody/login")).status_code == 404
        assert (await client.post("/api/v1/accounts/OLGA/login")).status_code == 422


async def test_from_the_challenge_to_the_session_and_out_again(client: httpx.AsyncClient, home: Home) -> None:
    asked = await client.post(LOGIN)
    assert asked.status_code == 202
    challenge = asked.json()["challenge"]
    assert set(challenge) == {"id", "kind", "prompt", "expires_at", "attempts_left"}
    assert (await client.post(LOGIN)).json() == asked.json()
    stale = await client.post(ANSWER, json={"answer": code(home), "challenge": "another"})
    assert (stale.status_code, stale.json()["code"]) == (409, "no_challenge")
    done = await client.post(ANSWER, json={"answer": code(home), "challenge": challenge["id"]})
    assert (done.status_code, done.json()["session"]) == (200, "live")
    assert (await client.post(LOGIN)).json()["session"] == "live"
    (olga,) = [row for row in (await client.get("/api/v1/status")).json()["accounts"] if row["account"] == "olga"]
    assert (olga["session"], olga["session_until"]) == ("live", done.json()["until"])
    ended = await client.delete(SESSION)
    assert (ended.status_code, ended.json()["session"]) == (200, "logged out")


async def test_the_client_logs_in_too(home: Home, desk: Desk) -> None:
    text = await token(desk, TokenScope.TRADE, TokenScope.READ)
    with served(home) as url, Ordo(url, token=text) as ordo:
        assert ordo.accounts.login("bob").session == "not needed"
        asked = ordo.accounts.login("olga").challenge
        assert asked is not None
        assert ordo.accounts.answer("olga", code(home), asked.id).session == "live"
        assert [each.session for each in ordo.accounts.logins("olga", "bob")] == ["live", "not needed"]
        assert ordo.accounts.log_out("olga").session == "logged out"


async def test_what_one_server_was_asked_another_answers(home: Home, desk: Desk) -> None:
    headers = bearing(await token(desk, TokenScope.TRADE, TokenScope.READ))
    with served(home) as first, served(home) as second, closing(httpx.Client(headers=headers)) as client:
        assert first != second
        asked = client.post(first + LOGIN)
        assert asked.status_code == 202
        done = client.post(second + ANSWER, json={"answer": code(home)})
        assert (done.status_code, done.json()["session"]) == (200, "live")
        order = {"side": "buy", "instrument": "NSE:INFY", "quantity": 1, "targets": ["olga"]}
        placed = client.post(f"{first}/api/v1/orders", json=order, headers={"Idempotency-Key": "after-login"})
        assert placed.status_code == 201, placed.text
        client.delete(second + SESSION)
        refused = client.post(f"{first}/api/v1/orders", json=order, headers={"Idempotency-Key": "after-logout"})
        assert (refused.status_code, refused.json()["code"]) == (409, "session_needed")


@pytest.mark.parametrize(("method", "route"), [("POST", "login"), ("DELETE", "session"), ("POST", "login/answer")])
async def test_the_word_for_all_accounts_is_no_account(client: httpx.AsyncClient, method: str, route: str) -> None:
    body = {"answer": "123456"} if route == "login/answer" else None
    answer = await client.request(method, f"/api/v1/accounts/all/{route}", json=body)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
