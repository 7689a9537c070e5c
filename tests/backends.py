"""The two databases that the store's and the services' tests run on, and what a test sees of either from beside."""

from __future__ import annotations

import hashlib
import os
import re
import resource
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from ordo_cli.store.postgres.driver import BEGIN
from ordo_cli.store.sql import COLUMNS
from tests import postgres

SQLITE, POSTGRESQL = "sqlite", "postgresql"


class Backend:
    """Which database this test runs on. `where` takes the place of a file's path, here and in other processes."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __str__(self) -> str:
        return self.name

    def where(self, path: Path) -> str:
        return postgres.url_of(path) if self.name == POSTGRESQL else str(path)

    def fetch(self, path: Path, text: str) -> list[tuple[Any, ...]]:
        """Rows, by a connection beside the store's."""
        if self.name == POSTGRESQL:
            return postgres.fetch(
                self.where(path), re.sub(r"X'(\w*)'", r"'\\x\1'::bytea", text).replace("BLOB", "BYTEA")
            )
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            return connection.execute(text).fetchall()

    def execute(self, path: Path, *statements: str) -> None:
        for statement in statements:
            self.fetch(path, statement)

    def everything(self, path: Path) -> str:
        """All that the database holds, as text."""
        if self.name == POSTGRESQL:
            return "".join(str(self.fetch(path, f"SELECT {table}::text FROM {table}")) for table in COLUMNS)
        with closing(sqlite3.connect(path)) as connection:
            return "".join(connection.iterdump())

    @asynccontextmanager
    async def held(self, path: Path) -> AsyncIterator[None]:
        """Somebody else is writing, for as long as this lasts."""
        if self.name == POSTGRESQL:
            line = await postgres.connect(self.where(path))
            try:
                await line.execute(BEGIN)
                yield
            finally:
                await line.close()
            return
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield

    def refuse(self, path: Path, doing: str, table: str) -> None:
        """From now on the database says no to this: INSERT, UPDATE or DELETE."""
        if self.name == POSTGRESQL:
            raising = "LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$"
            self.execute(path, f"CREATE OR REPLACE FUNCTION no() RETURNS trigger {raising}")
            self.execute(path, f"CREATE TRIGGER no BEFORE {doing} ON {table} FOR EACH ROW EXECUTE FUNCTION no()")
        else:
            self.execute(path, f"CREATE TRIGGER no BEFORE {doing} ON {table} BEGIN SELECT RAISE(ABORT, 'no'); END")

    @contextmanager
    def unwritable(self, path: Path) -> Iterator[None]:
        """Nothing can be written down: no file of this process grows, or the database takes no audit row."""
        if self.name == POSTGRESQL:
            self.refuse(path, "INSERT", "audit")
            yield
            self.execute(path, "DROP TRIGGER no ON audit")
            return
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    def without_guards(self, path: Path) -> None:
        """Take away what keeps the audit log append-only, as somebody with evil in mind would."""
        if self.name == POSTGRESQL:
            self.execute(path, "DROP TRIGGER audit_is_never_changed ON audit")
        else:
            self.execute(path, "DROP TRIGGER audit_is_never_updated", "DROP TRIGGER audit_is_never_deleted")


def parametrized(metafunc: pytest.Metafunc, *signs: str) -> None:
    """Run a test on both, if it opens a database: if it has one of these fixtures, and no mark for one alone."""
    if "backend" not in metafunc.fixturenames:
        return
    only = {name for name in (SQLITE, POSTGRESQL) if metafunc.definition.get_closest_marker(f"{name}_only")}
    on = only or ([SQLITE, POSTGRESQL] if set(signs) & set(metafunc.fixturenames) else [SQLITE])
    metafunc.parametrize("backend", on, indirect=True, ids=str)


def lent(name: str, test: str, patch: pytest.MonkeyPatch) -> Iterator[Backend]:
    """The backend for one test; its schemas go with it."""
    if name == SQLITE:
        yield Backend(name)
        return
    postgres.required_server()
    family = "t" + hashlib.blake2b(f"{os.getpid()} {test}".encode(), digest_size=6).hexdigest()
    patch.setenv(postgres.FAMILY, family)
    yield Backend(name)
    postgres.drop(family)
