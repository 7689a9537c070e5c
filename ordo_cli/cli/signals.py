"""Ctrl-C and SIGTERM during a command: the first asks, the second leaves."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ordo_cli.cli import talk

if TYPE_CHECKING:
    from ordo_cli.cli.talk import Invocation
    from ordo_cli.desk import Desk
    from ordo_cli.home import Home

SIGNALS = (signal.SIGINT, signal.SIGTERM)
_handlers: list[Callable[[], None]] = []  # the one that answers now; the loop cannot be asked for it
SHOW_CURSOR = "\x1b[?25h"  # a live table hides it


async def supervised[T](work: Callable[[Desk], Awaitable[T]], home: Home, reading: bool, invocation: Invocation) -> T:
    """Do the work at an open desk while signals are answered."""
    from ordo_cli.desk import open_desk

    async with open_desk(home) as desk:
        task = asyncio.ensure_future(work(desk))
        _listen(lambda: _first(task, desk, reading, invocation))
        try:
            return await task
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None


def _listen(first: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()

    def heard() -> None:
        _answer_with(loop, _leave)
        first()

    _answer_with(loop, heard)


def _answer_with(loop: asyncio.AbstractEventLoop, handler: Callable[[], None]) -> None:
    _handlers[:] = [handler]
    for number in SIGNALS:
        loop.add_signal_handler(number, handler)


@contextmanager
def asking() -> Iterator[None]:
    """Give Ctrl-C its usual meaning while the user is asked something."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        yield
        return
    was = list(_handlers)
    for number in SIGNALS:
        loop.remove_signal_handler(number)
    try:
        yield
    finally:
        for handler in was:
            _answer_with(loop, handler)


def _first(task: asyncio.Future[Any], desk: Desk, reading: bool, invocation: Invocation) -> None:
    invocation.interrupted = True
    desk.stopping.set()
    if reading:
        task.cancel()
        return
    talk.say("\nstopping: nothing more is started; what is out gets a moment to answer (again to leave now)")


def _leave() -> None:
    """Go now. What was on the wire stays written down as sending, and the next start settles it."""
    if sys.stderr.isatty():
        sys.stderr.write(SHOW_CURSOR)
    talk.say("left; run `ordo fanout reconcile` to settle what was out")
    os._exit(130)
