"""The version of the schema: a new file is made, an older one upgraded after a backup, a newer one refused."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from ordo_cli.domain.errors import StoreFailed
from ordo_cli.store.copies import copy_to
from ordo_cli.store.driver import failed, prepare
from ordo_cli.store.sql import SQLITE_SCHEMA

REVISIONS = ("0001", "0002")  # every migration, oldest first; a test compares it with the migrations themselves
HEAD = REVISIONS[-1]
VERSION_TABLE = (
    "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL,"
    " CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
)
type Became = Literal["ready", "created", "upgraded"]
UNKNOWN_TO_US = "no such table: alembic_version"


def make_ready(connection: sqlite3.Connection, path: str, stamp: str) -> Became:
    """Bring the file to the newest schema: `ready`, `created` or `upgraded`. `stamp` names a backup, if one is due."""
    try:
        prepare(connection)
        found = revision(connection)
        if found == HEAD and _is_wal(connection):
            return "ready"
        refuse_newer(found)
        with only_one(path):
            return _settle(connection, path, stamp)
    except sqlite3.Error as error:
        raise failed(error) from error


def revision(connection: sqlite3.Connection) -> str | None:
    """The schema's version in this file; None when it is empty. Raises StoreFailed for a database of something else."""
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError as error:
        if UNKNOWN_TO_US not in str(error):
            raise
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            raise StoreFailed(
                "this database is not one of ordo's", hint="see: ordo config path", code="STORE"
            ) from error
        return None
    return str(row[0]) if row else None


def refuse_newer(found: str | None) -> None:
    """Raise StoreFailed for a schema that this ordo does not know."""
    if found is not None and found not in REVISIONS:
        raise StoreFailed(
            f"the database was written by a newer ordo (schema {found}, this one knows up to {HEAD})",
            hint="upgrade this ordo: pipx upgrade ordo-cli",
            code="STORE_NEWER",
        )


@contextmanager
def only_one(path: str) -> Iterator[None]:
    """Held while a file is made, upgraded or replaced; parallel first starts wait here for the first."""
    with open(os.open(f"{path}.setup", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _settle(connection: sqlite3.Connection, path: str, stamp: str) -> Became:
    connection.execute("PRAGMA journal_mode=WAL").fetchone()
    found = revision(connection)
    refuse_newer(found)
    if found == HEAD:
        return "ready"
    if found is None:
        _create(connection)
        return "created"
    upgrade(connection, path, f"{path}.before-{HEAD}-{stamp}")
    return "upgraded"


def _create(connection: sqlite3.Connection) -> None:
    # From the generated text instead of the migrations: 2 ms instead of 400, and a test holds both equal.
    connection.execute("BEGIN IMMEDIATE")
    try:
        create(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def create(connection: sqlite3.Connection) -> None:
    """Fill an empty file, inside whatever transaction is open."""
    for statement in (*SQLITE_SCHEMA, VERSION_TABLE):
        connection.execute(statement)
    connection.execute("INSERT INTO alembic_version VALUES (?)", (HEAD,))


def upgrade(connection: sqlite3.Connection, path: str, backup: str, to: str = "head") -> None:
    """Copy the file aside, then run the migrations that are missing, all or none."""
    from ordo_cli.store import migrating  # Alembic: 350 ms that only an upgrade pays

    copy_to(connection, backup)
    migrating.upgrade(path, to)


def _is_wal(connection: sqlite3.Connection) -> bool:
    return str(connection.execute("PRAGMA journal_mode").fetchone()[0]) == "wal"
