"""Locks between the processes of one machine, and the proof that the owner of a leg is dead."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from typing import Protocol, Self

from ordo_cli.domain.errors import Busy
from ordo_cli.domain.journal import Owner
from ordo_cli.domain.seams import Chance, Clock
from ordo_cli.machine import take_file


class Beyond(Protocol):
    """Locks that keep other hosts from an account, as a database shared with them has."""

    async def take(self, account: str) -> bool:
        """Try once; False when another host has it."""
        ...

    def leave(self, account: str) -> None:
        """Give it back."""
        ...


class Queue(asyncio.Lock):
    """Who is behind whom for an account in this process, and how many are.

    A lock that has just been let go is free by its word, and yet belongs to whoever waits for it already.
    """

    waiting = 0

    @property
    def free(self) -> bool:
        return not self.locked() and not self.waiting


class Held:
    """An account's lock, given back at the end of a `with`."""

    __slots__ = ("_lock", "_queue")

    def __init__(self, queue: Queue, lock: int) -> None:
        self._queue, self._lock = queue, lock

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        os.close(self._lock)
        self._queue.release()


FAR_PAUSE = 0.02  # seconds between two tries for a lock that another host holds
PAUSE = 0.005  # seconds between two tries for a lock that another process holds
PROC = os.path.exists("/proc/self/stat")


class Locks:
    """The lock files of one run folder, as this process holds them."""

    def __init__(self, run: str, clock: Clock, chance: Chance) -> None:
        self._run = run
        self._clock = clock
        self._chance = chance
        self._queues: dict[str, Queue] = {}
        self._owner: Owner | None = None
        self._held = -1
        self.beyond: Beyond | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        self.close()

    @property
    def owner(self) -> Owner:
        """This process, which is known to live while the lock taken here is held."""
        if self._owner is None:
            nonce = self._chance.token(16)
            self._held = self._announce(nonce)
            self._owner = Owner(_host(), boot_id(), os.getpid(), started(os.getpid()) or "", nonce)
        return self._owner

    def close(self) -> None:
        """Let go of this process's own lock: it owns nothing any more."""
        if self._owner is not None:
            _remove(self._owner_file(self._owner.nonce))
            os.close(self._held)
            self._owner, self._held = None, -1

    def alive(self, owner: Owner) -> bool:
        """False only on proof: its lock is free and the process is gone.

        An owner of another name of machine counts as alive, unless it left its lock in this very folder, which is on a
        disk of this machine: then it was a container, or this machine before it got another name.
        """
        if self._owner is not None and owner == self._owner:
            return True
        path = self._owner_file(owner.nonce)
        if owner.host != _host():
            return not (os.path.exists(path) and self._is_free(path))
        if not self._is_free(path):
            return True
        try:
            return boot_id() == owner.boot_id and started(owner.pid) == owner.started
        except OSError:
            return True  # the system does not say, and that is no proof

    def others(self) -> int:
        """How many other processes of this home hold their own lock right now."""
        folder = os.path.join(self._run, "owners")
        mine = self._owner.nonce if self._owner is not None else ""
        try:
            names = [name for name in os.listdir(folder) if name.endswith(".lock") and name != f"{mine}.lock"]
        except FileNotFoundError:
            return 0
        return sum(not self._is_free(os.path.join(folder, name)) for name in names)

    async def take(self, account_id: str) -> Held | None:
        """Be the account's one writer, at once; None where somebody would have to be waited for."""
        queue = self._queues.setdefault(account_id, Queue())
        if not queue.free or self.beyond is not None:
            return None
        await queue.acquire()  # which is free, so that nothing is waited for
        try:
            return Held(queue, take_file(self._account_file(account_id)))
        except BaseException as problem:
            queue.release()
            if isinstance(problem, OSError):  # whoever waits for it hears what is wrong
                return None
            raise

    @contextlib.asynccontextmanager
    async def account(self, account_id: str, deadline_elapsed: float) -> AsyncIterator[None]:
        """Be the account's one writer. Raises Busy when another still is at the deadline."""
        queue = self._queues.setdefault(account_id, Queue())
        await self._wait_turn(queue, account_id, deadline_elapsed)
        try:
            lock = await self._wait_lock(account_id, deadline_elapsed)
            try:
                async with self._beyond(account_id, deadline_elapsed):
                    yield
            finally:
                os.close(lock)
        finally:
            queue.release()

    @contextlib.asynccontextmanager
    async def only_one(self, name: str) -> AsyncIterator[None]:
        """Be the one process that does this. Raises Busy at once when another does."""
        try:
            lock = take_file(os.path.join(self._run, "only", f"{name}.lock"))
        except OSError as problem:
            raise Busy(f"another ordo is already at it: {name}", hint="wait for it to end, or stop it") from problem
        try:
            yield
        finally:
            os.close(lock)

    @contextlib.asynccontextmanager
    async def _beyond(self, account_id: str, deadline: float) -> AsyncIterator[None]:
        if self.beyond is None:
            yield
            return
        while not await self.beyond.take(account_id):
            if self._clock.elapsed() >= deadline:
                raise _busy(account_id)
            await self._clock.sleep(FAR_PAUSE)
        try:
            yield
        finally:
            self.beyond.leave(account_id)

    async def _wait_turn(self, queue: Queue, account_id: str, deadline: float) -> None:
        if queue.free:
            await queue.acquire()
            return
        queue.waiting += 1
        try:
            await self._wait_behind(queue, account_id, deadline)
        finally:
            queue.waiting -= 1

    async def _wait_behind(self, queue: Queue, account_id: str, deadline: float) -> None:
        turn = asyncio.ensure_future(queue.acquire())
        limit = asyncio.ensure_future(self._clock.sleep(max(0.0, deadline - self._clock.elapsed())))
        try:
            await asyncio.wait({turn, limit}, return_when=asyncio.FIRST_COMPLETED)
        except BaseException:
            if turn.done() and not turn.cancelled():
                queue.release()
            turn.cancel()
            raise
        finally:
            limit.cancel()
        if not turn.done():
            turn.cancel()
            await asyncio.wait({turn})
            if turn.cancelled():
                raise _busy(account_id)

    async def _wait_lock(self, account_id: str, deadline: float) -> int:
        path = self._account_file(account_id)
        while True:
            try:
                return take_file(path)
            except BlockingIOError:
                if self._clock.elapsed() >= deadline:
                    raise _busy(account_id) from None
                await self._clock.sleep(PAUSE)
            except OSError as problem:
                raise Busy(
                    f"the lock of account {account_id} cannot be taken: {problem.strerror or problem}",
                    hint="see: ordo doctor",
                ) from problem

    def _account_file(self, account_id: str) -> str:
        return f"{self._run}/accounts/{account_id}.lock"

    def _owner_file(self, nonce: str) -> str:
        return os.path.join(self._run, "owners", f"{nonce}.lock")

    def _announce(self, nonce: str) -> int:
        # Locked under another name first: nobody ever sees this file with its lock free while we live.
        path = self._owner_file(nonce)
        try:
            held = take_file(path + ".new")
            os.rename(path + ".new", path)
        except OSError as problem:
            raise Busy(
                f"{os.path.dirname(path)} cannot be written: {problem.strerror or problem}", hint="see: ordo doctor"
            ) from problem
        return held

    def _is_free(self, path: str) -> bool:
        try:
            os.close(take_file(path, make=False))
        except FileNotFoundError:
            return True  # its owner removed it when it ended
        except OSError:
            return False
        return True


def boot_id() -> str:
    """The name of this boot of the machine. Raises OSError when the system does not tell."""
    if PROC:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    return _ask("sysctl", "-n", "kern.bootsessionuuid")


def started(pid: int) -> str | None:
    """When a process started, in the system's own words, or None when there is no such process."""
    if PROC:
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
                # The second field, the command's name, may hold spaces and parentheses of its own.
                fields = file.read().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        return None if fields[0] in "ZX" else fields[19]
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return _ask("ps", "-o", "lstart=", "-p", str(pid)) or None


def _ask(*command: str) -> str:
    import subprocess  # 7 ms, and only where there is no /proc

    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=5)  # noqa: S603  fixed words
    return answer.stdout.strip()


def _host() -> str:
    return os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):  # its folder may be gone; the lock itself goes with the descriptor
        os.unlink(path)


def _busy(account_id: str) -> Busy:
    return Busy(
        f"another order of account {account_id} is still being written",
        hint="wait for it, or raise the order's deadline",
    )
