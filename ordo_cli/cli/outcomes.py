"""Fan-outs as commands end with them: what became of one, and the words that name a state."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ordo_cli.cli import door
from ordo_cli.cli.exits import NOT_YET, exit_code_of
from ordo_cli.domain.errors import Invalid

if TYPE_CHECKING:
    from ordo_cli.domain.fanouts import FanOut


def answer_fan_out(command: str, fan_out: FanOut, until: str, as_json: bool) -> None:
    """End a command with what became of a fan-out."""
    from ordo_cli.cli.live import show_fan_out

    code = exit_code_of(fan_out, until, interrupted=door.interrupted())

    def text() -> None:
        show_fan_out(fan_out)
        if code == NOT_YET:
            door.say(f"  not yet {until} everywhere; to follow it: ordo fanout watch {fan_out.id} --until {until}")

    door.answer(
        command,
        _json(fan_out) if as_json else None,
        as_json=as_json,
        text=text,
        exit_code=code,
    )


def _json(fan_out: FanOut) -> object:
    from ordo_cli import schemas  # pydantic, 45 ms; only for --json

    return schemas.fan_out(fan_out)


def choice[T](kind: Callable[[str], T], text: str, flag: str) -> T:
    """The member of an enum that was named. Typer is not given the engine's enums, so that it need not load them."""
    try:
        return kind(text)
    except ValueError:
        words = ", ".join(kind)  # type: ignore[arg-type]
        raise Invalid(f"{flag} is one of {words}, not {text[:40]!r}") from None
