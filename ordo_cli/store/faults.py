"""What can be wrong with a database file, in sentences: damage, dangling rows, missing guards, weak promises."""

from __future__ import annotations

import sqlite3

from ordo_cli.store.sql import SQLITE_SCHEMA

FULL = 2
SHOWN = 5


def trouble_of(connection: sqlite3.Connection) -> str | None:
    """The first thing wrong with the file or its promise of durability, found quickly; None when all is well."""
    damage = _damage(connection, "PRAGMA quick_check(1)")
    if damage:
        return f"the database is damaged: {damage[0]}"
    if connection.execute("PRAGMA synchronous").fetchone()[0] != FULL:
        return "commits are not forced to the disk"
    if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        return "the database is not in write-ahead mode"
    return None


def faults_of(connection: sqlite3.Connection) -> list[str]:
    """Everything wrong with the file itself; empty when all is well."""
    damage = _damage(connection, f"PRAGMA integrity_check({SHOWN})")
    if damage:
        return [f"damaged: {each}" for each in damage]
    dangling = [f"a row of {row[0]} belongs to no {row[2]}" for row in connection.execute("PRAGMA foreign_key_check")]
    return dangling[:SHOWN] + _missing(connection)


def _damage(connection: sqlite3.Connection, pragma: str) -> list[str]:
    try:
        found = [str(row[0]) for row in connection.execute(pragma)]
    except sqlite3.DatabaseError as error:  # so damaged that not even the check can walk it
        return [str(error)]
    return [] if found == ["ok"] else found


def _missing(connection: sqlite3.Connection) -> list[str]:
    """What the schema has and this file has not, by name: a table, an index, or a guard of the audit log."""
    there = {(kind, name) for kind, name in connection.execute("SELECT type, name FROM sqlite_master")}
    wanted = [named(statement) for statement in SQLITE_SCHEMA]
    return [f"the {kind} {name} is missing" for kind, name in wanted if (kind, name) not in there]


def named(statement: str) -> tuple[str, str]:
    """What a statement of the schema makes: its kind and its name."""
    words = statement.removeprefix("CREATE ").removeprefix("UNIQUE ").split()
    return words[0].lower(), words[1].removesuffix("()")
