"""Fails unless the archives given hold what they must, and nothing that must stay at home."""

from __future__ import annotations

import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
ALSO_IN_SOURCE = ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "completions/ordo.bash")


def held(archive: Path) -> set[str]:
    """The files inside, without the source archive's leading folder."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return set(wheel.namelist())
    with tarfile.open(archive) as source:
        return {name.partition("/")[2] for name in source.getnames()}


def main(archives: list[str]) -> int:
    package = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "ordo_cli").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    trouble = []
    for archive in map(Path, archives):
        inside = held(archive)
        must = package if archive.suffix == ".whl" else package | set(ALSO_IN_SOURCE)
        trouble += [f"{archive.name} lacks {name}" for name in sorted(must - inside)]
        trouble += [
            f"{archive.name} holds {name}"
            for name in sorted(inside)
            if name.startswith(("tests/", ".")) or ".pyc" in name
        ]
        print(f"{archive.name}: {len(inside)} files")
    if not any("migrations/" in name for name in package):
        trouble.append("the package has no migrations")
    print("\n".join(trouble), end="\n" if trouble else "")
    return 1 if trouble else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
