"""The script that turns the lock into hashed requirements says what `poetry export` says, recorded beside this test."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.markers import Marker, default_environment

from tests.house.tree import ROOT

SCRIPT = ROOT / ".ci" / "requirements.py"
RECORD = Path(__file__).parent / "recorded" / "export.txt"
EVERYTHING = ["--group", "test", "--group", "checks", "--group", "build"]
EVERYTHING += ["--extra", "postgres", "--extra", "redis", "--extra", "otel"]
MACHINES = [
    {"python_version": python, "python_full_version": f"{python}.1", **system}
    for python in ("3.12", "3.13", "3.14")
    for system in (
        {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix", "platform_machine": "x86_64"},
        {"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix", "platform_machine": "arm64"},
        {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt", "platform_machine": "AMD64"},
    )
]


def printed(*words: str, lock: Path | None = None, ends: int = 0) -> str:
    command = [sys.executable, str(SCRIPT), *words, *(["--lock", str(lock)] if lock else [])]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == ends, done.stderr
    return done.stdout + done.stderr


def told(text: str) -> dict[str, tuple[str, str]]:
    """Each `name==version` with its marker and the digest of its hashes."""
    found = {}
    for requirement in text.replace("\\\n    --hash", "--hash").splitlines():
        head, *hashes = requirement.split(" --hash=")
        pinned, _, marker = head.partition(";")
        joined = " ".join(sorted(f"--hash={one.strip()}" for one in hashes))
        found[pinned.strip()] = (marker.strip(), hashlib.sha256(joined.encode()).hexdigest()[:16])
    return found


def recorded() -> dict[str, tuple[str, str]]:
    found = {}
    for line in RECORD.read_text().splitlines()[1:]:
        requirement, _, digest = line.rpartition(" # ")
        pinned, _, marker = requirement.partition(";")
        found[pinned.strip()] = (marker.strip(), digest)
    return found


def holds(marker: str, machine: dict[str, str]) -> bool:
    return not marker or Marker(marker).evaluate({str(k): str(v) for k, v in default_environment().items()} | machine)


def test_the_record_was_made_from_this_lock() -> None:
    lock = hashlib.sha256((ROOT / "poetry.lock").read_bytes()).hexdigest()
    assert RECORD.read_text().splitlines()[0].endswith(lock), "record it again: see .ci/record_export.py"


def test_it_names_the_same_versions_and_hashes_as_the_export() -> None:
    ours, theirs = told(printed(*EVERYTHING)), recorded()
    assert {pinned: digest for pinned, (_, digest) in ours.items()} == {
        pinned: digest for pinned, (_, digest) in theirs.items()
    }


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: f"{machine['python_version']}-{machine['os_name']}")
def test_every_machine_is_told_to_install_the_same(machine: dict[str, str]) -> None:
    ours = {pinned for pinned, (marker, _) in told(printed(*EVERYTHING)).items() if holds(marker, machine)}
    theirs = {pinned for pinned, (marker, _) in recorded().items() if holds(marker, machine)}
    assert ours == theirs


def test_what_nobody_asked_for_is_left_out() -> None:
    plain = printed()
    assert "pytest==" not in plain
    assert "asyncpg==" not in plain
    assert "hiredis==" in printed("--extra", "redis")
    assert "asyncpg==" not in printed("--extra", "redis")


def test_an_unknown_group_or_extra_is_refused() -> None:
    assert "no group or extra tset" in printed("--group", "tset", ends=1)


def test_a_package_locked_to_an_address_of_its_own_is_refused(tmp_path: Path) -> None:
    lock = tmp_path / "poetry.lock"
    lock.write_text(
        '[[package]]\nname = "a"\nversion = "1"\ngroups = ["main"]\nfiles = []\n'
        '[package.source]\ntype = "legacy"\nurl = "https://example.invalid/simple"\n'
    )
    assert "must not name an index" in printed(lock=lock, ends=1)


def test_a_marker_that_mixes_an_extra_with_something_else_keeps_the_rest(tmp_path: Path) -> None:
    lock = tmp_path / "poetry.lock"
    lock.write_text(
        '[[package]]\nname = "a"\nversion = "1"\ngroups = ["main"]\nfiles = [{file = "a", hash = "sha256:00"}]\n'
        'markers = \'extra == "fast" and sys_platform == "linux"\'\n[extras]\nfast = ["a"]\n'
    )
    marker, _ = told(printed("--extra", "fast", lock=lock))["a==1"]
    assert [holds(marker, machine) for machine in MACHINES[:3]] == [True, False, False]
    marker, _ = told(printed(lock=lock))["a==1"]
    assert not any(holds(marker, machine) for machine in MACHINES)


def test_a_group_can_be_had_alone() -> None:
    assert [pinned.partition("==")[0] for pinned in told(printed("--only", "build"))] == ["poetry-core"]
