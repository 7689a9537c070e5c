"""Tokens of the HTTP API: what each may do, for which accounts and up to what value."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from ordo_cli.domain.accounts import EVERYONE, Account, AccountId, Target
from ordo_cli.domain.errors import Invalid, NotAllowed
from ordo_cli.domain.legs import Problem
from ordo_cli.domain.money import shown, text_of
from ordo_cli.domain.patterns import later
from ordo_cli.domain.values import dataclass, field

LIFETIME = later(r"([1-9][0-9]{0,4})([mhdw])")
UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
NEVER = "never"
LONGEST = timedelta(days=3660)


class TokenState(StrEnum):
    LIVE = "live"
    EXPIRED = "expired"
    REVOKED = "revoked"


class TokenScope(StrEnum):
    """What a token may do."""

    READ = "read"
    TRADE = "trade"
    CANCEL = "cancel"
    KILL_ENGAGE = "kill:engage"
    KILL_RELEASE = "kill:release"
    ADMIN = "admin"  # all of these, and what concerns the installation


@dataclass(frozen=True, slots=True)
class Rights:
    """What whoever works at a desk may do. `accounts` None is every account, those of tomorrow too."""

    scopes: frozenset[TokenScope]
    accounts: tuple[Target, ...] | None = None
    max_value: Decimal | None = None  # rupees that all legs of one fan-out may be worth

    @property
    def limited(self) -> bool:
        """Whether there may be accounts that these rights do not reach."""
        return self.accounts is not None

    def allows(self, *scopes: TokenScope) -> bool:
        """Whether one of these scopes is held."""
        return TokenScope.ADMIN in self.scopes or not self.scopes.isdisjoint(scopes)

    def require(self, *scopes: TokenScope) -> None:
        """Raises NotAllowed unless one of these scopes is held."""
        if self.allows(*scopes):
            return
        raise NotAllowed(
            f"this token may not do that: its scopes are {' '.join(sorted(self.scopes)) or 'none'}",
            hint="it takes a token with --scope " + " or ".join(scopes),
        )

    def require_all_of_it(self) -> None:
        """Raises NotAllowed for anybody but an administrator of every account."""
        self.require(TokenScope.ADMIN)
        if self.limited:
            raise NotAllowed(
                "this token is for some accounts, and that concerns all of them",
                hint="it takes a token with --scope admin and no --accounts",
            )

    def covers(self, account: Account) -> bool:
        """Whether these rights reach this account, by its name or a group that it is in now."""
        return self.accounts is None or any(_means(target, account) for target in self.accounts)

    def names(self, account: AccountId) -> bool:
        """Whether an account of this name is reached, though nobody may know any more what groups it was in."""
        return self.accounts is None or any(target.name in (account, EVERYONE) for target in self.accounts)

    def require_accounts(self, accounts: Iterable[Account]) -> None:
        """Raises NotAllowed naming the accounts that these rights do not reach."""
        if self.accounts is None:
            return
        strange = [account.id for account in accounts if not self.covers(account)]
        if strange:
            raise NotAllowed(
                f"this token is not for {', '.join(strange)}; nothing was done",
                hint=f"it is for {' '.join(map(str, self.accounts))}: name only accounts of those",
            )

    def beyond(self, values: Iterable[Decimal | None]) -> Problem | None:
        """What speaks against legs that are worth so much together; a value that nobody knows may be any."""
        if self.max_value is None:
            return None
        known = list(values)
        total = sum((value for value in known if value is not None), Decimal(0))
        cap = f"this token may send up to ₹{text_of(self.max_value)} in one fan-out"
        if None in known:
            return Problem("TOKEN_VALUE_MAX", f"what a leg is worth is not known, and {cap}", "give it a limit price")
        if total <= self.max_value:
            return None
        worth = f"all legs together are worth ₹{text_of(round(total, 2))}"
        return Problem("TOKEN_VALUE_MAX", f"{worth}; {cap}", "send less, or use a token with a higher --max-value")


FULL = Rights(frozenset(TokenScope))
"""The terminal's own: everything, everywhere."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it is kept: what its secret hashes to, never the secret."""

    id: str
    name: str
    digest: bytes = field(repr=False)
    rights: Rights
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None

    @property
    def actor(self) -> str:
        """Who it is in the audit and as the owner of idempotency keys."""
        return f"token:{self.id}"

    def state(self, now: datetime) -> TokenState:
        """Whether it opens anything at this time, and if not, why."""
        if self.revoked_at is not None:
            return TokenState.REVOKED
        over = self.expires_at is not None and now >= self.expires_at
        return TokenState.EXPIRED if over else TokenState.LIVE


def parse_lifetime(text: str) -> timedelta | None:
    """Read `30d`, `12h`, `90m`, `8w`, or `never`, which is None."""
    if text == NEVER:
        return None
    told = LIFETIME.fullmatch(text)
    lifetime = int(told[1]) * UNITS[told[2]] if told is not None else None
    if lifetime is None or lifetime > LONGEST:
        raise Invalid(f"{shown(text)} is not how long a token lives", hint="write it like 30d, 12h, 90m, 8w or never")
    return lifetime


def _means(target: Target, account: Account) -> bool:
    if target.name.startswith("@"):
        return target.name[1:] in account.groups
    return target.name in (EVERYONE, account.id)
