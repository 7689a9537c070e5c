"""One-time codes: those sent to a customer's telephone, and those that an authenticator makes (RFC 6238)."""

from __future__ import annotations

import hmac
import struct
from base64 import b32decode
from collections.abc import Callable
from datetime import datetime, timedelta

from ordo_cli.domain.values import dataclass
from ordo_cli.sandbox.accounts import SandboxAccount
from ordo_cli.sandbox.chance import SeededChance

STEP = 30  # seconds
LIVES = timedelta(minutes=5)


def totp(secret: str, at: datetime, steps: int = 0) -> str:
    """The six digits that an authenticator shows at that moment, or so many steps of 30 seconds away from it."""
    counter = int(at.timestamp()) // STEP + steps
    digest = hmac.digest(b32decode(secret), struct.pack(">Q", counter), "sha1")
    offset = digest[-1] & 15
    return f"{(struct.unpack_from('>I', digest, offset)[0] & 0x7FFFFFFF) % 1_000_000:06d}"


def is_totp(secret: str, text: str, at: datetime) -> bool:
    """Whether this is the code of now, or of the step before or after."""
    return any(hmac.compare_digest(text.encode(), totp(secret, at, steps).encode()) for steps in (-1, 0, 1))


@dataclass(frozen=True, slots=True)
class Sent:
    """A code on somebody's telephone."""

    code: str
    until: datetime


class Telephone:
    """Where codes arrive. Whoever runs the sandbox sees every one of them."""

    def __init__(self, chance: SeededChance, tell: Callable[[str], None]) -> None:
        self._chance, self._tell = chance.of("otp"), tell
        self.codes: dict[str, Sent] = {}

    def send(self, account: SandboxAccount, now: datetime) -> None:
        """A new code takes the place of the one before."""
        code = self._chance.digits(6)
        self.codes[account.paper] = Sent(code, now + LIVES)
        self._tell(f"OTP for {account.user} at {account.broker}: {code}")

    def take(self, account: SandboxAccount, code: str, now: datetime) -> bool:
        """Whether this is the code that the account was sent; a right one is used up."""
        sent = self.codes.get(account.paper)
        if sent is None or now >= sent.until or not hmac.compare_digest(sent.code.encode(), code.encode()):
            return False
        del self.codes[account.paper]
        return True
