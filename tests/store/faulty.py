"""A SQLite that fails when it is told to: the disk and the locks of this world, without breaking either."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any


class Trouble:
    """Fails the statement with this number, counted from when it is armed; 0 never fails."""

    def __init__(self, code: int = sqlite3.SQLITE_FULL, message: str = "database or disk is full") -> None:
        self.code, self.message = code, message
        self.fail_at = 0
        self.count = 0
        self.failed: str | None = None

    def arm(self, fail_at: int) -> None:
        self.fail_at, self.count, self.failed = fail_at, 0, None

    def meet(self, statement: str) -> None:
        self.count += 1
        if self.count == self.fail_at:
            self.failed = statement
            error = sqlite3.OperationalError(self.message)
            error.sqlite_errorcode = self.code
            raise error


def connector(trouble: Trouble) -> Callable[[str, float], sqlite3.Connection]:
    """Connections on which this trouble happens."""

    class Faulty(sqlite3.Connection):
        def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
            trouble.meet(sql)
            return super().execute(sql, parameters)

        def executemany(self, sql: str, parameters: Any, /) -> sqlite3.Cursor:
            trouble.meet(sql)
            return super().executemany(sql, parameters)

    def connect(path: str, busy_seconds: float) -> sqlite3.Connection:
        return sqlite3.connect(
            path, timeout=busy_seconds, isolation_level=None, check_same_thread=False, factory=Faulty
        )

    return connect
