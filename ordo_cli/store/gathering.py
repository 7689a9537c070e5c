"""Bodies gather while the last ones run, and what has gathered runs together: a commit for many, a look for many."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from ordo_cli.domain.errors import StoreFailed
from ordo_cli.store.driver import Body

type Made = Callable[[], Body[Any]]
"""Makes a body; a second time, when the first run has to be undone."""


class Outcome:
    """What became of one body: its value, or what it raised."""

    __slots__ = ("error", "value")

    def __init__(self, value: Any = None, error: Exception | None = None) -> None:
        self.value = value
        self.error = error

    def opened(self) -> Any:
        """The value. Raises what the body raised."""
        if self.error is not None:
            raise self.error
        return self.value


class Gathering:
    """Hands bodies to `commit`, so many at a time, in the order in which they came; one commit at a time."""

    def __init__(self, commit: Callable[[Sequence[Made]], Awaitable[list[Outcome]]], most: int) -> None:
        self._commit = commit
        self._most = most
        self._waiting: list[tuple[Made, asyncio.Future[Any]]] = []
        self._writer: asyncio.Task[None] | None = None
        self.told: Callable[[float, int], None] | None = None

    async def run(self, made: Made) -> Any:
        """Wait until this body is committed, and give its value or raise what it raised."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((made, future))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())
        # Shielded by design: a caller that is cancelled while waiting does not take back what is being committed.
        return await future

    @property
    def busy(self) -> bool:
        """Whether a commit is running or about to."""
        return self._writer is not None

    async def settle(self) -> None:
        """Wait until everything handed in is committed or refused."""
        while self._writer is not None:
            await asyncio.wait([self._writer])

    async def _write(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                await self._together(batch)
        finally:
            self._writer = None

    async def _together(self, batch: list[tuple[Made, asyncio.Future[Any]]]) -> None:
        clock = asyncio.get_running_loop().time
        begun = clock()
        try:
            outcomes = await self._commit([made for made, _ in batch])
        except Exception as error:  # not the database's: its thread is gone, or this is a bug of ours
            lost = StoreFailed(f"the journal's writer stopped: {error!r}", hint="see: ordo doctor", code="STORE")
            outcomes = [Outcome(error=lost)] * len(batch)
        if self.told is not None:
            self.told(clock() - begun, len(batch))
        _answer(batch, outcomes)


def _answer(batch: list[tuple[Made, asyncio.Future[Any]]], outcomes: list[Outcome]) -> None:
    for (_, future), outcome in zip(batch, outcomes, strict=True):
        if future.done():
            continue
        if outcome.error is not None:
            future.set_exception(outcome.error)
        else:
            future.set_result(outcome.value)
