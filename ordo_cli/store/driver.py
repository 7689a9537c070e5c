"""Runs transaction bodies on a plain sqlite3 connection: the pragmas, BEGIN to COMMIT, and what a failure is called.

A body is a generator that yields statements and is sent their rows, and yields what it tells the audit log. It cannot
await, so no transaction is ever held across anything slow, and one body serves every driver. What all bodies of a
transaction told is chained and written at its end, in it. Light on purpose: a kill writes its row through here.
"""

from __future__ import annotations

import sqlite3
import sys

from ordo_cli.domain.errors import StoreFailed
from ordo_cli.store.chain import Tell, rows_of
from ordo_cli.store.sql import SQLITE

TYPE_CHECKING = False  # typing itself costs 8 ms, which a kill does not have
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from typing import Any

# Lazy by nature: nothing that they name is imported when ordo runs.
type Rows = list[Any]
type Body[T] = Generator[Ask | AskMany | Tell, Rows, T]
type Connector = Callable[[str, float], sqlite3.Connection]

BUSY_SECONDS = 5.0
BUSY = "STORE_BUSY"
FULL_FSYNC = ("PRAGMA fullfsync=ON", "PRAGMA checkpoint_fullfsync=ON") if sys.platform == "darwin" else ()
# A page that is written again and again is moved into the file once per 16 MB of log, not once per 4.
CHECKPOINTS = "PRAGMA wal_autocheckpoint=4000"
PRAGMAS = ("PRAGMA foreign_keys=ON", "PRAGMA synchronous=FULL", CHECKPOINTS, *FULL_FSYNC)


class Ask:
    """One statement by its name, with parameters by name (or in column order for an insert); answered by its rows."""

    __slots__ = ("name", "parameters")

    def __init__(self, name: str, parameters: Mapping[str, object] | Sequence[object] = ()) -> None:
        self.name = name
        self.parameters = parameters


class AskMany:
    """One insert for many rows, each in column order; answered by no rows."""

    __slots__ = ("name", "rows")

    def __init__(self, name: str, rows: Sequence[Sequence[object]]) -> None:
        self.name = name
        self.rows = rows


def connect(path: str, busy_seconds: float = BUSY_SECONDS) -> sqlite3.Connection:
    """A connection that never begins a transaction by itself and waits this long for another writer."""
    return sqlite3.connect(path, timeout=busy_seconds, isolation_level=None, check_same_thread=False)


def prepare(connection: sqlite3.Connection) -> None:
    """Make every commit of this connection durable. WAL is a property of the file; it is set where the file is made."""
    for pragma in PRAGMAS:
        connection.execute(pragma)


def step[T](connection: sqlite3.Connection, body: Body[T], told: list[Tell]) -> T:
    """Run one body to its end inside whatever transaction is open, and gather what it tells."""
    rows: Rows | None = None
    try:
        while True:
            asked = next(body) if rows is None else body.send(rows)
            rows = []
            if type(asked) is Ask:
                rows = ask(connection, asked.name, asked.parameters)
            elif type(asked) is Tell:
                told.append(asked)
            elif type(asked) is AskMany:
                connection.executemany(SQLITE[asked.name][0], asked.rows)
    except StopIteration as finished:
        result: T = finished.value
        return result


def ask(connection: sqlite3.Connection, name: str, parameters: Mapping[str, object] | Sequence[object] = ()) -> Rows:
    """The rows of one statement."""
    text, names = SQLITE[name]
    if type(parameters) is dict:
        parameters = [parameters[each] for each in names]
    return connection.execute(text, parameters).fetchall()


def write_down(connection: sqlite3.Connection, told: list[Tell]) -> None:
    """Append to the audit chain what this transaction's bodies told."""
    if told:
        connection.executemany(SQLITE["add_audit"][0], rows_of(told, ask(connection, "audit_head")))


def run_now[T](path: str, body: Body[T], busy_seconds: float = BUSY_SECONDS, connector: Connector = connect) -> T:
    """Run one body in a durable transaction of its own, without an event loop. Raises StoreFailed."""
    try:
        connection = connector(path, busy_seconds)
    except sqlite3.Error as error:
        raise failed(error) from error
    try:
        prepare(connection)
        connection.execute("BEGIN IMMEDIATE")
        told: list[Tell] = []
        result = step(connection, body, told)
        write_down(connection, told)
        connection.execute("COMMIT")
        return result
    except sqlite3.Error as error:
        raise failed(error) from error
    finally:
        connection.close()


def is_busy(error: Exception | None) -> bool:
    """Whether it only says that somebody else has the database."""
    return isinstance(error, StoreFailed) and error.reason == BUSY


def failed(error: sqlite3.Error) -> StoreFailed:
    """What the user is told when the database said no; STORE_BUSY when another process held it too long."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None and code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreFailed("another process held the database too long", hint="try again; see: ordo doctor", code=BUSY)
    if code is not None and code & 0xFF == sqlite3.SQLITE_FULL:
        return StoreFailed("the disk is full, so nothing can be written down", hint="free some space", code="STORE")
    return StoreFailed(f"the database failed: {error}", hint="see: ordo db check", code="STORE")
