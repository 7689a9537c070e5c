"""The proofs as tests: a few hundred runs each time, thousands in the long form (`pytest --long`)."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

ROOT = __file__.rsplit("/tests/", 1)[0]


def prove(module: str, *numbers: int) -> dict[str, Any]:
    """Run a proof in a process of its own, which forks: a test runner's threads would not survive that."""
    command = [sys.executable, "-m", f"tests.proofs.{module}", *map(str, numbers)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(found)
    return found


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("half", [1, 2])
def test_no_crash_sends_an_order_twice_or_leaves_a_lie_in_the_journal(half: int, long_form: bool) -> None:
    found = prove("crash", 2500 if long_form else 100, half)
    assert found["wrong"] == []
    assert len(found["deaths"]) >= 8, "processes must die at every label and at random moments"


@pytest.mark.timeout(7200)
def test_one_key_has_one_winner_however_many_race_for_it(long_form: bool) -> None:
    found = prove("race", 8, 2000 if long_form else 200)
    assert found["wrong"] == []
