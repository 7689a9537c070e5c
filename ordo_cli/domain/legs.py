"""Legs: the order of one account inside a fan-out, on three axes, each with its one table of moves."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, NewType

from ordo_cli.domain.accounts import AccountId, BrokerName
from ordo_cli.domain.errors import IllegalMove, OrdoError
from ordo_cli.domain.orders import BrokerOrderId, OrderState, Tag
from ordo_cli.domain.values import dataclass, replace

LegId = NewType("LegId", str)  # ours, chosen before sending: the fan-out's id, a dash, a number from 1
FanOutId = NewType("FanOutId", str)

MAX_ATTEMPTS = 3


class Submission(StrEnum):
    """What we know about whether the broker has the order; the only axis that governs sending."""

    PLANNED = "planned"  # durable intent, not started
    BLOCKED = "blocked"  # never will be sent; the problem says why
    SENDING = "sending"  # intent to write is durable; bytes may leave
    NOT_SENT = "not_sent"  # this attempt is proven at zero bytes
    ACKED = "acked"  # the broker's order id is known
    REJECTED = "rejected"  # a refusal on the adapter's definitive list, or seen rejected in the book
    UNKNOWN = "unknown"  # bytes may have left, no proof either way
    ABSENT = "absent"  # proven not at the broker: final book or operator
    DISPUTED = "disputed"  # contradicting evidence; a person decides


SUBMISSION_MOVES: dict[Submission, frozenset[Submission]] = {
    Submission.PLANNED: frozenset({Submission.SENDING, Submission.BLOCKED}),
    Submission.BLOCKED: frozenset(),
    Submission.SENDING: frozenset({Submission.NOT_SENT, Submission.ACKED, Submission.REJECTED, Submission.UNKNOWN}),
    Submission.NOT_SENT: frozenset({Submission.PLANNED, Submission.BLOCKED}),
    Submission.ACKED: frozenset({Submission.DISPUTED}),
    Submission.REJECTED: frozenset(),
    Submission.UNKNOWN: frozenset({Submission.ACKED, Submission.REJECTED, Submission.ABSENT, Submission.DISPUTED}),
    Submission.ABSENT: frozenset({Submission.ACKED}),
    Submission.DISPUTED: frozenset({Submission.ACKED, Submission.ABSENT}),
}

WORKING_MOVES: dict[OrderState, frozenset[OrderState]] = {
    OrderState.PENDING: frozenset(OrderState) - {OrderState.PENDING, OrderState.UNCLEAR},
    OrderState.OPEN: frozenset(
        {OrderState.PARTIAL, OrderState.FILLED, OrderState.CANCELLED, OrderState.EXPIRED, OrderState.REJECTED}
    ),
    OrderState.PARTIAL: frozenset({OrderState.FILLED, OrderState.CANCELLED, OrderState.EXPIRED}),
    OrderState.FILLED: frozenset(),
    OrderState.CANCELLED: frozenset(),
    OrderState.EXPIRED: frozenset(),
    OrderState.REJECTED: frozenset(),
}


class Cancel(StrEnum):
    """How far a cancel has come; only the working life confirms it."""

    NONE = "none"
    PLANNED = "planned"
    SENDING = "sending"
    ACKED = "acked"
    UNKNOWN = "unknown"
    TOO_LATE = "too_late"


CANCEL_MOVES: dict[Cancel, frozenset[Cancel]] = {
    Cancel.NONE: frozenset({Cancel.PLANNED}),
    Cancel.PLANNED: frozenset({Cancel.SENDING}),
    Cancel.SENDING: frozenset({Cancel.ACKED, Cancel.UNKNOWN, Cancel.TOO_LATE, Cancel.PLANNED}),
    Cancel.ACKED: frozenset({Cancel.PLANNED}),
    Cancel.UNKNOWN: frozenset({Cancel.PLANNED, Cancel.ACKED, Cancel.TOO_LATE}),
    Cancel.TOO_LATE: frozenset({Cancel.PLANNED}),
}


class Evidence(StrEnum):
    """How we know what a state claims."""

    RESPONSE = "response"
    POSTBACK = "postback"
    BOOK_TAG = "book_tag"
    BOOK_FUZZY = "book_fuzzy"
    TRADE_BOOK = "trade_book"
    OPERATOR = "operator"
    FINAL_BOOK = "final_book"


class Block(StrEnum):
    """Why a leg never will be sent; the `code` of its problem."""

    KILL = "KILL"
    RISK = "RISK"
    SESSION = "SESSION"
    DEADLINE = "DEADLINE"
    STORE = "STORE"
    STORE_BUSY = "STORE_BUSY"
    ACCOUNT_BUSY = "ACCOUNT_BUSY"
    IP = "IP"
    ORPHANED = "ORPHANED"
    INTERRUPTED = "INTERRUPTED"
    DUPLICATE = "DUPLICATE"
    UNREACHABLE = "UNREACHABLE"
    RATE = "RATE"


class Purpose(StrEnum):
    """Whether a leg raises risk. The kill switch stops entries and never a close."""

    ENTRY = "entry"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, for a script (`code`), for a person (`message`) and what helps (`hint`)."""

    code: str
    message: str
    hint: str | None = None

    @classmethod
    def of(cls, error: OrdoError) -> Problem:
        """What an expected failure says, as a problem."""
        return cls(error.reason, error.message, error.hint)


@dataclass(frozen=True, slots=True)
class Leg:
    """One account's order. Moves only through `to`, `live` and `cancelling`, each checked against its table."""

    id: LegId
    fan_out: FanOutId
    account: AccountId
    broker: BrokerName
    quantity: int
    tag: Tag
    purpose: Purpose = Purpose.ENTRY
    submission: Submission = Submission.PLANNED
    working: OrderState | None = None
    cancel: Cancel = Cancel.NONE
    evidence: Evidence | None = None
    attempt: int = 0
    broker_order_id: BrokerOrderId | None = None
    filled_quantity: int = 0
    average_price: Decimal | None = None
    problem: Problem | None = None
    sent_at: datetime | None = None  # when SENDING was made durable for the attempt that had bytes
    answered_at: datetime | None = None
    latency_ms: float | None = None  # first byte to answer
    supersedes: LegId | None = None

    def to(self, submission: Submission, **facts: Any) -> Leg:
        """The leg after this move. Raises IllegalMove where the table has none."""
        if submission not in SUBMISSION_MOVES[self.submission]:
            raise IllegalMove(f"leg {self.id}: {self.submission} -> {submission}")
        if self.submission is Submission.NOT_SENT and submission is Submission.PLANNED and self.attempt >= MAX_ATTEMPTS:
            raise IllegalMove(f"leg {self.id}: {MAX_ATTEMPTS} attempts are spent")
        return replace(self, submission=submission, **facts)

    def live(self, working: OrderState, filled: int, average: Decimal | None = None, **facts: Any) -> Leg:
        """The leg after news of its working life. Fills never fall and never pass the quantity."""
        if self.submission is not Submission.ACKED:
            raise IllegalMove(f"leg {self.id}: {self.submission} has no working life")
        if working not in WORKING_MOVES:
            raise IllegalMove(f"leg {self.id}: {working} says nothing of its life")
        if working is not self.working and self.working is not None and working not in WORKING_MOVES[self.working]:
            raise IllegalMove(f"leg {self.id}: {self.working} -> {working}")
        if not self.filled_quantity <= filled <= self.quantity:
            raise IllegalMove(f"leg {self.id}: fills {self.filled_quantity} -> {filled} of {self.quantity}")
        return replace(
            self, working=working, filled_quantity=filled, average_price=average or self.average_price, **facts
        )

    def cancelling(self, cancel: Cancel, **facts: Any) -> Leg:
        """The leg after this step of a cancel. Raises IllegalMove where the table has none."""
        if cancel not in CANCEL_MOVES[self.cancel]:
            raise IllegalMove(f"leg {self.id}: cancel {self.cancel} -> {cancel}")
        return replace(self, cancel=cancel, **facts)

    @property
    def state(self) -> str:
        """The one public word for this leg."""
        if self.submission is Submission.ACKED:
            return str(self.working or OrderState.PENDING)
        return PUBLIC.get(self.submission, str(self.submission))

    @property
    def settled(self) -> bool:
        """Nothing more will happen to it by itself."""
        if self.submission is Submission.ACKED:
            return self.working is not None and not WORKING_MOVES[self.working]
        return self.submission in SETTLED


PUBLIC = {Submission.BLOCKED: "not_sent", Submission.NOT_SENT: "planned"}
SETTLED = frozenset({Submission.BLOCKED, Submission.REJECTED, Submission.ABSENT})
