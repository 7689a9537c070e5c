"""`ordo doctor` on the command line."""

from __future__ import annotations

from ordo_cli.cli import door, show
from ordo_cli.cli.door import Json
from ordo_cli.cli.exits import DONE, FAILED


def doctor(as_json: Json = False) -> None:
    """Say what is wrong with this installation and how to mend it.

    Example: ordo doctor --json
    """
    import asyncio  # 45 ms that help need not pay

    from ordo_cli.services.doctor import Level, examine

    verdicts = asyncio.run(examine(door.home()))
    rows = [(each.check, str(each.verdict), each.message, each.mend or "") for each in verdicts]
    names = ("check", "verdict", "message", "mend")
    failed = any(each.verdict is Level.FAIL for each in verdicts)
    door.answer(
        "doctor",
        [dict(zip(names, (*row[:3], row[3] or None), strict=True)) for row in rows],
        as_json=as_json,
        text=lambda: show.table("", names, [(*row[:3], row[3] if row[1] != Level.OK else "") for row in rows]),
        exit_code=FAILED if failed else DONE,
    )
