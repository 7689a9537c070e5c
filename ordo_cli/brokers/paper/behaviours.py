"""Trouble to rehearse: what a paper account can be told to do wrong, and how that is written in its settings."""

from __future__ import annotations

import re

from ordo_cli.domain.accounts import Account
from ordo_cli.domain.errors import Invalid
from ordo_cli.domain.money import shown
from ordo_cli.domain.values import dataclass

BEHAVIOURS = {
    "latency=MS": "every order, change and cancel takes that many milliseconds to arrive",
    "refuse": "every order is rejected; refuse=CODE gives the code",
    "silent": "orders and changes are taken and the answer never comes; silent=SECONDS is how long ordo waits (1)",
    "silent-cancel": "cancels are taken and the answer never comes",
    "late=SECONDS": "orders arrive that much later, after ordo has stopped waiting for the answer",
    "duplicate-sensitive": "a second order with the same tag or content within 10 seconds is rejected, and counted",
    "expired": "the session is over: every call is refused until the behaviour is removed",
    "tagless": "the order book does not carry tags, so an unknown order must be found by its content",
    "lagging=SECONDS": "the order book and the trades show how things stood that long ago",
    "partial": "half of what could be filled is filled at once, the rest later; partial=SECONDS is how much later (3)",
    "otp": "it logs in with a code sent to its telephone, a file; otp=SECONDS is how long that lasts (until 06:00)",
    "rate-limited": "the eleventh operation within a second is rejected",
    "down": "nothing can be reached, and nothing leaves",
    "unreachable": "the same as down",
}
_NUMBER = re.compile(r"\d{1,6}(\.\d{1,3})?", re.ASCII)
_CODE = re.compile(r"[A-Z][A-Z0-9_]{0,31}", re.ASCII)
_PATIENCE = 1.0


@dataclass(frozen=True, slots=True)
class Behaviour:
    """The troubles of one account, read from its settings; seconds unless named otherwise."""

    latency: float = 0.0
    refuse: str | None = None
    silent: float | None = None
    silent_cancel: bool = False
    late: float | None = None
    duplicate_sensitive: bool = False
    expired: bool = False
    tagless: bool = False
    lagging: float = 0.0
    partial: float | None = None
    rate_limited: bool = False
    down: bool = False
    login: bool = False
    otp: float | None = None  # how long a session lasts, if not until the morning
    session: str = ""  # the digest of the one that this account speaks under

    def patience(self, read_timeout: float) -> float:
        """How long the sender waits for an answer before it gives up."""
        if self.silent is not None:
            return min(read_timeout, self.silent)
        if self.late is not None:
            return min(read_timeout, _PATIENCE, self.late * 0.9)
        return read_timeout


def behaviour_of(account: Account) -> Behaviour:
    """Raises Invalid for a word that is not in the table, or a value that it cannot have."""
    facts: dict[str, object] = {}
    for word in account.behaviours:
        name, equals, value = word.partition("=")
        if name in ("latency", "late", "lagging"):
            number = _seconds(word, value if equals else "")
            facts[name] = number / 1000 if name == "latency" else number
        elif name in ("silent", "partial"):
            facts[name] = _seconds(word, value) if equals else _PATIENCE if name == "silent" else 3.0
        elif name == "otp":
            facts["login"] = True
            facts["otp"] = _seconds(word, value) if equals else None
        elif name == "refuse":
            facts[name] = _code(word, value) if equals else "REFUSED"
        elif word in ("down", "unreachable"):
            facts["down"] = True
        elif word in BEHAVIOURS:
            facts[word.replace("-", "_")] = True
        else:
            raise Invalid(
                f"{shown(word)} is not a behaviour of a paper account", hint="behaviours are: " + " ".join(BEHAVIOURS)
            )
    return Behaviour(**facts)  # type: ignore[arg-type]  # names and types are those of the branches above


def check_account(account: Account) -> None:
    """Raises Invalid for settings that mean nothing on paper."""
    behaviour_of(account)
    if account.base_url is not None:
        raise Invalid("a paper account has no base URL", hint="the paper exchange is a file on this machine")


def _seconds(word: str, value: str) -> float:
    if not _NUMBER.fullmatch(value) or float(value) <= 0:
        raise Invalid(
            f"{shown(word)} needs a number above zero", hint="write it like latency=250 (ms), late=5 (seconds)"
        )
    return float(value)


def _code(word: str, value: str) -> str:
    if not _CODE.fullmatch(value):
        raise Invalid(f"{shown(word)} needs a code in capitals", hint="write it like refuse=MARGIN")
    return value
