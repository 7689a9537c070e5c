"""Connections to PostgreSQL: how they are made and set, and what their failures are called. No password in either."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote, urlsplit

from ordo_cli.domain.errors import StoreFailed
from ordo_cli.domain.urls import POSTGRESQL, shown, without_password

try:
    import asyncpg
except ImportError as missing:
    raise StoreFailed(
        "this ordo was installed without PostgreSQL",
        hint="pipx inject ordo-cli asyncpg, or: pip install 'ordo-cli[postgres]'",
        code="STORE",
    ) from missing

type Connector = Callable[["Place", float], Awaitable["Line"]]

CONNECTING = 2.0  # seconds that a server may take to let us in, however little patience there is for other writers
ANSWERING = 10.0  # seconds that one statement may take beside waiting for others
CLOSING = 2.0  # seconds that a goodbye may take
OWN = ("22", "23", "42", "P0")  # classes of errors that a body's own rows or words caused; the database is well
GONE = ("08", "57P")  # the connection is gone, or the server is going
HINT = "see: ordo doctor"


class Line(asyncpg.Connection):  # type: ignore[misc]  # asyncpg types its connection as Any
    """A connection that remembers what the server warned of: a commit may succeed and yet not be where it should."""

    __slots__ = ("warnings",)

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.warnings: list[str] = []
        self.add_log_listener(lambda _, message: self.warnings.append(str(message.message)))


class Place:
    """Where the database is and who asks. What prints it prints no password."""

    __slots__ = ("bare", "password", "url")

    def __init__(self, url: str) -> None:
        bare, password = without_password(url)
        self.url = shown(url)
        self.bare = "postgresql://" + bare.removeprefix(next(each for each in POSTGRESQL if bare.startswith(each)))
        self.password = None if password is None else unquote(password)

    def __repr__(self) -> str:
        return f"Place({self.url!r})"

    def __str__(self) -> str:
        """Short, for a sentence: host and database."""
        try:
            parts = urlsplit(self.bare)
        except ValueError:
            return "PostgreSQL"
        return f"{parts.netloc.rpartition('@')[2] or 'the local socket'}{parts.path}"


class Trouble(Exception):
    """The database said no, or nothing at all; told apart from what a body raises by itself."""

    def __init__(self, error: Exception, line: Line) -> None:
        super().__init__(type(error).__name__)
        self.error = error
        gone = line.is_closed() or isinstance(error, OSError)
        self.lost = gone or sqlstate(error).startswith(GONE)  # the connection cannot be used any more
        # One body alone is to blame, and the others may go on without it.
        self.own = not self.lost and (isinstance(error, asyncpg.InterfaceError) or sqlstate(error).startswith(OWN))

    @property
    def failure(self) -> StoreFailed:
        """What the user is told; the first line alone, for the details of PostgreSQL quote rows."""
        if self.lost:
            return StoreFailed("the connection to the database was lost", hint=HINT, code="STORE")
        return failed(self.error)


def met(error: Exception, line: Line) -> Trouble:
    """An error as a trouble. A connection that is lost, or did not answer in time, is not asked anything again."""
    trouble = Trouble(error, line)
    if trouble.lost:
        line.terminate()
    return trouble


TROUBLES = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)


async def connect(place: Place, busy_seconds: float, *, patient: bool = False) -> Line:
    """A connection whose commits are durable and which waits this long for another writer. Raises StoreFailed.

    A patient one may take as long as it likes over one statement: for copies and migrations.
    """
    try:
        line: Line = await asyncpg.connect(
            place.bare,
            password=place.password,
            connection_class=Line,
            timeout=max(busy_seconds, CONNECTING),
            command_timeout=None if patient else busy_seconds + ANSWERING,
            server_settings=_settings(busy_seconds),
        )
    except ValueError as error:  # of asyncpg's own: it may quote the URL
        raise StoreFailed(
            f"{place.url} is not a URL of a PostgreSQL",
            hint="write it like postgresql+asyncpg://user:password@host/database",
            code="STORE",
        ) from (error if place.password is None else None)
    except TROUBLES as error:
        raise _unreachable(place, error) from (error if place.password is None else None)
    return line


def _settings(busy_seconds: float) -> dict[str, str]:
    wait = f"{max(1, int(busy_seconds * 1000))}ms"
    return {
        "application_name": "ordo",
        "synchronous_commit": "on",  # whatever the server's default is: the journal is the promise
        "lock_timeout": wait,
        "idle_in_transaction_session_timeout": "15s",  # a frozen process must not keep the write lock
        "tcp_keepalives_idle": "10",  # nor a dead host its account locks
        "tcp_keepalives_interval": "5",
        "tcp_keepalives_count": "3",
        "client_min_messages": "warning",
        "jit": "off",
    }


async def close(line: Line) -> None:
    """Take leave; a server that does not answer is left."""
    if line.is_closed():
        return
    try:
        await line.close(timeout=CLOSING)
    except TROUBLES:
        line.terminate()


def sqlstate(error: Exception) -> str:
    return str(getattr(error, "sqlstate", None) or "")


def failed(error: Exception) -> StoreFailed:
    """What an error of a living connection is called."""
    state = sqlstate(error)
    if state == "55P03":
        return StoreFailed("another process held the database too long", hint=f"try again; {HINT}", code="STORE_BUSY")
    if state == "53100":
        return StoreFailed("the disk of the database is full, nothing can be written down", hint=HINT, code="STORE")
    if state == "25006":
        return StoreFailed("the database is a standby, which takes no changes", hint=HINT, code="STORE")
    return StoreFailed(f"the database failed: {_words(error)}", hint="see: ordo db check", code="STORE")


def _words(error: Exception) -> str:
    lines = str(getattr(error, "message", None) or error).splitlines()
    return lines[0] if lines else type(error).__name__


def _unreachable(place: Place, error: Exception) -> StoreFailed:
    state = sqlstate(error)
    if state.startswith("28"):
        why = "it does not let this user in"
    elif state == "3D000":
        why = "there is no such database"
    elif state == "53300":
        why = "it takes no more connections"
    elif isinstance(error, TimeoutError):
        why = "it does not answer"
    elif isinstance(error, OSError):
        why = error.strerror or type(error).__name__
    else:
        why = _words(error)
    return StoreFailed(f"the database at {place} cannot be used: {why}", hint=HINT, code="STORE")
