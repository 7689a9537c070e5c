"""`ordo token`: printed once and alone, never listed, and an administrator's only after a yes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from tests.cli.conftest import Run

TEXT = re.compile(r"ordo_[0-9a-z]{12}_[0-9a-z]{52}")


def test_the_token_stands_alone_on_standard_output(cli: Run) -> None:
    said = cli("token create bot --scope read --scope kill:engage --accounts @family --max-value 50000 --expires 12h")
    assert TEXT.fullmatch(said.out.removesuffix("\n"))
    assert "kill:engage read on @family, up to 50000.00 rupees a fan-out, until 20" in said.err
    assert "the only time that it is shown" in said.err
    assert TEXT.search(said.err) is None


def test_in_json_it_stands_beside_what_it_may_do(cli: Run) -> None:
    said = cli("token create bot --scope trade --accounts alice --max-value 50000 --expires never --json")
    told = said.told
    assert TEXT.fullmatch(told["token"])
    shown = {name: told[name] for name in ("name", "state", "scopes", "accounts", "max_value", "expires_at")}
    assert shown == {
        "name": "bot",
        "state": "live",
        "scopes": ["trade"],
        "accounts": ["alice"],
        "max_value": "50000.00",
        "expires_at": None,
    }


def test_it_lives_thirty_days_unless_something_else_is_said(cli: Run) -> None:
    cli("token create bot --scope read")
    bot = next(row for row in cli("token list --json").told if row["name"] == "bot")
    assert bot["accounts"] is None
    assert bot["expires_at"] is not None


@pytest.mark.parametrize("form", ["", "--json", "--csv"])
def test_a_list_never_shows_a_token(cli: Run, form: str) -> None:
    text = cli("token create bot --scope read").out.strip()
    cli("token revoke dash")
    said = cli(f"token list {form}")
    assert "bot" in said.out
    assert "revoked" in said.out
    for part in (text, text.rpartition("_")[2], "digest"):
        assert part not in said.out + said.err


def test_a_token_that_found_no_room_is_said_to_be_lost_and_the_command_has_failed(homed: Path) -> None:
    words = [sys.executable, "-m", "ordo_cli", "token", "create", "bot", "--scope", "read"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 1
    assert "nobody has seen the token: ordo token revoke bot" in done.stderr


@pytest.mark.parametrize(("answer", "code"), [("n", 3), ("", 3), ("y", 0)])
def test_an_administrators_token_is_made_after_a_yes_only(homed: Path, cli: Run, answer: str, code: int) -> None:
    environ = {**os.environ, "TERM": "dumb"}
    words = ["-m", "ordo_cli", "token", "create", "boss", "--scope", "admin"]
    child = pexpect.spawn(sys.executable, words, env=environ, timeout=60, encoding="utf-8")
    child.expect_exact("boss may then do everything, tokens included. Make it? [y/N] ")
    child.sendline(answer)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == code
    names = [row["name"] for row in cli("token list --json").told]
    assert ("boss" in names) is (code == 0)
