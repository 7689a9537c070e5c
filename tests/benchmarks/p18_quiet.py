"""P18: how long after the press of `ordo kill` a fan-out of 200 legs, sent by four processes, still lets a byte go."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.benchmarks.measure import ROOT, Row, environment

NAME = "kill to quiet"
RUNS = 100


def measure() -> list[Row]:
    # A process of its own, because it forks its senders.
    command = [sys.executable, "-m", "tests.proofs.killing", str(RUNS), "18", "200", "plain"]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-500:])
    found = json.loads(done.stdout.splitlines()[-1])
    if found["wrong"]:
        raise RuntimeError(str(found["wrong"][:3]))
    met = f"{found['part_sent']} of {RUNS} presses met a running fan-out"
    return [
        Row(
            "command's start to last first byte, worst", None, found["last_first_byte_ms"]["worst"], 250, 100, note=met
        ),
        Row("arming file gone to quiet, worst", None, found["quiet_ms"]["worst"], 250, 100),
    ]
