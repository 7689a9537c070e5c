"""Brokers of other packages: installed is not allowed, and what is allowed has to keep its word."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ordo_cli import brokers
from ordo_cli.domain.accounts import BrokerName
from ordo_cli.domain.errors import Invalid, NotFound

Install = Callable[..., Path]
SPEC = """
from pathlib import Path
Path(__file__).with_suffix(".ran").touch()
from dataclasses import replace
from ordo_cli.brokers.paper import SPEC as PAPER
from ordo_cli.domain.values import replace
SPEC = replace(PAPER, name={name!r}, title="A stranger's")
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Put a package where Python finds it, as pip would have."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def installed(package: str, broker: str, source: str | None = None, says: str | None = None) -> Path:
        module = f"stranger_{package.replace('-', '_').replace('.', '_')}"
        (tmp_path / f"{module}.py").write_text(source if source is not None else SPEC.format(name=says or broker))
        folder = tmp_path / f"{package.replace('-', '_')}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text(f"[ordo.brokers]\n{broker} = {module}:SPEC\n")
        return tmp_path / f"{module}.ran"

    brokers._loaded.cache_clear()
    yield installed
    for name in [name for name in sys.modules if name.startswith("stranger_")]:
        del sys.modules[name]


def test_what_is_merely_installed_never_runs_and_says_how_it_would(install: Install) -> None:
    ran = install("Ordo.Acme", "acme")
    with pytest.raises(NotFound) as refused:
        brokers.spec("acme")
    assert refused.value.hint is not None
    assert "ordo config set plugins.allowed ordo-acme" in refused.value.hint
    assert "acme" not in brokers.names()
    assert not ran.exists()


@pytest.mark.parametrize("allowed", ["ordo-acme", "Ordo.Acme", "ordo_acme"])
def test_one_that_is_allowed_by_name_is_a_broker_like_any_other(install: Install, allowed: str) -> None:
    ran = install("Ordo.Acme", "acme")
    assert brokers.spec("acme", [allowed]).title == "A stranger's"
    assert "acme" in brokers.names([allowed])
    assert ran.exists()


def test_another_package_is_not_allowed_with_it(install: Install) -> None:
    ran = install("other", "acme")
    with pytest.raises(NotFound):
        brokers.spec("acme", ["ordo-acme", ""])
    assert not ran.exists()


def test_nobody_can_stand_in_for_a_broker_of_ordos_own(install: Install) -> None:
    ran = install("evil", "paper")
    assert brokers.spec("paper", ["evil"]).title != "A stranger's"
    assert not ran.exists()
    assert brokers.names(["evil"]).count(BrokerName("paper")) == 1


@pytest.mark.parametrize("source", ["raise RuntimeError('a secret')", "SPEC = 1", "import nothing_of_that_name"])
def test_a_package_that_does_not_keep_its_word_is_named(install: Install, source: str) -> None:
    install("broken", "acme", source)
    with pytest.raises(Invalid, match="broken") as refused:
        brokers.spec("acme", ["broken"])
    assert "secret" not in refused.value.message


def test_a_package_that_brings_somebody_else_is_refused(install: Install) -> None:
    install("liar", "acme", says="zerodha")
    with pytest.raises(Invalid, match="liar"):
        brokers.spec("acme", ["liar"])
