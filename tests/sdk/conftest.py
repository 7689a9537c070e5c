"""Official clients in environments of their own, and a sandbox as a process of its own for them to speak to."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ordo_cli.domain.market import IST
from tests.house.tree import ROOT
from tests.postgres import REQUIRED

OFFLINE = ("NewConnectionError", "NameResolutionError", "ConnectTimeoutError", "Temporary failure in name resolution")


def environment_with(folder: Path, *requirements: str) -> Path:
    """The interpreter of a new environment that has these; skips when PyPI cannot be reached, and only then.

    Where servers are required, as in CI, it fails instead.
    """
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    done = subprocess.run(
        [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements],
        env={**os.environ, "AIOHTTP_NO_EXTENSIONS": "1"},  # one pins an aiohttp whose parts in C newer Pythons lack
        capture_output=True,
        text=True,
    )
    if done.returncode and any(word in done.stderr for word in OFFLINE):
        if os.environ.get(REQUIRED) == "1":
            pytest.fail(f"PyPI cannot be reached, and {REQUIRED}=1 says that it must be")
        pytest.skip("PyPI cannot be reached")
    assert done.returncode == 0, done.stderr
    return python


def environment_of(package: str, version: str) -> Path:
    """The interpreter of an environment with this client in it, kept for the next time in a folder that git ignores."""
    folder = ROOT / ".venv-sdk" / f"{package}-{version}-{sys.version_info[0]}.{sys.version_info[1]}"
    folder.parent.mkdir(exist_ok=True)
    python, whole = folder / "bin" / "python", folder / "whole"
    with open(f"{folder}.lock", "w") as lock:  # workers of one run want the same one
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (whole.exists() and python.exists()):
            shutil.rmtree(folder, ignore_errors=True)
            environment_with(folder, f"{package}=={version}")
            whole.touch()
    return python


def session_of(python: Path, script: str, folder: Path, *arguments: str) -> dict[str, dict[str, Any]]:
    """What a script beside this file told, by step. It runs in that folder, where clients leave their logs, and has
    nothing of ours: no path, no proxy between it and this machine.
    """
    done = subprocess.run(
        [str(python), "-I", str(Path(__file__).with_name(script)), *arguments],
        cwd=folder,
        env={**os.environ, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    steps = {line["step"]: line for line in lines}
    assert len(steps) == len(lines)  # no step hides another
    return steps


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows nothing: the address is what is wanted."""

    def redirect_request(self, *args: Any, **more: Any) -> None:
        return None


class Served:
    """A running `ordo sandbox`."""

    def __init__(self, base: str) -> None:
        self.base = base
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Stay())

    def ask(self, name: str) -> Any:
        with self._opener.open(f"{self.base}/_sandbox/{name}") as answer:
            return json.loads(answer.read())

    def change(self, name: str, **given: object) -> Any:
        body = json.dumps(given).encode()
        request = urllib.request.Request(
            f"{self.base}/_sandbox/{name}", body, {"Content-Type": "application/json"}, method="POST"
        )
        with self._opener.open(request) as answer:
            return json.loads(answer.read())

    def account(self, broker: str, number: int = 0) -> dict[str, str]:
        found: dict[str, str] = self.ask("")["brokers"][broker]["accounts"][number]
        return found

    def submit(self, address: str, **form: str) -> dict[str, str]:
        """Send a login page's form as a browser does; the parameters of where it is sent then."""
        try:
            answer = self._opener.open(address, urllib.parse.urlencode(form).encode())
        except urllib.error.HTTPError as redirected:
            answer = redirected
        with answer:
            assert answer.status == 302, answer.read()
            there = urllib.parse.urlsplit(answer.headers["location"])
        return dict(urllib.parse.parse_qsl(there.query))

    def totp(self, account: dict[str, str]) -> str:
        [code] = [row["totp"] for row in self.ask("otp")["codes"] if row["account"] == account["user"]]
        return str(code)

    def now(self) -> datetime:
        """Its time, in India."""
        return datetime.fromisoformat(self.ask("clock")["now"]).astimezone(IST)

    def wake(self) -> None:
        """Go on to ten in the morning in India, where no session is about to end with the day."""
        now = self.now()
        ten = now.replace(hour=10, minute=0, second=0, microsecond=0)
        self.change("clock", set=(ten if ten > now else ten + timedelta(days=1)).isoformat())


@contextmanager
def sandbox_of(broker: str, home: Path) -> Iterator[Served]:
    """One broker's gateway at a free port, in the morning, without limits of rates, with Infosys at 1500."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ordo_cli", "--home", str(home), "sandbox", "--brokers", broker, "--port", "0"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        line = next(line for line in process.stderr if line.startswith(broker))
        served = Served(re.findall(r"http://\S+", line)[0])
        served.wake()
        served.change("rates", on=False)
        served.change("price", instrument="NSE:INFY", price="1500")
        yield served
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


@pytest.fixture(scope="module")
def zerodha(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with sandbox_of("zerodha", tmp_path_factory.mktemp("home")) as served:
        yield served


@pytest.fixture(scope="module")
def fyers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with sandbox_of("fyers", tmp_path_factory.mktemp("home")) as served:
        yield served


@pytest.fixture(scope="module")
def mstock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with sandbox_of("mstock", tmp_path_factory.mktemp("home")) as served:
        yield served
