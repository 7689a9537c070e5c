"""Reads the seeds: files of cases, each a text, perhaps repeated many times, and the verdict on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent
Seed = dict[str, Any]


def seeds(name: str) -> pytest.MarkDecorator:
    """Run a test once for each seed of this file."""
    found: list[Seed] = json.loads((FOLDER / f"{name}.json").read_text())
    return pytest.mark.parametrize("seed", found, ids=[seed["name"] for seed in found])


def text_of(value: str | list[Any]) -> str:
    """A text as the seed spells it: plain, or parts of which `[text, times]` stands for a repetition."""
    if isinstance(value, str):
        return value
    return "".join(part if isinstance(part, str) else text_of(part[0]) * part[1] for part in value)


def bytes_of(seed: Seed) -> bytes:
    """The file that the seed describes."""
    return text_of(seed["text"]).encode(seed.get("encoding", "utf-8"), "surrogatepass")
