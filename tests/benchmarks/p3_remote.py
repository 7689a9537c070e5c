"""P3 at a server: what a command costs over `--remote`, beside the same command on the machine itself."""

from __future__ import annotations

import json
import signal
import subprocess
import tempfile
from pathlib import Path

from tests.benchmarks.measure import NOTHING, ORDO, Row, alternately, compiled, environment, ordo, process

NAME = "commands at a server"
BUY = "buy NSE:INFY --qty 1 --limit 1400 --to alice --allow-duplicate --yes"
COMMANDS = ("status", "fanout list", "positions", BUY, "kill --scope account:alice")


def measure() -> list[Row]:
    """The floor of each row is the command here; in the first, a process that does nothing."""
    compiled()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        ordo(home, "--no-input", "init", "--secrets", "vault")
        ordo(home, "--no-input", "account", "add", "alice", "--broker", "paper")
        token = json.loads(ordo(home, "token", "create", "b", "--scope", "admin", "--yes", "--json"))["data"]["token"]
        words = [*ORDO, "serve", "--port", "0"]
        with subprocess.Popen(words, env=environment(home), stderr=subprocess.PIPE, text=True) as server:
            assert server.stderr is not None
            url = next(word for word in server.stderr.readline().split() if word.startswith("http://"))
            there = environment(ORDO_REMOTE=url.rstrip(","), ORDO_TOKEN=token, ORDO_HOME="no/such/home")
            rows = []
            for command in COMMANDS:
                line = [*ORDO, *command.split()]
                nothing, here, far = alternately(
                    [process(NOTHING, there), process(line, environment(home)), process(line, there)], 15
                )
                name = " ".join(command.split()[:2])
                rows.append(
                    Row(f"{name} there / here", here, far, must=None, aim=None, note=f"nothing {nothing:.0f} ms")
                )
            server.send_signal(signal.SIGTERM)
            server.stderr.read()
    return rows
