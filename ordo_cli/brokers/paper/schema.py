"""The exchange's file: its tables, and opening it; made whole beside its place, so that no process sees half of it."""

from __future__ import annotations

import os
import sqlite3
import threading

from ordo_cli.domain.errors import Unreachable

VERSION = 2
LOGIN_TABLES = """
CREATE TABLE codes (
  account TEXT PRIMARY KEY, number TEXT NOT NULL, digest TEXT NOT NULL, until INTEGER NOT NULL,
  tries INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE sessions (account TEXT PRIMARY KEY, digest TEXT NOT NULL, until INTEGER NOT NULL) WITHOUT ROWID;
"""
"""What version 2 has beside version 1."""
TABLES = """
CREATE TABLE clock (one INTEGER PRIMARY KEY CHECK (one = 1), advanced INTEGER NOT NULL);
INSERT INTO clock VALUES (1, 0);
CREATE TABLE inbox (
  number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, account TEXT NOT NULL, tag TEXT, body TEXT NOT NULL,
  sent INTEGER NOT NULL, elapsed REAL NOT NULL, due INTEGER NOT NULL,
  handled INTEGER, order_number INTEGER, code TEXT, message TEXT);
CREATE INDEX inbox_due ON inbox (due, number) WHERE handled IS NULL;
CREATE INDEX inbox_account ON inbox (account, sent);
CREATE INDEX inbox_tag ON inbox (tag);
CREATE TABLE orders (
  number INTEGER PRIMARY KEY, account TEXT NOT NULL, tag TEXT, instrument TEXT NOT NULL, side INTEGER NOT NULL,
  quantity INTEGER NOT NULL, type TEXT NOT NULL, product TEXT NOT NULL, validity TEXT NOT NULL,
  limit_price INTEGER, trigger_price INTEGER, disclosed INTEGER, day INTEGER NOT NULL, arrived INTEGER NOT NULL,
  phase TEXT NOT NULL, outcome TEXT, filled INTEGER NOT NULL DEFAULT 0, value INTEGER NOT NULL DEFAULT 0,
  book_price INTEGER, priority INTEGER NOT NULL, held INTEGER NOT NULL DEFAULT 0,
  unit_margin INTEGER NOT NULL DEFAULT 0, opening INTEGER NOT NULL DEFAULT 0,
  code TEXT, message TEXT, CHECK (filled <= quantity));
CREATE INDEX orders_book ON orders (instrument, side, book_price, priority) WHERE phase = 'book';
CREATE INDEX orders_live ON orders (account, instrument) WHERE phase <> 'done';
CREATE INDEX orders_of ON orders (account, day);
CREATE INDEX orders_tag ON orders (tag);
CREATE TABLE history (
  number INTEGER NOT NULL, at INTEGER NOT NULL, quantity INTEGER NOT NULL, limit_price INTEGER, trigger_price INTEGER,
  phase TEXT NOT NULL, outcome TEXT, filled INTEGER NOT NULL, value INTEGER NOT NULL, message TEXT);
CREATE INDEX history_of ON history (number, at);
CREATE TABLE trades (
  number INTEGER PRIMARY KEY, order_number INTEGER NOT NULL, account TEXT NOT NULL, instrument TEXT NOT NULL,
  side INTEGER NOT NULL, quantity INTEGER NOT NULL, price INTEGER NOT NULL, product TEXT NOT NULL, at INTEGER NOT NULL,
  against INTEGER);
CREATE INDEX trades_of ON trades (account, at);
CREATE TABLE cash (account TEXT PRIMARY KEY, amount INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE positions (
  account TEXT NOT NULL, instrument TEXT NOT NULL, product TEXT NOT NULL,
  net INTEGER NOT NULL, cost INTEGER NOT NULL, realised INTEGER NOT NULL,
  PRIMARY KEY (account, instrument, product)) WITHOUT ROWID;
CREATE TABLE holdings (
  account TEXT NOT NULL, instrument TEXT NOT NULL, quantity INTEGER NOT NULL, cost INTEGER NOT NULL,
  PRIMARY KEY (account, instrument)) WITHOUT ROWID;
CREATE TABLE prices (instrument TEXT PRIMARY KEY, price INTEGER NOT NULL, depth INTEGER) WITHOUT ROWID;
CREATE TABLE taken (
  instrument TEXT NOT NULL, side INTEGER NOT NULL, second INTEGER NOT NULL, quantity INTEGER NOT NULL,
  PRIMARY KEY (instrument, side)) WITHOUT ROWID;
"""


def open_file(path: str) -> sqlite3.Connection:
    """The connection of this process, in autocommit mode; the file is made if it is missing."""
    try:
        if not os.path.exists(path):
            _make(path)
        db = _connect(path)
        try:
            version = _upgraded(db)
        except BaseException:
            db.close()
            raise
    except (OSError, sqlite3.Error) as error:
        raise Unreachable(f"the paper exchange's file {path} cannot be opened: {error}") from error
    if version != VERSION:
        db.close()
        raise Unreachable(
            f"the paper exchange's file {path} has version {version}, this ordo reads version {VERSION}",
            hint="move that file away to start with a new paper exchange",
        )
    return db


def _upgraded(db: sqlite3.Connection) -> int:
    """The version of the file, after what version 1 lacked was added to it."""
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    if version != 1:
        return version
    db.execute("BEGIN IMMEDIATE")
    if db.execute("PRAGMA user_version").fetchone()[0] == 1:  # another process may have been first
        for statement in LOGIN_TABLES.split(";")[:-1]:
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {VERSION}")
    db.execute("COMMIT")
    return VERSION


def _connect(path: str) -> sqlite3.Connection:
    # The connection is used by one worker thread at a time; opening and closing may happen in others.
    db = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA synchronous = NORMAL")
        let_checkpoint(db, False)
        # Without this the last process to leave pays two forced writes for a checkpoint that can as well happen later.
        db.setconfig(sqlite3.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, True)
    except BaseException:
        db.close()
        raise
    return db


def let_checkpoint(db: sqlite3.Connection, allowed: bool) -> None:
    """Whether the next commit may copy a long log into the file, which waits for the disk. Never behind a permit."""
    db.execute(f"PRAGMA wal_autocheckpoint = {1_000 if allowed else 0}")


def _make(path: str) -> None:
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    beside = f"{path}.new-{os.getpid()}-{threading.get_ident()}"
    os.close(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        db = sqlite3.connect(beside, isolation_level=None)
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript(TABLES + LOGIN_TABLES)
        db.execute(f"PRAGMA user_version = {VERSION}")
        db.close()
        os.link(beside, path)
    except FileExistsError:
        pass  # another process was first, and its file is as good
    finally:
        os.unlink(beside)
