"""The whole journal from one database into another: out of PostgreSQL into a file, and out of a file into PostgreSQL.

A copy is compared with what it was made from, row by row, before anybody may rely on it.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from typing import Any

from ordo_cli.domain.errors import Invalid, StoreFailed
from ordo_cli.domain.trail import Checker, State
from ordo_cli.store import schema as files
from ordo_cli.store.chain import Tell
from ordo_cli.store.copies import PAGE, closing, forced, new_file
from ordo_cli.store.driver import connect as connect_file
from ordo_cli.store.driver import failed as failed_file
from ordo_cli.store.postgres import schema
from ordo_cli.store.postgres.connecting import TROUBLES, Line, Trouble, met
from ordo_cli.store.postgres.driver import BEGIN, BEGIN_READING, Transaction, commit, fetch, say, undo
from ordo_cli.store.sql import COLUMNS, KEYS

NUMBERED = "SELECT setval(pg_get_serial_sequence('operations', 'id'), (SELECT max(id) FROM operations))"
type Page = list[tuple[Any, ...]]


async def into_file(line: Line, path: str) -> None:
    """A consistent copy in a new SQLite file, forced to the disk. Raises Invalid when the file exists."""
    new_file(path)
    try:
        with closing(connect_file(path)) as copy:
            await _filled(line, copy)
        forced(path)
    except BaseException:
        os.unlink(path)  # half a copy would be taken for a whole one
        raise


async def _filled(line: Line, copy: sqlite3.Connection) -> None:
    try:
        copy.execute("BEGIN IMMEDIATE")
        files.create(copy)
        await say(line, BEGIN_READING)
        for table in COLUMNS:
            async for page in _pages(line, table):
                marks = ", ".join("?" * len(COLUMNS[table]))
                copy.executemany(f"INSERT INTO {table} VALUES ({marks})", page)  # noqa: S608  # our own table's name
        copy.execute("COMMIT")
    except Trouble as trouble:
        raise trouble.failure from trouble.error
    except sqlite3.Error as error:
        raise failed_file(error) from error
    finally:
        await undo(line)


async def out_of_file(source: sqlite3.Connection, line: Line, tell: Tell) -> int:
    """Fill an empty database with all rows of a file, all or none; answers how many. With them goes one audit row.

    The source has to be still meanwhile. Raises Invalid when the target is not empty, StoreFailed when a row differs.
    """
    try:
        transaction = await _begun(line)
        rows = 0
        for table in COLUMNS:
            rows += await _table(source, line, table)
        await fetch(line, NUMBERED)
        for table in COLUMNS:
            await _compare(source, line, table)
        await _follow(line)
        transaction.told.append(tell)
        await transaction.write_down()
        await commit(line)
        return rows
    except Trouble as trouble:
        raise trouble.failure from trouble.error
    except sqlite3.Error as error:
        raise failed_file(error) from error
    finally:
        await undo(line)


async def _begun(line: Line) -> Transaction:
    await say(line, BEGIN)
    if (await fetch(line, schema.TABLES))[0][1]:
        raise Invalid("the target is not empty, and nothing is copied over what is there", hint="take a new database")
    await schema.create(line)
    return Transaction(line)


async def _table(source: sqlite3.Connection, line: Line, table: str) -> int:
    rows = 0
    for page in _stored(source, table):
        try:
            await line.copy_records_to_table(table, records=page, columns=COLUMNS[table])
        except TROUBLES as error:
            raise met(error, line) from error
        except (TypeError, ValueError, OverflowError) as error:  # SQLite takes anything in any column
            raise StoreFailed(f"a row of {table} holds what its column should not: {error}", code="STORE") from error
        rows += len(page)
    return rows


async def _compare(source: sqlite3.Connection, line: Line, table: str) -> None:
    """Every row, in the order of its key, as both have it."""
    stored = _stored(source, table)
    async for page in _pages(line, table):
        if page != next(stored, None):
            raise StoreFailed(f"the copy of {table} differs from the original; nothing was kept", code="STORE")
    if next(stored, None) is not None:
        raise StoreFailed(f"the copy of {table} lacks rows; nothing was kept", code="STORE")


async def _follow(line: Line) -> None:
    checker = Checker()
    async for page in _pages(line, "audit"):
        if not checker.take(page):
            break
    verdict = checker.verdict()
    if verdict.state is not State.WHOLE:
        raise StoreFailed(f"the copied audit log is broken at row {verdict.seq}; nothing was kept", code="STORE")


def _stored(source: sqlite3.Connection, table: str) -> Iterator[Page]:
    found = source.execute(_everything(table))
    while page := found.fetchmany(PAGE):
        yield page


async def _pages(line: Line, table: str) -> Any:
    try:
        found = await line.cursor(_everything(table))
        while page := [tuple(row) for row in await found.fetch(PAGE)]:
            yield page
    except TROUBLES as error:
        raise met(error, line) from error


def _everything(table: str) -> str:
    columns, key = (", ".join(f'"{name}"' for name in names) for names in (COLUMNS[table], KEYS[table]))
    return f"SELECT {columns} FROM {table} ORDER BY {key}"  # noqa: S608  # names of our own
