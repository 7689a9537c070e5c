"""How the fetching of lists looks while it runs: a bar for each on a terminal, a line per event otherwise."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ordo_cli.cli import door, show

if TYPE_CHECKING:
    from ordo_cli.desk import Desk
    from ordo_cli.services.masters import Progress, Synced, Watch

OVER = ("done", "failed")


class Fetching:
    """Shows how far each list is, on standard error. Give it to a service as `watch`."""

    def __init__(self) -> None:
        self._told: dict[str, str] = {}
        self._bars: Any = None
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> Self:
        if door.lively():
            self._bars = _bars()
            self._bars.start()
            door.talk_above(self._print_above)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            door.talk_above(None)
            self._bars.stop()

    def _print_above(self, text: str) -> None:
        from rich.text import Text

        self._bars.console.print(Text.from_ansi(text.lstrip("\n")))

    def __call__(self, progress: Progress) -> None:
        if self._bars is not None:
            self._draw(progress)
        elif self._told.get(progress.name) != progress.step:
            door.say(_line(progress))
        self._told[progress.name] = progress.step

    def _draw(self, progress: Progress) -> None:
        if progress.name not in self._tasks:
            self._tasks[progress.name] = self._bars.add_task(show.cleaned(progress.name), total=None, said="")
        over = progress.step in OVER
        self._bars.update(
            self._tasks[progress.name],
            completed=1 if over else progress.done,
            total=1 if over else progress.total if progress.step == "fetching" else None,
            said=_said(progress),
        )


def fetched(work: Callable[[Desk, Watch], Awaitable[list[Synced]]]) -> list[Synced]:
    """Fetch lists while somebody looks on, and say which did not come."""

    async def watched(desk: Desk) -> list[Synced]:
        with Fetching() as watch:
            return await work(desk, watch)

    done = door.run(watched, reading=True)
    for each in done:
        if each.problem is not None:
            hint = f"\n  {show.cleaned(each.problem.hint)}" if each.problem.hint else ""
            door.warn(f"{each.title}: {show.cleaned(each.problem.message)}{hint}")
    return done


def _line(progress: Progress) -> str:
    return f"{show.cleaned(progress.name)} {_said(progress)}"


def _said(progress: Progress) -> str:
    if progress.step == "fetching":
        return f"fetching {progress.done / 1e6:.1f} MB" if progress.done else "fetching"
    if progress.step == "failed":
        return "failed"
    return f"{progress.step}: {progress.done:,} instruments" if progress.done else progress.step


def _bars() -> Any:
    from rich.console import Console  # 45 ms; only when somebody is looking
    from rich.progress import BarColumn, Progress, TextColumn

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[said]}", markup=False),
        console=Console(file=sys.stderr, width=show.width()),
        transient=True,  # the table goes to standard output
        redirect_stdout=False,
        redirect_stderr=False,
    )
