"""`ordo help`: the topics, and the help of any command."""

from __future__ import annotations

from typing import Annotated

import typer

from ordo_cli.cli import front
from ordo_cli.cli.topics import TOPICS
from ordo_cli.cli.tree import entries
from ordo_cli.domain.errors import NotFound


def help_(
    topic: Annotated[
        list[str] | None, typer.Argument(metavar="[TOPIC|COMMAND]", help="e.g. exit-codes, or order place")
    ] = None,
) -> None:
    """Explain a topic or a command. Example: ordo help exit-codes"""
    words = topic or []
    if not words:
        front.print_front()
    elif words[0] in TOPICS:
        front.write_out(TOPICS[words[0]])
    elif words[0] in entries():
        from ordo_cli.cli.root import call

        raise typer.Exit(call([*words, "--help"]))
    else:
        raise NotFound(f"there is no help on {words[0]!r}", hint="topics: " + ", ".join(TOPICS))
