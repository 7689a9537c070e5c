"""Secrets in a real Secret Service: kept, found by another process, removed; and one locked, and one that is mute."""

from __future__ import annotations

import sys
from pathlib import Path
from time import monotonic

import pytest

from tests.secrets.conftest import Run

pytestmark = pytest.mark.secret_service
HEAD = """
import sys
from ordo_cli.config import Config
from ordo_cli.domain.errors import OrdoError
from ordo_cli.home import home_at
from ordo_cli.machine import SystemChance, SystemDisk
from ordo_cli.secrets import Secrets
def secrets(name="ordo-test"):
    config = Config("", secrets_name=name, secrets_backend="keyring")
    return Secrets(home_at(sys.argv[1]), config, SystemDisk(), SystemChance())
def attempt(work):
    try:
        print("well", work())
    except OrdoError as error:
        print(error.reason, "|", error.message)
"""


def program(tmp_path: Path, body: str) -> tuple[str, ...]:
    return (sys.executable, "-c", HEAD + body, str(tmp_path))


def test_a_secret_is_kept_found_by_another_process_and_removed(tmp_path: Path, secret_service: Run) -> None:
    other = program(tmp_path, "print('other', secrets().get('alice', 'api_secret'))")
    body = f"""
import subprocess
secrets().put("alice", "api_secret", "sentinel-77")
print(secrets().get("alice", "api_secret"), secrets().fields("alice", ("api_key", "api_secret")))
print(subprocess.run({list(other)!r}, capture_output=True, text=True).stdout.strip())
attempt(lambda: secrets("ordo-another").get("alice", "api_secret"))
secrets().remove("alice", ("api_key", "api_secret"))
attempt(lambda: secrets().get("alice", "api_secret"))
print(secrets().prove())
"""
    run = secret_service(*program(tmp_path, body))
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == [
        "sentinel-77 ('api_secret',)",
        "other sentinel-77",
        "not_found | alice has no api_secret",
        "not_found | alice has no api_secret",
        "the keyring",
    ]


def test_a_locked_keyring_is_an_error_and_nothing_is_written_elsewhere(tmp_path: Path, locked_service: Run) -> None:
    began = monotonic()
    body = 'attempt(lambda: secrets().put("alice", "api_secret", "sentinel-77"))'
    run = locked_service(*program(tmp_path, body))
    assert run.returncode == 0, run.stderr
    # Nobody can answer the prompt that unlocks it, so it is either said to be locked or it stays silent.
    assert run.stdout.split(" | ")[0] in ("keyring_locked", "keyring_silent")
    assert monotonic() - began < 15
    assert not list(tmp_path.glob("**/vault.json"))


def test_a_service_that_never_answers_costs_three_seconds_once_and_lets_the_process_end(
    tmp_path: Path, silent_service: Run
) -> None:
    body = """
from time import monotonic
one, began = secrets(), monotonic()
attempt(lambda: one.get("alice", "api_secret"))
first = monotonic()
attempt(lambda: one.put("alice", "api_secret", "sentinel-77"))
print(2.5 < first - began < 4.0, monotonic() - first < 0.5)
"""
    run = silent_service(*program(tmp_path, body))
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    assert all(line.startswith("keyring_silent | the keyring did not answer within 3 seconds") for line in lines[:2])
    assert lines[2] == "True True"


def test_a_process_that_met_a_silent_keyring_ends_within_four_seconds(tmp_path: Path, silent_service: Run) -> None:
    began = monotonic()
    run = silent_service(*program(tmp_path, "attempt(lambda: secrets().get('alice', 'api_secret'))"))
    assert run.stdout.startswith("keyring_silent")
    assert monotonic() - began < 6  # the bus and two interpreters start in it as well


ORDO = """
import sys
from ordo_cli import brokers
brokers.MODULES["acme"] = "tests.cli.acme"
from ordo_cli.cli.main import main
code = 0
for line in sys.argv[2].splitlines():
    code = main(["--home", sys.argv[1] + "/ordo", "--no-input", *line.split()])
    print("->", code, flush=True)
sys.exit(code)
"""


def ordo(tmp_path: Path, *lines: str) -> tuple[str, ...]:
    return (sys.executable, "-c", ORDO, str(tmp_path), "\n".join(lines))


def test_init_takes_the_keyring_when_there_is_one_and_accounts_keep_their_secrets_there(
    tmp_path: Path, secret_service: Run
) -> None:
    (tmp_path / "given.toml").write_text('api_key = "sentinel-a1"\napi_secret = "sentinel-b2"\n')
    words = ordo(
        tmp_path,
        "init",
        f"account add alice --broker acme --secrets-file {tmp_path}/given.toml",
        "account show alice",
        "doctor",
        "account remove alice --yes",
        "init",
        "doctor",
    )
    run = secret_service(*words)
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.count("-> 0") == 7
    assert "api_key: kept, api_secret: kept" in run.stdout
    assert 'backend = "keyring"' in (tmp_path / "ordo" / "config.toml").read_text()
    assert not (tmp_path / "ordo" / "vault.json").exists()
    assert "sentinel" not in run.stdout + run.stderr
    for path in (tmp_path / "ordo").rglob("*"):
        assert not path.is_file() or b"sentinel" not in path.read_bytes(), path


def test_init_with_a_keyring_that_never_answers_fails_and_makes_no_vault(tmp_path: Path, silent_service: Run) -> None:
    run = silent_service(*ordo(tmp_path, "init"))
    assert run.returncode == 1
    assert "the keyring did not answer within 3 seconds" in run.stderr
    assert not list(tmp_path.glob("**/vault*"))
