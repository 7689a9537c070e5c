"""A real home with accounts on the paper exchange, and `ordo` as a real process."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ordo_cli import arming
from ordo_cli.desk import open_desk
from ordo_cli.domain.kill import GLOBAL
from ordo_cli.home import Home, home_at, make
from ordo_cli.services import accounts
from ordo_cli.services.setup import arm_new
from tests.kill.senders import ENTRY, Sender, environment

Ordo = Callable[..., subprocess.CompletedProcess[str]]


async def _furnish(home: Home) -> None:
    async with open_desk(home, actor="test") as desk:
        await arm_new(desk, (GLOBAL,))
        for name, group in (("alice", "family"), ("bob", "family"), ("carol", "desk")):
            await accounts.add(desk, name, "paper", accounts.Wishes(groups=(group,)), {})


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with three paper accounts, made once; tests work on copies."""
    home = home_at(str(tmp_path_factory.mktemp("furnished")))
    make(home)
    asyncio.run(_furnish(home))
    return home


@pytest.fixture
def home(furnished: Home, tmp_path: Path) -> Home:
    copy = home_at(str(tmp_path / "home"))
    subprocess.run(["cp", "-a", furnished.data, copy.data], check=True)
    return copy


@pytest.fixture
def ordo(home: Home) -> Ordo:
    """Run one ordo command as a process of its own."""

    def run(*words: str, timeout: float = 60, **more: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # type: ignore[call-overload, no-any-return]
            [sys.executable, "-c", ENTRY, *words],
            env=environment(home),
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            **more,
        )

    return run


@pytest.fixture
def sender(home: Home) -> Iterator[Sender]:
    """Another process that is between its last check and its first write until it is told to go on."""
    found = Sender(home)
    yield found
    found.end()


def is_armed(home: Home, kind: str = "global", name: str = "") -> bool:
    try:
        arming.armed(arming.path_of(home.run, kind, name))
    except OSError:
        return False
    return True


@pytest.fixture(autouse=True)
def _folders_stay_removable(tmp_path: Path) -> Iterator[None]:
    yield
    for folder, _, _ in os.walk(tmp_path):
        os.chmod(folder, 0o700)
