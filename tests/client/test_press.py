"""`ordo --remote URL kill`: it holds when the server says so, and what is not known to be stopped is said aloud."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ordo_cli.client import press
from ordo_cli.press import Outcome
from tests.brokers.wire.certificates import make_authority
from tests.brokers.wire.server import Peer, serving
from tests.client.stub import PRESSED, Script, drops, refused, said, silent
from tests.house.tree import ROOT

CONFIRMED = said(200, PRESSED)
NOT_QUIET = said(200, PRESSED | {"quiet": False, "senders": [71]})
LOUD = "NOTHING IS KNOWN TO BE STOPPED"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDO_TOKEN", "ordo_ab_secret")
    monkeypatch.delenv("ORDO_REMOTE", raising=False)


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    def shorten(seconds: float) -> None:
        monkeypatch.setattr(press, "PATIENCE_S", seconds)
        monkeypatch.setattr(press.confirm, "__defaults__", (seconds,))
        monkeypatch.setattr(press, "EVERY_S", seconds / 4)

    return shorten


class Said:
    """What a press came to."""

    def __init__(self, code: int | None, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def kill(capfd: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    async def run(*words: str, after: Callable[[list[str], Outcome], int] = lambda words, outcome: 77) -> Said:
        code = await asyncio.to_thread(press.main, list(words), after)
        out, err = capfd.readouterr()
        assert "secret" not in out + err
        return Said(code, out, err)

    return run


async def test_a_press_that_is_confirmed_exits_0(kill: Any) -> None:
    script = Script(CONFIRMED)
    async with serving(script) as server:
        done = await kill("--remote", server.url, "kill", "--scope", "account:alice", "--reason", "wrong size")
    assert (done.code, done.out) == (0, "ENGAGED, quiet confirmed in 1 ms\n")
    assert f"pressed at {server.url}" in done.err
    asked = script.asked[0]
    assert (asked.method, asked.target) == ("POST", "/api/v1/kill")
    assert asked.told == {"scope": "account:alice", "level": "block", "reason": "wrong size"}
    assert asked.headers["authorization"] == "Bearer ordo_ab_secret"


async def test_the_document_is_that_of_a_press_on_this_machine(kill: Any) -> None:
    async with serving(Script(CONFIRMED)) as server:
        done = await kill("kill", "--json", f"--remote={server.url}")
    assert json.loads(done.out) == {"schema_version": 1, "command": "kill", "exit_code": 0, "data": PRESSED}


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(drops, id="the first connection breaks"),
        pytest.param(refused(503, "store_failed"), id="its journal is locked"),
        pytest.param(refused(429, "too_many_requests"), id="too many"),
        pytest.param(said(502, b"<html>", kind="text/html"), id="a proxy lost it"),
        pytest.param(said(200, PRESSED | {"engaged": False, "problem": "no disk"}), id="it could not"),
        pytest.param(said(200, b"{"), id="half an answer"),
        pytest.param(NOT_QUIET, id="a sender was on its way"),
    ],
)
async def test_it_is_pressed_again_until_it_holds(kill: Any, first: Any) -> None:
    script = Script(first, first, CONFIRMED)
    async with serving(script) as server:
        done = await kill("--remote", server.url, "kill")
    assert (done.code, done.out) == (0, "ENGAGED, quiet confirmed in 1 ms\n")
    assert len(script.asked) == 3


async def test_a_connection_that_stays_silent_does_not_hold_the_next_one_up(kill: Any, patience: Any) -> None:
    patience(4.0)
    script = Script(silent, CONFIRMED)
    async with serving(script) as server:
        done = await kill("--remote", server.url, "kill")
    assert done.code == 0
    assert len(script.asked) == 2


async def test_a_slow_server_is_waited_for_while_others_press_too(kill: Any, patience: Any) -> None:
    patience(4.0)

    async def slowly(peer: Peer) -> None:
        await asyncio.sleep(1.3)  # the second press is under way by then
        peer.say(CONFIRMED)

    script = Script(slowly, silent)
    async with serving(script) as server:
        done = await kill("--remote", server.url, "kill")
    assert done.code == 0
    assert len(script.asked) >= 2


@pytest.mark.parametrize("answer", [silent, drops, refused(500, "bug"), said(200, {"strange": True})])
async def test_without_a_confirmation_it_is_said_that_it_may_not_be_stopped(
    kill: Any, patience: Any, answer: Any
) -> None:
    patience(0.4)
    async with serving(Script(answer)) as server:
        done = await kill("--remote", server.url, "kill")
    assert (done.code, done.out) == (10, "")
    assert LOUD in done.err
    assert "may have arrived" in done.err
    assert "at the server: ordo kill" in done.err


async def test_a_server_that_is_away_exits_1_and_says_what_to_do_there(kill: Any, patience: Any) -> None:
    patience(0.4)
    async with serving(Script(CONFIRMED)) as server:
        url = server.url
    done = await kill("--remote", url, "kill", "--json")
    assert done.code == 1
    assert LOUD in done.err
    document = json.loads(done.out)
    assert (document["exit_code"], document["error"]["code"]) == (1, "unreachable")
    assert "at the server: ordo kill" in document["error"]["hint"]


async def test_a_server_that_comes_back_in_time_is_pressed(kill: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    script = Script(CONFIRMED)
    pressing = asyncio.ensure_future(kill("--remote", f"http://127.0.0.1:{port}", "kill"))
    await asyncio.sleep(0.3)

    class Server:
        def __init__(self) -> None:
            self.peers: list[Peer] = []

        async def play(self, peer: Peer) -> None:
            await script(peer)

    server: Any = Server()
    listener = await asyncio.get_running_loop().create_server(lambda: Peer(server), "127.0.0.1", port)
    done = await pressing
    listener.close()
    assert done.code == 0


async def test_engaged_and_not_quiet_to_the_end_exits_10(kill: Any, patience: Any) -> None:
    patience(0.5)
    async with serving(Script(NOT_QUIET)) as server:
        done = await kill("--remote", server.url, "kill")
    assert (done.code, done.out) == (10, "ENGAGED, 1 senders not confirmed\n")
    assert "process 71" in done.err


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (refused(401, "unauthenticated"), 1),
        (refused(403, "not_allowed"), 1),
        (refused(404, "not_found"), 2),
        (refused(422, "invalid"), 2),
        (said(301, b"", "Location: https://elsewhere.example"), 1),
    ],
)
async def test_what_no_repetition_changes_is_said_at_once(kill: Any, answer: Any, code: int) -> None:
    script = Script(answer)
    async with serving(script) as server:
        done = await kill("--remote", server.url, "kill")
    assert done.code == code
    assert "NOTHING WAS STOPPED" in done.err
    assert len(script.asked) == 1


@pytest.mark.parametrize(
    "words",
    [
        ("--remote", "http://desk.example", "kill"),
        ("--remote", "https://u:p@desk.example", "kill"),
        ("--remote", "https://desk.example", "--home", "x", "kill"),
        ("--remote", "https://desk.example", "kill", "--scope", "nobody"),
        ("--remote", "https://desk.example", "kill", "--casncel"),
        ("--remote", "https://desk.example", "--token-file", "no/such/file", "kill"),
        ("kill", "--remote"),
    ],
)
async def test_a_word_that_makes_no_sense_stops_nothing_and_says_so(kill: Any, words: tuple[str, ...]) -> None:
    done = await kill(*words)
    assert done.code == 2
    assert "NOTHING WAS STOPPED" in done.err


async def test_other_commands_of_kill_are_for_the_whole_program(kill: Any) -> None:
    for words in (
        ("--remote", "https://desk.example", "kill", "status"),
        ("kill", "--help", "--remote", "https://d.e"),
    ):
        assert (await kill(*words)).code is None


async def test_a_flatten_is_pressed_plainly_first_and_then_goes_on(kill: Any) -> None:
    script, seen = Script(CONFIRMED), []

    def after(words: list[str], outcome: Outcome) -> int:
        seen.append((words, outcome.quiet))
        return 10

    async with serving(script) as server:
        words = ["--remote", server.url, "kill", "--flatten"]
        done = await kill(*words, after=after)
    assert (done.code, seen) == (10, [(words, True)])
    assert [asked.told["level"] for asked in script.asked] == ["block"]


async def test_the_remote_of_the_environment_is_pressed_and_a_home_outranks_it(
    kill: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with serving(Script(CONFIRMED)) as server:
        monkeypatch.setenv("ORDO_REMOTE", server.url)
        assert (await kill("kill")).code == 0
        here = await kill("kill", "--home", str(tmp_path))
    assert here.code == 2
    assert f"there is no ordo at {tmp_path}" in here.err


async def test_it_goes_over_tls_to_who_it_knows_and_to_nobody_else(
    kill: Any, patience: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    patience(0.6)
    authority = make_authority(tmp_path)
    script = Script(CONFIRMED)
    async with serving(script, authority.good) as server:
        stranger = await kill("--remote", server.url, "kill")
        root = authority.trusting.get_ca_certs(binary_form=True)[0]
        (tmp_path / "ca.pem").write_text(ssl.DER_cert_to_PEM_cert(root))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        known = await kill("--remote", server.url, "kill")
    assert (stranger.code, known.code) == (1, 0)
    assert "certificate is not trusted" in stranger.err
    assert len(script.asked) == 1


async def test_the_whole_way_loads_nothing_heavy_and_touches_no_home(tmp_path: Path) -> None:
    script = (
        "import sys; sys.argv[0] = 'ordo'; from ordo_cli.__main__ import run; code = run();"
        "heavy = {'httpx', 'typer', 'asyncio', 'pydantic', 'http.client', 'keyring', 'sqlite3', 'ssl', 'typing'};"
        "print(*sorted(heavy & set(sys.modules)), file=sys.stderr); sys.exit(code)"
    )
    async with serving(Script(CONFIRMED)) as server:
        words = ["--remote", server.url, "kill"]
        done = await asyncio.to_thread(
            lambda: subprocess.run(
                [sys.executable, "-c", script, *words],
                env={**os.environ, "ORDO_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)},
                capture_output=True,
                text=True,
            )
        )
    assert (done.returncode, done.stdout) == (0, "ENGAGED, quiet confirmed in 1 ms\n")
    assert done.stderr.splitlines()[-1] == ""
    assert not (tmp_path / "home").exists()
