"""Writes the completion scripts that ship beside ordo into `completions/`.

python .ci/completions.py
"""

from __future__ import annotations

from pathlib import Path

from ordo_cli.cli.shells import FILES, SCRIPTS

FOLDER = Path(__file__).parents[1] / "completions"


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for shell, name in FILES.items():
        (FOLDER / name).write_text(SCRIPTS[shell], encoding="utf-8")


if __name__ == "__main__":
    main()
