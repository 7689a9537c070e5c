"""The gate: the last check before an order's first byte. Whatever cannot be read counts as the kill switch engaged."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterable

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

Claim = Callable[[], Awaitable[float]]
"""Makes a write durable before it leaves, and gives a moment of the elapsed clock not later than the commit."""


@dataclass(frozen=True, slots=True)
class Seal:
    """One arming file as it was when the order was planned."""

    scope: Scope
    path: str
    folder: str
    content: bytes

    @property
    def epoch(self) -> int:
        return arming.epoch_of(self.content, self.path)


@dataclass(frozen=True, slots=True)
class Stamps:
    """Every arming file that an order needs, frozen at planning: it passes only while they are still the same."""

    seals: tuple[Seal, ...]
    folders: frozenset[str]  # where they lie

    @property
    def epochs(self) -> dict[Scope, int]:
        return {seal.scope: seal.epoch for seal in self.seals}


class Gate:
    """Reads the arming files of one run folder. It remembers nothing about whether they are there."""

    def __init__(self, run: str, clock: Clock) -> None:
        self._run = run
        self._clock = clock
        self._network: str | bool | None = False  # not yet looked up; where a folder lies does not change

    def stamps(self, scopes: Iterable[Scope], known: dict[Scope, Seal] | None = None) -> Stamps:
        """What is armed now. Raises KillEngaged, naming the scope, when one is not or cannot be read.

        `known` gathers the seals of one planning, so that a hundred accounts read what they share once; the gate itself
        reads every file again.
        """
        self._refuse_network()
        known = {} if known is None else known
        folders = {seal.folder for seal in known.values()}
        seals = []
        for scope in scopes:
            if scope not in known:
                known[scope] = self._seal(scope, folders)
            seals.append(known[scope])
        if not seals:
            raise KillEngaged("no scope was named, so nothing is armed", hint="this is a bug in ordo; please report it")
        return Stamps(tuple(seals), frozenset([seal.folder for seal in seals]))

    def permit(
        self, stamps: Stamps | None, *, deadline: float, claim: Claim | None = None, committed_at: float | None = None
    ) -> GatePermit:
        """Leave for one attempt, whose write is durable since `committed_at`, or will be when `claim` has been awaited.

        Without stamps it is a close or a cancel, which the switch never blocks.
        """
        return GatePermit(self, stamps, deadline, claim, committed_at)

    def check(self, stamps: Stamps) -> None:
        """Raises KillEngaged unless every arming file is what it was at planning."""
        scope = stamps.seals[0].scope
        try:
            for folder in stamps.folders:
                arming.private_folder(folder)
            for seal in stamps.seals:
                scope = seal.scope
                if arming.armed(seal.path, seal.content) != seal.content:
                    raise KillEngaged(
                        f"{scope} was killed and released after this order was planned",
                        hint="place it again if it is still wanted",
                    )
        except OSError as problem:
            raise _not_armed(scope, problem) from problem

    def share(self) -> int:
        """The lock that a kill waits for, as a descriptor. Raises KillEngaged when it cannot be had."""
        try:
            return arming.share(self._run, LOCK_LIMIT)
        except OSError as problem:
            raise KillEngaged(
                f"the kill switch's lock cannot be had ({_why(problem)}), so nothing leaves",
                hint="see: ordo kill status",
            ) from problem

    def now(self) -> float:
        return self._clock.elapsed()

    def _seal(self, scope: Scope, folders: set[str]) -> Seal:
        """One arming file, in a folder that nobody else may write in; those in `folders` have just been looked at."""
        path, folder = (
            arming.path_of(self._run, scope.kind, scope.name),
            arming.folder_of(self._run, scope.kind),
        )
        try:
            if folder not in folders:
                arming.private_folder(folder)
                folders.add(folder)
            return Seal(scope, path, folder, arming.armed(path))
        except OSError as problem:
            raise _not_armed(scope, problem) from problem

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

    __slots__ = (
        "_claim",
        "_committed_at",
        "_deadline",
        "_gate",
        "_lock",
        "_stamps",
        "_withdrawn",
        "bytes_sent",
        "first_byte_at",
    )

    def __init__(
        self, gate: Gate, stamps: Stamps | None, deadline: float, claim: Claim | None, committed_at: float | None
    ) -> None:
        self._gate = gate
        self._stamps = stamps
        self._claim = claim
        self._committed_at = committed_at  # while it is None nothing may leave
        self._deadline = deadline
        self._withdrawn = False
        self._lock: int | None = None  # the gate's, while it is being passed
        self.bytes_sent = 0
        self.first_byte_at: float | None = None

    async def claim(self) -> None:
        """Have the write made durable, once. Raises what forbids it, or Refused when nobody waits for it any more."""
        if self._withdrawn:
            raise Refused("ordo stopped before the order was claimed; nothing was sent", code=Block.INTERRUPTED)
        if self._claim is not None:
            claim, self._claim = self._claim, None
            self._committed_at = await claim()

    def withdraw(self) -> bool:
        """End the leave; whether it was never used. Then nothing has left, and nothing will.

        A broker may write in a thread that goes on when its caller has stopped waiting: each side writes its own mark
        before it looks at the other's, so that the two can never both believe to be first.
        """
        self._withdrawn = True
        return self.bytes_sent == 0 and self.first_byte_at is None

    def passing(self) -> GatePermit:
        """Held across the first write alone, nothing awaited inside. Raises KillEngaged or Refused: write nothing."""
        return self

    def __enter__(self) -> None:
        if self._stamps is None:
            self._in_time()
            return
        self._lock = self._gate.share()
        try:
            self._gate.check(self._stamps)
            self._in_time()  # after the files: a process that was stopped while reading them wakes up too old
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            lock, self._lock = self._lock, None
            os.close(lock)

    def _in_time(self) -> None:
        now = self._gate.now()
        if now >= self._deadline:
            raise Refused("the order's deadline passed before it could leave", code=Block.DEADLINE)
        if self._committed_at is None:
            raise Refused("it was not written down that this order may leave; nothing was sent", code=STALE)
        if not 0 <= now - self._committed_at <= MAX_AGE:
            raise Refused(
                f"more than {MAX_AGE * 1000:.0f} ms passed between the last check and the first byte; nothing was sent",
                code=STALE,
            )
        self.first_byte_at = now
        if self._withdrawn:
            raise Refused("ordo stopped before the first byte; nothing was sent", code=Block.INTERRUPTED)


def _not_armed(scope: Scope, problem: OSError) -> KillEngaged:
    if isinstance(problem, FileNotFoundError):
        return KillEngaged(
            f"the kill switch is engaged for {scope}",
            hint=f"see: ordo kill status; ordo kill release --scope {scope}",
        )
    return KillEngaged(
        f"the arming file of {scope} cannot be trusted ({_why(problem)}), which counts as killed",
        hint="see: ordo kill status",
    )


def _why(problem: OSError) -> str:
    return problem.strerror or str(problem)
