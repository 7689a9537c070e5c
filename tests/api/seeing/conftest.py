"""The desk of the services' tests, its clock jumping and its firm obedient, behind the application."""

from __future__ import annotations

from pathlib import Path

import pytest

from ordo_cli.home import Home, find_home, make
from tests.collecting import collector
from tests.services.conftest import add, clock, desk, firm, reopen

__all__ = ["add", "clock", "collector", "desk", "firm", "reopen"]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    found = find_home({"ORDO_HOME": str(tmp_path / "home")})
    make(found)
    return found
