"""Starting is instant: help, completion and a refusal load none of the heavy libraries."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.tree import ROOT

HEAVY = {
    "alembic",
    "cryptography",
    "fastapi",
    "hiredis",
    "httpx",
    "keyring",
    "pydantic",
    "sqlalchemy",
    "sqlmodel",
    "structlog",
    "yaml",
}
CALL = """
import sys
sys.argv = ["ordo", *{words!r}]
from ordo_cli.__main__ import run
try:
    code = run()
except SystemExit as end:
    code = end.code
print("\\nLOADED", *sorted({heavy!r} & set(sys.modules)), file=sys.stderr)
"""


def loaded(home: Path, *words: str, **more: str) -> set[str]:
    """The heavy libraries that one command line leaves in memory."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("_ORDO")}
    done = subprocess.run(
        [sys.executable, "-c", CALL.format(words=words, heavy=HEAVY)],
        env={**kept, "ORDO_HOME": str(home), "PYTHONPATH": str(ROOT), **more},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return set(done.stderr.rpartition("\nLOADED")[2].split())


@pytest.mark.parametrize(
    "words",
    [
        ("--help",),
        ("--version",),
        ("help", "safety"),
        ("buy", "--help"),
        ("kill", "--help"),
        ("serve", "--help"),
        ("sandbox", "--help"),
        ("no-such-command",),
    ],
    ids=" ".join,
)
def test_nothing_heavy_is_loaded_to_say_this(words: tuple[str, ...], tmp_path: Path) -> None:
    assert loaded(tmp_path, *words) == set()


def test_nothing_heavy_is_loaded_to_complete_a_word(tmp_path: Path) -> None:
    asked = {"_ORDO_COMPLETE": "complete_bash", "COMP_WORDS": "ordo account show a", "COMP_CWORD": "3"}
    assert loaded(tmp_path, **asked) == set()


@pytest.mark.parametrize("module", ["ordo_cli.cli.main", "ordo_cli.cli.root", "ordo_cli.cli.orders"])
def test_importing_the_door_loads_nothing_heavy(module: str) -> None:
    script = f"import sys, {module}; print(*sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout.split()) == (0, []), done.stderr


def test_help_needs_no_home_and_makes_none(tmp_path: Path) -> None:
    loaded(tmp_path / "home", "--help")
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("more", [{}, {"ORDO_REDIS__URL": "redis://127.0.0.1:1"}], ids=["without", "with"])
def test_only_a_terminal_with_redis_loads_what_speaks_to_it(tmp_path: Path, more: dict[str, str]) -> None:
    assert ("hiredis" in loaded(tmp_path, "account", "list", **more)) == bool(more)
