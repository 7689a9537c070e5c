"""What the README tells people to type exists, with its flags, and what it points to is there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.house.tree import ROOT

PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md")
GLOBAL = {"--home", "--remote", "--token-file", "--no-input", "--version", "--help"}


def typed() -> list[list[str]]:
    """Every `ordo` command line in a code block or in backticks, as words."""
    found: dict[str, list[str]] = {}
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
        lines = [part for block in blocks for line in block.splitlines() for part in line.split("&&")]
        lines += re.findall(r"`(ordo [^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL).replace("\n", " "))
        for line in lines:
            words = shlex.split(line, comments=True)
            if words[:1] == ["ordo"] and len(words) > 1:
                found[" ".join(words)] = words[1:]
    return list(found.values())


@cache
def help_of(*words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "ordo_cli", *words, "--help"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    return done.stdout if done.returncode == 0 else ""


def command_of(words: list[str]) -> tuple[str, ...]:
    """The words that name a command: those before the first that its group does not know."""
    named: list[str] = []
    for word in words:
        listed = help_of(*named)
        if not re.fullmatch(r"[a-z][a-z-]*", word) or not re.search(rf"^\W*{re.escape(word)}\b", listed, re.MULTILINE):
            break
        named.append(word)
        if "COMMAND" not in help_of(*named):
            break
    return tuple(named)


@pytest.mark.parametrize("words", typed(), ids=" ".join)
def test_what_the_readme_tells_to_type_exists(words: list[str]) -> None:
    command = command_of(words)
    flags = {word.partition("=")[0] for word in words if word.startswith("--")} - GLOBAL
    assert command or not words[0][0].isalpha(), f"ordo {words[0]} is no command"
    assert {flag for flag in flags if flag not in help_of(*command)} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.name))
def test_what_a_page_points_to_is_there(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
    scripts = re.findall(r"(?<![\w/])(?:\./)?(\.ci/[\w.]+)", page.read_text(encoding="utf-8"))
    local = [target for target in targets if "://" not in target] + scripts
    assert [target for target in local if not (ROOT / target.rstrip(".")).exists()] == []


def test_the_exit_codes_of_the_readme_are_those_of_the_program() -> None:
    told = set(re.findall(r"^\| \**(\d+(?:, \d+)*)\** \|", PAGES[0].read_text(), re.MULTILINE))
    codes = {code for row in told for code in row.split(", ")}
    listed = set(re.findall(r"^\s*(\d+)\b", help_topic("exit-codes"), re.MULTILINE))
    assert codes
    assert codes <= listed


def help_topic(name: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", "ordo_cli", "help", name], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
