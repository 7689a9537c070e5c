"""A home with accounts, and the command line run in this process."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ordo_cli.cli.main import main


@dataclass(frozen=True)
class Answer:
    """What one command line said, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document; its exit code is the process's."""
        whole = json.loads(self.out)
        assert whole["exit_code"] == self.code
        assert whole["schema_version"] == 1
        return whole

    @property
    def told(self) -> Any:
        return self.document["data"]

    @property
    def wrong(self) -> Any:
        return self.document["error"]


Run = Callable[..., Answer]


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with alice, bob who refuses, carol who is silent, dave who is expired; an order in each state."""
    home = tmp_path_factory.mktemp("prepared") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ORDO_HOME", str(home))
        for words in (
            "init --secrets vault",
            "account add alice --broker paper --group family",
            "account add bob --broker paper --group family --behaviour refuse",
            "account add carol --broker paper --behaviour silent=0.05",
            "account add dave --broker paper --behaviour expired",
            "instrument price NSE:INFY 1500",
            "instrument price NSE:TCS 3000",
            "token create dash --scope read --scope trade --accounts alice --max-value 50000",
        ):
            assert main(words.split()) == 0, words
        for words, code in (
            ("buy NSE:INFY --qty 10 --to alice --key filled-1", 0),
            ("buy NSE:INFY --qty 5 --limit 1400 --to alice --key resting-1", 0),
            ("buy NSE:TCS --qty 1 --limit 2900 --to alice --to carol --key unknown-1", 7),
        ):
            assert main(words.split()) == code, words
    return home


@pytest.fixture(scope="session")
def names(prepared: Path) -> dict[str, str]:
    """Ids of the fan-outs in the prepared home: all filled, resting, and with an unknown leg."""
    with closing(sqlite3.connect(prepared / "ordo.db")) as database:
        by_key = dict(database.execute("SELECT key, id FROM fanouts").fetchall())
    return {"filled": by_key["filled-1"], "resting": by_key["resting-1"], "fanout": by_key["unknown-1"]}


@pytest.fixture
def homed(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the prepared home, for this test alone."""
    home = tmp_path / "home"
    shutil.copytree(prepared, home)
    monkeypatch.setenv("ORDO_HOME", str(home))
    return home


@pytest.fixture
def cli(homed: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run one command line in this process, without a terminal."""
    capsys.readouterr()

    def run(*words: str) -> Answer:
        code = main([part for word in words for part in (word.split() if len(words) == 1 else [word])])
        said = capsys.readouterr()
        assert "Traceback" not in said.err + said.out
        return Answer(code, said.out, said.err)

    return run
