"""A person at a terminal, and a real server behind it: the live table, Ctrl-C, a live order's question, a release."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ordo_cli.home import Home, find_home
from tests.api.conftest import served
from tests.cli.conftest import Run
from tests.cli.test_terminal import Spawn, slow, terminal

__all__ = ["slow", "terminal"]


@pytest.fixture
def home(homed: Path) -> Home:
    return find_home({"ORDO_HOME": str(homed)})


@pytest.fixture
def there(slow: Run, home: Home, terminal: Spawn) -> Iterator[Spawn]:
    """A command line at a server of this home, from a machine where ordo has no home."""
    token = slow("token create person --scope admin --yes --json").told["token"]
    with served(home) as url:
        yield lambda words: terminal(words, ORDO_REMOTE=url, ORDO_TOKEN=token, ORDO_HOME="no/such/home")


def test_the_live_table_follows_the_legs_there(there: Spawn) -> None:
    seen = there("buy NSE:INFY --qty 1 --to alice --to bob --to carol")
    assert seen.end() == 7, seen.screen
    assert "\x1b[?25l" in seen.raw, "nothing was live"
    assert not seen.cursor_hidden
    rows = [line for line in seen.screen.splitlines() if line.startswith(("alice ", "bob ", "carol "))]
    assert [row.split()[2] for row in rows] == ["filled", "rejected", "unknown"]
    assert "PAPER 3 accounts (alice, bob, carol)" in seen.screen


def test_ctrl_c_leaves_the_terminal_and_the_server_goes_on(there: Spawn, slow: Run) -> None:
    seen = there("buy NSE:INFY --qty 1 --to slow1 --to slow3")
    seen.wait_for("sending")
    seen.child.sendintr()
    assert seen.end() == 130
    assert not seen.cursor_hidden
    begun = re.search(r"the server goes on with fan-out (\w+)", seen.screen)
    assert begun, seen.screen
    seen = there(f"fanout watch {begun[1]} --until accepted")
    assert seen.end() == 0, seen.screen
    assert {leg["state"] for leg in slow("fanout list --json").told[0]["legs"]} == {"filled"}


def test_a_release_is_typed_by_a_person_there_too(there: Spawn, slow: Run) -> None:
    assert there("kill --scope account:alice").end() == 0
    seen = there("kill release")
    seen.wait_for("engaged: account:alice")
    seen.wait_for("Type the scope")
    seen.child.sendline("account:alice")
    seen.wait_for("Reason")
    seen.child.sendline("it was a drill")
    assert seen.end() == 0, seen.screen
    assert "account:alice sends again" in seen.screen
    scopes = {each["scope"]: each["engaged"] for each in slow("kill status --json").told["scopes"]}
    assert scopes["account:alice"] is False
