"""`ordo audit` and `ordo db` as a user and a script meet them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ordo_cli.cli.main import main
from ordo_cli.store.schema import HEAD

Ordo = Callable[..., tuple[int, str, str]]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ORDO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={tmp_path}/none")
    return tmp_path / "home"


@pytest.fixture
def ordo(home: Path, capsys: pytest.CaptureFixture[str]) -> Ordo:
    """A command line run in this process, with two accounts and one order behind it."""

    def run(*words: str) -> tuple[int, str, str]:
        code = main(list(words))
        heard = capsys.readouterr()
        return code, heard.out, heard.err

    for name in ("alice", "bob"):
        assert run("account", "add", name, "--broker", "paper")[0] == 0
    words = ("buy", "NSE:INFY", "--qty", "1", "--limit", "1500", "--amo", "--to", "all", "--yes", "--key", "records-1")
    assert run(*words)[0] == 0
    return run


def data_of(said: tuple[int, str, str]) -> Any:
    whole = json.loads(said[1])
    assert (whole["schema_version"], whole["exit_code"]) == (1, said[0])
    return whole["data"]


def tampered(home: Path, statement: str) -> None:
    connection = sqlite3.connect(home / "ordo.db", isolation_level=None)
    for guard in ("updated", "deleted"):
        connection.execute(f"DROP TRIGGER IF EXISTS audit_is_never_{guard}")
    connection.execute(statement)
    connection.close()


def test_the_trail_tells_what_happened_to_a_leg(ordo: Ordo) -> None:
    plan = data_of(ordo("audit", "show", "--type", "plan", "--json"))
    assert [row["data"]["key"] for row in plan] == ["records-1"]
    fan_out = plan[0]["ids"]["fan_out"]
    rows = data_of(ordo("audit", "show", "--leg", f"{fan_out[:6]}-1", "--json"))
    assert [(row["from"], row["to"].partition(":")[0]) for row in rows] == [
        ("planned", "sending"),
        ("sending", "acked"),
    ]
    assert all(row["at"].endswith("Z") and row["actor"].startswith("cli:") for row in rows)
    code, text, _ = ordo("audit", "show", "--fanout", fan_out, "--limit", "1")
    assert code == 0
    assert len(text.splitlines()) == 2
    assert "acked" in text
    code, csv, _ = ordo("audit", "show", "--csv", "--since", "2020-01-01")
    assert csv.splitlines()[0] == "seq,at,type,actor,leg,from,to,evidence,data"
    assert len(csv.splitlines()) > 5


@pytest.mark.parametrize(
    "words",
    [
        ("show", "--since", "yesterday"),
        ("show", "--limit", "0"),
        ("show", "--leg", "zz-1"),
        ("verify", "--anchors", "no-such-file"),
        ("export",),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(ordo: Ordo, words: tuple[str, ...]) -> None:
    code, out, err = ordo("audit", *words)
    assert code == 2
    assert out == ""
    assert err.strip()


def test_each_way_to_falsify_the_trail_has_its_exit_code(ordo: Ordo, home: Path, tmp_path: Path) -> None:
    anchors = str(tmp_path / "anchors")
    code, said, _ = ordo("audit", "export", str(tmp_path / "audit.jsonl"), "--anchor", anchors)
    assert code == 0
    assert "copy away from this machine" in said
    code, said, _ = ordo("audit", "verify", "--anchors", anchors)
    assert code == 0
    assert said.startswith("whole: ")
    copy = (home / "ordo.db").read_bytes()
    tampered(home, "UPDATE audit SET body = replace(body, 'records-1', 'records-2')")
    said_broken = ordo("audit", "verify", "--json")
    assert said_broken[0] == 3
    assert data_of(said_broken)["state"] == "broken"
    (home / "ordo.db").write_bytes(copy)
    tampered(home, "DELETE FROM audit WHERE seq > 3")
    assert ordo("audit", "verify")[0] == 0
    truncated = ordo("audit", "verify", "--anchors", anchors)
    assert truncated[0] == 4
    assert truncated[1].startswith("truncated: ")
    anchor = json.loads(Path(anchors).read_text())
    Path(anchors).write_text(json.dumps({**anchor, "size": 2}))
    assert ordo("audit", "verify", "--anchors", anchors)[0] == 5


def test_the_database_is_looked_after(ordo: Ordo, home: Path, tmp_path: Path) -> None:
    assert data_of(ordo("db", "upgrade", "--json")) == {"schema": HEAD, "became": "ready"}
    assert {row["verdict"] for row in data_of(ordo("db", "check", "--json"))} == {"ok"}
    copy = str(tmp_path / "copy.db")
    assert data_of(ordo("db", "backup", copy, "--json"))["path"] == copy
    assert ordo("db", "backup", copy)[0] == 2
    tampered(home, "UPDATE audit SET body = replace(body, 'records-1', 'records-2')")
    code, text, _ = ordo("db", "check")
    assert code == 1
    assert "is missing" in text
    assert "broken at row" in text


def test_a_restore_asks_first_and_leaves_ordo_stopped(ordo: Ordo, tmp_path: Path) -> None:
    copy = str(tmp_path / "copy.db")
    assert ordo("db", "backup", copy)[0] == 0
    code, _, err = ordo("--no-input", "db", "restore", copy)
    assert code == 2
    assert "--yes" in err
    code, text, err = ordo("db", "restore", copy, "--yes")
    assert code == 0
    assert "the old database is kept" in text
    assert "ordo kill release" in err
    order = ("buy", "NSE:TCS", "--qty", "1", "--limit", "1500", "--amo", "--to", "alice", "--yes")
    assert ordo(*order)[0] == 9
    assert data_of(ordo("db", "restore", copy, "--yes", "--json"))["armed"] is False
