"""The circuit breaker of an account: entries stop when its broker stops answering, until one read has worked."""

from __future__ import annotations

from enum import StrEnum

from ordo_cli.domain.values import dataclass, replace

WINDOW = 60.0  # seconds in which trouble is counted together, and that a breaker stays open before a read is tried
UNKNOWNS = 2
FAILURES = 5


class Trouble(StrEnum):
    """What an order can meet that says something of its broker and not of itself."""

    UNKNOWN = "unknown"  # sent, and no answer that means anything
    FAILURE = "failure"  # could not be reached; nothing left
    EGRESS = "egress"  # this machine's address is not let in


class State(StrEnum):
    CLOSED = "closed"  # entries pass
    OPEN = "open"  # none does
    HALF_OPEN = "half open"  # the next entry is preceded by one read, which decides


@dataclass(frozen=True, slots=True)
class Breaker:
    """The latest trouble of one account, by seconds since 1970, and when and why its breaker opened."""

    trouble: tuple[tuple[float, Trouble], ...] = ()
    opened_at: float | None = None
    why: Trouble | None = None

    def state(self, now: float) -> State:
        if self.opened_at is None:
            return State.CLOSED
        # A clock that was set back keeps it open no longer than its window.
        return State.OPEN if abs(now - self.opened_at) < WINDOW else State.HALF_OPEN

    def met(self, trouble: Trouble, now: float) -> Breaker:
        """The breaker after this trouble: open when it is the second unknown or the fifth failure of a minute, or when
        the broker does not let this machine in, which no later order will change.
        """
        recent = (*(each for each in self.trouble if 0 <= now - each[0] < WINDOW), (now, trouble))
        kinds = [kind for _, kind in recent]
        tripped = trouble is Trouble.EGRESS or kinds.count(Trouble.UNKNOWN) >= UNKNOWNS
        if not tripped and len(kinds) < FAILURES:
            return replace(self, trouble=recent)
        return Breaker(recent, now, trouble)
