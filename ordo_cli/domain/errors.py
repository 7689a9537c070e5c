"""The errors of ordo, told apart by what to do next.

OrdoError
├── Refused               ordo said no; nothing was sent
│   ├── Invalid           the request makes no sense as it stands (usage)
│   ├── NotFound          no such account, leg, fan-out, instrument or file
│   ├── LimitExceeded     a pre-trade check said no; names the limit, the value and the way to change it
│   ├── KillEngaged       the kill switch is on, or could not be read, which is the same
│   ├── SessionNeeded     log in first
│   ├── NotAllowed        the token is not for that; names what it would take
│   ├── KeyConflict       the same idempotency key came with another payload
│   ├── Busy              another process holds what this needs (account, batch, database)
│   └── StoreFailed       the journal could not be written (full disk, locked or damaged file)
├── SecretsUnavailable    keyring or vault missing, locked or silent
├── Unreachable           the request never left this machine: zero bytes
├── Rejected              the broker said no, definitively
│   └── SessionExpired    because the login is over
└── NoAnswer              it may have happened: bytes left, no proof either way
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing itself costs 8 ms, which a kill does not have
if TYPE_CHECKING:
    from typing import ClassVar


class OrdoError(Exception):
    """An expected failure: one sentence for the user and a hint that helps; `code` is for scripts."""

    code: ClassVar[str] = "failed"

    def __init__(self, message: str, *, hint: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.reason = code or self.code


class Refused(OrdoError):
    code = "refused"


class Invalid(Refused):
    code = "invalid"


class NotFound(Refused):
    code = "not_found"


class LimitExceeded(Refused):
    code = "limit_exceeded"


class KillEngaged(Refused):
    code = "kill_engaged"


class SessionNeeded(Refused):
    code = "session_needed"


class NotAllowed(Refused):
    code = "not_allowed"


class KeyConflict(Refused):
    code = "key_conflict"


class Busy(Refused):
    code = "busy"


class StoreFailed(Refused):
    code = "store_failed"


class SecretsUnavailable(OrdoError):
    code = "secrets_unavailable"


class Unreachable(OrdoError):
    code = "unreachable"


class Rejected(OrdoError):
    """The broker's own code travels in `reason`; it is one on the adapter's definitive list."""

    code = "rejected"


class SessionExpired(Rejected):
    code = "session_expired"


class NoAnswer(OrdoError):
    code = "no_answer"


class IllegalMove(AssertionError):
    """A state was asked to move where its table does not allow: a bug, and the sender halts."""
