"""P3: what looking costs as whole processes: `ordo status` and `ordo fanout show`."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from tests.benchmarks.measure import ORDO, Row, beside_nothing, environment, ordo, process

NAME = "status and fanout show"


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        ordo(home, "--no-input", "init", "--secrets", "vault")
        ordo(home, "--no-input", "account", "add", "alice", "--broker", "paper")
        bought = ordo(home, "buy", "NSE:INFY", "--qty", "1", "--to", "alice", "--yes", "--json")
        fan_out = json.loads(bought)["data"]["id"]
        env = environment(home)
        floor, (status, show) = beside_nothing(
            [process([*ORDO, "status"], env), process([*ORDO, "fanout", "show", fan_out], env)]
        )
    return [Row("ordo status", floor, status, must=12, aim=8), Row("ordo fanout show", floor, show, must=12, aim=8)]
