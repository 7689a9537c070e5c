"""The database: checked, copied for safe keeping, put back from such a copy, and moved to a PostgreSQL."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping

from ordo_cli import arming
from ordo_cli.config import load
from ordo_cli.desk import Desk
from ordo_cli.domain.errors import Busy, Invalid, StoreFailed
from ordo_cli.domain.seams import Chance, Clock
from ordo_cli.domain.trail import State, Verdict
from ordo_cli.domain.urls import is_postgresql
from ordo_cli.domain.values import dataclass
from ordo_cli.home import Home, make
from ordo_cli.locks import Locks
from ordo_cli.machine import SystemChance, SystemClock
from ordo_cli.store import copies
from ordo_cli.store.chain import Origin, Tell
from ordo_cli.store.driver import BUSY_SECONDS, Ask, Body, connect, failed, prepare, run_now, step, write_down
from ordo_cli.store.faults import faults_of
from ordo_cli.store.opening import path_of
from ordo_cli.store.rows import micros
from ordo_cli.store.schema import HEAD, only_one, refuse_newer, revision
from ordo_cli.store.switches import engaging


@dataclass(frozen=True, slots=True)
class Schema:
    """The schema's version, and what opening the database made of it: ready, created or upgraded."""

    revision: str
    became: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at, and whether it is well."""

    check: str
    well: bool
    message: str


@dataclass(frozen=True, slots=True)
class Copied:
    path: str
    bytes: int
    rows: int  # of the audit log


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did: where the old database is, and how many audit rows the new one has against the old."""

    path: str
    aside: str | None
    rows: int
    rows_before: int | None


@dataclass(frozen=True, slots=True)
class Moved:
    """What a move did: where the journal was and is now, and how many rows it has."""

    source: str
    target: str  # without its password
    rows: int
    audit_rows: int


def upgraded(desk: Desk) -> Schema:
    """What became of the schema when this desk was opened; that is when it is upgraded."""
    return Schema(HEAD, desk.store.became)


async def check(desk: Desk) -> list[Finding]:
    """Look at everything: pages, references, schema and guards, what commits promise, and the audit chain."""
    faults = await desk.store.faults()
    trouble = await desk.store.health()
    verdict = await desk.store.audit.verify()
    return [
        Finding("rows", not faults, "; ".join(faults) or "pages, references, tables and guards are in order"),
        Finding("schema", True, f"version {HEAD}, the newest that this ordo knows"),
        Finding("durability", trouble is None, trouble or await desk.store.described()),
        Finding("audit", verdict.state is State.WHOLE, _said(verdict)),
    ]


async def backup(desk: Desk, path: str) -> Copied:
    """Copy the database to a new file while everything goes on, and judge the copy before it is called one.

    The copy is an SQLite file, whatever database it is made of.
    """
    beside = f"{path}.new-{desk.chance.token(6)}"
    if os.path.exists(path):
        raise Invalid(f"{path} exists already and is not overwritten")
    await desk.store.backup(beside)
    try:
        rows = judge(beside)
        os.rename(beside, path)
    finally:
        if os.path.exists(beside):
            os.unlink(beside)
    await desk.store.audit.append("backup", {"rows": rows}, {})
    return Copied(path, os.path.getsize(path), rows)


def judge(path: str) -> int:
    """How many audit rows a copy has. Raises StoreFailed unless it is whole, ordo's and not of a newer ordo."""
    with copies.looking_at(path) as connection:
        found = revision(connection)
        if found is None:
            raise StoreFailed(f"{path} is empty", code="STORE")
        refuse_newer(found)
        faults = faults_of(connection)
        if faults:
            raise StoreFailed(f"{path} is not whole: {faults[0]}", code="STORE")
        verdict = copies.chain_of(connection)
        if verdict.state is not State.WHOLE:
            raise StoreFailed(f"the audit log in {path} is broken at row {verdict.seq}: {verdict.reason}", code="STORE")
        return verdict.rows


def restore(
    home: Home, source: str, *, actor: str, clock: Clock | None = None, chance: Chance | None = None
) -> Restored:
    """Put a backup in place of the database. Ordo is left stopped, with the old database kept beside.

    What was sent after the backup is not in it, so nothing may be sent before the books have been read. Raises Busy
    while another ordo runs, StoreFailed when the backup is not whole; then nothing was changed.
    """
    clock, chance = clock or SystemClock(), chance or SystemChance()
    url = load(home, os.environ).database_url
    if is_postgresql(url):
        raise Invalid(
            "a backup cannot be put into a PostgreSQL that is in use",
            hint=f"take an empty one: ORDO_DATABASE__URL=sqlite:///{source} ordo db copy-to URL",
        )
    path = path_of(url)
    rows = judge(source)
    make(home)
    arming.ready(home.run)
    with Locks(home.run, clock, chance) as locks, only_one(path):
        if locks.others():
            raise Busy("another ordo is running on this home", hint="stop it first: ordo serve, batches, watches")
        problem = arming.disarm(home.run, "global", "")
        if problem is not None:
            raise StoreFailed(f"ordo could not be stopped first: {problem}", hint="ordo kill", code="STORE")
        before = _rows_of(path)
        stamp = f"{clock.now():%Y%m%dT%H%M%S}-{chance.token(4)}"
        origin = Origin(actor, micros(clock.now()), elapsed=clock.elapsed())
        fact = {"rows": rows, "rows_before": before, "file": os.path.basename(source)}
        aside = copies.replace_with(path, source, stamp, lambda copy: _prepare(copy, fact, origin))
    return Restored(path, aside, rows, before)


async def move(home: Home, url: str, *, actor: str, clock: Clock | None = None, chance: Chance | None = None) -> Moved:
    """Move the journal from this home's file into an empty PostgreSQL, compared row by row, all or nothing.

    The file stays, and is marked so that nothing can be sent on its word any more. Raises Busy while another ordo runs,
    Invalid when there is something in the target, StoreFailed when anything else goes wrong; then nothing is moved.
    """
    clock, chance = clock or SystemClock(), chance or SystemChance()
    if not is_postgresql(url):
        raise Invalid("a journal moves to a PostgreSQL", hint="postgresql+asyncpg://user@host/database")
    path = path_of(load(home, os.environ).database_url)
    if not os.path.isfile(path):
        raise Invalid(f"there is no file {path}")
    with Locks(home.run, clock, chance) as locks, only_one(path):
        if locks.others():
            raise Busy("another ordo is running on this home", hint="stop it first: ordo serve, batches, watches")
        origin = Origin(actor, micros(clock.now()), elapsed=clock.elapsed())
        try:
            with copies.closing(connect(path)) as source:
                return await _moved(source, path, url, origin)
        except sqlite3.Error as error:
            raise failed(error) from error


async def _moved(source: sqlite3.Connection, path: str, url: str, origin: Origin) -> Moved:
    from ordo_cli.store.postgres.connecting import Place, close
    from ordo_cli.store.postgres.connecting import connect as connect_there
    from ordo_cli.store.postgres.copying import out_of_file

    place = Place(url)
    _require_sound(source, path)
    line = await connect_there(place, BUSY_SECONDS, patient=True)
    try:
        prepare(source)
        source.execute("BEGIN IMMEDIATE")  # still, for as long as it is copied
        known = _counted(source)
        tell = Tell(origin, "copy", data={"from": os.path.basename(path), "rows": known})
        rows = await out_of_file(source, line, tell)
        told: list[Tell] = []
        step(source, _gone(place.url, origin), told)
        write_down(source, told)
        source.execute("COMMIT")
    finally:
        await close(line)
    return Moved(path, place.url, rows, known)


def _require_sound(source: sqlite3.Connection, path: str) -> None:
    found = revision(source)
    refuse_newer(found)
    if found != HEAD:
        raise Invalid(f"{path} is of an older ordo", hint="ordo db upgrade")
    faults = faults_of(source)
    if faults:
        raise StoreFailed(f"{path} is not whole: {faults[0]}", hint="ordo db check", code="STORE")


def _counted(source: sqlite3.Connection) -> int:
    return int(source.execute("SELECT count(*) FROM audit").fetchone()[0])


def _gone(where: str, origin: Origin) -> Body[None]:
    """Two journals must not both send: what is left behind is stopped by its own row."""
    yield Tell(origin, "copy", data={"to": where})
    yield from engaging("global", "", 1, f"the journal moved to {where}", origin)


def _prepare(copy: str, fact: Mapping[str, object], origin: Origin) -> None:
    with copies.looking_at(copy) as connection:
        older = revision(connection) != HEAD
    if older:
        from ordo_cli.store import migrating  # Alembic: 350 ms that only an old backup pays

        migrating.upgrade(copy)
    run_now(copy, _restored(fact, origin))


def _restored(fact: Mapping[str, object], origin: Origin) -> Body[None]:
    yield Tell(origin, "restore", data=fact)
    yield from engaging("global", "", 1, "restored from a backup", origin)


def _rows_of(path: str) -> int | None:
    """How many audit rows the database has that is about to be replaced; None when it cannot tell."""
    if not os.path.exists(path):
        return None
    try:
        head = run_now(path, _head())
    except StoreFailed:
        return None  # it may be damaged: that is what backups are for
    return head


def _head() -> Body[int]:
    rows = yield Ask("audit_head")
    return int(rows[0][0]) if rows else 0


def _said(verdict: Verdict) -> str:
    if verdict.state is State.WHOLE:
        return f"{verdict.rows} rows, the chain holds"
    return f"broken at row {verdict.seq}: {verdict.reason}"
