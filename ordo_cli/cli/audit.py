"""`ordo audit` on the command line: what happened, and the proof that nobody rewrote it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from ordo_cli.cli import door, show
from ordo_cli.cli.door import Csv, Json
from ordo_cli.domain.errors import Invalid

if TYPE_CHECKING:
    from ordo_cli.desk import Desk
    from ordo_cli.domain.trail import Line, Verdict
    from ordo_cli.services.audit import Exported

app = typer.Typer(help="Show, verify and export the audit trail", no_args_is_help=True)

EXITS = {"whole": 0, "broken": 3, "truncated": 4, "rewritten": 5}
"""What a script learns from `ordo audit verify`; these numbers are its own and are never changed."""

COLUMNS = ("seq", "at", "type", "actor", "leg", "from", "to", "evidence", "data")


@app.command("show", epilog="Example: ordo audit show --leg 7h2k-3")
def show_rows(
    kind: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help="plan, state, kill, release, account, export …")
    ] = None,
    fan_out: Annotated[str | None, typer.Option("--fanout", metavar="ID", help="Rows of one fan-out")] = None,
    leg: Annotated[str | None, typer.Option("--leg", metavar="ID", help="Rows of one leg")] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="2026-11-23 or 2026-11-23T09:15, as your clock shows")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", help="The latest N rows")] = 50,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Who did what, when, and how it is known: the latest rows, oldest first."""
    start = None if since is None else _moment(since)
    lines = door.operate(lambda operations: operations.audit(kind, fan_out, leg, start, limit), reading=True)
    door.answer(
        "audit show",
        _json(lines) if as_json else None,
        as_json=as_json,
        as_csv=as_csv,
        text=lambda: show.table("", COLUMNS, [_cells(line) for line in lines], as_csv=as_csv),
    )


@app.command(epilog="Example: ordo audit verify --anchors /mnt/usb/anchors.jsonl")
def verify(
    anchors: Annotated[
        str | None, typer.Option("--anchors", metavar="F", help="A file of anchors, or a folder of such files")
    ] = None,
    as_json: Json = False,
) -> None:
    """Prove that no row was changed, removed, swapped or put in; with anchors, that none was cut off.

    Exit codes of its own: 0 whole, 3 broken, 4 truncated (an anchor knows more rows), 5 rewritten (an anchor differs).
    """

    async def work(desk: Desk) -> Verdict:
        from ordo_cli.services import audit

        return await audit.verify(desk, anchors)

    verdict = door.run(work, reading=True)
    data = {
        "state": str(verdict.state),
        "rows": verdict.rows,
        "head": verdict.head,
        "seq": verdict.seq,
        "reason": verdict.reason,
    }
    door.answer(
        "audit verify",
        data,
        as_json=as_json,
        text=lambda: show.line(_sentence(verdict)),
        exit_code=EXITS[str(verdict.state)],
    )


@app.command(epilog="Example: ordo audit export audit.jsonl --anchor /mnt/usb/anchors.jsonl")
def export(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A new file: one row a line, as JSON")],
    anchor: Annotated[
        str | None, typer.Option("--anchor", metavar="F", help="Add the chain's head to this file; keep it elsewhere")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write the whole trail to a file, and its head to a file of anchors that proves it later."""

    async def work(desk: Desk) -> Exported:
        from ordo_cli.services import audit

        return await audit.export(desk, file, anchor)

    done = door.run(work)
    head = {"origin": done.anchor.origin, "size": done.anchor.size, "head": done.anchor.head, "at": done.anchor.at}
    door.answer(
        "audit export",
        {"path": done.path, "rows": done.rows, "anchor": head, "anchor_path": done.anchor_path},
        as_json=as_json,
        text=lambda: _told(done),
    )


def _told(done: Exported) -> None:
    show.line(f"{done.rows} rows in {done.path}, head {done.anchor.head}")
    if done.anchor_path is not None:
        show.line(f"anchor added to {done.anchor_path}; a copy away from this machine is what makes it worth something")


def _sentence(verdict: Verdict) -> str:
    if verdict.reason is None:
        return f"whole: {verdict.rows} rows, head {verdict.head}"
    return f"{verdict.state}: {verdict.reason} (row {verdict.seq})"


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(f"{text!r} is not a time", hint="write 2026-11-23 or 2026-11-23T09:15") from None
    return moment.astimezone(UTC)


def _json(lines: Sequence[Line]) -> object:
    from ordo_cli import schemas  # pydantic, 45 ms; only for --json

    return [schemas.audit_row(line) for line in lines]


def _cells(line: Line) -> tuple[object, ...]:
    about = line.ids.get("leg") or line.ids.get("fan_out") or line.ids.get("account")
    data = " ".join(f"{name}={_short(value)}" for name, value in line.data.items() if value is not None)
    return (line.seq, line.at, line.type, line.actor, about, line.before, line.after, line.evidence, data)


def _short(value: object) -> str:
    if isinstance(value, dict):
        return ",".join(f"{name}:{each}" for name, each in value.items() if each is not None)
    if isinstance(value, list):
        return f"[{len(value)}]"
    return str(value)
