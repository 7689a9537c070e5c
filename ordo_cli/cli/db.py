"""`ordo db` on the command line: the database, to be looked after."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from ordo_cli.cli import door, show
from ordo_cli.cli.door import Json, Yes
from ordo_cli.cli.exits import DONE, FAILED
from ordo_cli.domain import urls
from ordo_cli.domain.errors import Invalid

if TYPE_CHECKING:
    from ordo_cli.desk import Desk
    from ordo_cli.services.databases import Copied, Finding, Moved, Restored, Schema

app = typer.Typer(help="Upgrade, check, back up and restore the database", no_args_is_help=True)


@app.command(epilog="Example: ordo db upgrade")
def upgrade(as_json: Json = False) -> None:
    """Bring the schema up to date. Every command does so by itself, after a backup; this says what became of it."""

    async def work(desk: Desk) -> Schema:
        from ordo_cli.services import databases

        return databases.upgraded(desk)

    found = door.run(work)
    said = {"ready": "nothing to do", "created": "made new", "upgraded": "upgraded; the old one is kept beside"}
    door.answer(
        "db upgrade",
        {"schema": found.revision, "became": found.became},
        as_json=as_json,
        text=lambda: show.line(f"schema {found.revision}: {said[found.became]}"),
    )


@app.command(epilog="Example: ordo db check --json")
def check(as_json: Json = False) -> None:
    """Look at every page, reference and guard, and follow the audit chain. Exit 1 when one is not well."""

    async def work(desk: Desk) -> list[Finding]:
        from ordo_cli.services import databases

        return await databases.check(desk)

    findings = door.run(work, reading=True)
    rows = [(each.check, "ok" if each.well else "failed", each.message) for each in findings]
    door.answer(
        "db check",
        [{"check": check, "verdict": verdict, "message": message} for check, verdict, message in rows],
        as_json=as_json,
        text=lambda: show.table("", ("check", "verdict", "message"), rows),
        exit_code=DONE if all(each.well for each in findings) else FAILED,
    )


@app.command(epilog="Example: ordo db backup /mnt/usb/ordo-2026-11-23.db")
def backup(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A new file; it is never written over")],
    as_json: Json = False,
) -> None:
    """Copy the database, also a PostgreSQL, into a file while everything goes on; it is checked before it is named."""

    async def work(desk: Desk) -> Copied:
        from ordo_cli.services import databases

        return await databases.backup(desk, file)

    done = door.run(work)
    door.answer(
        "db backup",
        {"path": done.path, "bytes": done.bytes, "rows": done.rows},
        as_json=as_json,
        text=lambda: show.line(f"{done.path}: {done.bytes} bytes, whole, {done.rows} audit rows"),
    )


@app.command(epilog="Example: ordo db restore /mnt/usb/ordo-2026-11-23.db")
def restore(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A backup made by ordo db backup")],
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Put a backup in place of the database. Ordo is stopped by it, and the old database stays beside."""
    door.confirm(f"replace the journal by {show.cleaned(file)}? what was sent since is not in it", yes=yes)
    from ordo_cli.services import databases

    done = databases.restore(door.home(), file, actor="cli")
    door.answer(
        "db restore",
        {
            "path": done.path,
            "set_aside": done.aside,
            "rows": done.rows,
            "rows_before": done.rows_before,
            "armed": False,
        },
        as_json=as_json,
        text=lambda: _told(done),
    )


@app.command("copy-to", epilog="Example: ordo db copy-to postgresql+asyncpg://ordo@db.example/ordo")
def copy_to(
    url: Annotated[
        str,
        typer.Argument(metavar="URL", help="An empty PostgreSQL, without the password; - reads the whole from stdin"),
    ],
    as_json: Json = False,
) -> None:
    """Move the journal from its file into an empty PostgreSQL, compared row by row. The file is left, and stopped."""
    import asyncio  # 45 ms

    from ordo_cli.services import databases

    done = asyncio.run(databases.move(door.home(), _url(url), actor="cli"))
    data = {"source": done.source, "target": done.target, "rows": done.rows, "audit_rows": done.audit_rows}
    door.answer("db copy-to", data, as_json=as_json, text=lambda: _told_where(done))


def _url(word: str) -> str:
    if word == "-":
        return sys.stdin.readline().strip()
    if urls.without_password(word)[1] is not None:
        raise Invalid(
            "a password among a command's words is seen by every user of this machine",
            hint="give it in PGPASSWORD or ~/.pgpass; or: ordo db copy-to - < file-with-the-url",
        )
    return word


def _told_where(done: Moved) -> None:
    show.line(f"{done.target}: {done.rows} rows, each compared, {done.audit_rows} of them audit rows")
    show.line(f"the old journal is kept, and nothing can be sent on its word: {done.source}")
    door.say("  use the new one: set database.url in config.toml, or ORDO_DATABASE__URL")


def _told(done: Restored) -> None:
    show.line(f"restored: {done.path}, {done.rows} audit rows" + _compared(done))
    if done.aside is not None:
        show.line(f"the old database is kept: {done.aside}")
    door.warn("orders sent after that backup are not in this journal, so nothing can be sent now")
    door.say("  read the brokers' books first:  ordo fanout reconcile")
    door.say('  then let orders leave again:    ordo kill release --scope global --reason "reconciled"')


def _compared(done: Restored) -> str:
    return "" if done.rows_before is None else f" (it had {done.rows_before})"
