"""Several server processes on one socket: begun together, replaced when one dies, ended together."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable

from ordo_cli import press
from ordo_cli.domain.errors import Invalid
from ordo_cli.home import Home
from ordo_cli.machine import SystemClock

SETTLED = 1.0  # seconds; a worker that fails sooner would only fail again


def supervise(home: Home, count: int, work: Callable[[int], None]) -> int:
    """Run `work` in that many processes until SIGTERM or Ctrl-C, and give the exit code of the whole."""
    if not hasattr(os, "fork"):
        raise Invalid("this system has no way to share a socket between processes", hint="--workers 1")
    return _Supervisor(home, work).run(count)


class _Supervisor:
    def __init__(self, home: Home, work: Callable[[int], None]) -> None:
        self._home, self._work, self._clock = home, work, SystemClock()
        self._children: dict[int, tuple[int, float]] = {}  # number and birth of each worker, by process
        self._ending = False
        self._code = 0

    def run(self, count: int) -> int:
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, lambda *_: self._end())
        signal.signal(signal.SIGUSR1, lambda *_: self._press())
        gc.freeze()  # what is shared with the workers stays shared
        for number in range(count):
            self._begin(number)
        while self._children:
            process, status = os.waitpid(-1, 0)
            if process in self._children:
                self._ended(process, os.waitstatus_to_exitcode(status))
        return self._code

    def _begin(self, number: int) -> None:
        process = os.fork()
        if process:
            self._children[process] = (number, self._clock.elapsed())
            return
        code = 1
        try:
            for each in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
                signal.signal(each, signal.SIG_DFL)
            self._work(number)
            code = 0
        finally:
            os._exit(code)

    def _ended(self, process: int, code: int) -> None:
        number, born = self._children.pop(process)
        if self._ending:
            self._code = self._code or (1 if code > 0 else 0)
        elif code > 0 and self._clock.elapsed() - born < SETTLED:  # it failed by itself, as the next would
            self._code = 1
            self._end()
        else:
            self._begin(number)

    def _end(self) -> None:
        self._ending = True
        for process in self._children:
            os.kill(process, signal.SIGTERM)

    def _press(self) -> None:
        press.engage(self._home, press.Press(reason="SIGUSR1"))
