"""Processes that send, for the tests of the switch: one that stands in the gate, and what `ordo` itself is run with."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from ordo_cli.home import Home

ENTRY = "from ordo_cli.__main__ import main; main()"  # as the installed script starts it

IN_THE_GATE = """
import sys
from ordo_cli.domain.kill import GLOBAL
from ordo_cli.gate import Gate
from ordo_cli.machine import SystemClock
clock = SystemClock()
gate = Gate(sys.argv[1], clock)
permit = gate.permit(gate.stamps([GLOBAL]), committed_at=clock.elapsed(), deadline=clock.elapsed() + 60)
with permit.passing():
    print("inside", flush=True)
    sys.stdin.readline()
    print("written", flush=True)
"""


def environment(home: Home, **more: str) -> dict[str, str]:
    """What a process of ours sees."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ORDO_")}
    return kept | {"ORDO_HOME": home.data, "NO_COLOR": "1"} | more


class Sender:
    """A process inside the gate."""

    def __init__(self, home: Home) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", IN_THE_GATE, home.run],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(home),
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "inside\n"

    def stop(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()
