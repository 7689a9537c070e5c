"""Every test of the store runs on SQLite and on PostgreSQL, unless it is marked as being about files."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import backends
from tests.backends import Backend


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    backends.parametrized(metafunc, "tmp_path", "where")


@pytest.fixture(autouse=True)
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Backend]:
    yield from backends.lent(request.param, request.node.nodeid, monkeypatch)
