"""Files of orders on the command line: check one as a whole, run it, and see what became of every row."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ordo_cli.cli import door, show
from ordo_cli.cli.door import Json, Yes
from ordo_cli.cli.exits import (
    ALL_REFUSED,
    DONE,
    FAILED,
    INTERRUPTED,
    KILLED,
    NOT_YET,
    PARTIAL,
    REFUSED,
    UNKNOWN,
    exit_code_of,
)
from ordo_cli.domain.errors import Invalid
from ordo_cli.domain.fanouts import Fate, fate

if TYPE_CHECKING:
    from ordo_cli.desk import Desk
    from ordo_cli.domain.batch import Fault, Row
    from ordo_cli.services.batch import Judged, Report, Result
    from ordo_cli.services.batchformats import Format

app = typer.Typer(help="Check and run files of orders", no_args_is_help=True)

File = Annotated[str, typer.Argument(metavar="FILE", help="CSV, JSON, JSON Lines or YAML; - is standard input")]
Kind = Annotated[
    str | None,
    typer.Option("--format", metavar="csv|json|jsonl|yaml", help="What the file is, if its ending does not say"),
]
SHOWN_FAULTS = 50
FAULTS = ("line", "column", "problem", "hint")
ROWS = ("line", "order", "to", "outcome", "accepted", "refused", "not sent", "unknown", "note")


@app.command("check", epilog="Example: ordo batch check morning.csv")
def check(file: File, kind: Kind = None, as_json: Json = False) -> None:
    """Look at a whole file and name every mistake with its line. Sends nothing."""
    rows, faults = _read(file, kind)
    judged = door.run(lambda desk: _judge(desk, rows, faults), reading=True)
    _end_check("batch check", file, judged, as_json)


@app.command("run", epilog="Example: ordo batch run morning.csv --yes")
def run(
    file: File,
    kind: Kind = None,
    batch: Annotated[
        str | None,
        typer.Option("--batch", metavar="NAME", help="Rows are sent once a day under this name [the file's name]"),
    ] = None,
    new_run: Annotated[bool, typer.Option("--new-run", help="Send again what was sent before today")] = False,
    allow_duplicate: Annotated[
        bool, typer.Option("--allow-duplicate", help="Send although the same order just went")
    ] = False,
    confirm: Annotated[bool, typer.Option("--confirm", help="Accept the checks that ask for a second look")] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Send every order of a file, once. A second run on the same day repeats the answers and sends only what is new.

    Rows with a key of their own keep it, also with --new-run.
    """
    rows, faults = _read(file, kind)
    name = batch or (os.path.basename(file) if file != "-" else "stdin")

    async def work(desk: Desk) -> Report | Judged:
        judged = await _judge(desk, rows, faults)
        if judged.faults:
            return judged
        door.banner(judged.mode, [account.id for account in judged.accounts])
        _note_copies(judged, allow_duplicate)
        if judged.mode == "live":
            door.confirm(f"Send {_orders(len(rows))}?", yes=yes)
        return await _run(desk, rows, _new(name, desk) if new_run else name, allow_duplicate, confirm)

    done = door.run(work)
    from ordo_cli.services.batch import Judged  # loaded by the work itself

    if isinstance(done, Judged):
        _end_check("batch run", file, done, as_json)
        return
    door.answer(
        "batch run",
        _report_json(done) if as_json else None,
        as_json=as_json,
        text=lambda: _print_report(done),
        exit_code=exit_code_of_report(done),
    )


def exit_code_of_report(report: Report) -> int:
    """The worst that happened decides: unknown, then killed or interrupted, then what the legs came to together."""
    fan_outs = [result.fan_out for result in report.results if result.fan_out is not None]
    codes = [exit_code_of(fan_out) for fan_out in fan_outs]
    if UNKNOWN in codes:
        return UNKNOWN
    if report.halt is not None and report.halt in HALTED:
        return HALTED[report.halt]
    if all(code == DONE for code in codes) and len(codes) == len(report.results):
        return DONE
    fates = {fate(leg) for fan_out in fan_outs for leg in fan_out.legs}
    if Fate.ACCEPTED in fates:
        return PARTIAL if len(codes) < len(report.results) or set(codes) - {DONE, NOT_YET} else NOT_YET
    if Fate.WAITING in fates:
        return NOT_YET
    if Fate.REFUSED in fates:
        return ALL_REFUSED
    return _nothing_sent(report, codes)


HALTED = {"killed": KILLED, "interrupted": INTERRUPTED}


def _nothing_sent(report: Report, codes: list[int]) -> int:
    if report.halt is not None:
        return FAILED
    kinds = {*codes, *(REFUSED for result in report.results if result.fan_out is None)}
    return kinds.pop() if len(kinds) == 1 else REFUSED


def _read(file: str, kind: str | None) -> tuple[list[Row], list[Fault]]:
    """The rows and faults of a file; the format is settled before anything is opened."""
    from ordo_cli.services import batchfiles
    from ordo_cli.services.batchformats import Format

    said: Format | None = None
    if kind is not None:
        if kind not in set(Format):
            raise Invalid(f"--format is one of {', '.join(Format)}, not {kind[:40]!r}")
        said = Format(kind)
    if file == "-":
        chosen = said or Format.CSV
        return batchfiles.parse(sys.stdin.buffer.read(batchfiles.LARGEST + 1), chosen)
    chosen = batchfiles.format_of(file, said)
    return batchfiles.parse(batchfiles.load(file), chosen)


async def _judge(desk: Desk, rows: list[Row], faults: list[Fault]) -> Judged:
    from ordo_cli.services import batch

    return await batch.judge(desk, rows, faults)


async def _run(desk: Desk, rows: list[Row], name: str, allow_duplicate: bool, confirmed: bool) -> Report:
    from ordo_cli.services import batch

    with Progress(len(rows)) as progress:
        return await batch.run(desk, rows, name, progress, allow_duplicate=allow_duplicate, confirmed=confirmed)


def _new(name: str, desk: Desk) -> str:
    fresh = f"{name}#{desk.chance.token(8)}"
    door.say(f"new run: {show.cleaned(fresh)} (to go on with it later: --batch {show.cleaned(fresh)!r})")
    return fresh


class Progress:
    """How far a run is, on standard error: a bar on a terminal, a line for each row otherwise."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._bar: Any = None

    def __enter__(self) -> Progress:
        if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
            self._bar = _bar(self._rows)
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, result: Result) -> None:
        said = f"line {result.row.line}: {_order(result.row)} {_outcome(result)}"
        why = _note(result)
        if self._bar is None:
            door.say(said + (f": {why}" if why else ""))
        else:
            self._bar.advance(self._bar.task_ids[0])


def _bar(rows: int) -> Any:
    from rich.console import Console  # 45 ms; only when somebody is looking
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    bars = Bars(
        TextColumn("sending"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True, width=show.width()),
        transient=True,
    )
    bars.add_task("rows", total=rows)
    return bars


def _end_check(command: str, file: str, judged: Judged, as_json: bool) -> None:
    def text() -> None:
        if judged.faults:
            rows = [(it.line, it.column, it.message, it.hint) for it in judged.faults[:SHOWN_FAULTS]]
            show.table(f"{show.cleaned(file)} is wrong", FAULTS, rows)
            more = len(judged.faults) - SHOWN_FAULTS
            door.say(f"and {more} more (all of them: --json)" if more > 0 else "nothing was sent")
            return
        names = ", ".join(account.id for account in judged.accounts)
        show.line(f"{_orders(len(judged.rows))} for {names} ({judged.mode}); nothing is wrong with the file")
        _note_copies(judged, False)

    code = REFUSED if judged.faults else DONE
    door.answer(command, _judged_json(file, judged) if as_json else None, as_json=as_json, text=text, exit_code=code)


def _note_copies(judged: Judged, allowed: bool) -> None:
    for line, earlier in judged.copies[:5] if not allowed else ():
        door.say(
            f"line {line} repeats line {earlier}: within seconds it would count as a slip (--allow-duplicate sends it)"
        )
    if len(judged.copies) > 5 and not allowed:
        door.say(f"and {len(judged.copies) - 5} more lines repeat earlier ones")


def _print_report(report: Report) -> None:
    show.table(f"batch {show.cleaned(report.batch)}", ROWS, [_cells(result) for result in report.results])
    tally = Counter(_outcome(result) for result in report.results)
    door.say(f"{_orders(len(report.results))}: " + ", ".join(f"{count} {word}" for word, count in tally.items()))
    hints = (result.problem.hint for result in report.results if result.problem and result.problem.hint)
    for hint in list(dict.fromkeys(hints))[:5]:
        door.say(f"  {show.cleaned(hint)}")


def _cells(result: Result) -> tuple[object, ...]:
    tally = result.fan_out.summary if result.fan_out is not None else None
    counts = (tally.accepted, tally.refused, tally.not_sent, tally.unknown) if tally is not None else ("", "", "", "")
    targets = " ".join(str(target) for target in result.row.targets)
    return (result.row.line, _order(result.row), targets, _outcome(result), *counts, _note(result))


def _order(row: Row) -> str:
    intent = row.intent
    price = "" if intent.limit_price is None else f" @ {show.cell(intent.limit_price)}"
    return f"{intent.side} {intent.quantity} {intent.instrument}{price}"


def _outcome(result: Result) -> str:
    return str(result.fan_out.outcome) if result.fan_out is not None else "not_sent"


def _note(result: Result) -> str:
    if result.fan_out is None:
        return show.cleaned(result.problem.message) if result.problem is not None else ""
    said = dict.fromkeys(leg.problem.message for leg in result.fan_out.legs if leg.problem is not None)
    return "; ".join([*(["as before; nothing sent"] if result.fan_out.replayed else []), *map(show.cleaned, said)])


def _orders(count: int) -> str:
    return f"{count} order{'' if count == 1 else 's'}"


def _judged_json(file: str, judged: Judged) -> dict[str, object]:
    return {
        "file": show.cleaned(file),
        "mode": str(judged.mode),
        "orders": len(judged.rows),
        "accounts": [account.id for account in judged.accounts],
        "faults": [_fault_json(fault) for fault in judged.faults],
        "copies": [{"line": line, "repeats": earlier} for line, earlier in judged.copies],
    }


def _fault_json(fault: Fault) -> dict[str, object]:
    hint = show.cleaned(fault.hint) if fault.hint else None
    return {"line": fault.line, "column": fault.column, "message": show.cleaned(fault.message), "hint": hint}


def _report_json(report: Report) -> dict[str, object]:
    from ordo_cli import schemas  # pydantic, 45 ms; only for --json

    def row(result: Result) -> dict[str, object]:
        problem = None if result.problem is None else schemas.Problem.of(result.problem).model_dump(mode="json")
        fan_out = None if result.fan_out is None else schemas.fan_out(result.fan_out)
        return {
            "line": result.row.line,
            "key": result.key,
            "outcome": _outcome(result),
            "fanout": fan_out,
            "problem": problem,
        }

    tally: Sequence[tuple[str, int]] = sorted(Counter(_outcome(result) for result in report.results).items())
    return {
        "batch": show.cleaned(report.batch),
        "stopped": None if report.halt is None else str(report.halt),
        "summary": {"rows": len(report.results), **dict(tally)},
        "rows": [row(result) for result in report.results],
    }
