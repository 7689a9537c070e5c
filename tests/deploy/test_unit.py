"""The systemd unit: one that systemd takes, that tells when it is ready, ends in order, and may do little else."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from ordo_cli.cli.topics import TOPICS
from tests.house.tree import PACKAGE

UNIT = PACKAGE / "deploy" / "ordo.service"


def settings(section: str) -> dict[str, list[str]]:
    """What a section says, word for word; a name may come more than once."""
    found: dict[str, list[str]] = {}
    body = UNIT.read_text().partition(f"[{section}]\n")[2].partition("\n[")[0]
    for line in body.splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def test_systemd_takes_it(tmp_path: Path) -> None:
    """Where there is no systemd, what it would complain of first is looked for: words that are no settings."""
    assert all(re.fullmatch(r"[A-Z]\w+", name) for part in ("Unit", "Service", "Install") for name in settings(part))
    if (systemd := shutil.which("systemd-analyze")) is None:
        return
    copy = tmp_path / "ordo.service"
    copy.write_text(UNIT.read_text().replace(settings("Service")["ExecStart"][0], "/bin/true"))
    done = subprocess.run([systemd, "verify", str(copy)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_it_says_when_it_is_ready_and_gets_the_time_to_end_in_order() -> None:
    service = settings("Service")
    assert service["Type"] == ["notify"]
    assert service["ExecStart"][0].endswith("ordo --no-input serve")
    assert "KillSignal" not in service, "SIGTERM is what ends it in order"
    assert int(service["TimeoutStopSec"][0]) > 10
    assert service["KillMode"] == ["mixed"], "a worker that is told twice leaves at once"


def test_it_may_write_its_home_and_nothing_else() -> None:
    service = settings("Service")
    assert service["ProtectSystem"] == ["strict"]
    assert service["Environment"] == [f"ORDO_HOME=/var/lib/{service['StateDirectory'][0]}"]
    assert service["User"] != ["root"]
    assert service["NoNewPrivileges"] == ["yes"]
    assert service["CapabilityBoundingSet"] == [""]


def test_what_ordo_reads_of_the_machine_is_not_hidden_from_it() -> None:
    """Whether the owner of a leg is dead is told by its process and the machine's boot id."""
    assert "ProcSubset" not in settings("Service")


def test_help_prints_it() -> None:
    assert TOPICS["systemd"] == UNIT.read_text()
