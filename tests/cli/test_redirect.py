"""The way back from a broker's login page: taken once, from a browser, and from nothing that only knocks."""

from __future__ import annotations

import asyncio
import socket
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from ordo_cli.cli import redirect
from ordo_cli.cli.redirect import Landing, address_in, has_browser
from ordo_cli.domain.accounts import AccountId
from ordo_cli.domain.sessions import ChallengeId, ChallengeKind, KeptChallenge

NOW = datetime(2026, 11, 23, 3, 20, tzinfo=UTC)
PAGE = "https://login.example/connect?v=3&api_key=k&redirect_params=state%3Dabc"


def challenge(prompt: str = f"log in at {PAGE}, then paste where it ended") -> KeptChallenge:
    until = NOW + timedelta(minutes=5)
    return KeptChallenge(ChallengeId("c"), AccountId("alice"), ChallengeKind.REDIRECT, prompt, b"", NOW, until)


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_what_the_browser_comes_back_with_is_the_answer(port: int) -> None:
    async with await Landing.at(port) as landing, httpx.AsyncClient() as browser:
        icon = await browser.get(f"{landing.url}/favicon.ico")
        assert (icon.status_code, landing.address.done()) == (404, False)
        back = await browser.get(f"{landing.url}/?request_token=abc&state=s&status=success")
        assert back.status_code == 200
        assert "close this page" in back.text
        assert await landing.address == f"{landing.url}/?request_token=abc&state=s&status=success"
        assert (await browser.get(f"{landing.url}/?request_token=other")).status_code == 200
        assert "other" not in landing.address.result(), "the first one counts"


@pytest.mark.parametrize(
    "asked",
    [
        b"POST /?request_token=abc HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
        b"GET /?" + b"a=b" * 3000 + b" HTTP/1.1\r\n\r\n",
        b"GET /\xff?a=b HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"GET /?a=b HTTP/1.1\r\n" + b"x" * 20_000,
    ],
)
async def test_what_only_knocks_is_nobodys_way_back(port: int, asked: bytes) -> None:
    async with await Landing.at(port) as landing:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(asked)
        await asyncio.wait_for(reader.read(), 10)
        writer.close()
        assert not landing.address.done()


async def test_nothing_but_this_machine_can_come_back(port: int) -> None:
    async with await Landing.at(port) as landing:
        assert landing._server is not None
        assert [each.getsockname()[0] for each in landing._server.sockets] == ["127.0.0.1"]


async def test_a_port_that_is_taken_is_said_and_the_address_is_pasted(
    port: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(redirect, "has_browser", lambda: True)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        assert await redirect.landed(challenge(), port, 1) is None
    assert "ordo config set login.redirect_port" in capsys.readouterr().err


async def test_the_browser_is_opened_at_the_page_that_the_broker_named(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    import webbrowser

    opened: list[str] = []

    def opens(page: str) -> bool:
        opened.append(page)
        httpx.get(f"http://127.0.0.1:{port}/?auth_code=abc&state=s")
        return True

    monkeypatch.setattr(redirect, "has_browser", lambda: True)
    monkeypatch.setattr(webbrowser, "open", opens)
    assert await redirect.landed(challenge(), port, 10) == f"http://127.0.0.1:{port}/?auth_code=abc&state=s"
    assert opened == [PAGE]


async def test_a_browser_that_never_comes_back_is_not_waited_for_for_ever(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    import webbrowser

    monkeypatch.setattr(redirect, "has_browser", lambda: True)
    monkeypatch.setattr(webbrowser, "open", lambda page: True)
    assert await redirect.landed(challenge(), port, 0.05) is None


@pytest.mark.parametrize("variable", ["SSH_CONNECTION", "SSH_TTY"])
def test_over_ssh_there_is_no_browser(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    monkeypatch.delenv("SSH_TTY", raising=False)
    assert has_browser()
    monkeypatch.setenv(variable, "somewhere")
    assert not has_browser()


def test_a_prompt_without_an_address_has_none() -> None:
    assert address_in("the code in the message") is None
    assert address_in(f"open {PAGE} now") == PAGE
