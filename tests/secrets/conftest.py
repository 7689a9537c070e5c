"""A session bus of the tests' own, with the real Secret Service on it, or with one that never answers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]
NEEDED = ("dbus-run-session", "dbus-daemon")
UNLOCKED = 'printf %s pw | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1; exec "$@"'


def on_a_bus(tmp_path: Path, before: str, *words: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """Run a program on a session bus in a fresh home, after the shell words that start what shall be on the bus."""
    run = tmp_path / "runtime"
    run.mkdir(mode=0o700, exist_ok=True)
    clean = {name: value for name, value in os.environ.items() if "DBUS" not in name and not name.startswith("XDG_")}
    environ = {**clean, "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(run), "PYTHONPATH": os.getcwd()}
    return subprocess.run(
        ["dbus-run-session", "--", "sh", "-c", before, "sh", *words],
        env=environ,
        capture_output=True,
        text=True,
        timeout=timeout,
        stdin=subprocess.DEVNULL,
    )


@pytest.fixture
def secret_service(tmp_path: Path) -> Run:
    """Run a program where a real, unlocked Secret Service answers."""
    _need(*NEEDED, "gnome-keyring-daemon")
    return lambda *words: on_a_bus(tmp_path, UNLOCKED, *words)


@pytest.fixture
def locked_service(tmp_path: Path) -> Run:
    """Run a program where the Secret Service has locked its collection and nobody is there to open it."""
    _need(*NEEDED, "gnome-keyring-daemon")
    lock = f'{sys.executable} {Path(__file__).with_name("lock_collection.py")} >/dev/null; exec "$@"'
    return lambda *words: on_a_bus(tmp_path, UNLOCKED.replace('exec "$@"', lock), *words)


@pytest.fixture
def silent_service(tmp_path: Path) -> Run:
    """Run a program where something owns the name of the Secret Service and never answers."""
    _need(*NEEDED)
    silent, ready = Path(__file__).with_name("silent_service.py"), tmp_path / "ready"
    start = f'{sys.executable} {silent} {ready} & while [ ! -e {ready} ]; do sleep 0.05; done; exec "$@"'
    return lambda *words: on_a_bus(tmp_path, start, *words)


def _need(*programs: str) -> None:
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed (packages dbus and gnome-keyring)")
