"""Recorded answers: composed for the shapes that the sources describe, with made-up names and numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "recorded" / "mstock"


def recorded(call: str) -> Any:
    return json.loads(raw(call))


def raw(call: str) -> bytes:
    return (FOLDER / f"{call}.json").read_bytes()


def script_master() -> list[str]:
    return (FOLDER / "scriptmaster.csv").read_text(encoding="utf-8").splitlines(keepends=True)
