"""What a cache is to ordo: answers kept for a moment, wake-ups and counts. Losing it costs time and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from ordo_cli.domain.legs import FanOutId
from ordo_cli.domain.values import dataclass

KILL = "kill"
"""The channel on which a press and a release of the kill switch wake who waits."""


def channel_of(fan_out: FanOutId) -> str:
    """The channel on which every change of a fan-out's legs wakes who waits."""
    return f"fanout/{fan_out}"


@dataclass(frozen=True, slots=True)
class Health:
    """How the server behind a cache is. `trouble` is why it cannot be used, None when it can."""

    place: str  # without its login
    trouble: str | None = None
    version: str = ""
    ahead: float = 0.0  # seconds that its clock is before ours


class Wakes:
    """The wake-ups of one channel from the moment it was asked for. Many at once are one; close it when done.

    What it gives is no news: it says that there may be some, and the journal and the arming files say what.
    """

    def __init__(self, leave: Callable[[Wakes], None]) -> None:
        self._leave: Callable[[Wakes], None] | None = leave
        self._woken, self._text = asyncio.Event(), ""

    def wake(self, text: str) -> None:
        self._text = text
        self._woken.set()

    def close(self) -> None:
        """Hear no more; whoever waits is let go."""
        if self._leave is not None:
            self._leave(self)
            self._leave = None
            self._woken.set()

    async def aclose(self) -> None:
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    async def wait(self) -> bool:
        """Wait for the next one, or take the one that came meanwhile. False when this was closed."""
        await self._woken.wait()
        if self._leave is None:
            return False
        self._woken.clear()
        return True

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        if not await self.wait():
            raise StopAsyncIteration
        return self._text


class Channels:
    """Who in this process listens to what. `relay` carries what is said here to other processes, if anything does."""

    def __init__(self) -> None:
        self._listening: dict[str, set[Wakes]] = {}
        self.relay: Callable[[str, str], None] = _nowhere
        self.listened: Callable[[str, bool], None] = _nobody

    @property
    def names(self) -> list[str]:
        return list(self._listening)

    def publish(self, channel: str, text: str = "") -> None:
        """Wake everybody who listens to the channel, here and elsewhere. Costs nothing worth counting, never fails."""
        self.wake(channel, text)
        self.relay(channel, text)

    def wake(self, channel: str, text: str = "") -> None:
        """Wake those who listen here."""
        for wakes in tuple(self._listening.get(channel, ())):
            wakes.wake(text)

    def subscribe(self, channel: str) -> Wakes:
        """Listen from now on."""

        def leave(wakes: Wakes) -> None:
            self._listening[channel].discard(wakes)
            if not self._listening[channel]:
                del self._listening[channel]
                self.listened(channel, False)

        first = channel not in self._listening
        wakes = Wakes(leave)
        self._listening.setdefault(channel, set()).add(wakes)
        if first:
            self.listened(channel, True)
        return wakes


class Cache(Protocol):
    """Nothing here raises, and nothing takes longer than 50 ms: what the server cannot do is done in this process.

    Never kept in it: positions, orders, holdings, the kill switch, keys, legs, and anything secret.
    """

    async def get(self, key: str) -> bytes | None:
        """What was put there and has not expired, or None."""
        ...

    async def put(self, key: str, value: bytes, seconds: float) -> None:
        """Keep a small value for so long, or shorter."""
        ...

    def publish(self, channel: str, text: str = "") -> None:
        """Wake those who listen to the channel in every process; after the commit of what there is to see."""
        ...

    def subscribe(self, channel: str) -> Wakes:
        """Listen from now on; look after subscribing, so that nothing falls between."""
        ...

    async def hits(self, key: str, seconds: float) -> int:
        """Count one hit: how many there have been in this window, which began with its first and lasts so long."""
        ...

    async def health(self) -> Health | None:
        """How the server is, asked anew; None where there is none."""
        ...


def _nowhere(channel: str, text: str) -> None:
    """No other process hears it."""


def _nobody(channel: str, listening: bool) -> None:
    """Nobody elsewhere needs to know who listens."""
