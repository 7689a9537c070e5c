"""Several server processes on one socket: begun together, replaced when one dies, ended together."""

from __future__ import annotations

import gc
import os
import select
import signal
from collections.abc import Callable
from contextlib import suppress

from ordo_cli import press
from ordo_cli.api.notifying import ALIVE, READY, STOPPING, heartbeat, notify
from ordo_cli.domain.errors import Invalid
from ordo_cli.home import Home
from ordo_cli.machine import SystemClock

SETTLED = 1.0  # seconds; a worker that fails sooner would only fail again
SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGCHLD})
DIED, SERVES = b"d", b"s"

Told = Callable[[], None]
Work = Callable[[int, int, Told], int]
"""Serves as worker of this number, to its exit code; told when it does; ends when this descriptor does, with us."""


def supervise(home: Home, count: int, work: Work) -> int:
    """Run `work` in that many processes until SIGTERM or Ctrl-C, and give the exit code of the whole."""
    if not hasattr(os, "fork"):
        raise Invalid("this system has no way to share a socket between processes", hint="--workers 1")
    return _Supervisor(home, work).run(count)


class _Supervisor:
    def __init__(self, home: Home, work: Work) -> None:
        self._home, self._work, self._clock = home, work, SystemClock()
        self._children: dict[int, tuple[int, float]] = {}  # number and birth of each worker, by process
        self._ending, self._code, self._serving = False, 0, 0
        self._heard, self._tell = os.pipe()  # what happened, so that one wait is enough
        self._alive, self._life = os.pipe()  # closes when this process ends, however it ends
        os.set_blocking(self._tell, False)

    def run(self, count: int) -> int:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._end())
        signal.signal(signal.SIGUSR1, lambda *_: self._press())
        signal.signal(signal.SIGCHLD, lambda *_: self._say(DIED))
        gc.freeze()  # what is shared with the workers stays shared
        for worker in range(count):
            self._begin(worker)
        beat = heartbeat()
        while self._children:
            if select.select([self._heard], [], [], beat)[0]:
                self._take(os.read(self._heard, 1024), count)
            if beat is not None and self._serving >= count:
                notify(ALIVE)
            self._reap()
        return self._code

    def _begin(self, worker: int) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # no handler of ours may run in a child, or before we know it
        process = os.fork()
        if process:
            self._children[process] = (worker, self._clock.elapsed())
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            return
        code = 1
        try:
            for each in SIGNALS:
                signal.signal(each, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            os.setpgrp()  # Ctrl-C at a terminal is told to the parent, and by it to us: once
            os.close(self._life)
            code = self._work(worker, self._alive, lambda: self._say(SERVES))
        finally:
            os._exit(code)

    def _take(self, told: bytes, count: int) -> None:
        before = self._serving
        self._serving += told.count(SERVES)
        if before < count <= self._serving:
            notify(READY)

    def _reap(self) -> None:
        while self._children:
            process, status = os.waitpid(-1, os.WNOHANG)
            if not process:
                return
            if process in self._children:
                self._ended(process, os.waitstatus_to_exitcode(status))

    def _ended(self, process: int, code: int) -> None:
        worker, born = self._children.pop(process)
        if self._ending:
            self._code = self._code or (1 if code > 0 else 0)
        elif code > 0 and self._clock.elapsed() - born < SETTLED:  # it failed by itself, as the next would
            self._code = code
            self._end()
        else:
            self._begin(worker)

    def _end(self) -> None:
        self._ending = True
        notify(STOPPING)
        for process in self._children:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGTERM)

    def _press(self) -> None:
        press.engage(self._home, press.Press(reason="SIGUSR1"))

    def _say(self, word: bytes) -> None:
        with suppress(BlockingIOError):  # full of what was said before, which is enough to wake us
            os.write(self._tell, word)
