"""Server-sent events as they come in, line by line; how they came is not their business."""

from __future__ import annotations

from ordo_cli.domain.values import dataclass

QUIET = 30.0  # seconds without a line, heartbeats included, after which the stream counts as lost
LONGEST = 4_000_000  # characters of one event


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its number to go on from, its kind, its data as JSON text."""

    id: str | None
    kind: str
    data: str


class Reader:
    """Makes events of lines. `last` is what a new connection is asked to go on from."""

    def __init__(self, last: str | None = None) -> None:
        self.last = last
        self._id: str | None = None
        self._kind = ""
        self._data: list[str] = []
        self._size = 0

    def line(self, text: str) -> Event | None:
        """Take one line without its end; an empty one ends an event."""
        if not text:
            return self._end()
        name, _, value = text.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._size += len(value)
            if self._size > LONGEST:
                raise ValueError("an event without an end")
            self._data.append(value)
        elif name == "event":
            self._kind = value
        elif name == "id" and "\x00" not in value:
            self._id = value
        return None  # comments (": heartbeat") and fields of tomorrow say nothing

    def fresh(self) -> None:
        """Forget the half of an event that a lost connection left."""
        self._id, self._kind, self._data, self._size = None, "", [], 0

    def _end(self) -> Event | None:
        made = Event(self._id, self._kind or "message", "\n".join(self._data)) if self._data else None
        self.last = self._id or self.last
        self.fresh()
        return made
