"""The journal in PostgreSQL: a few connections, one of them writing at a time, each made anew when it was lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial

from ordo_cli.domain.errors import StoreFailed
from ordo_cli.store.driver import BUSY_SECONDS, Body
from ordo_cli.store.gathering import Gathering, Made, Outcome
from ordo_cli.store.postgres import copying, health
from ordo_cli.store.postgres.connecting import Connector, Line, Place, Trouble, close, connect
from ordo_cli.store.postgres.driver import Transaction, begin, reading, together
from ordo_cli.store.postgres.hosts import AccountLocks

MOST_TOGETHER = 25  # each body is some round trips: with more, the first would be too old to be sent when all are done
READERS = 4


class PostgresDatabase:
    """A `Database` on a server, which other hosts may use too."""

    def __init__(self, place: Place, busy_seconds: float, connector: Connector) -> None:
        self.place = place
        self.account_locks = AccountLocks(partial(connector, place, busy_seconds))
        self._connector = partial(connector, place, busy_seconds)
        self._busy_seconds = busy_seconds
        self._idle: list[Line] = []
        self._closed = False
        self._readers = asyncio.Semaphore(READERS)
        self._gathering = Gathering(self._commit, MOST_TOGETHER)

    async def run[**P, T](self, body: Callable[P, Body[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a body in a durable transaction. Its refusal harms no other; after StoreFailed it counts as not kept."""
        result: T = await self._gathering.run(partial(body, *args, **kwargs))
        return result

    async def read[**P, T](self, body: Callable[P, Body[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a body that only reads, on one unchanging picture of the database."""
        outcome: Outcome = await self.call(lambda line: reading(line, body(*args, **kwargs)))
        return outcome.opened()  # type: ignore[no-any-return]  # an outcome holds what its body returned

    async def glance[**P, T](self, body: Callable[P, Body[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """As `read`."""
        return await self.read(body, *args, **kwargs)

    async def call[T](self, work: Callable[[Line], Awaitable[T]]) -> T:
        """Do what changes nothing on a connection of its own; once more on a new one when it was lost."""
        async with self._readers:
            try:
                return await self._on_a_line(work)
            except Trouble as trouble:
                if not trouble.lost:
                    raise trouble.failure from trouble.error
            try:
                return await self._on_a_line(work)
            except Trouble as trouble:
                raise trouble.failure from trouble.error

    async def settle(self) -> None:
        """Wait until everything handed in is committed or refused."""
        await self._gathering.settle()

    def on_commit(self, told: Callable[[float, int], None]) -> None:
        """Call this after each commit with its seconds and how many bodies it held."""
        self._gathering.told = told

    async def described(self) -> str:
        return await self.call(lambda line: health.described(line, self.place))

    async def health(self) -> str | None:
        return await self.call(health.trouble_of)

    async def faults(self) -> list[str]:
        return await self.call(health.faults_of)

    async def backup(self, path: str) -> None:
        line = await connect(self.place, self._busy_seconds, patient=True)
        try:
            await copying.into_file(line, path)
        finally:
            await close(line)

    async def close(self) -> None:
        """Wait for what was handed in, then let every connection go."""
        await self.settle()
        self._closed = True
        await self.account_locks.close()
        while self._idle:
            await close(self._idle.pop())

    async def _commit(self, bodies: Sequence[Made]) -> list[Outcome]:
        try:
            transaction = await self._begun()
        except StoreFailed as failure:
            return [Outcome(error=failure)] * len(bodies)
        try:
            return await together(transaction, bodies)
        finally:
            self._give_back(transaction.line)

    async def _begun(self) -> Transaction:
        """A transaction with the write lock. Nothing is written yet, so a lost connection is simply replaced."""
        for once_more in (True, False):
            line = await self._take()
            try:
                return await begin(line)
            except Trouble as trouble:
                if trouble.lost:
                    self._drop_idle()
                self._give_back(line)
                if not (once_more and trouble.lost):
                    raise trouble.failure from trouble.error
            except BaseException:
                self._give_back(line)
                raise
        raise AssertionError("the second round returns or raises")

    async def _on_a_line[T](self, work: Callable[[Line], Awaitable[T]]) -> T:
        line = await self._take()
        try:
            return await work(line)
        except Trouble as trouble:
            if trouble.lost:
                self._drop_idle()
            raise
        finally:
            self._give_back(line)

    async def _take(self) -> Line:
        if self._closed:
            raise RuntimeError("the journal is closed")
        while self._idle:
            line = self._idle.pop()
            if not line.is_closed():
                return line
        return await self._connector()

    def _give_back(self, line: Line) -> None:
        if line.is_closed():
            return
        if self._closed or line.is_in_transaction():
            line.terminate()
        else:
            self._idle.append(line)

    def _drop_idle(self) -> None:
        """The others were open as long as one that was lost, and are not to be trusted either."""
        while self._idle:
            self._idle.pop().terminate()


@asynccontextmanager
async def open_database(
    place: Place, *, busy_seconds: float = BUSY_SECONDS, connector: Connector = connect
) -> AsyncIterator[PostgresDatabase]:
    """Open the database; whoever has it ready to use is the schema's matter. It connects when it is first asked."""
    database = PostgresDatabase(place, busy_seconds, connector)
    try:
        yield database
    finally:
        await database.close()
