"""Official clients in environments of their own, and a sandbox as a process of its own for them to speak to."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ordo_cli.machine import SystemClock
from ordo_cli.sandbox.codes import totp
from tests.house.tree import ROOT

OFFLINE = ("NewConnectionError", "NameResolutionError", "ConnectTimeoutError", "Temporary failure in name resolution")


def environment_with(folder: Path, *requirements: str) -> Path:
    """The interpreter of a new environment that has these; skips when PyPI cannot be reached, and only then."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    done = subprocess.run(
        [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements],
        capture_output=True,
        text=True,
    )
    if done.returncode and any(word in done.stderr for word in OFFLINE):
        pytest.skip("PyPI cannot be reached")
    assert done.returncode == 0, done.stderr
    return python


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
        assert answer.status == 302, answer.read()
        return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(answer.headers["location"]).query))

    def totp(self, account: dict[str, str]) -> str:
        return totp(account["totp_secret"], SystemClock().now())


@pytest.fixture(scope="module")
def zerodha(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("home")
    process = subprocess.Popen(
        [sys.executable, "-m", "ordo_cli", "--home", str(home), "sandbox", "--brokers", "zerodha", "--port", "0"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        line = next(line for line in process.stderr if line.startswith("zerodha"))
        served = Served(re.findall(r"http://\S+", line)[0])
        served.change("rates", on=False)
        served.change("price", instrument="NSE:INFY", price="1500")
        yield served
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
