"""`ordo account`, `broker`, `config`, `init` and `doctor` as a user and a script meet them."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ordo_cli.cli.main import main


@dataclass
class Said:
    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        whole = json.loads(self.out)
        assert whole["exit_code"] == self.code
        assert whole["schema_version"] == 1
        return whole["data"]


Ordo = Callable[..., Said]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ORDO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={tmp_path}/none")
    return tmp_path / "home"


@pytest.fixture
def ordo(home: Path, capsys: pytest.CaptureFixture[str]) -> Ordo:
    """Run a command line in this process."""

    def run(*words: str) -> Said:
        code = main(list(words))
        heard = capsys.readouterr()
        return Said(code, heard.out, heard.err)

    return run


def test_a_newcomers_first_account_works_without_init(ordo: Ordo, home: Path) -> None:
    said = ordo("account", "add", "alice", "--broker", "paper", "--group", "family", "--weight", "2")
    assert (said.code, said.out) == (0, "added alice, paper at paper\n")
    assert "not set up yet" in said.err
    assert str(home / "config.toml") in said.err
    said = ordo("account", "add", "bob", "--broker", "paper")
    assert said.err == ""
    assert ordo("doctor").code == 0


def test_an_account_as_json(ordo: Ordo) -> None:
    words = ("--broker", "paper", "--group", "family", "--behaviour", "refuse", "--limit", "value_order_max=5000")
    data = ordo("account", "add", "alice", *words, "--json").data
    assert {name: data[name] for name in ("account", "broker", "mode", "groups", "weight", "enabled")} == {
        "account": "alice",
        "broker": "paper",
        "mode": "paper",
        "groups": ["family"],
        "weight": "1",
        "enabled": True,
    }
    assert data["behaviours"] == ["refuse"]
    assert data["stopped_by"] == []
    assert data["limits"]["value_order_max"] == {"value": "50000", "set_by": "limits.accounts.alice.value_order_max"}
    rows = ordo("account", "list", "--json").data
    assert [row["account"] for row in rows] == ["alice"]
    assert ordo("account", "show", "alice", "--json").data == data


def test_accounts_as_csv_and_as_text(ordo: Ordo) -> None:
    ordo("account", "add", "alice", "--broker", "paper", "--group", "a", "--group", "b")
    assert ordo("account", "list", "--csv").out.splitlines() == [
        "account,broker,mode,groups,weight,enabled,behaviours",
        "alice,paper,paper,a b,1,yes,",
    ]
    assert "limits.value_order_max" in ordo("account", "show", "alice").out


def test_editing_replaces_what_is_given_and_keeps_the_rest(ordo: Ordo) -> None:
    ordo("account", "add", "alice", "--broker", "paper", "--group", "family", "--behaviour", "silent")
    data = ordo("account", "edit", "alice", "--weight", "2.5", "--limit", "day_orders_max=3", "--json").data
    assert (data["weight"], data["groups"], data["behaviours"]) == ("2.5", ["family"], ["silent"])
    assert data["limits"]["day_orders_max"]["value"] == "30"
    data = ordo("account", "edit", "alice", "--no-groups", "--no-behaviours", "--json").data
    assert (data["weight"], data["groups"], data["behaviours"]) == ("2.5", [], [])


def test_an_edit_of_nothing_and_a_weight_of_nothing_say_what_is_meant(ordo: Ordo) -> None:
    ordo("account", "add", "alice", "--broker", "paper")
    assert "nothing to change" in ordo("account", "edit", "alice").err
    assert "not a number above zero" in ordo("account", "edit", "alice", "--weight", "0").err


def test_a_database_that_nobody_could_open_is_not_taken(ordo: Ordo) -> None:
    said = ordo("config", "set", "database.url", "mysql://user:secret@host/x")
    assert (said.code, "secret" in said.err) == (2, False)
    assert ordo("account", "list").code == 0


def test_a_home_that_cannot_be_made_is_one_sentence(ordo: Ordo, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = ordo("--home", str(tmp_path / "file" / "home"), "account", "list")
    assert said.code == 1
    assert "cannot be used: Not a directory" in said.err


def test_enabling_disabling_and_removing(ordo: Ordo) -> None:
    ordo("account", "add", "alice", "--broker", "paper")
    assert ordo("account", "disable", "alice").out == "disabled alice\n"
    assert ordo("account", "show", "alice", "--json").data["enabled"] is False
    assert ordo("account", "enable", "alice").out == "enabled alice\n"
    said = ordo("account", "remove", "alice")
    assert (said.code, "--yes" in said.err) == (2, True)  # nobody is there to be asked
    assert ordo("account", "remove", "alice", "--yes", "--json").data == {"account": "alice", "removed": True}
    assert ordo("account", "list", "--json").data == []


@pytest.mark.parametrize(
    "words",
    [
        ("account", "add", "Alice", "--broker", "paper"),
        ("account", "add", "all", "--broker", "paper"),
        ("account", "add", "alice"),
        ("account", "add", "alice", "--broker", "nobody"),
        ("account", "add", "alice", "--broker", "paper", "--weight", "0"),
        ("account", "add", "alice", "--broker", "paper", "--weight", "1e3"),
        ("account", "add", "alice", "--broker", "paper", "--behaviour", "kind"),
        ("account", "add", "alice", "--broker", "paper", "--base-url", "https://x.example"),
        ("account", "add", "alice", "--broker", "paper", "--limit", "value_order_max"),
        ("account", "add", "alice", "--broker", "paper", "--limit", "nothing=1"),
        ("account", "show", "nobody"),
        ("account", "edit", "nobody"),
        ("account", "remove", "nobody", "--yes"),
        ("account", "enable", "nobody"),
        ("config", "set", "limits.value_order_max", "-5"),
        ("config", "set", "limits.nothing", "5"),
        ("broker", "show", "nobody"),
        ("init", "--secrets", "plaintext"),
        ("init", "--key-file", "a", "--passphrase-file", "b"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error_and_one_sentence(ordo: Ordo, words: tuple[str, ...]) -> None:
    said = ordo(*words)
    assert said.code == 2
    assert said.out == ""
    assert "Traceback" not in said.err
    assert len(said.err.splitlines()) <= 3
    assert json.loads(ordo(*words, "--json").out)["error"]["code"]


def test_an_account_that_a_switch_covers_is_added_with_a_warning(ordo: Ordo) -> None:
    ordo("account", "add", "alice", "--broker", "paper", "--group", "family")
    os.unlink(Path(os.environ["ORDO_HOME"], "run", "armed.d", "g-family"))
    said = ordo("account", "add", "bob", "--broker", "paper", "--group", "family")
    assert said.code == 0
    assert "nothing of bob leaves: stopped by group:family" in said.err


def test_a_machine_without_a_keyring_gets_a_vault_and_is_told(ordo: Ordo, home: Path) -> None:
    said = ordo("init", "--no-input", "--json")
    assert "no keyring: secrets go to a vault" in said.err
    assert str(home / "vault.key") in said.err
    assert {step["what"]: step["made"] for step in said.data} == {
        "data": None,
        "database": None,
        "settings": True,
        "key file": True,
        "vault": True,
        "secrets": True,
        "armed": True,
    }
    for path in home.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
    again = ordo("init", "--no-input", "--json")
    assert not any(step["made"] for step in again.data)
    assert again.err == ""


def test_a_keyring_that_is_not_there_is_an_error_when_asked_for(ordo: Ordo) -> None:
    said = ordo("init", "--secrets", "keyring", "--no-input")
    assert said.code == 1
    assert "ordo init --secrets vault" in said.err


def test_the_file_of_init_names_every_setting(ordo: Ordo, home: Path) -> None:
    ordo("init", "--no-input")
    text = (home / "config.toml").read_text()
    assert tomllib.loads(text)["limits"] == {}
    for row in ordo("config", "show", "--json").data:
        assert f"{row['setting'].rpartition('.')[2]} = " in text


def test_settings_are_shown_with_who_gave_them(ordo: Ordo, monkeypatch: pytest.MonkeyPatch) -> None:
    ordo("config", "set", "limits.day_orders_max", "100")
    monkeypatch.setenv("ORDO_LIMITS__OPEN_ORDERS_MAX", "7")
    rows = {row["setting"]: (row["value"], row["source"]) for row in ordo("config", "show", "--json").data}
    assert rows["limits.day_orders_max"] == ("100", "config.toml")
    assert rows["limits.open_orders_max"] == ("7", "ORDO_LIMITS__OPEN_ORDERS_MAX")
    assert rows["limits.value_order_max"] == ("200000", "default")
    ordo("config", "set", "limits.day_orders_max", "default")
    rows = {row["setting"]: (row["value"], row["source"]) for row in ordo("config", "show", "--json").data}
    assert rows["limits.day_orders_max"] == ("200", "default")


def test_the_path_of_the_file_is_all_that_config_path_prints(ordo: Ordo, home: Path) -> None:
    assert ordo("config", "path").out == f"{home}/config.toml\n"
    assert ordo("config", "path", "--json").data == {"path": f"{home}/config.toml", "exists": False}


def test_brokers_tell_what_they_can_do(ordo: Ordo) -> None:
    assert {"paper", "fyers"} <= {row["broker"] for row in ordo("broker", "list", "--json").data}
    data = ordo("broker", "show", "paper", "--json").data
    assert data["credentials"] == []
    assert "limit" in data["types"]
    assert data["rates"]["per_second"] == 10
    assert "silent" in data["behaviours"]
    assert "silent" in ordo("broker", "show", "paper").out
    assert "broker,title" in ordo("broker", "list", "--csv").out


def test_the_doctor_ends_with_1_when_something_is_wrong(ordo: Ordo, home: Path) -> None:
    ordo("init", "--no-input")
    assert ordo("doctor").code == 0
    os.chmod(home / "config.toml", 0o666)
    said = ordo("doctor", "--json")
    assert said.code == 1
    wrong = [row for row in said.data if row["verdict"] == "fail"]
    assert {row["check"] for row in wrong} == {"config", "files"}
    assert all(row["mend"].startswith("chmod") for row in wrong)
    assert "chmod 600" in ordo("doctor").out


def test_the_doctor_speaks_where_every_other_command_is_refused(ordo: Ordo, home: Path) -> None:
    ordo("init", "--no-input")
    (home / "config.toml").write_text("[limits]\nvalue_order_max = -1\n")
    said = ordo("account", "list")
    assert said.code == 2
    assert "line 2" in said.err
    assert "line 2" in ordo("doctor").out


def test_an_order_is_refused_while_others_may_write_the_limits(ordo: Ordo, home: Path) -> None:
    ordo("account", "add", "alice", "--broker", "paper")
    os.chmod(home / "config.toml", 0o666)
    said = ordo("buy", "NSE:INFY", "--qty", "1", "--limit", "1500", "--to", "alice", "--yes")
    assert said.code == 3
    assert "others may write the file" in said.err
