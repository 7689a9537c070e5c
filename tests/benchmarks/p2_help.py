"""P2: what `ordo --help` and the completion of a word cost beside a bare interpreter."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.benchmarks.measure import ORDO, Row, beside_nothing, environment, ordo, process

NAME = "help and completion"


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        ordo(home, "--no-input", "init", "--secrets", "vault")
        ordo(home, "--no-input", "account", "add", "alice", "--broker", "paper")
        plain = environment(home)
        word = environment(home, _ORDO_COMPLETE="complete_bash", COMP_WORDS="ordo\naccount\nshow\nal", COMP_CWORD="3")
        floor, (front, command, completed) = beside_nothing(
            [process([*ORDO, "--help"], plain), process([*ORDO, "buy", "--help"], plain), process([*ORDO], word)]
        )
    return [
        Row("ordo --help", floor, front, must=6, aim=4.5),
        Row("ordo buy --help", floor, command, must=14, aim=4.5),
        Row("completing an account", floor, completed, must=6, aim=4.5),
    ]
