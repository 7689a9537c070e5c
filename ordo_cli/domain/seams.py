"""The seams to all that is not deterministic: time, chance. `machine.py` has the real ones, tests bring others."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The time of day: aware, UTC."""
        ...

    def elapsed(self) -> float:
        """Seconds since boot, the machine's sleep included; never set back. Comparable between processes."""
        ...

    async def sleep(self, seconds: float) -> None: ...


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
