"""The picture of `/docs` in the README shows the API as it is: what a browser saw is noted in it."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

from ordo_cli.api.app import make_app
from ordo_cli.api.settings import Settings
from ordo_cli.desk import open_desk
from ordo_cli.home import find_home
from tests.house.tree import ROOT

LARGEST = 200_000  # bytes


@pytest.fixture
def taking(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script that takes the picture."""
    monkeypatch.syspath_prepend(str(ROOT / ".ci"))
    return importlib.import_module("docs_picture")


async def test_the_picture_shows_the_api_as_it_is(taking: ModuleType, tmp_path: Path) -> None:
    async with open_desk(find_home({"ORDO_HOME": str(tmp_path)})) as desk:
        app = make_app(desk, Settings())
    assert taking.recorded() == taking.shows(app.openapi()), "take it again: python .ci/docs_picture.py"


def test_the_picture_is_small_and_stands_in_the_readme(taking: ModuleType) -> None:
    picture = taking.PICTURE.read_bytes()
    assert len(picture) < LARGEST
    assert taking.png.size(picture)[0] == taking.WIDTH
    assert f"]({taking.PICTURE.relative_to(ROOT).as_posix()})" in (ROOT / "README.md").read_text(encoding="utf-8")
