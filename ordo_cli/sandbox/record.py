"""What each broker received: every request with its time, its account, the order that it was read as and its end."""

from __future__ import annotations

from datetime import datetime

from ordo_cli.domain.values import dataclass, field

KEPT = 20_000  # requests; the oldest go first


@dataclass(slots=True)
class Received:
    """One request; what handling makes of it is written into it on the way."""

    number: int
    at: datetime
    broker: str
    method: str
    target: str
    call: str
    account: str | None
    body: str
    handled: bool = False
    status: int | None = None  # of the reply; None for one that never left
    order: dict[str, object] | None = None  # as the gateway read it
    order_id: str | None = None  # as the broker calls it
    tag: str | None = None
    faults: list[str] = field(default_factory=list)


class Record:
    def __init__(self) -> None:
        self._last = 0
        self.rows: list[Received] = []

    def add(
        self, at: datetime, broker: str, method: str, target: str, call: str, account: str | None, body: bytes
    ) -> Received:
        self._last += 1
        text = body.decode("utf-8", "replace")
        row = Received(self._last, at, broker, method, target, call, account, text)
        self.rows.append(row)
        if len(self.rows) > KEPT:
            del self.rows[:-KEPT]
        return row

    def clear(self) -> None:
        self.rows.clear()
