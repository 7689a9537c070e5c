"""What is told to the audit chain, and the rows that it becomes when the transaction ends. Light: a kill uses it."""

from __future__ import annotations

from ordo_cli.domain.audit import GENESIS, body_of, link

TYPE_CHECKING = False  # typing itself costs 8 ms, which a kill does not have
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


class Origin:
    """Who tells, where and when: one moment of one process."""

    __slots__ = ("actor", "at", "boot", "elapsed", "host", "pid", "request")

    def __init__(
        self,
        actor: str,
        at: int,
        *,
        host: str = "",
        boot: str = "",
        pid: int = 0,
        elapsed: float = 0.0,
        request: str | None = None,
    ) -> None:
        self.actor = actor
        self.at = at  # microseconds since 1970
        self.host = host
        self.boot = boot
        self.pid = pid
        self.elapsed = elapsed  # seconds since boot
        self.request = request  # the HTTP request that it came by


class Tell:
    """One row to be: what happened, to what, from and to where, and how that is known."""

    __slots__ = ("after", "before", "data", "evidence", "ids", "kind", "origin")

    def __init__(
        self,
        origin: Origin,
        kind: str,
        *,
        ids: Mapping[str, object] | None = None,
        before: str | None = None,
        after: str | None = None,
        evidence: str | None = None,
        data: Mapping[str, object] | None = None,
    ) -> None:
        self.origin = origin
        self.kind = kind
        self.ids = ids or {}
        self.before = before
        self.after = after
        self.evidence = evidence
        self.data = data


def rows_of(told: Iterable[Tell], head: Sequence[tuple[int, bytes]]) -> list[tuple[int, int, str, object, str, bytes]]:
    """The rows of a transaction, each tied to the one before, the first to the head of the chain so far."""
    seq, previous = head[0] if head else (0, GENESIS)
    rows = []
    for tell in told:
        seq += 1
        origin = tell.origin
        body = body_of(
            seq,
            tell.kind,
            origin.at,
            actor=origin.actor,
            host=origin.host,
            boot=origin.boot,
            pid=origin.pid,
            elapsed_ns=int(origin.elapsed * 1e9),
            ids=tell.ids if origin.request is None else {**tell.ids, "request": origin.request},
            before=tell.before,
            after=tell.after,
            evidence=tell.evidence,
            data=tell.data,
        )
        previous = link(previous, body)
        rows.append((seq, origin.at, tell.kind, tell.ids.get("fan_out"), body, previous))
    return rows
