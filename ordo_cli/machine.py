"""The real machine behind the seams: the only module that asks for the time, for chance and to force a file to disk."""

from __future__ import annotations

import contextlib
import os
import time
from datetime import UTC, datetime

try:
    from fcntl import LOCK_EX, LOCK_NB, flock
except ImportError:  # pragma: no cover - Windows: taking a lock says Busy, and no owner is ever proven dead
    LOCK_EX = LOCK_NB = 0  # type: ignore[misc]

    def flock(fd: object, operation: int, /) -> None:  # type: ignore[misc]
        raise OSError("this system has no flock")


CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def elapsed(self) -> float:
        # CLOCK_BOOTTIME counts while a laptop sleeps, so that a permit ages in its sleep too.
        return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()

    async def sleep(self, seconds: float) -> None:
        import asyncio  # 45 ms that a program without an event loop need not pay

        await asyncio.sleep(seconds)

    def wait(self, seconds: float) -> None:
        time.sleep(seconds)


class SystemChance:
    def token(self, length: int) -> str:
        number = int.from_bytes(os.urandom((5 * length + 7) // 8))  # `secrets` would cost 4 ms
        return "".join(CROCKFORD[(number >> 5 * place) & 31] for place in range(length))

    def uniform(self, low: float, high: float) -> float:
        return low + (high - low) * (int.from_bytes(os.urandom(7)) >> 3) / (1 << 53)


class SystemDisk:
    def write(self, path: str, data: bytes, mode: int = 0o600) -> None:
        beside = f"{path}.new-{os.getpid()}-{os.urandom(4).hex()}"
        try:
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, path)
        except BaseException:
            if os.path.exists(beside):
                os.unlink(beside)
            raise
        folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def free(self, path: str) -> tuple[int, int]:
        room = os.statvfs(path)
        return room.f_bavail * room.f_frsize, room.f_blocks * room.f_frsize


def user() -> str:
    """The number of the user whom this process runs for."""
    return str(os.getuid()) if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")


def no_failpoint(label: str) -> None:
    """Nothing fails by itself."""


def allow_many_files() -> None:
    """Let this process open as many files as it may: a leg takes a lock file and a connection each."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = hard if hard != resource.RLIM_INFINITY else 65536
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, 65536), hard))


def take_file(path: str, *, make: bool = True) -> int:
    """A descriptor of this file, locked for whoever has it; the file and its folder are made if need be.

    Raises BlockingIOError when somebody else has it, and OSError when it cannot be had at all.
    """
    flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if make else 0)
    try:
        descriptor = os.open(path, flags, 0o600)
    except FileNotFoundError:
        if not make:
            raise
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        descriptor = os.open(path, flags, 0o600)
    try:
        flock(descriptor, LOCK_EX | LOCK_NB)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
