"""A trading floor for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.brokers.paper.fakes import Floor


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
