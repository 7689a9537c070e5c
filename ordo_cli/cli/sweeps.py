"""What a sweep did: cancelled, closed, kept and left behind, account by account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ordo_cli.cli import door, show
from ordo_cli.cli.exits import DONE, NOT_FLAT

if TYPE_CHECKING:
    from ordo_cli.services.sweep import SweepReport

COLUMNS = ("account", "verdict", "cancelled", "closed", "kept", "left")


def answer_sweep(command: str, report: SweepReport, as_json: bool) -> None:
    """End a command with what was observed after a sweep: 0 when every account is seen to be clean, else 10."""
    door.answer(
        command,
        _data(report) if as_json else None,
        as_json=as_json,
        text=lambda: print_sweep(report),
        exit_code=DONE if report.clean else NOT_FLAT,
    )


def print_sweep(report: SweepReport) -> None:
    """One row an account, and every problem named on standard error."""
    rows = [
        (
            at.account,
            "ok" if at.clean else "failed",
            len(at.cancelled),
            " ".join(f"{closed.quantity} {closed.instrument}" for closed in at.closed),
            len(at.kept),
            "; ".join(at.left),
        )
        for at in report.accounts
    ]
    show.table("", COLUMNS, rows)
    for at in report.accounts:
        for problem in at.problems:
            door.warn(f"{at.account}: {show.cleaned(problem.message)}")
            if problem.hint:
                door.say(f"  {show.cleaned(problem.hint)}")


def _data(report: SweepReport) -> object:
    from ordo_cli import schemas  # pydantic, 45 ms; only for --json

    return schemas.sweep(report)
