"""`ordo doctor` on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ordo_cli.cli import door, show
from ordo_cli.cli.door import Json
from ordo_cli.cli.exits import DONE, FAILED

if TYPE_CHECKING:
    from ordo_cli.services.doctor import Verdict


def doctor(as_json: Json = False) -> None:
    """Say what is wrong with this installation and how to mend it.

    Example: ordo doctor --json
    """
    import asyncio  # 45 ms that help need not pay

    from ordo_cli.services.doctor import Level, examine

    verdicts = asyncio.run(examine(door.home()))
    rows = [(each.check, each.verdict, each.message, each.mend) for each in verdicts]
    door.answer(
        "doctor",
        _json(verdicts) if as_json else None,
        as_json=as_json,
        text=lambda: show.table("", ("check", "verdict", "message", "mend"), rows),
        exit_code=FAILED if any(each.verdict is Level.FAIL for each in verdicts) else DONE,
    )


def _json(verdicts: list[Verdict]) -> list[dict[str, Any]]:
    from ordo_cli import schemas  # pydantic, 45 ms; only for --json

    return [schemas.verdict(each) for each in verdicts]
