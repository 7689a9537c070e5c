"""The gate: the last check before an order's first byte. Whatever cannot be read counts as the kill switch engaged."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from ordo_cli import arming
from ordo_cli.domain.errors import KillEngaged, Refused
from ordo_cli.domain.kill import Scope
from ordo_cli.domain.legs import Block
from ordo_cli.domain.seams import Clock
from ordo_cli.domain.values import dataclass
from ordo_cli.home import network_file_system

MAX_AGE = 0.25  # seconds from the commit of SENDING to the first byte; what a kill waits for senders
LOCK_LIMIT = 0.02  # seconds that a sender tries for the lock; only a kill or a release holds it against senders
STALE = "STALE"


@dataclass(frozen=True, slots=True)
class Seal:
    """One arming file as it was when the order was planned."""

    scope: Scope
    path: str
    content: bytes

    @property
    def epoch(self) -> int:
        return arming.epoch_of(self.content, self.path)


@dataclass(frozen=True, slots=True)
class Stamps:
    """Every arming file that an order needs, frozen at planning: it passes only while they are still the same."""

    seals: tuple[Seal, ...]

    @property
    def epochs(self) -> dict[Scope, int]:
        return {seal.scope: seal.epoch for seal in self.seals}


class Gate:
    """Reads the arming files of one run folder. It remembers nothing about whether they are there."""

    def __init__(self, run: str, clock: Clock) -> None:
        self._run = run
        self._clock = clock
        self._network: str | bool | None = False  # not yet looked up; where a folder lies does not change

    def stamps(self, scopes: Iterable[Scope]) -> Stamps:
        """What is armed now. Raises KillEngaged, naming the scope, when one is not or cannot be read."""
        self._refuse_network()
        seals = []
        for scope in scopes:
            path = arming.path_of(self._run, scope.kind, scope.name)
            seals.append(Seal(scope, path, self._read(scope, path)))
        if not seals:
            raise KillEngaged("no scope was named, so nothing is armed", hint="this is a bug in ordo; please report it")
        return Stamps(tuple(seals))

    def permit(self, stamps: Stamps | None, *, committed_at: float, deadline: float) -> GatePermit:
        """Leave for one attempt. Without stamps it is a close or a cancel, which the switch never blocks."""
        return GatePermit(self, stamps, committed_at, deadline)

    def check(self, stamps: Stamps) -> None:
        """Raises KillEngaged unless every arming file is what it was at planning."""
        looked_at: set[str] = set()
        for seal in stamps.seals:
            if self._read(seal.scope, seal.path, seal.content, looked_at) != seal.content:
                raise KillEngaged(
                    f"{seal.scope} was killed and released after this order was planned",
                    hint="place it again if it is still wanted",
                )

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Hold the lock that a kill waits for. Raises KillEngaged when it cannot be had."""
        try:
            lock = arming.share(self._run, LOCK_LIMIT)
        except OSError as problem:
            raise KillEngaged(
                f"the kill switch's lock cannot be had ({_why(problem)}), so nothing leaves",
                hint="see: ordo kill status",
            ) from problem
        try:
            yield
        finally:
            os.close(lock)

    def now(self) -> float:
        return self._clock.elapsed()

    def _read(self, scope: Scope, path: str, expected: bytes | None = None, looked_at: set[str] | None = None) -> bytes:
        """One arming file, in a folder that nobody else may write in; `looked_at` are folders seen in this check."""
        folder = path.rpartition(os.sep)[0]
        try:
            if looked_at is None or folder not in looked_at:
                arming.private_folder(folder)
            if looked_at is not None:
                looked_at.add(folder)
            return arming.armed(path, expected)
        except FileNotFoundError:
            raise KillEngaged(
                f"the kill switch is engaged for {scope}",
                hint=f"see: ordo kill status; ordo kill release --scope {scope}",
            ) from None
        except OSError as problem:
            raise KillEngaged(
                f"the arming file of {scope} cannot be trusted ({_why(problem)}), which counts as killed",
                hint="see: ordo kill status",
            ) from problem

    def _refuse_network(self) -> None:
        if self._network is False:
            self._network = network_file_system(self._run)
        if self._network is not None:
            raise KillEngaged(
                f"{self._run} lies on {self._network}, where a lock does not hold; nothing leaves from there",
                hint="set ORDO_HOME to a folder on a local disk",
            )


class GatePermit:
    """One attempt's leave to write, and the count of what it wrote."""

    __slots__ = ("_committed_at", "_deadline", "_gate", "_stamps", "_withdrawn", "bytes_sent", "first_byte_at")

    def __init__(self, gate: Gate, stamps: Stamps | None, committed_at: float, deadline: float) -> None:
        self._gate = gate
        self._stamps = stamps
        self._committed_at = committed_at
        self._deadline = deadline
        self._withdrawn = False
        self.bytes_sent = 0
        self.first_byte_at: float | None = None

    def withdraw(self) -> bool:
        """End the leave; whether it was never used. Then nothing has left, and nothing will.

        A broker may write in a thread that goes on when its caller has stopped waiting: each side writes its own mark
        before it looks at the other's, so that the two can never both believe to be first.
        """
        self._withdrawn = True
        return self.bytes_sent == 0 and self.first_byte_at is None

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Held across the first write alone, nothing awaited inside. Raises KillEngaged or Refused: write nothing."""
        if self._stamps is None:
            self._in_time()
            yield
            return
        with self._gate.shared():
            self._gate.check(self._stamps)
            self._in_time()  # after the files: a process that was stopped while reading them wakes up too old
            yield

    def _in_time(self) -> None:
        now = self._gate.now()
        if now >= self._deadline:
            raise Refused("the order's deadline passed before it could leave", code=Block.DEADLINE)
        if not 0 <= now - self._committed_at <= MAX_AGE:
            raise Refused(
                f"more than {MAX_AGE * 1000:.0f} ms passed between the last check and the first byte; nothing was sent",
                code=STALE,
            )
        self.first_byte_at = now
        if self._withdrawn:
            raise Refused("ordo stopped before the first byte; nothing was sent", code=Block.INTERRUPTED)


def _why(problem: OSError) -> str:
    return problem.strerror or str(problem)
