"""What the journal is told before a leg may go out, and what it answers: terms, waits, owners and a day's use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal

from ordo_cli.domain.accounts import Account, AccountId
from ordo_cli.domain.capabilities import RateLimits
from ordo_cli.domain.kill import Scope, Switch
from ordo_cli.domain.values import dataclass, field


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that plans or sends: named so exactly that a later one can tell whether it is still alive."""

    host: str
    boot_id: str
    pid: int
    started: str  # when the process began, as the machine counts it; a reused pid has another
    nonce: str


def no_hint(code: str) -> None:
    """Nothing can be said."""


@dataclass(frozen=True, slots=True)
class DayLimits:
    """What one account may send in one trading day; `hint` says for a limit's code how to change it."""

    orders: int | None = None
    value: Decimal | None = None
    open_orders: int | None = None
    hint: Callable[[str], str | None] = field(default=no_hint, compare=False)


@dataclass(frozen=True, slots=True)
class ClaimTerms:
    """All that must hold in the moment a leg becomes SENDING, judged in the same transaction."""

    scopes: tuple[Scope, ...]  # every kill scope over the account
    owner: Owner
    rates: RateLimits
    day: date  # the trading day that this order counts for
    now: datetime
    elapsed: float  # when these terms were made, in seconds since boot; the permit ages from here, and so does the rate
    value: Decimal | None = None  # what the order is worth, for the day's value
    limits: DayLimits = DayLimits()
    pre_image: frozenset[str] | None = None  # the broker's order ids before sending, where there is no tag
    tagless: bool = False  # one leg in flight per account, instrument and side


@dataclass(frozen=True, slots=True)
class OperationTerms:
    """What must hold before a cancel or a modify may go out."""

    owner: Owner
    rates: RateLimits
    day: date
    scopes: tuple[Scope, ...] = ()  # an engaged one refuses a modify; a cancel is never blocked


@dataclass(frozen=True, slots=True)
class Wait:
    """Not yet: ask again after this many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class DayUse:
    """What an account has sent in a trading day: claimed orders, their value, and how many are still working."""

    orders: int
    value: Decimal
    open_orders: int


UNUSED = DayUse(0, Decimal(0), 0)


@dataclass(frozen=True, slots=True)
class Picture:
    """What planning asks the journal, as it stood in one moment."""

    accounts: tuple[Account, ...]  # all there are, or those that were named
    uses: Mapping[AccountId, DayUse]  # of the accounts that were picked; one that has used nothing may be missing
    switches: tuple[Switch, ...]  # all, or those over the accounts that were named
    waiting: tuple[tuple[AccountId, datetime | None], ...]  # legs of which more is to come, on the side asked about


@dataclass(frozen=True, slots=True)
class Install:
    """What makes this installation's tags and anchors its own; made when the database is."""

    id: str
    tag_key: bytes = field(repr=False)
