"""Work that outlives the request which began it: a client that hangs up stops no order halfway."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


class Flights:
    """What this server has begun and not yet ended."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def begin[T](self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start work that nobody but the end of this server cancels."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def finish[T](self, work: Coroutine[Any, Any, T]) -> T:
        """The result of work that goes on even when whoever waits here is cancelled."""
        return await asyncio.shield(self.begin(work))

    async def land(self, seconds: float) -> int:
        """Wait for all of it, and not longer than this; how many were still out then, and are cancelled."""
        if not self._tasks:
            return 0
        _, late = await asyncio.wait(set(self._tasks), timeout=seconds)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)
        return len(late)
