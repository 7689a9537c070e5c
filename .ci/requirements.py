"""Prints the exact lock as hashed requirements for plain pip: name, version, marker, hashes.

    python3 .ci/requirements.py [--group test] [--group checks] [--extra postgres] [--extra redis]
    python3 .ci/requirements.py --only build

Needs nothing but the standard library, so that a machine with only Python and git installs what the lock says. Pip then
refuses every file whose hash is not in the lock.
"""

from __future__ import annotations

import argparse
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

LOCK = Path(__file__).parents[1] / "poetry.lock"
ALWAYS = 'python_version >= "3"'
NEVER = 'python_version < "3"'
EXTRA = re.compile(r"""extra\s*==\s*(["'])(?P<name>[^"']+)\1""")


def requirements(lock: Mapping[str, Any], groups: set[str], extras: set[str]) -> Iterator[str]:
    """One requirement for each locked package that these groups and extras want."""
    names = {normal(name) for name in extras}
    if unknown := (names - {normal(name) for name in lock.get("extras", {})}) | (groups - grouped(lock)):
        raise SystemExit(f"the lock knows no group or extra {' '.join(sorted(unknown))}")
    for package in lock["package"]:
        if "source" in package:
            raise SystemExit(f"{package['name']} is locked to an address of its own; the lock must not name an index")
        marker = marker_of(package, groups, names)
        if marker is None:
            continue
        condition = f" ; {marker}" if marker else ""
        hashes = "".join(f" \\\n    --hash={file['hash']}" for file in package["files"])
        yield f"{package['name']}=={package['version']}{condition}{hashes}"


def marker_of(package: Mapping[str, Any], groups: set[str], extras: set[str]) -> str | None:
    """What must hold for this package to be installed: nothing ("") when it always is, None when it never is."""
    stated = package.get("markers", "")
    wanted: set[str] = set()
    for group in groups.intersection(package["groups"]):
        marker = stated.get(group, "") if isinstance(stated, Mapping) else stated
        wanted.add(EXTRA.sub(lambda found: ALWAYS if normal(found["name"]) in extras else NEVER, marker) or ALWAYS)
    wanted.discard(NEVER)
    if not wanted:
        return None
    if ALWAYS in wanted:
        return ""
    return " or ".join(f"({marker})" for marker in sorted(wanted)) if len(wanted) > 1 else wanted.pop()


def grouped(lock: Mapping[str, Any]) -> set[str]:
    return {group for package in lock["package"] for group in package["groups"]}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def main() -> None:
    parser = argparse.ArgumentParser(description="print the lock as hashed requirements")
    parser.add_argument("--group", action="append", default=[], help="a dependency group beside what ordo itself needs")
    parser.add_argument("--only", action="append", default=[], help="a dependency group without what ordo itself needs")
    parser.add_argument("--extra", action="append", default=[], help="an extra of ordo")
    parser.add_argument("--lock", type=Path, default=LOCK)
    asked = parser.parse_args()
    lock = tomllib.loads(asked.lock.read_text(encoding="utf-8"))
    groups = {*asked.group, *asked.only} if asked.only else {"main", *asked.group}
    print("\n".join(requirements(lock, groups, set(asked.extra))))


if __name__ == "__main__":
    main()
