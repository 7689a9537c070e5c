"""The exchange's door: which codes it expects and which sessions it admits, by their digests alone."""

from __future__ import annotations

import sqlite3

from ordo_cli.domain.values import dataclass

TRIES = 5  # wrong answers, after which a code is worth nothing


@dataclass(frozen=True, slots=True)
class Expected:
    """The code that an account was sent, as its digest, and how often a wrong one came."""

    digest: str
    tries: int


class Door:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def expect(self, account: str, number: str, digest: str, until: int) -> None:
        """A new code takes the place of the one before."""
        self._db.execute("INSERT OR REPLACE INTO codes VALUES (?, ?, ?, ?, 0)", (account, number, digest, until))

    def expected(self, account: str, number: str, now: int) -> Expected | None:
        """The code that this login waits for, while it lives."""
        row = self._db.execute(
            "SELECT digest, tries FROM codes WHERE account = ? AND number = ? AND until > ? AND tries < ?",
            (account, number, now, TRIES),
        ).fetchone()
        return None if row is None else Expected(*row)

    def refuse(self, account: str) -> None:
        """One more wrong answer."""
        self._db.execute("UPDATE codes SET tries = tries + 1 WHERE account = ?", (account,))

    def admit(self, account: str, digest: str, until: int) -> None:
        """The code is used up, and its session is the only one of the account."""
        self._db.execute("DELETE FROM codes WHERE account = ?", (account,))
        self._db.execute("INSERT OR REPLACE INTO sessions VALUES (?, ?, ?)", (account, digest, until))

    def admits(self, account: str, digest: str, now: int) -> bool:
        row = self._db.execute(
            "SELECT 1 FROM sessions WHERE account = ? AND digest = ? AND until > ?", (account, digest, now)
        ).fetchone()
        return row is not None

    def end(self, account: str, digest: str) -> None:
        self._db.execute("DELETE FROM sessions WHERE account = ? AND digest = ?", (account, digest))
