"""`ordo kill` and its family as a user meets them: a release needs a person, and what is left is said."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pexpect
import pytest

from ordo_cli import arming
from ordo_cli.cli.main import main
from ordo_cli.home import Home
from tests.kill.conftest import Ordo, is_armed
from tests.kill.senders import ENTRY, environment
from tests.kill.test_press import locked, row_of

BUY = ("buy", "NSE:INFY", "--qty", "10", "--to", "all", "--yes", "--confirm")


@contextmanager
def person(home: Home, *words: str) -> Iterator[pexpect.spawn]:
    """Somebody at a terminal who has started this command."""
    terminal = pexpect.spawn(
        sys.executable,
        ["-c", ENTRY, *words],
        env=environment(home),
        encoding="utf-8",
        timeout=30,
        dimensions=(40, 140),
    )
    yield terminal
    terminal.close(force=True)


def test_a_release_without_a_person_is_refused(home: Home, ordo: Ordo) -> None:
    ordo("kill")
    done = ordo("kill", "release", "--scope", "global", "--reason", "script")
    assert done.returncode == 3
    assert "typed by a person" in done.stderr
    assert not is_armed(home)


def test_a_person_who_types_the_scope_and_a_reason_releases_it(home: Home, ordo: Ordo) -> None:
    ordo("kill", "--scope", "account:alice")
    with person(home, "kill", "release") as terminal:
        terminal.expect("engaged: account:alice")
        terminal.expect("Type the scope")
        terminal.sendline("account:alice")
        terminal.expect("Reason")
        terminal.sendline("it was a drill")
        terminal.expect("account:alice sends again")
        terminal.expect(pexpect.EOF)
    assert is_armed(home, "account", "alice")
    assert row_of(home, "account", "alice") == (0, None, "it was a drill")


def test_another_scope_typed_than_named_releases_nothing(home: Home, ordo: Ordo) -> None:
    ordo("kill")
    with person(home, "kill", "release", "--scope", "global", "--reason", "why") as terminal:
        terminal.expect("Type the scope")
        terminal.sendline("account:alice")
        terminal.expect("stays engaged")
        terminal.expect(pexpect.EOF)
    assert not is_armed(home)


def test_status_names_each_scope_and_the_accounts_that_cannot_send(home: Home, ordo: Ordo) -> None:
    ordo("kill", "--scope", "group:family", "--reason", "too much")
    done = ordo("kill", "status")
    assert done.returncode == 0
    rows = {line.split()[0]: line for line in done.stdout.splitlines() if line}
    assert "armed" in rows["global"]
    assert "too much" in rows["group:family"]
    assert "group:family" in rows["alice"]
    assert "carol" not in rows


def test_status_as_json_has_every_scope(home: Home, ordo: Ordo) -> None:
    with locked(home):
        ordo("kill", "--scope", "account:alice")
    data = json.loads(ordo("kill", "status", "--json").stdout)["data"]
    assert data["engaged"] is True
    assert {each["scope"] for each in data["scopes"]} >= {"global", "broker:paper", "account:alice", "group:family"}
    assert [each["account"] for each in data["accounts"] if each["engaged"]] == ["alice"]


def test_the_drill_passes_and_leaves_everything_as_it_was(home: Home, ordo: Ordo) -> None:
    before = (row_of(home), arming.pressed(home.run))
    done = ordo("kill", "drill", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    data = json.loads(done.stdout)["data"]
    assert data["passed"] is True
    assert data["sent_before"] > 0
    assert data["sent_after"] == 0
    assert (row_of(home), arming.pressed(home.run)) == before
    assert is_armed(home)


@pytest.mark.parametrize("as_json", [False, True])
def test_flatten_closes_what_is_held_and_exits_0_when_it_is_seen_flat(home: Home, ordo: Ordo, as_json: bool) -> None:
    assert ordo(*BUY).returncode == 0
    done = ordo("kill", "--flatten", *(["--json"] if as_json else []))
    assert done.returncode == 0, done.stdout + done.stderr
    if as_json:
        found = json.loads(done.stdout)["data"]["accounts"]
        assert {each["account"]: each["left"] for each in found} == {"alice": [], "bob": [], "carol": []}
    else:
        assert "ENGAGED, quiet confirmed in" in done.stdout
    rows = json.loads(ordo("positions", "--json").stdout)["data"]["rows"]
    assert {row["quantity"] for row in rows} <= {0}


def test_a_clean_up_that_cannot_run_is_exit_10_and_the_press_stands(home: Home, ordo: Ordo) -> None:
    with open(home.config_file, "w", encoding="utf-8") as settings:
        settings.write("limits = [[[")
    done = ordo("kill", "--cancel")
    assert done.returncode == 10
    assert "the clean-up could not run" in done.stderr
    assert not is_armed(home)


def test_called_without_its_quick_entry_it_does_the_same(
    home: Home, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ORDO_HOME", home.data)
    assert main(["kill", "--scope", "account:nobody"]) == 2
    assert main(["kill", "--cancel", "--flatten"]) == 2
    assert main(["kill", "--scope", "planet:x"]) == 2
    assert is_armed(home)
    assert main(["kill", "--reason", "in one process"]) == 0
    assert "ENGAGED, quiet confirmed in" in capfd.readouterr().out
    assert not is_armed(home)


def test_a_drill_is_shown_in_words(home: Home, ordo: Ordo) -> None:
    assert "passed" in ordo("kill", "drill").stdout


def test_what_is_left_is_said_and_is_exit_10(home: Home, ordo: Ordo) -> None:
    assert ordo(*BUY).returncode == 0
    assert ordo("account", "edit", "bob", "--behaviour", "down").returncode == 0
    done = ordo("kill", "--flatten")
    assert done.returncode == 10, done.stdout + done.stderr
    assert "the broker's own app" in done.stderr
    assert "bob" in done.stderr


def test_a_press_that_only_the_files_know_is_warned_of(home: Home, ordo: Ordo) -> None:
    os.makedirs(os.path.join(home.run, "presses"))
    with open(os.path.join(home.run, "presses", "0001~1~account~alice"), "w", encoding="utf-8"):
        pass
    assert "not yet in the database" in ordo("kill", "status").stderr


def test_help_shows_an_example_and_presses_nothing(home: Home, ordo: Ordo) -> None:
    done = ordo("kill", "--help")
    assert done.returncode == 0
    assert "ordo kill --scope account:alice --flatten" in done.stdout
    assert is_armed(home)


def test_an_order_while_engaged_is_exit_9(home: Home, ordo: Ordo) -> None:
    ordo("kill")
    done = ordo(*BUY)
    assert done.returncode == 9
    assert "kill switch is engaged" in done.stderr
