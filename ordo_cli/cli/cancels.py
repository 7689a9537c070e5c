"""What became of cancels, as a table, as JSON and as an exit code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ordo_cli.cli import door, show
from ordo_cli.cli.exits import exit_code_of_cancels

if TYPE_CHECKING:
    from ordo_cli.services.cancelling import Cancelled


def answer_cancels(command: str, done: Sequence[Cancelled], as_json: bool) -> None:
    """End a command with what became of each cancel: 0 when nothing of them works any more."""
    columns = ("account", "order", "leg", "state", "filled", "note")
    rows = [_cancel_row(each) for each in done]

    def text() -> None:
        if rows:
            show.table("", columns, rows)
        else:
            door.say("nothing to cancel")

    door.answer(
        command,
        [_cancel_json(each) for each in done] if as_json else None,
        as_json=as_json,
        text=text,
        exit_code=exit_code_of_cancels(done),
    )


def _cancel_row(each: Cancelled) -> tuple[object, ...]:
    state = each.report.state if each.report else (each.leg.state if each.leg else "unknown")
    filled = each.report.filled_quantity if each.report else None
    return (
        each.account,
        each.order_id,
        each.leg.id if each.leg else "",
        state,
        filled,
        each.problem.message if each.problem else "",
    )


def _cancel_json(each: Cancelled) -> object:
    from ordo_cli import schemas

    return schemas.cancelled(each)
