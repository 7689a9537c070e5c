"""Records what `poetry export` makes of the lock, one line a package, for the test of `requirements.py`.

    poetry export --with test,checks,build --all-extras | python3 .ci/record_export.py

Needs poetry with its export plugin, so it is run by whoever changes the lock; the test itself always runs.
"""

from __future__ import annotations

import hashlib
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
RECORD = ROOT / "tests" / "house" / "recorded" / "export.txt"


def lines(exported: str) -> list[str]:
    """`name==version ; marker # digest of the hashes`, for each requirement of an export."""
    found = []
    for requirement in re.split(r"\n(?=\S)", exported.strip()):
        head, *rest = requirement.split("\\\n")
        hashes = sorted(part.strip() for part in rest)
        found.append(f"{head.strip()} # {hashlib.sha256(' '.join(hashes).encode()).hexdigest()[:16]}")
    return sorted(found)


def main() -> None:
    lock = hashlib.sha256((ROOT / "poetry.lock").read_bytes()).hexdigest()
    made = [f"# made from the lock with sha256 {lock}", *lines(sys.stdin.read())]
    RECORD.write_text("\n".join(made) + "\n", encoding="utf-8")
    print(f"{len(made) - 1} requirements recorded")


if __name__ == "__main__":
    main()
