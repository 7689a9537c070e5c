"""Runs transaction bodies on a PostgreSQL connection: BEGIN to COMMIT, one writer at a time in the whole database.

Where SQLite takes its write lock an advisory lock is taken, which ends with the transaction: so the audit chain has one
head, and everything read under the lock is what the writer before committed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ordo_cli.domain.errors import StoreFailed
from ordo_cli.store.chain import Tell, rows_of
from ordo_cli.store.driver import Ask, AskMany, Body, Rows
from ordo_cli.store.gathering import Made, Outcome
from ordo_cli.store.postgres.connecting import HINT, TROUBLES, Line, Trouble, met
from ordo_cli.store.sql import POSTGRESQL

WRITE_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('ordo writer ' || current_schema(), 0))"
BEGIN = f"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; {WRITE_LOCK}"
BEGIN_READING = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
WRITES = frozenset(name for name, (text, _) in POSTGRESQL.items() if not text.startswith("SELECT"))


class Transaction:
    """One open transaction: what its bodies told, and how many statements of theirs may have changed something."""

    __slots__ = ("line", "told", "writes")

    def __init__(self, line: Line) -> None:
        self.line = line
        self.told: list[Tell] = []
        self.writes = 0

    async def step[T](self, body: Body[T]) -> T:
        """Run one body to its end. Raises Trouble for the database, and what the body raises as it is."""
        rows: Rows | None = None
        try:
            while True:
                asked = next(body) if rows is None else body.send(rows)
                rows = []
                if type(asked) is Ask:
                    rows = await self.ask(asked.name, asked.parameters)
                elif type(asked) is Tell:
                    self.told.append(asked)
                elif type(asked) is AskMany:
                    await self._many(asked.name, asked.rows)
        except StopIteration as finished:
            result: T = finished.value
            return result

    async def ask(self, name: str, parameters: Mapping[str, object] | Sequence[object] = ()) -> Rows:
        """The rows of one statement."""
        text, names = POSTGRESQL[name]
        if type(parameters) is dict:
            parameters = [parameters[each] for each in names]
        self.writes += name in WRITES
        try:
            return [tuple(row) for row in await self.line.fetch(text, *parameters)]
        except TROUBLES as error:
            raise met(error, self.line) from error

    async def _many(self, name: str, rows: Sequence[Sequence[object]]) -> None:
        self.writes += 1
        try:
            await self.line.executemany(POSTGRESQL[name][0], rows)
        except TROUBLES as error:
            raise met(error, self.line) from error

    async def write_down(self) -> None:
        """Append to the audit chain what this transaction's bodies told."""
        if self.told:
            await self._many("add_audit", rows_of(self.told, await self.ask("audit_head")))


async def begin(line: Line, text: str = BEGIN) -> Transaction:
    """Begin, with the write lock unless it is for reading. Raises Trouble; nothing has happened then."""
    await say(line, text)
    return Transaction(line)


async def say(line: Line, text: str) -> str:
    """A statement without parameters, answered by what the server says became of it."""
    try:
        return str(await line.execute(text))
    except TROUBLES as error:
        raise met(error, line) from error


async def fetch(line: Line, text: str, *parameters: object) -> Rows:
    """The rows of a statement that is none of the store's own."""
    try:
        return [tuple(row) for row in await line.fetch(text, *parameters)]
    except TROUBLES as error:
        raise met(error, line) from error


async def commit(line: Line) -> None:
    """Commit durably. Raises StoreFailed when nobody can be sure of it: what was written then counts as not done."""
    line.warnings.clear()
    try:
        said = await say(line, "COMMIT")
    except Trouble as trouble:
        if not trouble.lost:
            raise
        raise StoreFailed(
            "the connection to the database was lost at the last moment, so this counts as not done",
            hint=HINT,
            code="STORE",
        ) from trouble.error
    if said != "COMMIT":  # a transaction that is spoiled ends so, without an error
        raise StoreFailed("the database did not commit", hint=HINT, code="STORE")
    if line.warnings:  # as when a standby was waited for in vain
        raise StoreFailed(f"the database does not vouch for the commit: {line.warnings[0]}", hint=HINT, code="STORE")


async def together(transaction: Transaction, bodies: Sequence[Made]) -> list[Outcome]:
    """Run bodies in this transaction. An error of the database fails them all; any other fails its own body only."""
    outcomes = [Outcome() for _ in bodies]
    left = list(range(len(bodies)))
    line = transaction.line
    try:
        while (spoiler := await _spoiler(transaction, bodies, outcomes, left)) is not None:
            await say(line, "ROLLBACK")
            left.remove(spoiler)
            transaction = await begin(line)
        await transaction.write_down()
        await commit(line)
    except Trouble as trouble:
        await undo(line)
        return [Outcome(error=trouble.failure)] * len(bodies)
    except StoreFailed as failure:
        return [Outcome(error=failure)] * len(bodies)
    return outcomes


async def _spoiler(
    transaction: Transaction, bodies: Sequence[Made], outcomes: list[Outcome], left: list[int]
) -> int | None:
    """Run what is left; answers the first body that wrote something, or broke a rule, and then refused."""
    for index in left:
        before, known = transaction.writes, len(transaction.told)
        outcomes[index], spoiled = await _alone(transaction, bodies[index]())
        if outcomes[index].error is not None:
            del transaction.told[known:]
            if spoiled or transaction.writes != before:
                return index
    return None


async def _alone(transaction: Transaction, body: Body[Any]) -> tuple[Outcome, bool]:
    try:
        return Outcome(value=await transaction.step(body)), False
    except Trouble as trouble:
        if not trouble.own:
            raise
        return Outcome(error=trouble.failure), True  # PostgreSQL goes on with nothing after an error
    except Exception as error:
        return Outcome(error=error), False


async def reading(line: Line, body: Body[Any]) -> Outcome:
    """Run a body that only reads. Raises Trouble."""
    transaction = await begin(line, BEGIN_READING)
    try:
        return Outcome(value=await transaction.step(body))
    except Trouble:
        raise
    except Exception as error:
        return Outcome(error=error)
    finally:
        await undo(line)


async def undo(line: Line) -> None:
    """Leave no transaction open; a connection on which that fails is not used again."""
    if line.is_closed() or not line.is_in_transaction():
        return
    try:
        await say(line, "ROLLBACK")
    except Trouble:
        line.terminate()
