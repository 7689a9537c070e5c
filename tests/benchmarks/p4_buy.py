"""P4: what one order to one paper account costs as a whole process, journal and exchange included."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.benchmarks.measure import ORDO, Row, beside_nothing, environment, ordo, process

NAME = "buy, whole process"


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        ordo(home, "--no-input", "init", "--secrets", "vault")
        ordo(home, "--no-input", "account", "add", "alice", "--broker", "paper")
        # The same order again within seconds is what the near-duplicate guard refuses, so the guard is told to let it.
        words = ("buy", "NSE:INFY", "--qty", "1", "--to", "alice", "--yes", "--allow-duplicate")
        floor, (buy,) = beside_nothing([process([*ORDO, *words], environment(home))])
    return [Row("ordo buy, one paper account", floor, buy, must=12, aim=9)]
