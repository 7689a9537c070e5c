"""The seams to all that is not deterministic or not ours: time, chance, disk, meter. Tests and doors bring others."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ordo_cli.domain.fanouts import FanOut
    from ordo_cli.domain.kill import Level, Scope
    from ordo_cli.domain.legs import Leg


class Clock(Protocol):
    def now(self) -> datetime:
        """The time of day: aware, UTC."""
        ...

    def elapsed(self) -> float:
        """Seconds since boot, the machine's sleep included; never set back. Comparable between processes."""
        ...

    async def sleep(self, seconds: float) -> None: ...


class Waiting(Protocol):
    """The clock of a program without an event loop."""

    def now(self) -> datetime: ...

    def elapsed(self) -> float: ...

    def wait(self, seconds: float) -> None: ...


class Chance(Protocol):
    def token(self, length: int) -> str:
        """That many characters of lower-case Crockford base 32, unguessable."""
        ...

    def uniform(self, low: float, high: float) -> float:
        """A number for jitter; nothing secret."""
        ...


class Disk(Protocol):
    """What must be forced to the disk, and what must not be half-written."""

    def write(self, path: str, data: bytes, mode: int = 0o600) -> None:
        """Replace a file as a whole: written beside it, fsynced, renamed, folder fsynced."""
        ...

    def free(self, path: str) -> tuple[int, int]:
        """Bytes free and bytes in all where this path lies."""
        ...


Failpoint = Callable[[str], None]
"""Called with a label at every step of sending; the real one does nothing, tests kill the process there."""


class Meter(Protocol):
    """Told of what happened once it has, for whoever counts it. It may not raise, and nothing depends on it."""

    def leg(self, leg: Leg, began: datetime, ended: datetime) -> None:
        """Sending this leg came to an end, whatever became of it."""
        ...

    def fan_out(self, fan_out: FanOut, seconds: float) -> None:
        """Every leg of a fan-out has been carried as far as sending goes."""
        ...

    def commit(self, seconds: float, bodies: int) -> None:
        """The journal committed so many changes together; time spent waiting for the writer is not in it."""
        ...

    def replayed(self) -> None:
        """A request was answered with what the first one with its key came to."""
        ...

    def press(self, scope: Scope, level: Level) -> None:
        """The kill switch was pressed here."""
        ...


class NoMeter:
    """Counts nothing."""

    def leg(self, leg: Leg, began: datetime, ended: datetime) -> None: ...

    def fan_out(self, fan_out: FanOut, seconds: float) -> None: ...

    def commit(self, seconds: float, bodies: int) -> None: ...

    def replayed(self) -> None: ...

    def press(self, scope: Scope, level: Level) -> None: ...


NO_METER = NoMeter()
