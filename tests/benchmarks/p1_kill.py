"""P1: `ordo kill` as a whole process: until the arming file is gone, and until its row is durable and it has ended."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from ordo_cli import arming
from ordo_cli.home import home_at
from tests.benchmarks.measure import NOTHING, Row, compiled, environment, ordo, process, timed

NAME = "the kill switch"
KILL = (sys.executable, "-c", "from ordo_cli.__main__ import main; main()", "kill")
TIMES = 40


def measure() -> list[Row]:
    compiled()
    nothing, gone, ended = list[float](), list[float](), list[float]()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        ordo(home, "--no-input", "init", "--secrets", "vault")
        env = environment(home)
        for _ in range(TIMES):
            nothing.append(timed(process(NOTHING, env)))
            unlinked, whole = _press(home_at(folder).run, env)
            gone.append(unlinked)
            ended.append(whole)
    floor = median(nothing)
    return [
        Row("start to arming file gone", floor, median(gone), must=3, aim=1.5),
        Row("start to durable row and exit", floor, median(ended), must=6.5, aim=2.5),
    ]


def _press(run: str, env: dict[str, str]) -> tuple[float, float]:
    """Milliseconds from the start until the file is gone, and until the process has ended."""
    arming.arm(run, "global", "", 1, "benchmark")
    path = arming.path_of(run, "global", "")
    begun = time.perf_counter_ns()
    pressing = subprocess.Popen(KILL, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while os.path.lexists(path) and pressing.poll() is None:
        time.sleep(0.0001)
    unlinked = time.perf_counter_ns()
    if pressing.wait() != 0 or os.path.lexists(path):
        raise RuntimeError(f"ordo kill ended with {pressing.returncode}")
    return (unlinked - begun) / 1e6, (time.perf_counter_ns() - begun) / 1e6
