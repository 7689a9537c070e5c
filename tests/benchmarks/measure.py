"""How a cost is measured beside its floor: rows of the table, alternating pairs, whole processes with compiled code.

A measure module is `p<number>_<subject>.py` in this folder. It has NAME (what its row group is called) and
`measure() -> list[Row]`; the runner finds it, nothing registers it.
"""

from __future__ import annotations

import compileall
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2]
ORDO = (sys.executable, "-m", "ordo_cli")
NOTHING = (sys.executable, "-c", "pass")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. Lower is better: `must` and `aim` bound ours / floor, or ours itself in ms.

    Without a floor (None) `must` and `aim` are milliseconds. `more_is_better` turns the comparison round, for
    rates: then floor and ours are counts a second.
    """

    label: str
    floor_ms: float | None
    ours_ms: float
    must: float | None
    aim: float | None
    more_is_better: bool = False
    note: str = ""

    @property
    def ratio(self) -> float:
        """What is compared with must and aim."""
        return self.ours_ms if self.floor_ms is None else self.ours_ms / self.floor_ms

    @property
    def verdict(self) -> str:
        def reached(bound: float | None) -> bool:
            return bound is None or (self.ratio >= bound if self.more_is_better else self.ratio <= bound)

        if self.must is None and self.aim is None:
            return "-"  # it explains the row above and has no bound of its own
        if not reached(self.must):
            return "MISSED"
        return "aim" if reached(self.aim) else "must"


def timed(work: Callable[[], object]) -> float:
    """Milliseconds that one call takes."""
    begin = time.perf_counter_ns()
    work()
    return (time.perf_counter_ns() - begin) / 1e6


def alternately(works: Sequence[Callable[[], object]], times: int, *, warm: int = 1) -> list[float]:
    """The median of each work in milliseconds, run in turn so that a drift of the machine meets them all alike."""
    taken: list[list[float]] = [[] for _ in works]
    for turn in range(times + warm):
        for work, record in zip(works, taken, strict=True):
            spent = timed(work)
            if turn >= warm:
                record.append(spent)
    return [median(record) for record in taken]


def environment(home: Path | None = None, **more: str) -> dict[str, str]:
    """What a measured process sees: compiled code is used, one throw-away home."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ORDO_", "PYTHON"))}
    return kept | ({"ORDO_HOME": str(home)} if home else {}) | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1"} | more


def compiled() -> None:
    """Compile ordo and what it imports, once: a start without compiled files measures the compiler."""
    for folder in {str(ROOT / "ordo_cli"), *(path for path in sys.path if path.endswith("site-packages"))}:
        compileall.compile_dir(folder, quiet=2, workers=2)


def process(
    command: Sequence[str],
    env: Mapping[str, str],
    *,
    stdin: str | None = None,
    expect: Sequence[int] | None = (0,),
) -> Callable[[], None]:
    """A whole process to be timed. It must end with one of these exit codes, else what was measured was a failure."""

    def work() -> None:
        done = subprocess.run(list(command), env=dict(env), input=stdin, capture_output=True, text=True, timeout=60)
        if expect is not None and done.returncode not in expect:
            raise RuntimeError(
                f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-2000:]}{done.stdout[-500:]}"
            )

    return work


def beside_nothing(
    works: Sequence[Callable[[], object]], times: int = 20, env: Mapping[str, str] | None = None
) -> tuple[float, list[float]]:
    """Milliseconds of `python -c pass` in the same environment, and of each work, measured in turn."""
    compiled()
    floor, *ours = alternately([process(NOTHING, env or environment()), *works], times)
    return floor, ours


def ordo(home: Path, *words: str, stdin: str | None = None, expect: Sequence[int] = (0,)) -> str:
    """Run one ordo command outside the measurement, to prepare it; its standard output."""
    done = subprocess.run(
        [*ORDO, *words], env=environment(home), input=stdin, capture_output=True, text=True, timeout=60
    )
    if done.returncode not in expect:
        raise RuntimeError(f"ordo {' '.join(words)} ended with {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout
