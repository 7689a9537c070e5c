"""A home whose journal is in PostgreSQL, from the terminal; and its password, which nobody gets to see."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import backends
from tests.backends import POSTGRESQL, Backend
from tests.cli.conftest import Run

SECRET = "sentinel/9f?3%40x"


@pytest.fixture
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Backend]:
    yield from backends.lent(POSTGRESQL, request.node.nodeid, monkeypatch)


@pytest.fixture
def target(backend: Backend, tmp_path: Path) -> str:
    """An empty PostgreSQL that takes any password."""
    return backend.where(tmp_path / "target").replace("postgres@", f"postgres:{SECRET}@")


@pytest.fixture
def moved(cli: Run, target: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The prepared home, moved there."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(target + "\n"))
    answer = cli("db", "copy-to", "-")
    assert answer.code == 0, answer.err
    assert "rows, each compared" in answer.out
    assert "postgres:***@" in answer.out
    assert "sentinel" not in answer.out + answer.err
    monkeypatch.setenv("ORDO_DATABASE__URL", target)
    return cli


def test_everything_goes_on_there(moved: Run, names: dict[str, str]) -> None:
    assert moved("buy NSE:INFY --qty 3 --to alice --json").code == 0
    assert moved(f"fanout show {names['filled']} --json").code == 0
    assert {row["verdict"] for row in moved("db check --json").told} == {"ok"}
    assert moved("status").code in (0, 7)
    assert moved("kill").code == 0
    assert moved("buy NSE:INFY --qty 4 --to alice").code != 0
    assert moved("audit verify").code == 0


def test_the_doctor_names_the_database_and_how_far_its_commits_reach(moved: Run) -> None:
    said = {row["check"]: row["message"] for row in moved("doctor --json").told}
    assert said["database"].startswith("PostgreSQL ")
    assert "every commit reaches its disk" in said["database"]
    assert "sentinel" not in str(said)


def test_a_backup_is_a_file_and_a_restore_says_what_to_do_instead(moved: Run, tmp_path: Path) -> None:
    assert moved("db", "backup", str(tmp_path / "copy.db")).code == 0
    answer = moved("db", "restore", str(tmp_path / "copy.db"), "--yes")
    assert answer.code == 2
    assert "ordo db copy-to" in answer.err


@pytest.mark.parametrize(
    "words",
    ["config show", "config show --json", "doctor --json", "status --json", "db check --json", "db upgrade --json"],
)
def test_no_command_shows_the_password(moved: Run, words: str) -> None:
    answer = moved(words)
    assert "sentinel" not in answer.out + answer.err


@pytest.mark.parametrize(
    "words", ["status", "buy NSE:INFY --qty 3 --to alice", "doctor", "kill", "config show", "account list --json"]
)
@pytest.mark.parametrize(
    "url",
    [f"postgresql+asyncpg://ordo:{SECRET}@127.0.0.1:1/ordo", f"postgresql+asyncpg://ordo:{SECRET}@127.0.0.1:port/x"],
)
def test_nor_does_one_that_finds_nobody_there(
    cli: Run, homed: Path, monkeypatch: pytest.MonkeyPatch, url: str, words: str
) -> None:
    monkeypatch.setenv("ORDO_DATABASE__URL", url)
    answer = cli(words)
    assert "sentinel" not in answer.out + answer.err
    logs = "".join(path.read_text() for path in homed.rglob("*.log*") if path.is_file())
    assert "sentinel" not in logs


@pytest.mark.parametrize(
    "words", [("db", "copy-to"), ("config", "set", "database.url")], ids=lambda words: words[0] if words else ""
)
def test_a_password_among_the_words_of_a_command_is_refused(cli: Run, target: str, words: tuple[str, ...]) -> None:
    answer = cli(*words, target)
    assert answer.code == 2
    assert "on this machine" in answer.err or "of this machine" in answer.err
    assert "sentinel" not in answer.out + answer.err


def test_a_full_target_and_a_url_that_is_none_are_usage_errors(moved: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ORDO_DATABASE__URL")
    assert moved("db", "copy-to", "sqlite:////x.db").code == 2
    assert moved("db", "copy-to", "").code == 2


def test_help_and_a_file_load_no_asyncpg(homed: Path) -> None:
    script = "import sys; from ordo_cli.cli.main import main; main(['status']); print('asyncpg' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert said.stdout.splitlines()[-1] == "False"


def test_an_ordo_without_the_driver_says_how_to_get_it(homed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDO_DATABASE__URL", "postgresql+asyncpg://ordo@127.0.0.1/ordo")
    script = "import sys; sys.modules['asyncpg'] = None; from ordo_cli.cli.main import main; sys.exit(main(['status']))"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert said.returncode == 1
    assert "ordo-cli[postgres]" in said.stderr
    assert "Traceback" not in said.stderr
