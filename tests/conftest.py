"""What every test may use: the long form of the proofs, and a home of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is slow, which says nothing about what is tested.
settings.register_profile("ordo", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ordo")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", default=False, help="give the proofs their long form")


@pytest.fixture(scope="session")
def long_form(request: pytest.FixtureRequest) -> bool:
    """Whether the proofs run in their long form: thousands of runs instead of hundreds."""
    return bool(request.config.getoption("--long"))


@pytest.fixture(scope="session", autouse=True)
def _no_home_but_the_tests_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test may find, or write to, the home of the person who runs it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ORDO_HOME", str(tmp_path_factory.getbasetemp() / "no-such-home"))
        yield
