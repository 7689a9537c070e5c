"""Marked secrets go through every command and failure path that handles them, and are found nowhere afterwards."""

from __future__ import annotations

import json
import os
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import pexpect
import pytest

ORDO = """
import sys
from ordo_cli import brokers
brokers.MODULES["acme"] = "tests.cli.acme"
from ordo_cli.cli.main import main
sys.exit(main())
"""


class Stage:
    """A home, the secrets that were ever given to it, and everything that was ever said there."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder, folder / "home"
        self.said = ""
        self.marks: list[str] = []
        self._numbers = count(1)
        self.environ = {
            **os.environ,
            "ORDO_HOME": str(self.home),
            "HOME": str(folder),
            "DBUS_SESSION_BUS_ADDRESS": f"unix:path={folder}/none",
            "PYTHONPATH": os.getcwd(),
        }

    def mark(self) -> str:
        """A secret that nobody else would write."""
        self.marks.append(f"SENTINEL{next(self._numbers):03d}x7Qz")
        return self.marks[-1]

    def ordo(self, *words: str, given: str = "", limit: int | None = None) -> int:
        """Run one command and remember every word of it."""

        def no_files_beyond() -> None:
            if limit is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        run = subprocess.run(
            [sys.executable, "-c", ORDO, *words],
            env=self.environ,
            input=given,
            capture_output=True,
            text=True,
            timeout=60,
            preexec_fn=no_files_beyond,
        )
        self.said += run.stdout + run.stderr
        return run.returncode

    def leaks(self) -> dict[str, list[str]]:
        """Every place where a marked secret can be read, whole or in another usual writing."""
        places = {"output": self.said.encode()}
        places |= {str(path): path.read_bytes() for path in self.folder.rglob("*") if path.is_file()}
        del places[str(self.folder / "phrase")]  # where the user keeps it
        found: dict[str, list[str]] = {}
        for mark in self.marks:
            for written in (mark, mark.encode().hex(), mark[::-1]):
                for place, content in places.items():
                    if written.encode() in content:
                        found.setdefault(place, []).append(mark)
        return found


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    phrase = tmp_path / "phrase"
    phrase.touch(mode=0o600)
    phrase.write_text(stage.mark() + "\n")
    assert stage.ordo("init", "--passphrase-file", str(phrase), "--no-input") == 0
    yield stage
    assert not stage.leaks()
    assert stage.said  # something was looked at


def credentials(stage: Stage) -> str:
    return json.dumps({"api_key": stage.mark(), "api_secret": stage.mark()})


def add(stage: Stage, name: str = "alice", given: str | None = None, *more: str) -> int:
    words = ("account", "add", name, "--broker", "acme", "--secrets-file", "-", *more)
    return stage.ordo(*words, given=credentials(stage) if given is None else given)


def test_the_whole_life_of_an_account(stage: Stage) -> None:
    assert add(stage) == 0
    assert stage.ordo("account", "edit", "alice", "--secrets-file", "-", given=credentials(stage)) == 0
    for words in (
        ("account", "list", "--json"),
        ("account", "show", "alice", "--json"),
        ("account", "show", "alice"),
        ("doctor",),
        ("doctor", "--json"),
        ("config", "show"),
        ("status",),
        ("audit", "show"),
        ("account", "disable", "alice"),
        ("account", "enable", "alice", "--json"),
        ("init", "--no-input", "--json"),
    ):
        assert stage.ordo(*words) == 0, words
    assert stage.ordo("positions", "alice") != 0  # acme is not there
    assert stage.ordo("buy", "NSE:INFY", "--qty", "1", "--limit", "1500", "--to", "alice", "--yes") != 0
    assert stage.ordo("account", "remove", "alice", "--yes") == 0


NONSENSE = (
    'api_key = "{}"\napi_secret = ',
    'api_key = {}\napi_secret = "x"',
    "{{}",
    '{"api_key": "{}", "api_secret": ["{}"]}',
    '{"api_key": "{}", "pin": "x"}',
    '{"api_key": "{}"}',
    '{"api_key": "a\\nb{}", "api_secret": "x"}',
    '{"api_key": "' + "y" * 1000 + '{}", "api_secret": "x"}',
    '{"api_key": "{}\\u001b[31m", "api_secret": "x"}',
    "\x00{}",
)


def test_files_that_make_no_sense(stage: Stage) -> None:
    for number, text in enumerate(NONSENSE):
        form = ("--json",) if number % 2 else ()
        assert add(stage, "alice", text.replace("{}", stage.mark()), *form) == 2, text


def test_a_file_that_is_not_text_or_not_there(stage: Stage, tmp_path: Path) -> None:
    assert stage.ordo("account", "add", "alice", "--broker", "acme", "--secrets-file", f"{tmp_path}/none") == 2
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    assert stage.ordo("account", "add", "alice", "--broker", "acme", "--secrets-file", f"{tmp_path}/bytes") == 2


def test_a_vault_that_cannot_be_opened_or_was_changed(stage: Stage) -> None:
    assert add(stage) == 0
    phrase, vault = stage.folder / "phrase", stage.home / "vault.json"
    right = phrase.read_text()
    phrase.write_text(stage.mark() + "\n")
    assert add(stage, "bob") != 0
    assert stage.ordo("doctor") == 1
    phrase.write_text(right)
    whole = json.loads(vault.read_text())
    whole["entries"]["alice/api_key"] = whole["entries"]["alice/api_secret"]
    vault.write_text(json.dumps(whole))
    assert stage.ordo("positions", "alice") != 0
    assert stage.ordo("account", "show", "alice", "--json") == 0
    os.chmod(vault, 0o644)
    assert add(stage, "carol") != 0
    vault.unlink()
    assert add(stage, "dave") != 0


def test_a_disk_that_takes_nothing_and_a_database_that_refuses(stage: Stage) -> None:
    assert add(stage) == 0
    given = credentials(stage)
    assert stage.ordo("account", "add", "bob", "--broker", "acme", "--secrets-file", "-", given=given, limit=100) != 0
    with closing(sqlite3.connect(stage.home / "ordo.db")) as database:
        database.execute("CREATE TRIGGER no BEFORE INSERT ON accounts BEGIN SELECT RAISE(ABORT, 'no'); END")
    assert add(stage, "carol") != 0


def test_names_that_make_no_sense_beside_good_secrets(stage: Stage) -> None:
    assert add(stage, "ALICE") == 2
    assert add(stage, "alice", None, "--base-url", "http://api.example.com") == 2
    assert add(stage, "alice", None, "--limit", "value_order_max=-1") == 2
    assert add(stage) == 0
    assert add(stage) == 2


def test_the_prompt_shows_nothing_of_what_is_typed(stage: Stage) -> None:
    words = ["-c", ORDO, "account", "add", "alice", "--broker", "acme"]
    terminal = pexpect.spawn(sys.executable, words, env=stage.environ, encoding="utf-8", timeout=30)
    for field in ("api_key", "api_secret"):
        terminal.expect(f"{field} of alice: ")
        stage.said += terminal.before or ""
        terminal.waitnoecho()
        terminal.sendline(stage.mark())
    terminal.expect(pexpect.EOF)
    stage.said += terminal.before or ""
    terminal.close()
    assert terminal.exitstatus == 0
    assert "added alice" in stage.said


def log_in(stage: Stage, name: str, *groups: str) -> None:
    more = [word for group in ("login", *groups) for word in ("--group", group)]
    assert add(stage, name, None, *more) == 0
    assert stage.ordo("login", name, "--json") == 4


def test_answers_that_lead_nowhere(stage: Stage) -> None:
    log_in(stage, "alice")
    log_in(stage, "bob", "buggy")
    for form in ((), ("--json",)):
        assert stage.ordo("login", "otp", "alice", "--otp-stdin", *form, given=f"wrong{stage.mark()}") == 4
    assert stage.ordo("login", "otp", "bob", "--otp-stdin", given=stage.mark()) == 4
    assert stage.ordo("login", "otp", "alice", "--otp-stdin", given=f"{stage.mark()}\x1b[2J") == 2
    assert stage.ordo("login", "otp", "alice", "--otp-stdin", given=stage.mark() * 300) == 2
    (stage.folder / "phrase").write_text("another phrase\n")
    assert stage.ordo("login", "otp", "alice", "--otp-stdin", given=stage.mark()) == 1
    assert stage.ordo("audit", "show", "--json") == 0


def test_the_life_of_a_session(stage: Stage) -> None:
    log_in(stage, "alice")
    assert stage.ordo("login", "otp", "alice", "--otp-command", f"echo {stage.mark()}") == 0
    for words in (("login", "status", "--json"), ("status", "--json"), ("doctor",), ("login", "alice")):
        assert stage.ordo(*words) == 0, words
    assert stage.ordo("positions", "alice") != 0  # acme is not there, though the session is
    assert stage.ordo("buy", "NSE:INFY", "--qty", "1", "--limit", "1500", "--to", "alice", "--yes") != 0
    assert stage.ordo("db", "backup", str(stage.folder / "copy.db")) == 0
    assert stage.ordo("login", "out", "alice") == 6


def test_a_session_that_was_changed_or_is_over(stage: Stage) -> None:
    log_in(stage, "carol", "forgetful")
    assert stage.ordo("login", "otp", "carol", "--otp-stdin", given=stage.mark()) == 0
    with closing(sqlite3.connect(stage.home / "ordo.db")) as database:
        database.execute("UPDATE sessions SET sealed = substr(sealed, 1, 60)")
        database.commit()
    assert stage.ordo("positions", "carol") == 4
    assert stage.ordo("login", "carol", "--json") == 4
    assert stage.ordo("login", "otp", "carol", "--otp-stdin", given=stage.mark()) == 0
    assert stage.ordo("login", "carol") == 4  # acme has forgotten it
    assert stage.ordo("account", "remove", "carol", "--yes") == 0


@pytest.mark.parametrize("address", ["redis://:{}@127.0.0.1:1", "rediss://u:{}@127.0.0.1:1/3", "unix://:{}@/no.sock"])
def test_the_password_of_redis(stage: Stage, address: str) -> None:
    stage.environ["ORDO_REDIS__URL"] = address.format(stage.mark())
    assert stage.ordo("account", "add", "alice", "--broker", "paper", "--no-input") == 0
    for words in (
        ("config", "show"),
        ("config", "show", "--json"),
        ("config", "show", "--csv"),
        ("doctor",),
        ("doctor", "--json"),
        ("status", "--json"),
        ("buy", "NSE:INFY", "--qty", "1", "--limit", "1500", "--to", "alice", "--yes"),
        ("funds",),
        ("init", "--no-input", "--json"),
    ):
        assert stage.ordo(*words) == 0, words


def test_addresses_that_make_no_sense_and_passwords_among_the_words(stage: Stage) -> None:
    for form in ("redis://:{}@", "http://:{}@127.0.0.1", "redis://:{}@127.0.0.1:x", "redis://:{} x@h", "redis://:{}"):
        stage.environ["ORDO_REDIS__URL"] = form.format(stage.mark())
        assert stage.ordo("config", "show") == 2
        assert stage.ordo("status", "--json") == 2
        assert stage.ordo("doctor") == 1
    del stage.environ["ORDO_REDIS__URL"]
    for setting in ("redis.url", "database.url"):
        for form in ("redis://:{}@127.0.0.1", "postgresql+asyncpg://ordo:{}@127.0.0.1/ordo"):
            assert stage.ordo("config", "set", setting, form.format(stage.mark())) == 2
    assert stage.ordo("config", "set", "redis.url", "redis://127.0.0.1") == 0
