"""A trading floor for each test, and an end to whatever a test has opened."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from ordo_cli.brokers.paper import exchange
from ordo_cli.brokers.paper.schema import open_file
from tests.brokers.paper.fakes import Floor

Opened = Callable[[str], sqlite3.Connection]


@pytest.fixture(autouse=True)
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[Opened]:
    """Opens an exchange's file, for a test and for the exchanges that it makes and does not close."""
    with ExitStack() as stack:

        def opening(path: str) -> sqlite3.Connection:
            return stack.enter_context(closing(open_file(path)))

        monkeypatch.setattr(exchange, "open_file", opening)
        yield opening


@pytest.fixture
def floor(tmp_path: Path) -> Iterator[Floor]:
    opened = Floor(tmp_path)
    yield opened
    opened.exchange.close()


@pytest.fixture
def quiet(floor: Floor) -> Floor:
    """Infosys at 1500, and nothing to trade with but other accounts."""
    floor.price("1500")
    return floor
