"""`ordo status` at the terminal."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ordo_cli.cli.main import main
from ordo_cli.cli.status import age_text

Ordo = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ordo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ordo:
    """Run a command of ordo in this process, in a home of its own."""
    monkeypatch.setenv("ORDO_HOME", str(tmp_path / "home"))

    def run(*words: str) -> tuple[int, str, str]:
        code = main(list(words))
        said = capsys.readouterr()
        return code, said.out, said.err

    assert run("init", "--secrets", "vault")[0] == 0
    return run


def test_without_accounts_it_says_what_to_do_first(ordo: Ordo) -> None:
    code, out, err = ordo("status")
    assert code == 0
    assert "armed" in out
    assert "ordo account add" in err


def test_before_init_it_says_to_init(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--home", str(tmp_path / "new"), "status"]) == 0
    assert "ordo init" in capsys.readouterr().err


def test_an_unknown_leg_is_said_aloud_with_what_settles_it(ordo: Ordo) -> None:
    ordo("account", "add", "dave", "--broker", "paper", "--behaviour", "silent=0.1")
    assert ordo("buy", "NSE:INFY", "--qty", "1", "--to", "dave")[0] == 7
    _, out, err = ordo("status")
    assert "unknown" in out
    assert "dave NSE:INFY" in out
    assert "ordo fanout reconcile" in err
    found = json.loads(ordo("status", "--json")[1])["data"]
    assert [leg["account"] for leg in found["unknown_legs"]] == ["dave"]
    assert found["entries_paused"] == [{"account": "dave", "instrument": "NSE:INFY"}]


def test_an_engaged_switch_cannot_be_overlooked(ordo: Ordo, tmp_path: Path) -> None:
    ordo("account", "add", "alice", "--broker", "paper")
    (tmp_path / "home" / "run" / "armed").unlink()
    _, out, _ = ordo("status")
    assert "ENGAGED: global" in out
    found = json.loads(ordo("status", "--json")[1])["data"]
    assert found["kill"] == {"engaged": True, "scopes": ["global"], "unwritten": []}
    assert found["accounts"][0]["stopped_by"] == ["global"]


def test_a_session_that_is_over_is_named(ordo: Ordo) -> None:
    ordo("account", "add", "erin", "--broker", "paper", "--behaviour", "expired")
    assert json.loads(ordo("status", "--json")[1])["data"]["accounts"][0]["session"] == "expired"


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.4, "0 s"), (59.9, "59 s"), (60, "1 min 0 s"), (754, "12 min 34 s"), (7_380, "2 h 3 min")]
)
def test_an_age_is_told_in_two_units(seconds: float, said: str) -> None:
    assert age_text(seconds) == said
