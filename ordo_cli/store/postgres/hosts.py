"""Locks that hold between hosts: one for each account, in the database that the hosts share.

They belong to one connection, and the server lets them go when that ends, as when its host dies. They stand beside the
lock files, which stay what keeps the processes of one machine apart.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from ordo_cli.domain.errors import StoreFailed
from ordo_cli.store.postgres.connecting import Line, Trouble, close
from ordo_cli.store.postgres.driver import fetch

NUMBER = "hashtextextended('ordo account ' || current_schema() || ' ' || name, 0)"
TAKE = f"SELECT name FROM unnest($1::text[]) AS name WHERE pg_try_advisory_lock({NUMBER})"  # noqa: S608  # ours
LEAVE = f"SELECT pg_advisory_unlock({NUMBER}) FROM unnest($1::text[]) AS name"  # noqa: S608  # ours


class AccountLocks:
    """This process's locks. What is asked for while another question is under way goes together in the next one."""

    def __init__(self, connector: Callable[[], Awaitable[Line]]) -> None:
        self._connector = connector
        self._line: Line | None = None
        self._held: set[str] = set()
        self._leaving: list[str] = []
        self._wanted: dict[str, asyncio.Future[bool]] = {}
        self._asking: asyncio.Task[None] | None = None

    async def take(self, account: str) -> bool:
        """Try once; False when another host has it. Raises StoreFailed. One caller at a time for each account."""
        future = self._wanted[account] = asyncio.get_running_loop().create_future()
        self._begin()
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            future.add_done_callback(lambda done: self._unwanted(account, done))
            raise

    def leave(self, account: str) -> None:
        """Give a lock back, as soon as the connection is free; it does not fail, for an ended one gave all back."""
        if account in self._held:
            self._held.discard(account)
            self._leaving.append(account)
            self._begin()

    async def close(self) -> None:
        """Give everything back."""
        if self._asking is not None:
            await asyncio.wait([self._asking])
        if self._line is not None:
            await close(self._line)
        self._held.clear()

    def _begin(self) -> None:
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask())

    async def _ask(self) -> None:
        try:
            while self._leaving or self._wanted:
                leaving, self._leaving = self._leaving, []
                wanted, self._wanted = self._wanted, {}
                await self._round(leaving, wanted)
        finally:
            self._asking = None

    async def _round(self, leaving: list[str], wanted: dict[str, asyncio.Future[bool]]) -> None:
        try:
            taken = await self._asked(leaving, list(wanted))
        except StoreFailed as failure:
            for future in wanted.values():
                future.set_exception(failure)
            return
        self._held |= taken
        for account, future in wanted.items():
            future.set_result(account in taken)

    async def _asked(self, leaving: list[str], wanted: list[str]) -> set[str]:
        """Which of the wanted are ours now. A connection that was lost is replaced once; it holds nothing any more."""
        for once_more in (True, False):
            line = await self._connected()
            try:
                if leaving:
                    await fetch(line, LEAVE, leaving)
                return {name for (name,) in await fetch(line, TAKE, wanted)} if wanted else set()
            except Trouble as trouble:
                line.terminate()
                if not (once_more and trouble.lost):
                    raise trouble.failure from trouble.error
        raise AssertionError("the second round returns or raises")

    async def _connected(self) -> Line:
        if self._line is None or self._line.is_closed():
            line = await self._connector()
            try:  # what was held is taken back; where another host was faster, its claims are kept apart by the journal
                await fetch(line, TAKE, sorted(self._held))
            except Trouble as trouble:
                line.terminate()
                raise trouble.failure from trouble.error
            self._line = line
        return self._line

    def _unwanted(self, account: str, done: asyncio.Future[bool]) -> None:
        if not done.cancelled() and done.exception() is None and done.result():
            self.leave(account)
