"""The tour: true on every machine, and gone without a trace."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from ordo_cli.cli.demo import PaperTour
from ordo_cli.cli.demo_brokers import BrokersTour
from ordo_cli.cli.tour import Page, Unmet

COMMAND = [sys.executable, "-m", "ordo_cli", "demo"]
ROOT = str(Path(__file__).parents[2])


def environment(folder: Path) -> Mapping[str, str]:
    """A user with a home of their own that the tour must not find."""
    (folder / "tmp").mkdir()
    return {**os.environ, "ORDO_HOME": str(folder / "mine"), "TMPDIR": str(folder / "tmp"), "PYTHONPATH": ROOT}


def test_every_step_shows_what_it_should_and_nothing_is_left_behind(tmp_path: Path) -> None:
    ended = subprocess.run([*COMMAND, "--json"], env=environment(tmp_path), capture_output=True, timeout=100)
    found = json.loads(ended.stdout)["data"]
    assert ended.returncode == 0, found["problem"]
    assert found["problem"] is None
    assert [step["held"] for step in found["steps"]] == [True] * len(PaperTour.SCENES)
    assert os.listdir(tmp_path / "tmp") == []
    assert not (tmp_path / "mine").exists()


def test_it_is_taken_away_when_it_is_stopped_halfway(tmp_path: Path) -> None:
    tour = subprocess.Popen(COMMAND, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert tour.stdout is not None
    while b"1." not in tour.stdout.readline():
        pass
    time.sleep(0.5)
    tour.send_signal(signal.SIGTERM)
    assert tour.wait(timeout=30) == 130
    tour.communicate()
    assert os.listdir(tmp_path / "tmp") == []


def test_a_step_that_shows_something_else_stops_the_tour(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tour = PaperTour(str(tmp_path), Page(silent=False))
    with pytest.raises(Unmet, match="not so: the earth is flat"):
        tour.expect("the earth is flat", False)
    with pytest.raises(Unmet, match="ended with 2 instead of 0"):
        tour.run("account", "show", "nobody")
    with pytest.raises(Unmet, match="gave no answer"):
        tour.run("buy", "--help")
    assert "$ ordo account show nobody" in capsys.readouterr().out


def test_the_last_words_say_whether_all_went_right(capsys: pytest.CaptureFixture[str]) -> None:
    Page(silent=False).end(None, 1.0)
    assert "Everything held" in capsys.readouterr().out
    Page(silent=False).end("silence", 1.0)
    assert "the tour stopped: silence" in capsys.readouterr().out


def test_the_day_with_four_brokers_holds_and_leaves_nothing_behind(tmp_path: Path) -> None:
    command = [*COMMAND, "--brokers", "--json"]
    ended = subprocess.run(command, env=environment(tmp_path), capture_output=True, timeout=250)
    found = json.loads(ended.stdout)["data"]
    assert (ended.returncode, found["problem"]) == (0, None), found
    assert [step["held"] for step in found["steps"]] == [True] * len(BrokersTour.SCENES)
    assert os.listdir(tmp_path / "tmp") == []
    assert not (tmp_path / "mine").exists()
