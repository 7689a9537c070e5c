"""The door: errors are one sentence, results and talk do not mix, and nothing waits for somebody who is not there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from ordo_cli import brokers
from ordo_cli.cli import door, failures, front, root, tree
from ordo_cli.cli.main import main
from ordo_cli.cli.topics import TOPICS
from ordo_cli.domain.accounts import BrokerName
from ordo_cli.domain.errors import Invalid, Refused
from tests.cli.conftest import Run
from tests.house.tree import ROOT

ORDO = [sys.executable, "-m", "ordo_cli"]


def process(home: Path, *words: str, **more: object) -> subprocess.CompletedProcess[str]:
    """A whole process without a terminal."""
    env = {**os.environ, "ORDO_HOME": str(home), "PYTHONPATH": str(ROOT)}
    return subprocess.run([*ORDO, *words], env=env, capture_output=True, text=True, timeout=30, **more)  # type: ignore[call-overload,no-any-return]


@pytest.mark.parametrize(
    "ask",
    [
        lambda: door.confirm("Send this?", yes=False),
        lambda: door.prompt("Reason", "--reason"),
        lambda: door.secret("Passphrase", "--passphrase-file"),
    ],
    ids=["confirm", "prompt", "secret"],
)
def test_without_a_terminal_a_question_names_the_flag_that_answers(ask: object) -> None:
    with pytest.raises(Invalid) as caught:
        ask()  # type: ignore[operator]
    assert caught.value.reason == "needs_input"
    assert (caught.value.hint or "").startswith("give --")


def test_a_yes_given_beforehand_is_not_asked_for() -> None:
    door.confirm("Send this?", yes=True)


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch, cli: Run) -> Run:
    monkeypatch.setitem(brokers.MODULES, BrokerName("acme"), "tests.cli.livepaper")
    assert cli("account add erin --broker acme").code == 0
    assert cli("instrument price NSE:INFY 1500").code == 0
    return cli


def test_a_live_order_without_a_terminal_needs_yes_and_sends_nothing(live: Run) -> None:
    said = live("buy NSE:INFY --qty 1 --to erin")
    assert said.code == 2
    assert said.err.startswith("LIVE 1 account (erin)\n")
    assert "--yes" in said.err
    assert live("orders erin --json").told["rows"] == []
    assert live("buy NSE:INFY --qty 1 --to erin --yes").code == 0


def test_one_fan_out_never_mixes_modes(live: Run) -> None:
    said = live("buy NSE:INFY --qty 1 --to erin --to alice --yes --json")
    assert (said.code, said.wrong["code"]) == (2, "invalid")
    assert live("orders erin --json").told["rows"] == []


def test_cancelling_and_closing_live_orders_never_ask(live: Run) -> None:
    live("buy NSE:INFY --qty 1 --to erin --yes")
    leg = live("buy NSE:INFY --qty 1 --limit 1400 --to erin --yes --json").told["legs"][0]["id"]
    assert live(f"order modify {leg} --limit 1410").code == 2
    assert live(f"order modify {leg} --limit 1410 --yes").code == 0
    assert live(f"order cancel {leg}").code == 0
    assert live("position close erin").code == 0
    assert live("positions erin --json").told["rows"][0]["quantity"] == 0


def test_global_options_may_stand_anywhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--home", str(tmp_path / "a"), "config", "path"], ["config", "path", f"--home={tmp_path / 'a'}"]):
        assert main(words) == 0
        assert str(tmp_path / "a") in capsys.readouterr().out
    assert main(["config", "path", "--home"]) == 2
    assert "--home needs a folder" in capsys.readouterr().err


def test_words_behind_two_dashes_are_left_alone() -> None:
    assert door.begin(["help", "--no-input", "--", "--no-input"]) == ["help", "--", "--no-input"]


def test_an_unknown_command_is_one_sentence_with_what_was_meant(cli: Run) -> None:
    said = cli("postions")
    assert said.code == 2
    assert "there is no command 'postions'; did you mean positions" in said.err


def test_what_a_user_typed_cannot_steer_the_terminal(cli: Run) -> None:
    said = cli("buy", "NSE:\x1b[2JINFY\u202e", "--qty", "1", "--to", "alice")
    assert said.code == 2
    assert "\x1b" not in said.err
    assert "\u202e" not in said.err
    for words in (["buy", "NSE:INFY", "--q\x1b[2Jty", "1"], ["\x9b2J"], ["fanout", "show", "\x1b]0;x\x07"]):
        assert not {"\x1b", "\x9b", "\x07"} & set(cli(*words).err)


def test_a_bug_is_said_in_one_sentence_and_its_traceback_is_in_the_log_alone(
    homed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def stumble(secret: str) -> None:
        raise ZeroDivisionError(f"of {len(secret)}")

    with pytest.raises(ZeroDivisionError) as caught:
        stumble("hunter" + "2")
    assert failures.fail_as_bug("positions", caught.value, as_json=False) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "a bug in ordo stopped this command (ZeroDivisionError)" in said.err
    assert "Traceback" not in said.err
    log = (homed / "logs" / "ordo.log").read_text()
    assert "Traceback" in log
    assert "hunter2" not in log
    assert str(homed / "logs" / "ordo.log") in said.err


def test_a_bug_under_json_is_a_document_too(homed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    failures.fail_as_bug("positions", RuntimeError("x"), as_json=True)
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "bug"


def test_a_failure_that_cannot_be_logged_is_still_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ORDO_HOME", str(tmp_path / "file" / "home"))
    assert failures.fail_as_bug("positions", RuntimeError("x"), as_json=False) == 1
    assert "a bug in ordo" in capsys.readouterr().err


def test_ctrl_c_outside_of_sending_is_130_and_a_document_under_json(
    cli: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def pressed(words: list[str]) -> list[str]:
        raise KeyboardInterrupt

    monkeypatch.setattr(door, "begin", pressed)
    assert root.call(["positions"]) == 130
    assert root.call(["positions", "--json"]) == 130
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "interrupted"


def test_a_reader_that_goes_away_changes_neither_the_exit_code_nor_prints_a_traceback(homed: Path) -> None:
    script = f'"{sys.executable}" -m ordo_cli trades --json; echo "code $?" >&2'
    env = {**os.environ, "ORDO_HOME": str(homed), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["sh", "-c", f"({script}) | true"], env=env, capture_output=True, text=True, timeout=30)
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr
    assert "code 6" in done.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device here that is always full")
@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("buy NSE:INFY --qty 1 --to alice --json", 0),  # it was sent, and 1 would say that nothing was
        ("buy NSE:INFY --qty 1 --to alice", 0),
        ("funds alice --json", 1),
        ("funds alice", 1),
        ("funds nobody --json", 2),
        ("--version", 1),
        ("--help", 1),
    ],
)
def test_a_result_that_finds_no_room_is_said_and_never_denies_what_was_sent(homed: Path, words: str, code: int) -> None:
    script = f'"{sys.executable}" -m ordo_cli {words} >/dev/full'
    env = {**os.environ, "ORDO_HOME": str(homed), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["sh", "-c", script], env=env, capture_output=True, text=True, timeout=30)
    assert done.returncode == code, done.stderr
    assert "could not be written: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_listener_that_goes_away_does_not_stop_an_order(homed: Path) -> None:
    script = f'"{sys.executable}" -m ordo_cli buy NSE:INFY --qty 1 --to alice --json'
    env = {**os.environ, "ORDO_HOME": str(homed), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["sh", "-c", f"({script}) 2>&-"], env=env, capture_output=True, text=True, timeout=30)
    assert json.loads(done.stdout)["data"]["outcome"] == "success"


def test_results_go_to_standard_output_and_talk_to_standard_error(homed: Path) -> None:
    done = process(homed, "buy", "NSE:INFY", "--qty", "1", "--to", "alice", "--json", stdin=subprocess.DEVNULL)
    assert json.loads(done.stdout)["exit_code"] == 0
    assert done.stderr.startswith("PAPER 1 account (alice)\n")


def test_json_and_csv_exclude_each_other(cli: Run) -> None:
    said = cli("positions alice --json --csv")
    assert (said.code, said.wrong["code"]) == (2, "invalid")


def test_an_answer_ends_the_command_with_its_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended:
        door.answer("x", {"a": 1}, as_json=True, text=lambda: None, exit_code=6)
    assert ended.value.exit_code == 6
    assert json.loads(capsys.readouterr().out) == {
        "schema_version": 1,
        "command": "x",
        "exit_code": 6,
        "data": {"a": 1},
    }


def test_json_on_a_terminal_carries_no_living_escape(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        door.answer("x", "\x1b[2J \x9b2J \u202e", as_json=True, text=lambda: None)
    assert not {"\x1b", "\x9b", "\u202e"} & set(capsys.readouterr().out)


def test_the_front_page_has_an_example_first_and_every_command() -> None:
    page = front.front(colour=False)
    assert page.index(front.EXAMPLE) < page.index("Usage:")
    for name, (_, _, line) in tree.entries().items():
        assert f"\n  {name:<12}{line}\n" in page
    assert "\x1b" not in page
    assert "\x1b[1m" in front.front(colour=True)


@pytest.mark.parametrize("topic", TOPICS)
def test_every_topic_begins_with_what_it_is_and_an_example(topic: str, cli: Run) -> None:
    said = cli("help", topic)
    assert (said.code, said.err) == (0, "")
    assert "ordo " in said.out.split("\n\n")[1]
    assert max(map(len, said.out.splitlines())) <= 120


def test_the_topics_tell_of_what_there_is(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from ordo_cli.brokers.paper import BEHAVIOURS
    from ordo_cli.domain.batch import COLUMNS

    for word in BEHAVIOURS:
        assert word.partition("=")[0] in TOPICS["paper"] or word == "unreachable"
    head = next(line for line in TOPICS["batch"].splitlines() if "side," in line)
    assert set(head.strip().split(",")) <= set(COLUMNS)
    monkeypatch.setenv("ORDO_LIMITS__VALUE_ORDER_MAX", "50000")
    monkeypatch.setenv("ORDO_SENDING__READ_TIMEOUT", "10")
    told = cli("config show").out
    assert "ORDO_LIMITS__VALUE_ORDER_MAX" in told
    assert "ORDO_SENDING__READ_TIMEOUT" in told


def test_help_on_a_command_is_its_own_help(cli: Run) -> None:
    assert cli("help order cancel").out == cli("order cancel --help").out
    assert cli("help").out == cli("--help").out == front.front(colour=False)


def test_ordo_alone_says_what_it_can_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert capsys.readouterr().out == front.front(colour=False)
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("ordo ")


def test_a_no_is_refused_and_a_yes_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    said = iter(["n\n", "\n", "yes\n", ""])
    monkeypatch.setattr(door, "interactive", lambda: True)
    monkeypatch.setattr(sys.stdin, "readline", lambda: next(said), raising=False)
    for _ in range(2):
        with pytest.raises(Refused, match="nothing was done"):
            door.confirm("Send?", yes=False)
    door.confirm("Send?", yes=False)
    with pytest.raises(Invalid, match="nobody was there"):
        door.confirm("Send?", yes=False)


@pytest.mark.parametrize(
    "words", ["init --secrets vault", "account add zed --broker paper", "kill release", "leg resolve x"]
)
def test_nothing_hangs_without_a_terminal(words: str, homed: Path) -> None:
    done = process(homed, *words.split(), input="")
    assert done.returncode in (0, 2, 3)
    assert process(homed, *words.split(), "--no-input", input="y\ny\n").returncode in (0, 2, 3)
