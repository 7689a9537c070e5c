"""Reads of an account, counted in a file that all processes of this home share: as many as its broker takes."""

from __future__ import annotations

import os
import struct
from math import ceil

from ordo_cli import log
from ordo_cli.domain.capabilities import RateLimits
from ordo_cli.domain.pacing import AskedTooOften, is_getting_out
from ordo_cli.domain.seams import Clock
from ordo_cli.machine import take_file

SECOND, MINUTE = 1.0, 60.0
MARGIN = 0.25  # seconds by which the broker may see one question later than another after its turn
PATIENCE = 2.0  # seconds that a question waits for its turn
TRIES, PAUSE = 50, 0.001  # for the file's lock, which nobody keeps for longer than it takes to count


class Paced:
    """The reads of one account. A file that cannot be had holds nobody up: then they are not counted."""

    def __init__(self, folder: str, account: str, rates: RateLimits, clock: Clock) -> None:
        self._path = os.path.join(folder, "reads", account)
        self._account, self._rates, self._clock = account, rates, clock

    async def turn(self) -> None:
        """As `Pace.turn`; waits up to two seconds. Who is getting out goes on then: better one question too many than
        an order that stays open."""
        until = self._clock.elapsed() + PATIENCE
        while (left := await self._counted()) > 0:
            if self._clock.elapsed() + left > until:
                if is_getting_out():
                    return
                raise AskedTooOften(
                    f"{self._account} has asked its broker as often as that takes in a minute",
                    hint=f"again in {ceil(left)} s; cancels and ordo kill go on",
                    code="ASKED_TOO_OFTEN",
                )
            await self._clock.sleep(left)

    async def _counted(self) -> float:
        """Seconds until there is a turn; 0: it is had, and counted."""
        for _ in range(TRIES):
            try:
                file = take_file(self._path)
            except BlockingIOError:
                await self._clock.sleep(PAUSE)
                continue
            except OSError as error:
                return self._uncounted(type(error).__name__)
            try:
                return self._count(file)
            except OSError as error:  # a full disk, on which a kill works too
                return self._uncounted(type(error).__name__)
            finally:
                os.close(file)
        return self._uncounted("locked")

    def _uncounted(self, why: str) -> float:
        log.get(__name__).warning("reads_not_counted", account=self._account, error=why)
        return 0.0

    def _count(self, file: int) -> float:
        now, data = self._clock.elapsed(), os.pread(file, 1 << 16, 0)
        # Those of before the machine was started may lie ahead of now.
        found = [at for (at,) in struct.iter_unpack("<d", data[: len(data) // 8 * 8])]
        asked = [at for at in found if now - MINUTE - MARGIN < at <= now]
        left = max((self._left(asked, most, length, now) for most, length in self._windows()), default=0.0)
        if left <= 0:
            asked.append(now)
            kept = struct.pack(f"<{len(asked)}d", *asked)
            os.pwrite(file, kept, 0)
            os.ftruncate(file, len(kept))
        return left

    def _windows(self) -> list[tuple[int, float]]:
        rates, found = self._rates, list[tuple[int, float]]()
        if rates.reads_per_second is not None:
            found.append((rates.reads_per_second, SECOND))
        if rates.reads_per_minute is not None and not is_getting_out():
            found.append((rates.reads_per_minute - rates.reads_kept_for_exits, MINUTE))
        return found

    @staticmethod
    def _left(asked: list[float], most: int, length: float, now: float) -> float:
        return asked[-most] + length + MARGIN - now if len(asked) >= most else 0.0
