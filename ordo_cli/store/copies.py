"""Copies of the database: made whole while others write, judged before they are trusted, and put in its place."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ordo_cli.domain.errors import Invalid, StoreFailed
from ordo_cli.domain.trail import Checker, Verdict
from ordo_cli.store.driver import ask, failed

PAGE = 5_000
COMPANIONS = ("", "-wal", "-shm")


def copy_to(connection: sqlite3.Connection, path: str) -> None:
    """A consistent copy of the database in a new file, forced to the disk. Raises Invalid when the file exists."""
    new_file(path)
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as copy:
            connection.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, without companions
        forced(path)
    except BaseException:
        os.unlink(path)  # half a copy would be taken for a whole one
        raise


def new_file(path: str) -> None:
    """An empty file for a copy, its owner's alone. Raises Invalid when there is one already, or none can be made."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        raise Invalid(f"{path} exists already and is not overwritten") from None
    except OSError as error:
        raise Invalid(f"{path} cannot be written: {error.strerror}") from None


def forced(path: str) -> None:
    """A new file and its name are on the disk."""
    _force(path)
    _force(os.path.dirname(os.path.abspath(path)))


@contextmanager
def closing(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def looking_at(path: str) -> Iterator[sqlite3.Connection]:
    """A file opened for reading alone. Raises Invalid when it is not there, StoreFailed when it cannot be read."""
    if not os.path.isfile(path):
        raise Invalid(f"there is no file {path}")
    try:
        with closing(sqlite3.connect(_read_only(path), uri=True, isolation_level=None)) as connection:
            yield connection
    except sqlite3.Error as error:
        raise failed(error) from error


def chain_of(connection: sqlite3.Connection) -> Verdict:
    """Follow the audit chain of any copy."""
    checker, after = Checker(), 0
    while page := ask(connection, "audit_page", {"after": after, "most": PAGE}):
        if not checker.take(page):
            break
        after = page[-1][0]
    return checker.verdict()


def replace_with(path: str, source: str, stamp: str, prepare: Callable[[str], None]) -> str | None:
    """Put a copy of `source` in place of the database; answers where the old one now is, if there was one.

    `prepare` may write into the copy before it is there for anybody to open.
    """
    beside = f"{path}.restoring-{stamp}"
    with looking_at(source) as connection:
        copy_to(connection, beside)
    try:
        prepare(beside)
        _force(beside)
        aside = _set_aside(path, f"{path}.before-restore-{stamp}")
        os.rename(beside, path)
    except OSError as error:
        raise StoreFailed(
            f"the database could not be replaced: {error}", hint="see: ordo doctor", code="STORE"
        ) from error
    finally:
        _forget(beside)
    _force(os.path.dirname(path) or ".")
    return aside


def _set_aside(path: str, aside: str) -> str | None:
    # With its companions: what is not yet in the file itself is in them.
    if not os.path.exists(path):
        return None
    for companion in COMPANIONS:
        if os.path.exists(path + companion):
            os.rename(path + companion, aside + companion)
    return aside


def _forget(beside: str) -> None:
    for companion in (*COMPANIONS, "-journal"):
        if os.path.exists(beside + companion):
            os.unlink(beside + companion)


def _read_only(path: str) -> str:
    from urllib.parse import quote

    return f"file:{quote(os.path.abspath(path))}?mode=ro"


def _force(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
