"""Sessions: how an account stands with its broker's login, and what a broker asks before it lets one in."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import NewType

from ordo_cli.domain.accounts import AccountId, BrokerName
from ordo_cli.domain.errors import Invalid, SessionNeeded
from ordo_cli.domain.legs import Problem
from ordo_cli.domain.values import dataclass, field

ChallengeId = NewType("ChallengeId", str)

ATTEMPTS = 3  # answers that one challenge takes: fewer than any broker locks an account after
LONGEST_ANSWER = 4_000  # characters; a redirect's whole address fits


class ChallengeKind(StrEnum):
    """What the answer is."""

    OTP = "otp"  # a code that the broker sends to somebody's telephone
    TOTP = "totp"  # a code that an authenticator makes
    REDIRECT = "redirect"  # the address that the broker's own login page ends at


class Standing(StrEnum):
    """How an account stands with its broker's login."""

    NOT_NEEDED = "not needed"
    LIVE = "live"
    WAITING = "waiting"  # for the answer to a challenge
    EXPIRED = "expired"
    LOGGED_OUT = "logged out"


GOOD = frozenset({Standing.LIVE, Standing.NOT_NEEDED})


@dataclass(frozen=True, slots=True)
class KeptSession:
    """A session as it is stored: nobody without the key from the keyring can read or change it."""

    account: AccountId
    sealed: bytes = field(repr=False)
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class KeptChallenge:
    """A challenge as it is stored; whoever claims it may answer it, once."""

    id: ChallengeId
    account: AccountId
    kind: ChallengeKind
    prompt: str
    sealed: bytes = field(repr=False)
    created_at: datetime
    expires_at: datetime
    attempts: int = 0
    answered_at: datetime | None = None

    @property
    def attempts_left(self) -> int:
        return max(0, ATTEMPTS - self.attempts)

    def is_open(self, now: datetime) -> bool:
        """Whether an answer would be taken at this moment."""
        return self.answered_at is None and self.attempts_left > 0 and now < self.expires_at


@dataclass(frozen=True, slots=True)
class LoginState:
    """One account's login as it is told: live until when, or what it waits for, or what went wrong."""

    account: AccountId
    broker: BrokerName
    standing: Standing
    until: datetime | None = None  # live until, or since when it is expired
    closes_at: datetime | None = None  # of the market, on the day of this report
    challenge: KeptChallenge | None = None
    problem: Problem | None = None

    @property
    def covers_close(self) -> bool | None:
        """Whether the session outlives today's market; None where there is none, or nothing to outlive."""
        if self.standing is not Standing.LIVE or self.until is None or self.closes_at is None:
            return None
        return self.until >= self.closes_at


def too_late(wanted: KeptChallenge, now: KeptChallenge | None, at: datetime) -> SessionNeeded:
    """Why a challenge cannot be answered any more."""
    account = wanted.account
    again = f"start again: ordo login {account}"
    if now is None or now.id != wanted.id:
        return SessionNeeded(f"{account} waits for no such answer any more", hint=again, code="no_challenge")
    if now.expires_at <= at:
        return SessionNeeded(f"the time to answer for {account} is over", hint=again, code="challenge_expired")
    if now.attempts_left == 0:
        return SessionNeeded(f"{account} was answered for too often", hint=again, code="too_many_attempts")
    return SessionNeeded(
        f"{account} was answered for already, or is at this moment", hint="see: ordo login status", code="answered"
    )


def refusal_of(challenge: KeptChallenge, at: datetime) -> SessionNeeded | None:
    """Why this challenge cannot be answered, as far as it tells itself; None when it can be tried."""
    return None if challenge.is_open(at) else too_late(challenge, challenge, at)


def check_answer(text: str) -> str:
    """The answer without the spaces around it. Raises Invalid for what can be none; it is never repeated."""
    answer = text.strip()
    if not answer or len(answer) > LONGEST_ANSWER or not answer.isprintable():
        raise Invalid("the answer is empty, too long or has characters that cannot be typed", code="bad_answer")
    return answer
