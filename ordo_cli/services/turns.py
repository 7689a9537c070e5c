"""Turns: what a leg waits for before its line is opened, and how all waiting ends when the user stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from ordo_cli.desk import Desk
from ordo_cli.domain.accounts import Account
from ordo_cli.domain.errors import Refused
from ordo_cli.domain.legs import Block
from ordo_cli.services.ahead import Ahead, Book

STOPPED = "stopped before it was sent"


@asynccontextmanager
async def turn(
    desk: Desk, account: Account, deadline: float, room: asyncio.Semaphore, ahead: Ahead | None = None
) -> AsyncIterator[Book | None]:
    """Room on the wire, and the account's writer lock; gives the book that was read ahead under that very lock.

    Raises Refused as soon as the user stops.
    """
    if desk.stopping.is_set():
        raise Refused(STOPPED, code=Block.INTERRUPTED)
    await (unless_stopped(desk, room.acquire()) if room.locked() else room.acquire())
    try:
        if ahead is not None:
            await unless_stopped(desk, ahead.done(account.id))
            if (ready := ahead.given(account.id)) is not None:
                async with ready.turn:
                    yield ready.book
                return
        held = await desk.locks.take(account.id)
        if held is not None:
            with held:
                yield None
            return
        async with AsyncExitStack() as stack:
            lock = desk.locks.account(account.id, deadline)
            await unless_stopped(desk, lock.__aenter__())
            stack.push_async_exit(lock)
            yield None
    finally:
        room.release()


async def unless_stopped[T](desk: Desk, waiting: Coroutine[Any, Any, T]) -> T:
    """What is waited for, or Refused when the user stops first."""
    # Begun at once: mostly there is nothing to wait for, and then two tasks and a turn of the loop are saved.
    result = asyncio.Task(waiting, loop=asyncio.get_running_loop(), eager_start=True)
    if result.done():
        return result.result()
    try:
        await desk.stopping.or_done(result)
        if result.done():
            return result.result()
        raise Refused(STOPPED, code=Block.INTERRUPTED)
    finally:
        if result.cancel():
            await asyncio.wait({result})
