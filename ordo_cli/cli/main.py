"""The way in: completion and the front page of help answer at once; everything else goes to Typer."""

from __future__ import annotations

import os
import sys


def main(argv: list[str] | None = None) -> int:
    """Run one command line and return its exit code. Nothing is imported here that the answer does not need."""
    words = list(sys.argv[1:] if argv is None else argv)
    if "_ORDO_COMPLETE" in os.environ:
        from ordo_cli.cli.complete import main as complete

        return complete()
    if not words or words in (["--help"], ["-h"], ["help"]):  # Typer would take 50 ms to say the same
        from ordo_cli.cli.front import print_front

        return print_front()
    if words == ["--version"]:
        from ordo_cli.cli.front import print_version

        return print_version()
    from ordo_cli.cli.root import call

    return call(words)
