"""Work that outlives the request which began it: a client that hangs up stops no order halfway."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

LONGEST = 60.0  # seconds that the end of a server waits for clean-ups, all of them together
ENDING = 2.0  # seconds that what is cut gets to say where it was
LOOK = 0.25  # seconds between looks whether a clean-up has moved on

Told = Callable[[tuple[str, ...]], None]
"""Told what is waited for, each time that it is something else."""


class Sweeping:
    """A clean-up under way: halfway through it orders are cancelled and positions still open."""

    def __init__(self, what: str, still: float) -> None:
        self.what, self._still = what, still
        self.moved()

    def moved(self) -> None:
        """It has got further."""
        self._at = asyncio.get_running_loop().time()

    def due(self, begun: float) -> float:
        """When it is waited for no longer, where waiting began at this time."""
        return min(begun + LONGEST, max(begun, self._at) + self._still)


class Flights:
    """What this server has begun and not yet ended."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._sweeps: dict[asyncio.Task[Any], Sweeping] = {}
        self._leaving = asyncio.Event()

    def begin[T](self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start work that nobody but the end of this server cancels."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def finish[T](self, work: Coroutine[Any, Any, T]) -> T:
        """The result of work that goes on even when whoever waits here is cancelled."""
        return await asyncio.shield(self.begin(work))

    @contextmanager
    def sweeping(self, what: str, still: float) -> Iterator[Sweeping]:
        """While this lasts, the flight that is in it is waited for as long as it moves on, if not for ever.

        `still` is how many seconds it may take over one step.
        """
        task, sweep = asyncio.current_task(), Sweeping(what, still)
        assert task is not None
        self._sweeps[task] = sweep
        try:
            yield sweep
        finally:
            del self._sweeps[task]

    def leave(self) -> None:
        """Wait for nothing any more: whoever lands cuts what is out."""
        self._leaving.set()

    async def land(self, seconds: float, told: Told | None = None) -> int:
        """Wait for all of it, for clean-ups while they move on and for the rest so long; how many were cut then."""
        loop, cut, said = asyncio.get_running_loop(), set[asyncio.Task[Any]](), tuple[str, ...]()
        begun = loop.time()
        leaving = asyncio.ensure_future(self._leaving.wait())
        try:
            while out := self._tasks - cut:
                now, due = loop.time(), {task: self._due(task, begun, seconds) for task in out}
                late = {task for task in out if self._leaving.is_set() or due[task] <= now}
                for task in late:
                    task.cancel()
                cut |= late
                names = tuple(sorted(sweep.what for task, sweep in self._sweeps.items() if task in out - late))
                if names and names != said and told is not None:
                    told(names)
                said = names
                if out - late:
                    patience = min(LOOK, *(due[task] - now for task in out - late))
                    await asyncio.wait({*out - late, leaving}, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
        if cut:
            await asyncio.wait(cut, timeout=ENDING)
        return len(cut)

    def _due(self, task: asyncio.Task[Any], begun: float, seconds: float) -> float:
        sweep = self._sweeps.get(task)
        return max(begun + seconds, sweep.due(begun) if sweep is not None else begun)
