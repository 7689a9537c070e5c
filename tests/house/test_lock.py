"""The lock: no index address in it, no version below a security floor, in step with the project file."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest

from tests.house.tree import ROOT

LOCK: dict[str, Any] = tomllib.loads((ROOT / "poetry.lock").read_text(encoding="utf-8"))
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCKED = {package["name"]: package for package in LOCK["package"]}


def version(name: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", LOCKED[name]["version"])[:3])


def test_the_lock_names_no_index() -> None:
    assert [package["name"] for package in LOCK["package"] if "source" in package] == []
    assert [package["name"] for package in LOCK["package"] for file in package["files"] if "url" in file] == []
    assert "source" not in PROJECT["tool"].get("poetry", {})


def test_every_locked_file_has_a_hash() -> None:
    bare = [package["name"] for package in LOCK["package"] if not package["files"]]
    weak = [file["file"] for package in LOCK["package"] for file in package["files"] if file["hash"][:7] != "sha256:"]
    assert (bare, weak) == ([], [])


@pytest.mark.parametrize(
    ("name", "floor", "why"),
    [
        ("starlette", (1, 3, 1), "below it a crafted Host header makes request.url.path differ from what was routed"),
        ("cryptography", (50,), "older ones have open advisories"),
        ("h11", (0, 16), "older ones accept malformed chunked bodies"),
        ("sqlmodel", (0, 0, 45), "UTC datetimes are built in from here"),
    ],
)
def test_the_lock_stays_above_this_floor(name: str, floor: tuple[int, ...], why: str) -> None:
    assert version(name) >= floor, why


def test_typer_stays_below_the_release_that_imports_pydantic_at_every_command() -> None:
    assert version("typer") < (0, 29)


def test_the_lock_holds_every_package_that_the_project_names() -> None:
    groups = PROJECT["dependency-groups"]
    named = [
        *PROJECT["project"]["dependencies"],
        *(line for extra in PROJECT["project"]["optional-dependencies"].values() for line in extra),
        *(line for group in groups.values() for line in group),
    ]
    names = {re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!~; ]", line)[0]).lower() for line in named}
    assert names - LOCKED.keys() == set()


def test_the_project_allows_what_the_readme_promises() -> None:
    assert PROJECT["project"]["requires-python"] == LOCK["metadata"]["python-versions"] == ">=3.12"
    assert (ROOT / ".python-version").read_text().strip() == "3.12"
    assert PROJECT["project"]["scripts"] == {"ordo": "ordo_cli.__main__:main"}
