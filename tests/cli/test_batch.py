"""`ordo batch` at the terminal: what is said, what is sent, and with which exit code it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pexpect
import pytest

from ordo_cli import brokers
from ordo_cli.cli.batch import exit_code_of_report
from ordo_cli.cli.main import main
from ordo_cli.domain.accounts import AccountId, BrokerName, Target
from ordo_cli.domain.batch import Row
from ordo_cli.domain.fanouts import FanOut, Mode
from ordo_cli.domain.instruments import parse_instrument
from ordo_cli.domain.legs import Block, FanOutId, Leg, LegId, Problem, Submission
from ordo_cli.domain.orders import OrderIntent, OrderState, Side, Tag
from ordo_cli.machine import take_file
from ordo_cli.services.batch import NOT_REACHED, Halt, Report, Result

HEAD = "side,instrument,qty,limit,to\n"
Ordo = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ordo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ordo:
    """Run a command of ordo in this process, in a home of its own with two paper accounts."""
    monkeypatch.setenv("ORDO_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str, str]:
        code = main(list(words))
        said = capsys.readouterr()
        return code, said.out, said.err

    assert run("init", "--secrets", "vault")[0] == 0
    for name in ("alice", "bob"):
        assert run("account", "add", name, "--broker", "paper")[0] == 0
    return run


def write(text: str, name: str = "morning.csv") -> str:
    Path(name).write_text(text)
    return name


def price(ordo: Ordo) -> str:
    """A limit that fills at once."""
    (quote,) = json.loads(ordo("quote", "NSE:INFY", "--json")[1])["data"]
    return f"{float(quote['last_price']) * 1.005:.1f}"


def data(said: str) -> Any:
    return json.loads(said)["data"]


def test_every_mistake_is_shown_with_its_line_and_nothing_is_sent(ordo: Ordo) -> None:
    file = write(HEAD + "hold,NSE:INFY,1,,alice\nbuy,NSE:NOPE,1,,alice\nbuy,NSE:INFY,1,,eve\n")
    for verb in ("check", "run"):
        code, out, err = ordo("batch", verb, file)
        assert code == 3
        assert [line.split()[0] for line in out.splitlines()[1:]] == ["2", "3", "4"]
        assert "nothing was sent" in err
    assert data(ordo("fanout", "list", "--json")[1]) == []


def test_faults_are_data_too(ordo: Ordo) -> None:
    code, out, _ = ordo("batch", "check", write(HEAD + "hold,NSE:INFY,1,,alice\n"), "--json")
    (fault,) = data(out)["faults"]
    assert code == json.loads(out)["exit_code"] == 3
    assert (fault["line"], fault["column"]) == (2, "side")


@pytest.mark.parametrize("words", [("none.csv",), ("orders.xlsx",), ("morning.csv", "--format", "xml")])
def test_a_file_that_cannot_be_read_as_said_is_a_usage_error(ordo: Ordo, words: tuple[str, ...]) -> None:
    write(HEAD)
    write("", "orders.xlsx")
    code, out, err = ordo("batch", "check", *words)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")


def test_a_right_file_is_checked_run_and_run_again_without_sending_twice(ordo: Ordo) -> None:
    limit = price(ordo)
    file = write(HEAD + f"buy,NSE:INFY,1,{limit},alice\nbuy,NSE:INFY,2,{limit},alice;bob\n")
    code, out, _ = ordo("batch", "check", file)
    assert (code, "2 orders" in out) == (0, True)
    first_code, first, _ = ordo("batch", "run", file, "--json")
    again_code, again, _ = ordo("batch", "run", file, "--json")
    assert (first_code, again_code) == (0, 0)
    ids = [[row["fanout"]["id"] for row in data(said)["rows"]] for said in (first, again)]
    assert ids[0] == ids[1]
    assert [row["fanout"]["replayed"] for row in data(again)["rows"]] == [True, True]
    assert len(data(ordo("orders", "--json")[1])["rows"]) == 3


def test_a_new_run_sends_again_under_new_keys(ordo: Ordo) -> None:
    file = write(HEAD + f"buy,NSE:INFY,1,{price(ordo)},alice\n")
    assert ordo("batch", "run", file)[0] == 0
    code, out, err = ordo("batch", "run", file, "--new-run", "--allow-duplicate", "--json")
    assert code == 0
    assert data(out)["batch"] in err
    assert len(data(ordo("orders", "--json")[1])["rows"]) == 2


def test_an_engaged_switch_ends_the_run_with_nine(ordo: Ordo, tmp_path: Path) -> None:
    file = write(HEAD + "buy,NSE:INFY,1,,alice\nbuy,NSE:INFY,2,,alice\n")
    (tmp_path / "home" / "run" / "armed").unlink()
    code, out, _ = ordo("batch", "run", file, "--json")
    assert code == 9
    assert data(out)["stopped"] == "killed"
    assert data(out)["summary"] == {"rows": 2, "not_sent": 2}


def test_a_second_run_at_the_same_time_is_refused_at_once(ordo: Ordo, tmp_path: Path) -> None:
    file = write(HEAD + "buy,NSE:INFY,1,,alice\n")
    lock = take_file(str(tmp_path / "home" / "run" / "only" / "batch.lock"))
    try:
        code, _, err = ordo("batch", "run", file)
    finally:
        os.close(lock)
    assert code == 1
    assert "batch" in err


def test_the_file_may_come_from_standard_input(ordo: Ordo, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ordo_cli", "batch", "check", "-", "--format", "jsonl", "--json"]
    line = b'{"side":"buy","instrument":"NSE:INFY","qty":1,"to":"alice"}\n'
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    ended = subprocess.run(command, input=line, capture_output=True, env=environment, timeout=20)
    assert ended.returncode == 0, ended.stderr
    assert data(ended.stdout.decode())["orders"] == 1


def test_progress_is_a_line_for_each_row_without_a_terminal(ordo: Ordo) -> None:
    _, _, err = ordo("batch", "run", write(HEAD + f"buy,NSE:INFY,1,{price(ordo)},alice\n"))
    assert "line 2: buy 1 NSE:INFY" in err
    assert "PAPER 1 account (alice)" in err


def test_on_a_terminal_there_is_a_bar_and_the_table_comes_at_the_end(ordo: Ordo) -> None:
    file = write(HEAD + f"buy,NSE:INFY,1,{price(ordo)},alice\n")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "TERM": "xterm", "COLUMNS": "120"}
    child = pexpect.spawn(sys.executable, ["-m", "ordo_cli", "batch", "run", file], env=environment, timeout=20)
    said = child.read().decode()
    child.close()
    assert child.exitstatus == 0
    assert "success" in said
    assert "\x1b[" in said


def test_real_money_needs_a_yes_where_nobody_can_be_asked(ordo: Ordo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(brokers.MODULES, BrokerName("livepaper"), "tests.cli.livepaper")
    assert ordo("account", "add", "lena", "--broker", "livepaper")[0] == 0
    file = write(HEAD + f"buy,NSE:INFY,1,{price(ordo)},lena\n")
    code, _, err = ordo("batch", "run", file)
    assert code == 2
    assert "LIVE 1 account (lena)" in err
    assert "--yes" in err
    assert data(ordo("fanout", "list", "--json")[1]) == []
    assert ordo("batch", "run", file, "--yes")[0] == 0


def test_a_row_may_not_mix_real_money_and_paper(ordo: Ordo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(brokers.MODULES, BrokerName("livepaper"), "tests.cli.livepaper")
    ordo("account", "add", "lena", "--broker", "livepaper")
    code, out, _ = ordo("batch", "check", write(HEAD + "buy,NSE:INFY,1,,lena;alice\n"))
    assert code == 3
    assert "together" in out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_ends_the_run_and_the_next_run_sends_the_rest(ordo: Ordo, number: int) -> None:
    ordo("account", "add", "slow", "--broker", "paper", "--behaviour", "latency=150")
    limit = price(ordo)
    file = write(HEAD + "".join(f"buy,NSE:INFY,{units},{limit},slow\n" for units in range(1, 21)))
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-m", "ordo_cli", "batch", "run", file, "--json"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
    assert running.stderr is not None
    while b"line 3:" not in running.stderr.readline():
        pass
    running.send_signal(number)
    out, _ = running.communicate(timeout=20)
    assert running.returncode == 130
    stopped = data(out.decode())
    assert stopped["stopped"] == "interrupted"
    assert 2 <= sum(row["outcome"] == "success" for row in stopped["rows"]) < 20
    rest = data(ordo("batch", "run", file, "--json")[1])["rows"]
    # The one row that was on its way keeps the answer that it was stopped; all others are sent, each once.
    missing = [
        (row["line"], row["outcome"], row["problem"], row["fanout"]) for row in rest if row["outcome"] != "success"
    ]
    assert len(missing) <= 1, missing
    sent = [row["quantity"] for row in data(ordo("orders", "slow", "--json")[1])["rows"]]
    assert len(sent) == len(set(sent)) >= 19


INTENT = OrderIntent(Side.BUY, parse_instrument("NSE:INFY"), 1)
LEG = Leg(LegId("f-1"), FanOutId("f"), AccountId("alice"), BrokerName("paper"), 1, Tag("O" + "0" * 15))
IN = replace(LEG, submission=Submission.ACKED, working=OrderState.OPEN)
NO = replace(LEG, submission=Submission.REJECTED)
LOST = replace(LEG, submission=Submission.UNKNOWN)
OUT = replace(LEG, submission=Submission.SENDING)
DUPLICATE = replace(LEG, submission=Submission.BLOCKED, problem=Problem(Block.DUPLICATE, "again"))
SESSION = replace(LEG, submission=Submission.BLOCKED, problem=Problem(Block.SESSION, "log in"))
ROW = Row(2, INTENT, (Target("alice"),))


def result(*legs: Leg) -> Result:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return Result(ROW, "k", FanOut(FanOutId("f"), "key-of-it", "me", "batch", "0", Mode.PAPER, INTENT, now, legs))


LIMITED = Result(ROW, "k", problem=Problem("VALUE_ORDER_MAX", "too much"))


@pytest.mark.parametrize(
    ("results", "halt", "code"),
    [
        ([result(IN), result(IN)], None, 0),
        ([result(IN), result(LOST)], None, 7),
        ([result(LOST), LIMITED], Halt.KILLED, 7),
        ([result(IN), Result(ROW, "k", problem=NOT_REACHED[Halt.KILLED])], Halt.KILLED, 9),
        ([result(IN), Result(ROW, "k", problem=NOT_REACHED[Halt.INTERRUPTED])], Halt.INTERRUPTED, 130),
        ([Result(ROW, "k", problem=NOT_REACHED[Halt.STORE])], Halt.STORE, 1),
        ([result(IN), LIMITED], None, 6),
        ([result(IN), result(NO)], None, 6),
        ([result(IN, NO)], None, 6),
        ([result(IN), result(DUPLICATE)], None, 6),
        ([result(IN), result(OUT)], None, 8),
        ([result(NO), result(NO)], None, 5),
        ([result(NO), LIMITED], None, 5),
        ([LIMITED, LIMITED], None, 3),
        ([result(DUPLICATE), LIMITED], None, 3),
        ([result(SESSION)], None, 4),
    ],
)
def test_the_worst_row_decides_the_exit_code(results: list[Result], halt: Halt | None, code: int) -> None:
    assert exit_code_of_report(Report("b", tuple(results), halt)) == code
