"""The completion scripts that ship are what ordo prints, every shell reads them, and a word is completed at once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pexpect
import pytest

from ordo_cli.cli.shells import FILES, SCRIPTS
from tests.house.tree import ROOT

COMPLETIONS = ROOT / "completions"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A shell's environment in which `ordo` is this one, in a home of its own."""
    program = tmp_path / "bin" / "ordo"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ordo_cli "$@"\n')
    program.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("_ORDO", "XDG"))}
    return kept | {
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "ORDO_HOME": str(tmp_path / "home"),
        "HOME": str(tmp_path),
        "TERM": "dumb",
    }


def ran(environment: dict[str, str], *command: str) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def here(shell: str) -> bool:
    return shutil.which(shell) is not None


@pytest.mark.parametrize("shell", list(FILES))
def test_the_file_that_ships_is_what_ordo_prints(shell: str, environment: dict[str, str]) -> None:
    shipped = (COMPLETIONS / FILES[shell]).read_text(encoding="utf-8")
    printed = ran({**environment, "_ORDO_COMPLETE": f"source_{shell}"}, "ordo")
    assert shipped == printed == SCRIPTS[shell], "run: python .ci/completions.py"


def test_nothing_else_ships_as_a_completion() -> None:
    assert {path.name for path in COMPLETIONS.iterdir()} == set(FILES.values())


def test_zsh_can_autoload_its_file_and_can_source_it() -> None:
    lines = SCRIPTS["zsh"].splitlines()
    assert lines[0] == "#compdef ordo"
    assert lines[-1].startswith('if [ "$funcstack[1]" = "_ordo" ]; then _ordo_completion "$@"')


@pytest.mark.parametrize(("shell", "check"), [("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")])
def test_every_shell_that_is_here_reads_its_file(shell: str, check: str, environment: dict[str, str]) -> None:
    assert (COMPLETIONS / FILES[shell]).is_file()
    if here(shell):
        ran(environment, shell, check, str(COMPLETIONS / FILES[shell]))


def in_bash(environment: dict[str, str], *words: str) -> list[str]:
    """What bash would offer for the last of these words, given as the pieces into which bash cuts a line."""
    quoted = " ".join(f"'{word}'" for word in words)
    script = textwrap.dedent(f"""
        source {COMPLETIONS / "ordo.bash"}
        COMP_WORDS=({quoted}) COMP_CWORD={len(words) - 1}
        _ordo_completion ordo
        printf '%s\\n' "${{COMPREPLY[@]}}"
        """)
    return ran(environment, "bash", "--norc", "-c", script).split()


@pytest.mark.skipif(not here("bash"), reason="bash is not installed")
def test_bash_completes_commands_verbs_and_flags(environment: dict[str, str]) -> None:
    assert in_bash(environment, "ordo", "fan") == ["fanout"]
    assert "reconcile" in in_bash(environment, "ordo", "fanout", "")
    assert "--limit" in in_bash(environment, "ordo", "buy", "--li")


@pytest.mark.skipif(not here("bash"), reason="bash is not installed")
def test_bash_gets_the_rest_of_an_instrument_behind_its_colon(environment: dict[str, str]) -> None:
    assert "INFY" in in_bash(environment, "ordo", "buy", "NSE", ":", "INF")


@pytest.mark.skipif(not here("fish"), reason="fish is not installed")
def test_fish_completes_a_command_with_its_help(environment: dict[str, str]) -> None:
    script = f"source {COMPLETIONS / 'ordo.fish'}; complete -C 'ordo fan'"
    offered = ran(environment, "fish", "--no-config", "-c", script)
    assert offered.startswith("fanout\t")


@pytest.mark.skipif(not here("zsh"), reason="zsh is not installed")
@pytest.mark.parametrize("way", ["sourced", "autoloaded"])
def test_zsh_completes_at_the_first_tab(way: str, environment: dict[str, str], tmp_path: Path) -> None:
    load = f"autoload -Uz compinit; compinit -u -D; source {COMPLETIONS / '_ordo'}"
    if way == "autoloaded":
        load = f"fpath=({COMPLETIONS} $fpath); autoload -Uz compinit; compinit -u -D"
    shell = pexpect.spawn("zsh", ["-f", "-i"], env=environment, cwd=str(tmp_path), encoding="utf-8", timeout=20)
    try:
        shell.sendline(f"PS1='ready> '; {load}; echo lo''aded")
        shell.expect("loaded\r?\n")
        shell.expect("ready> ")
        shell.send("ordo fan\t")
        shell.expect("fanout")
    finally:
        shell.close(force=True)


def test_a_word_is_completed_in_a_tenth_of_a_second(environment: dict[str, str]) -> None:
    """The best of several: this machine may be busy, but no load makes a slow program fast once."""
    asked = {**environment, "_ORDO_COMPLETE": "complete_bash", "COMP_WORDS": "ordo\naccount\nshow\n", "COMP_CWORD": "3"}
    asked.pop("PYTHONDONTWRITEBYTECODE", None)

    def spent() -> float:
        begin = time.perf_counter()
        ran(asked, sys.executable, "-m", "ordo_cli")
        return time.perf_counter() - begin

    assert min(spent() for _ in range(7)) < 0.1
