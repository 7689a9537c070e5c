"""`ordo serve` in a process of its own with accounts at the loopback broker, and the load that wrk puts on it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from ordo_cli.desk import open_desk
from ordo_cli.domain.accounts import AccountId
from ordo_cli.home import home_at
from ordo_cli.services import accounts
from tests.benchmarks.loopback import Loopback
from tests.benchmarks.loopback_broker import NAME, Stopwatch, spec_of
from tests.benchmarks.measure import ROOT, environment

ORDERS = "/api/v1/orders"
BODY = {"side": "buy", "instrument": "NSE:INFY", "quantity": 1, "limit_price": "1500.00", "allow_duplicate": True}
SCRIPT = """
local sent = 0
local accounts = {accounts}
local run = "{run}"
request = function()
  sent = sent + 1
  local body = string.format('{body}', sent % accounts)
  wrk.headers["Idempotency-Key"] = run .. "-" .. string.format("%09d", sent)
  return wrk.format("POST", "{path}", nil, body)
end
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer {token}"
"""


@dataclass(frozen=True, slots=True)
class Served:
    """A running server, and a token for it."""

    process: subprocess.Popen[str]
    url: str
    token: str
    home: Path
    began: float  # by perf_counter, when the process was started

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"authorization": f"Bearer {self.token}"}, timeout=60)

    @property
    def memory_mb(self) -> float:
        """Resident memory of the server's process."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]


@contextmanager
def serving(server: Loopback | None, delay_ms: int, count: int, *more: str) -> Iterator[Served]:
    """Serve that many accounts at the loopback broker, or one of paper."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        env = environment(home)
        ordo(env, "init", "--no-input")
        if server is None:
            ordo(env, "account", "add", "a0", "--broker", "paper")
        else:
            env |= {
                "BENCH_PORT": str(server.port),
                "BENCH_AUTHORITY": server.authority,
                "BENCH_DELAY_MS": str(delay_ms),
            }
            asyncio.run(_accounts(server, home, count))
        made = ["token", "create", "bench", "--scope", "trade", "--scope", "read", "--scope", "kill:engage", "--scope"]
        token = ordo(env, *made, "kill:release", "--no-input").split()[-1]
        with _running(env, token, home, *more) as served:
            yield served


async def _accounts(server: Loopback, home: Path, count: int) -> None:
    spec = spec_of(server, 0, Stopwatch())
    async with open_desk(home_at(str(home)), find=lambda name: spec) as desk:
        for number in range(count):
            await accounts.add(desk, AccountId(f"a{number}"), NAME, accounts.Wishes(), {})


@contextmanager
def _running(env: dict[str, str], token: str, home: Path, *more: str) -> Iterator[Served]:
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "tests.benchmarks.ordo_with_loopback",
        "serve",
        "--port",
        str(port),
        "--rate",
        "0",
        *more,
    ]
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, env=env, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    try:
        until_answering(port, process)
        yield Served(process, f"http://127.0.0.1:{port}", token, home, began)
    finally:
        process.terminate()
        process.wait(15)


def ordo(env: dict[str, str], *words: str) -> str:
    command = [sys.executable, "-m", "tests.benchmarks.ordo_with_loopback", *words]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True).stdout


@contextmanager
def echoing() -> Iterator[str]:
    """The floor, at its URL."""
    port = free_port()
    command = [sys.executable, "-m", "tests.benchmarks.echo", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, env=environment(), stderr=subprocess.PIPE, text=True)
    try:
        until_answering(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(15)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until_answering(port: int, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended: {process.stderr.read()[-500:] if process.stderr else ''}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.005)
    raise RuntimeError("the server does not answer")


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk saw."""

    per_second: float
    p50_ms: float
    answered: int


def load(url: str, token: str, connections: int, seconds: int, accounts_: int) -> Load:
    """Place one order after another on that many connections, each to one account. Raises unless all were accepted."""
    wrk = shutil.which("wrk")
    if wrk is None:
        raise RuntimeError("needs wrk: apt-get install wrk")
    body = json.dumps({**BODY, "targets": ["a%d"]})
    run = f"{os.getpid()}-{time.monotonic_ns()}"
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(
            SCRIPT.replace("{accounts}", str(accounts_))
            .replace("{run}", run)
            .replace("{body}", body)
            .replace("{path}", ORDERS)
            .replace("{token}", token)
        )
        script.flush()
        options = ["-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "10s", "-s", script.name]
        told = subprocess.run([wrk, *options, url], capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in told or "Socket errors" in told:
        raise RuntimeError(" ".join(told.split())[-300:])
    p50 = re.search(r"50%\s+([\d.]+)(us|ms|s)", told)
    rate, answered = re.search(r"Requests/sec:\s+([\d.]+)", told), re.search(r"(\d+) requests in", told)
    if p50 is None or rate is None or answered is None:
        raise RuntimeError(told)
    return Load(float(rate[1]), float(p50[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[p50[2]], int(answered[1]))


def body(*targets: str) -> dict[str, Any]:
    return {**BODY, "targets": list(targets)}
