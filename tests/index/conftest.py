"""An index of a few instruments, and one of as many as a broker lists."""

from __future__ import annotations

from pathlib import Path

import pytest

from ordo_cli.index.build import build
from ordo_cli.index.reading import Index
from tests.index.rows import TODAY, few, many


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Index:
    path = tmp_path_factory.mktemp("index") / "small.idx"
    path.write_bytes(build(few(), TODAY))
    return Index(str(path))


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("index") / "large.idx"
    path.write_bytes(build(many(), TODAY))
    return path
