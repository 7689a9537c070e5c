"""Fan-outs: one intent sent to a set of accounts; the outcome is computed from the legs, never stored."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from ordo_cli.domain.legs import Block, FanOutId, Leg, Submission
from ordo_cli.domain.orders import OrderIntent, OrderState
from ordo_cli.domain.values import dataclass, field


class Mode(StrEnum):
    LIVE = "live"
    PAPER = "paper"
    SANDBOX = "sandbox"


class Outcome(StrEnum):
    SUCCESS = "success"
    PARTIAL = "partial"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    PENDING = "pending"
    BLOCKED = "blocked"


class Fate(StrEnum):
    """What became of a leg, as far as it is known."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"
    WAITING = "waiting"  # not yet started, or on the wire right now


FATES = {
    Submission.PLANNED: Fate.WAITING,
    Submission.NOT_SENT: Fate.WAITING,
    Submission.SENDING: Fate.WAITING,
    Submission.BLOCKED: Fate.NOT_SENT,
    Submission.ABSENT: Fate.NOT_SENT,
    Submission.REJECTED: Fate.REFUSED,
    Submission.UNKNOWN: Fate.UNKNOWN,
    Submission.DISPUTED: Fate.UNKNOWN,
}


def fate(leg: Leg) -> Fate:
    if leg.submission is Submission.ACKED:
        return Fate.REFUSED if leg.working is OrderState.REJECTED else Fate.ACCEPTED
    return FATES[leg.submission]


@dataclass(frozen=True, slots=True)
class Summary:
    """How many legs had which fate; `filled` counts those filled whole, within `accepted`."""

    legs: int
    accepted: int
    filled: int
    refused: int
    not_sent: int
    unknown: int


@dataclass(frozen=True, slots=True)
class FanOut:
    """One order on its way to many accounts. `fingerprint` is of the request as it was given."""

    id: FanOutId
    key: str
    principal: str
    verb: str
    fingerprint: str
    mode: Mode
    intent: OrderIntent
    created_at: datetime
    legs: tuple[Leg, ...] = field(default=())
    replayed: bool = False  # this answer repeats an earlier request with the same key
    request_id: str | None = None  # of the HTTP request that it came by, which stands in logs and audit rows too

    @property
    def summary(self) -> Summary:
        fates = [fate(leg) for leg in self.legs]
        return Summary(
            legs=len(fates),
            accepted=fates.count(Fate.ACCEPTED),
            filled=sum([leg.working is OrderState.FILLED for leg in self.legs]),
            refused=fates.count(Fate.REFUSED),
            not_sent=fates.count(Fate.NOT_SENT),
            unknown=fates.count(Fate.UNKNOWN),
        )

    @property
    def outcome(self) -> Outcome:
        """Unknown outranks everything; waiting legs make it pending; then it is all, some or none."""
        fates = {fate(leg) for leg in self.legs}
        if Fate.UNKNOWN in fates:
            return Outcome.UNKNOWN
        if Fate.WAITING in fates:
            return Outcome.PENDING
        if fates <= {Fate.ACCEPTED}:
            return Outcome.SUCCESS
        if Fate.ACCEPTED in fates:
            return Outcome.PARTIAL
        return Outcome.BLOCKED if fates == {Fate.NOT_SENT} else Outcome.REFUSED

    @property
    def killed(self) -> bool:
        """Every leg that was not sent was stopped by the kill switch, and nothing else happened."""
        return self.outcome is Outcome.BLOCKED and all(
            leg.problem is not None and leg.problem.code == Block.KILL for leg in self.legs
        )
