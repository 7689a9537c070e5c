"""The journal in an SQLite file: what gathered is written together, its commit in a thread, and a reader beside it.

A statement takes microseconds and a commit waits for the disk, so statements run where they are asked for and only the
commit is handed to the connection's thread: each statement in a thread would fight the event loop for the interpreter.
Whatever might have to wait, a lock that another process holds above all, is the thread's as well.

Bodies refuse before they write. One that does not spoils the transaction, which then is run again without it: cheaper
than a savepoint around each, which copies every page that is touched.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import aiosqlite

from ordo_cli.store.chain import Tell
from ordo_cli.store.copies import copy_to
from ordo_cli.store.driver import BUSY_SECONDS, Body, Connector, connect, failed, is_busy, step, write_down
from ordo_cli.store.faults import faults_of, trouble_of
from ordo_cli.store.gathering import Gathering, Made, Outcome

IMPATIENT = "PRAGMA busy_timeout=0"
MOST_TOGETHER = 200  # bodies in one commit: later ones wait for the next, so that the first may go on sending


class Line(aiosqlite.Connection):
    """aiosqlite's connection, with whole transactions handed to its thread in one hop instead of one per statement."""

    def __init__(self, connector: Connector, path: str, busy_seconds: float) -> None:
        super().__init__(lambda: connector(path, busy_seconds), iter_chunk_size=64)
        self._patience = f"PRAGMA busy_timeout={int(busy_seconds * 1000)}"
        self._handed = 0  # counted here
        self._done = 0  # counted in the thread

    async def call[T](self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run this in the connection's thread, where it may wait for others."""
        return await self._hand(lambda connection: self._patiently(connection, work))

    async def commit_begun[T](self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run what ends the transaction that was begun on `at_once`."""
        return await self._hand(work)

    def at_once(self) -> sqlite3.Connection | None:
        """The connection, for whoever does not await before it is left; it waits for nobody. None while in use."""
        return self._conn if self._handed == self._done and self._handed else None

    async def _hand[T](self, work: Callable[[sqlite3.Connection], T]) -> T:
        self._handed += 1
        result: T = await self._execute(lambda: self._run(work))  # type: ignore[no-untyped-call]  # aiosqlite's own
        return result

    def _run[T](self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return work(self._conn)
        finally:
            self._done += 1

    def _patiently[T](self, connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
        if self._done:  # a new connection is patient already
            connection.execute(self._patience)
        try:
            return work(connection)
        finally:
            with suppress(sqlite3.Error):  # whoever comes next is told what is wrong
                connection.execute(IMPATIENT)


class SqliteDatabase:
    """A `Database` in one file."""

    def __init__(self, line: Line, another: Callable[[], Line]) -> None:
        self._line, self._another = line, another
        self._reader: Line | None = None
        self._gathering = Gathering(self._commit, MOST_TOGETHER)
        self._looking = Gathering(self._look, MOST_TOGETHER)

    async def run[**P, T](self, body: Callable[P, Body[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a body in a durable transaction. Its refusal harms no other; after StoreFailed nothing was kept."""
        result: T = await self._gathering.run(partial(body, *args, **kwargs))
        return result

    async def read[**P, T](self, body: Callable[P, Body[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a body that only reads, on one unchanging picture of the database."""
        result: T = await self._looking.run(partial(body, *args, **kwargs))
        return result

    async def glance[**P, T](self, body: Callable[P, Body[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """As `read`, of few rows: at once, where nothing has to be waited for."""
        line = self._line.at_once() or (self._reader.at_once() if self._reader is not None else None)
        if line is not None:
            (outcome,) = looking(line, [partial(body, *args, **kwargs)])
            if not is_busy(outcome.error):
                return outcome.opened()  # type: ignore[no-any-return]  # an outcome holds what its body returned
        return await self.read(body, *args, **kwargs)

    async def call[T](self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run work on the connection between two transactions. Raises StoreFailed."""
        try:
            return await self._line.call(work)
        except sqlite3.Error as error:
            raise failed(error) from error

    async def settle(self) -> None:
        """Wait until everything handed in is committed or refused."""
        await self._gathering.settle()
        await self._looking.settle()

    async def close(self) -> None:
        await self.settle()
        if self._reader is not None:
            await self._reader.close()
        await self._line.close()

    def on_commit(self, told: Callable[[float, int], None]) -> None:
        """Call this after each commit with its seconds and how many bodies it held."""
        self._gathering.told = told

    async def described(self) -> str:
        return f"SQLite {sqlite3.sqlite_version}, whole, and every commit reaches the disk"

    async def health(self) -> str | None:
        return await self.call(trouble_of)

    async def faults(self) -> list[str]:
        return await self.call(faults_of)

    async def backup(self, path: str) -> None:
        await self.call(lambda connection: copy_to(connection, path))

    async def _commit(self, bodies: Sequence[Made]) -> list[Outcome]:
        connection = self._line.at_once()
        outcomes = None if connection is None else begun(connection, bodies)
        if outcomes is None:
            return await self._in_the_thread(self._line, together, bodies)
        # Nothing is awaited between the transaction's first statement and this hand-over, which nothing can overtake.
        return await self._line.commit_begun(lambda connection: committed(connection, outcomes))

    async def _look(self, bodies: Sequence[Made]) -> list[Outcome]:
        """Beside the writer while it is at work: neither its disk nor a lock that it waits for holds up a look."""
        if self._gathering.busy and self._reader is None:
            reader = self._another()
            with suppress(sqlite3.Error):  # else looks go on between two commits, as before
                await reader
                await reader.call(lambda connection: None)  # from here on it waits for nobody outside its thread
                self._reader = reader
        line = self._reader if self._gathering.busy and self._reader is not None else self._line
        return await self._in_the_thread(line, looking, bodies)

    async def _in_the_thread(
        self, line: Line, run: Callable[[sqlite3.Connection, Sequence[Made]], list[Outcome]], bodies: Sequence[Made]
    ) -> list[Outcome]:
        try:
            return await line.call(lambda connection: run(connection, bodies))
        except sqlite3.Error as error:
            return [Outcome(error=failed(error))] * len(bodies)


@asynccontextmanager
async def open_database(
    path: str, *, busy_seconds: float = BUSY_SECONDS, connector: Connector = connect
) -> AsyncIterator[SqliteDatabase]:
    """Open the file; whoever has it ready to use is the schema's matter."""

    def another() -> Line:
        return Line(connector, path, busy_seconds)

    line = another()
    try:
        await line
    except sqlite3.Error as error:
        raise failed(error) from error
    database = SqliteDatabase(line, another)
    try:
        yield database
    finally:
        await database.close()


def together(connection: sqlite3.Connection, bodies: Sequence[Made]) -> list[Outcome]:
    """Run bodies in one transaction. An error of the database fails them all; any other fails its own body only."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        return committed(connection, _ran(connection, bodies))
    except sqlite3.Error as error:
        return [Outcome(error=failed(error))] * len(bodies)
    finally:
        _undo(connection)


def begun(connection: sqlite3.Connection, bodies: Sequence[Made]) -> list[Outcome] | None:
    """Begin a transaction and run bodies in it, all but the commit; None when that would have to wait for somebody.

    After an error of the database no transaction is open.
    """
    try:
        connection.execute("BEGIN IMMEDIATE")
        return _ran(connection, bodies)
    except sqlite3.Error as error:
        _undo(connection)
        lost = failed(error)
        return None if is_busy(lost) else [Outcome(error=lost)] * len(bodies)
    except BaseException:
        _undo(connection)
        raise


def committed(connection: sqlite3.Connection, outcomes: list[Outcome]) -> list[Outcome]:
    """Make durable what was begun; if that fails, nothing of it happened."""
    try:
        if connection.in_transaction:
            connection.execute("COMMIT")
        return outcomes
    except sqlite3.Error as error:
        return [Outcome(error=failed(error))] * len(outcomes)
    finally:
        _undo(connection)


def _ran(connection: sqlite3.Connection, bodies: Sequence[Made]) -> list[Outcome]:
    """What each body came to, with all that they wrote, and its audit rows, in the transaction that is open."""
    outcomes = [Outcome() for _ in bodies]
    left = list(range(len(bodies)))
    while True:
        told: list[Tell] = []
        spoiler = _spoiler(connection, bodies, outcomes, left, told)
        if spoiler is None:
            write_down(connection, told)
            return outcomes
        connection.execute("ROLLBACK")
        left.remove(spoiler)
        connection.execute("BEGIN IMMEDIATE")


def _spoiler(
    connection: sqlite3.Connection, bodies: Sequence[Made], outcomes: list[Outcome], left: list[int], told: list[Tell]
) -> int | None:
    """Run what is left; answers the first body that wrote something and then refused, if there is one."""
    for index in left:
        before, known = connection.total_changes, len(told)
        outcomes[index] = _alone(connection, bodies[index](), told)
        if outcomes[index].error is not None:
            del told[known:]
            if connection.total_changes != before:
                return index
    return None


def _alone(connection: sqlite3.Connection, body: Body[Any], told: list[Tell]) -> Outcome:
    try:
        return Outcome(value=step(connection, body, told))
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError) as error:  # this body's own rows; the file is well
        return Outcome(error=failed(error))
    except sqlite3.Error:
        raise
    except Exception as error:
        return Outcome(error=error)


def looking(connection: sqlite3.Connection, bodies: Sequence[Made]) -> list[Outcome]:
    """Run bodies that only read, all on one picture. Each one's error is its own."""
    try:
        connection.execute("BEGIN")
        return [_reading(connection, made()) for made in bodies]
    except sqlite3.Error as error:
        return [Outcome(error=failed(error))] * len(bodies)
    finally:
        _undo(connection)


def _reading(connection: sqlite3.Connection, body: Body[Any]) -> Outcome:
    try:
        return Outcome(value=step(connection, body, []))
    except sqlite3.Error as error:
        return Outcome(error=failed(error))
    except Exception as error:
        return Outcome(error=error)


def _undo(connection: sqlite3.Connection) -> None:
    try:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    except sqlite3.Error:
        pass  # the next BEGIN says what is wrong; nothing of this transaction can be committed any more
