"""P17: what checking a file of 10,000 orders costs as a whole process, and ten times the rows."""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median

from tests.benchmarks.measure import ORDO, Row, compiled, environment, ordo, process, timed

NAME = "batch check"
TIMES = 5


def measure() -> list[Row]:
    compiled()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        ordo(home, "--no-input", "init", "--secrets", "vault")
        for name in ("alice", "bob"):
            ordo(home, "--no-input", "account", "add", name, "--broker", "paper", "--group", "family")
        env = environment(home)
        spent = {}
        for rows, target in ((1_000, "alice"), (10_000, "alice"), (10_000, "@family")):
            file = home / f"{rows}-{target[-5:]}.csv"
            file.write_text(orders(rows, target))
            check = process([*ORDO, "batch", "check", str(file)], env)
            check()
            spent[rows, target] = median(timed(check) for _ in range(TIMES))
    one, two = spent[10_000, "alice"], spent[10_000, "@family"]
    growth = f"1,000 rows: {spent[1_000, 'alice']:.0f} ms"
    return [
        Row("batch check, 10,000 orders of one account", None, one, must=2_000, aim=1_000, note=growth),
        Row("batch check, 10,000 orders of two accounts", None, two, must=2_000, aim=1_000),
    ]


def orders(rows: int, target: str) -> str:
    """That many different orders that nothing is wrong with."""
    lines = (f"buy,NSE:INFY,{number % 700 + 1},{1440 + number // 700}.05,{target}\n" for number in range(rows))
    return "side,instrument,qty,limit,to\n" + "".join(lines)
