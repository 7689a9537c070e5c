"""Appends rows to the audit chain, inside the transaction of the fact that they tell. Light: the kill switch uses it."""

from __future__ import annotations

from ordo_cli.domain.audit import GENESIS, body_of, link
from ordo_cli.store.driver import Ask, AskMany

TYPE_CHECKING = False  # typing itself costs 4 ms, which a kill does not have
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ordo_cli.store.driver import Body


class Origin:
    """Who writes rows, where and when: one moment of one process."""

    __slots__ = ("actor", "at", "boot", "elapsed", "host", "pid")

    def __init__(
        self, actor: str, at: int, *, host: str = "", boot: str = "", pid: int = 0, elapsed: float = 0.0
    ) -> None:
        self.actor = actor
        self.at = at  # microseconds since 1970
        self.host = host
        self.boot = boot
        self.pid = pid
        self.elapsed = elapsed  # seconds since boot


class Entry:
    """One row to be: what happened, to what, from and to where, and how that is known."""

    __slots__ = ("after", "before", "data", "evidence", "ids", "kind")

    def __init__(
        self,
        kind: str,
        *,
        ids: Mapping[str, object] | None = None,
        before: str | None = None,
        after: str | None = None,
        evidence: str | None = None,
        data: Mapping[str, object] | None = None,
    ) -> None:
        self.kind = kind
        self.ids = ids or {}
        self.before = before
        self.after = after
        self.evidence = evidence
        self.data = data


def append(origin: Origin, entries: Sequence[Entry]) -> Body[int]:
    """Add rows at the end of the chain; answers the last row's number."""
    head = yield Ask("audit_head")
    seq, previous = head[0] if head else (0, GENESIS)
    rows = []
    for entry in entries:
        seq += 1
        body = body_of(
            seq,
            entry.kind,
            origin.at,
            actor=origin.actor,
            host=origin.host,
            boot=origin.boot,
            pid=origin.pid,
            elapsed_ns=int(origin.elapsed * 1e9),
            ids=entry.ids,
            before=entry.before,
            after=entry.after,
            evidence=entry.evidence,
            data=entry.data,
        )
        previous = link(previous, body)
        rows.append((seq, origin.at, entry.kind, entry.ids.get("fan_out"), body, previous))
    yield AskMany("add_audit", rows)
    return int(seq)
