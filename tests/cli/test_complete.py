"""Completion: what it knows is the real command tree, and what it offers comes from the home's own database."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ordo_cli.cli import complete
from tests.cli import words as generator
from tests.cli.test_door import process
from tests.house.tree import ROOT


def offered(*words: str) -> list[str]:
    """What is offered for the last of these words."""
    return [value for value, _ in complete.candidates(list(words[:-1]), words[-1])]


def test_its_words_are_those_of_the_command_tree() -> None:
    """If this fails: python -m tests.cli.words"""
    assert generator.FILE.read_text(encoding="utf-8") == generator.text()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["b"], ["buy", "batch", "broker"]),
        (["order", "can"], ["cancel", "cancel-all"]),
        (["--no-input", "--home", "x", "fanout", "w"], ["watch"]),
        (["kill", ""], ["status", "release", "drill"]),
        (["kill", "--sc"], ["--scope"]),
        (["kill", "--scope", "account:"], ["account:alice", "account:bob", "account:carol", "account:dave"]),
        (["buy", "NSE:IN"], ["NSE:INFY", "NSE:INDUSINDBK"]),
        (["buy", "NSE:INFY", "--to", "a"], ["alice", "all"]),
        (["buy", "NSE:INFY", "--to", "@"], ["@family"]),
        (["buy", "NSE:INFY", "--to", "alice", "b"], ["bob"]),
        (["buy", "NSE:INFY", "--product", ""], ["cnc", "mis", "nrml", "mtf"]),
        (["buy", "NSE:INFY", "--product=m"], ["--product=mis", "--product=mtf"]),
        (["buy", "NSE:INFY", "--qty", ""], []),
        (["buy", "NSE:INFY", "--wa"], ["--wait"]),
        (["order", "place", "s"], ["sell"]),
        (["order", "place", "sell", "NSE:WIP"], ["NSE:WIPRO"]),
        (["account", "show", "c"], ["carol"]),
        (["account", "add", "a"], []),
        (["account", "edit", "alice", "--group", "f"], ["family"]),
        (["positions", "alice", "d"], ["dave"]),
        (["quote", "NSE:TCS", "NSE:TC"], ["NSE:TCS"]),
        (["help", "ex"], ["exit-codes"]),
        (["no-such-command", "x", ""], []),
    ],
    ids=" ".join,
)
def test_what_is_offered(words: list[str], expected: list[str], homed: Path) -> None:
    assert offered(*words) == expected


def test_every_flag_of_a_command_is_offered_with_the_global_ones(homed: Path) -> None:
    assert {"--qty", "--to", "--json", "--help", "--no-input"} <= set(offered("buy", "--"))


def test_without_a_home_nothing_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ORDO_HOME", str(tmp_path / "none"))
    assert offered("positions", "") == ["all"]
    assert not (tmp_path / "none").exists()


def test_a_damaged_database_offers_nothing_and_says_nothing(
    homed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (homed / "ordo.db").write_bytes(b"not a database" * 100)
    monkeypatch.setenv("_ORDO_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "ordo account show ")
    monkeypatch.setenv("COMP_CWORD", "3")
    assert complete.main() == 0
    assert capsys.readouterr() == ("", "")


def asked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], shell: str, **said: str) -> str:
    monkeypatch.setenv("_ORDO_COMPLETE", f"complete_{shell}")
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    complete.main()
    return capsys.readouterr().out


def test_bash_cuts_words_at_colons_and_gets_back_what_is_behind_the_cut(
    homed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for cut, at, answer in (
        ("ordo\nbuy\nNSE\n:\nWIP", "4", "WIPRO\n"),
        ("ordo\nbuy\nNSE:WIP", "2", "NSE:WIPRO\n"),
        ("ordo\npositions\n@\nfam", "3", "family\n"),
        ("ordo\nkill\n--scope\naccount\n:\nbo", "5", "bob\n"),
        ("ordo account show bo", "3", "bob\n"),
    ):
        assert asked(monkeypatch, capsys, "bash", COMP_WORDS=cut, COMP_CWORD=at) == answer, cut


def test_the_other_shells_get_help_beside_the_words(
    homed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    line = {"_TYPER_COMPLETE_ARGS": "ordo pos"}
    fish = asked(monkeypatch, capsys, "fish", **line)
    assert "positions\tNet positions of the day\n" in fish
    assert '"positions":"Net positions of the day"' in asked(monkeypatch, capsys, "zsh", **line)
    said = asked(monkeypatch, capsys, "powershell", _TYPER_COMPLETE_WORD_TO_COMPLETE="pos", **line)
    assert "positions:::Net positions of the day\n" in said
    assert asked(monkeypatch, capsys, "zsh", _TYPER_COMPLETE_ARGS="ordo buy --qty ") == "_files\n"
    assert '"NSE\\\\:WIPRO"' in asked(monkeypatch, capsys, "zsh", _TYPER_COMPLETE_ARGS="ordo buy NSE:WIP")


def test_fish_may_complete_files_where_nothing_is_known(homed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_ORDO_COMPLETE", "complete_fish")
    monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "is-args")
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", "ordo batch run ")
    assert complete.main() == 1
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", "ordo positions ")
    assert complete.main() == 0


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_the_shipped_script_completes_in_a_real_bash(homed: Path, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "ordo"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ordo_cli "$@"\n')
    program.chmod(0o755)
    bash = f"""
    source "{ROOT / "completions" / "ordo.bash"}"
    COMP_WORDS=(ordo buy NSE : WIP) COMP_CWORD=4
    _ordo_completion ordo WIP :
    echo "${{COMPREPLY[@]}}"
    """
    env = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["bash", "-c", bash], capture_output=True, text=True, env=env, timeout=30)
    assert done.stdout.strip() == "WIPRO", done.stderr


def test_a_shell_can_ask_for_its_script(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("_ORDO_COMPLETE", "source_bash")
    assert complete.main() == 0
    assert capsys.readouterr().out == (ROOT / "completions" / "ordo.bash").read_text(encoding="utf-8")


def test_completing_imports_neither_typer_nor_the_engine(homed: Path) -> None:
    script = "import sys, ordo_cli.cli.main as m; m.main([]); print(*sorted(sys.modules), file=sys.stderr)"
    env = {**os.environ, "ORDO_HOME": str(homed), "_ORDO_COMPLETE": "complete_bash"}
    env |= {"COMP_WORDS": "ordo account show a", "COMP_CWORD": "3"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, env=env, timeout=30)
    assert done.stdout == "alice\n"
    loaded = set(done.stderr.split())
    assert not loaded & {"typer", "rich", "asyncio", "json", "re", "dataclasses", "ordo_cli.desk"}


def test_help_imports_neither_typer_nor_the_engine(homed: Path) -> None:
    done = process(homed, "--help")
    assert done.stdout.startswith("One order, many broker accounts.")
    script = "import sys, ordo_cli.cli.main as m; m.main(['--help']); print(*sorted(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, timeout=30)
    assert not set(done.stderr.split()) & {"typer", "rich", "asyncio", "json", "ordo_cli.desk"}
