"""Following a stream of events over lost connections: when to come back, and when to give up."""

from __future__ import annotations

from collections.abc import Callable

from ordo_cli.client.calls import Call
from ordo_cli.client.events import Reader
from ordo_cli.client.patience import FIRST, LONGEST, SOON, Lost, Reply, silence
from ordo_cli.client.problems import error_of
from ordo_cli.domain.seams import Chance

END = "outcome"


class Following:
    """One stream that is being followed. `pause` is how long to wait before the next connection."""

    def __init__(self, call: Call, elapsed: Callable[[], float], chance: Chance, patience: float) -> None:
        self._call, self._elapsed, self._chance, self._patience = call, elapsed, chance, patience
        self._heard = elapsed()
        self._next = FIRST
        self.pause = FIRST

    def headers(self, reader: Reader) -> dict[str, str]:
        """What the next connection says: from where on."""
        said = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        return said if reader.last is None else {**said, "Last-Event-ID": reader.last}

    def heard(self) -> None:
        """Something came: the server is there."""
        self._heard, self._next = self._elapsed(), FIRST

    def refused(self, reply: Reply) -> None:
        """The server would not stream. Raises its reason unless it says to come later."""
        if reply.status not in SOON:
            raise error_of(reply.status, reply.content)
        self.lost(Lost(True, f"the server says later ({reply.status})"))

    def lost(self, lost: Lost) -> None:
        """The connection is gone. Raises when nothing has come for too long."""
        self.pause = self._next * self._chance.uniform(0.5, 1.0)
        self._next = min(LONGEST, self._next * 2)
        if self._elapsed() + self.pause - self._heard >= self._patience:
            raise silence(self._call, lost.why, sent=lost.sent)
