"""`ordo login` as cron, a script and a person meet it; the code is read off the paper telephone, as a person would."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ordo_cli.cli.main import main
from ordo_cli.home import find_home
from tests.api.conftest import served
from tests.cli.conftest import Answer
from tests.house.tree import ROOT

Ordo = Callable[..., Answer]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ORDO_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def ordo(home: Path, capsys: pytest.CaptureFixture[str]) -> Ordo:
    """A command line without a terminal, at a home where alice and olga log in and bob need not."""

    def run(*words: str) -> Answer:
        code = main([part for word in words for part in (word.split() if len(words) == 1 else [word])])
        said = capsys.readouterr()
        assert "Traceback" not in said.err + said.out
        return Answer(code, said.out, said.err)

    for words in (
        "init --secrets vault",
        "account add alice --broker paper --behaviour otp --group family",
        "account add olga --broker paper --behaviour otp",
        "account add bob --broker paper --group family",
    ):
        assert run(words).code == 0
    return run


def phone(home: Path, account: str = "alice") -> Path:
    return home / "paper-phone" / f"{account}.txt"


def code(home: Path, account: str = "alice") -> str:
    return phone(home, account).read_text().splitlines()[-1]


def wrong(home: Path, account: str = "alice") -> str:
    return "000000" if code(home, account) != "000000" else "000001"


def test_without_a_person_each_account_that_waits_is_named_and_the_code_is_four(ordo: Ordo, home: Path) -> None:
    said = ordo("login --no-input --json")
    assert said.code == 4
    assert {row["account"]: row["session"] for row in said.told} == {
        "alice": "waiting",
        "bob": "not needed",
        "olga": "waiting",
    }
    assert f"alice waits for: code sent to the paper telephone of alice: the last line of {phone(home)}" in said.err
    assert "ordo login otp alice" in said.err
    assert ordo("login bob").code == 0


def test_an_answer_given_by_another_process_logs_in(ordo: Ordo, home: Path) -> None:
    assert ordo("login @family").code == 4
    assert ordo("login", "otp", "alice", "--otp-command", f"cat {phone(home)}").code == 0
    assert ordo("login @family").code == 0
    assert ordo("buy NSE:INFY --qty 1 --to alice --json").told["outcome"] == "success"
    (row,) = ordo("login status alice --json").told
    assert (row["session"], row["challenge"], row["problem"]) == ("live", None, None)


def test_an_answer_comes_from_standard_input_or_the_environment(
    ordo: Ordo, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ordo("login alice olga")
    monkeypatch.setattr("sys.stdin", io.StringIO(code(home) + "\n"))
    assert ordo("login otp alice --otp-stdin --json").told["session"] == "live"
    monkeypatch.setenv("ORDO_OTP_OLGA", code(home, "olga"))
    assert ordo("login olga --json").told[0]["session"] == "live"


def test_a_wrong_code_is_said_and_then_too_many(ordo: Ordo, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ordo("login alice")
    monkeypatch.setenv("ORDO_OTP_ALICE", wrong(home))
    said = [ordo("login otp alice --json") for _ in range(4)]
    assert [each.code for each in said] == [4] * 4
    codes = [each.wrong["code"] for each in said]
    assert codes == ["wrong_answer", "wrong_answer", "too_many_attempts", "too_many_attempts"]
    assert said[0].wrong["hint"] == "2 more tries: ordo login otp alice"
    assert ordo("login alice").code == 4  # the wrong one of the environment is tried once, not for ever


def test_what_cannot_be_answered_says_why(ordo: Ordo) -> None:
    for words, exit_code, reason in (
        ("login otp alice", 4, "no_challenge"),
        ("login otp bob", 2, "no_login"),
        ("login otp nobody", 2, "not_found"),
        ("login otp alice --otp-stdin --otp-command true", 2, "invalid"),
        ("login otp alice --otp-command false", 2, "invalid"),
        ("login otp alice --otp-command true", 2, "invalid"),
        ("login otp alice --otp-command no-such-command", 2, "invalid"),
        ("login otp alice --otp-command 'unclosed", 2, "invalid"),
    ):
        said = ordo(f"{words} --json")
        assert (said.code, said.wrong["code"]) == (exit_code, reason), words
    ordo("login alice")
    said = ordo("login otp alice --json")
    assert (said.code, said.wrong["code"]) == (2, "needs_input")
    assert "--otp-stdin or --otp-command" in said.wrong["hint"]


def test_an_order_of_nobody_who_is_logged_in_ends_with_four(ordo: Ordo) -> None:
    for words in ("buy NSE:INFY --qty 1 --to alice", "buy NSE:INFY --qty 1 --to alice olga"):
        said = ordo(words)
        assert said.code == 4, words
        assert "ordo login alice" in said.err
    assert ordo("funds alice").code == 4
    assert ordo("buy NSE:INFY --qty 1 --to alice bob").code == 6
    assert ordo("login out").code == 0


def test_logging_out_ends_it_at_the_broker_too(ordo: Ordo, home: Path) -> None:
    ordo("login alice")
    ordo("login", "otp", "alice", "--otp-command", f"tail -n 1 {phone(home)}")
    assert "live" in ordo("status").out
    said = ordo("login out --json")
    assert (said.code, [row["session"] for row in said.told]) == (0, ["logged out", "not needed", "logged out"])
    assert ordo("login status --csv").code == 2
    assert ordo("status --json").told["accounts"][0]["session"] == "logged out"


def test_a_home_without_a_place_for_secrets_is_told_to_choose_one(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["account", "add", "alice", "--broker", "paper", "--behaviour", "otp"]) == 0
    capsys.readouterr()
    assert main(["login", "--json"]) == 4
    (row,) = json.loads(capsys.readouterr().out)["data"]
    assert row["problem"]["hint"] == "ordo init --secrets keyring, or vault"
    assert not phone(home).exists()  # no code was sent for nothing


def test_an_account_whose_name_looks_like_a_setting_may_have_its_answer_in_the_environment(
    ordo: Ordo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORDO_OTP_A__B", "123456")
    assert ordo("login status").code == 0


def at_once(home: Path, *lines: list[str]) -> list[int]:
    """The exit codes of several processes that run at the same time."""
    environ = {**os.environ, "ORDO_HOME": str(home), "PYTHONPATH": str(ROOT)}
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "ordo_cli", *line],
            env=environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for line in lines
    ]
    return [process.wait(60) for process in running]


def test_first_logins_of_several_processes_share_one_key_and_an_answer_has_one_winner(ordo: Ordo, home: Path) -> None:
    firsts = [["login", "--no-input", *names] for names in (("alice",), ("olga",), ("alice", "olga"))]
    assert at_once(home, *firsts) == [4, 4, 4]
    for account in ("alice", "olga"):
        words = ["login", "otp", account, "--otp-command", f"echo {code(home, account)}"]
        codes = sorted(at_once(home, words, words, words))
        assert codes.count(0) == 1, codes
        assert set(codes[1:]) <= {1, 4}  # busy, or answered already
    rows = ordo("audit show --type login --limit 50 --json").told
    told = [(row["ids"]["account"], row["to"]) for row in rows]
    assert [told.count((account, "live")) for account in ("alice", "olga")] == [1, 1]


def test_the_same_at_a_server(ordo: Ordo, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made = ordo("token create desk --scope read --scope trade --json").told["token"]
    with served(find_home({"ORDO_HOME": str(home)})) as url:
        monkeypatch.setenv("ORDO_HOME", str(tmp_path / "nowhere"))
        monkeypatch.setenv("ORDO_REMOTE", url)
        monkeypatch.setenv("ORDO_TOKEN", made)
        assert ordo("login otp alice").code == 4
        said = ordo("login @family --json")
        assert (said.code, [row["session"] for row in said.told]) == (4, ["waiting", "not needed"])
        monkeypatch.setenv("ORDO_OTP_ALICE", wrong(home))
        again = ordo("login otp alice --json")
        assert (again.code, again.wrong["code"]) == (4, "wrong_answer")
        monkeypatch.setenv("ORDO_OTP_ALICE", code(home))
        assert ordo("login otp alice --json").told["session"] == "live"
        assert ordo("buy NSE:INFY --qty 1 --to alice --json").told["outcome"] == "success"
        assert ordo("login status alice --json").told[0]["covers_close"] is not None
        assert [row["session"] for row in ordo("login out --json").told] == ["logged out", "not needed", "logged out"]
        assert ordo("buy NSE:INFY --qty 1 --to alice").code == 4
    assert not (tmp_path / "nowhere").exists()
