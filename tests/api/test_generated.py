"""The API's own description held against it: schemathesis, every check, valid and invalid data, chains of calls."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.api.serving import serving
from tests.house.tree import ROOT

KEPT = "use_after_free"  # what is deleted is an order at a broker; its leg is journalled for ever, and still told
CONFIG = Path(__file__).with_name("schemathesis.toml")


def budget(long_form: bool) -> int:
    """Seconds for both halves together."""
    return int(os.environ.get("ORDO_TEST_SCHEMATHESIS_SECONDS", "600" if long_form else "180"))


@pytest.mark.proof
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("half", ["orders go out", "the switch may be pressed"])
def test_nothing_that_the_description_allows_or_forbids_breaks_it(
    half: str, prepared: Path, tmp_path: Path, long_form: bool
) -> None:
    home = tmp_path / "home"
    shutil.copytree(prepared, home)
    # Once the switch is pressed a server is not ready and says so with 503, which is no error of it.
    without = ["--exclude-path", "/api/v1/kill" if half == "orders go out" else "/api/v1/readyz"]
    with serving(home, "--rate", "0") as server:
        command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "run"]
        command += [f"{server.url}/api/v1/openapi.json", "-H", f"Authorization: Bearer {server.token}", *without]
        command += ["--checks", "all", "--exclude-checks", KEPT, "--warnings", "off", "--no-color"]
        command += ["--max-time", str(budget(long_form) // 2)]
        env = os.environ | {"PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=env)
        assert server.stop() == 0
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert '"level": "error"' not in (home / "logs" / "ordo.log").read_text()
