"""What a gateway is: one broker's routes, and how that broker says no; and what a handler is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from ordo_cli.domain.values import dataclass
from ordo_cli.sandbox.faults import Kind, Trouble
from ordo_cli.sandbox.rates import Limit
from ordo_cli.sandbox.record import Received
from ordo_cli.sandbox.sessions import Session
from ordo_cli.sandbox.wire import Reply, Request

if TYPE_CHECKING:
    from ordo_cli.sandbox.accounts import SandboxAccount
    from ordo_cli.sandbox.desk import Desk


class Refusal(StrEnum):
    """Why a request is turned away before any handler sees it."""

    UNKNOWN_PATH = "unknown-path"
    WRONG_METHOD = "wrong-method"
    NO_SESSION = "no-session"
    RATE = "rate"  # for this second
    CAP = "cap"  # for this minute, hour or day
    ADDRESS = "address"  # not a registered one


@dataclass(slots=True)
class Call:
    """One request on its way through a gateway. Handlers of routes that are not open find its session."""

    desk: Desk
    request: Request
    parts: dict[str, str]  # of the path
    trouble: Trouble
    received: Received
    session: Session | None = None

    @property
    def now(self) -> datetime:
        return self.desk.clock.now()

    @property
    def account(self) -> SandboxAccount:
        assert self.session is not None, "only routes that need a session ask for its account"
        return self.session.account

    @property
    def lag(self) -> int:
        """Seconds by which the book lags."""
        return self.trouble.value(Kind.BOOK_LAG)

    def shown[T](self, rows: list[T]) -> list[T]:
        """The rows of the book without the newest, if it is to shrink; oldest first."""
        if Kind.BOOK_SHRINK not in self.trouble:
            return rows
        return rows[: max(len(rows) - self.trouble.value(Kind.BOOK_SHRINK, 1), 0)]

    @property
    def strange(self) -> bool:
        """Whether statuses are to be such as no table knows."""
        return Kind.UNKNOWN_STATUS in self.trouble

    def took(self, order: dict[str, object], tag: str | None, order_id: str | None = None) -> None:
        """Write down how the request was read."""
        self.received.order = order
        self.received.tag = tag or None
        self.received.order_id = order_id


Handler = Callable[[Call], Reply]


class Turned(Exception):
    """A handler's definitive no; each broker has its own kind, which makes the reply."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Route:
    """`{name}` in a path stands for one segment. `call` is what fault rules and rate limits call it."""

    method: str
    path: str
    call: str
    handler: Handler
    open: bool = False  # needs no session

    def answer(self, call: Call) -> Reply:
        """What the handler says, be it yes or a definitive no."""
        try:
            return self.handler(call)
        except Turned as refused:
            return refused.reply

    def match(self, path: str) -> dict[str, str] | None:
        mine, theirs = self.path.split("/"), path.split("/")
        if len(mine) != len(theirs):
            return None
        parts: dict[str, str] = {}
        for pattern, text in zip(mine, theirs, strict=True):
            if pattern.startswith("{") and text:
                parts[pattern[1:-1]] = text
            elif pattern != text:
                return None
        return parts


class Gateway(Protocol):
    """One broker's wire protocol. It keeps nothing: sessions and codes are its `Desk`'s, orders the floor's."""

    name: str
    title: str
    routes: Sequence[Route]
    limits: Sequence[Limit]
    echoes: bool
    """Whether its book carries the client's tag back, as far as is known."""

    def session_of(self, desk: Desk, request: Request) -> Session | None:
        """The live session that a request speaks under."""
        ...

    def claimant(self, desk: Desk, request: Request) -> SandboxAccount | None:
        """Whose request it is by its own word, for fault rules; nothing is granted by it."""
        ...

    def preflight(self, desk: Desk, request: Request) -> Reply | None:
        """What this broker demands of every request before it looks at anything else."""
        ...

    def refuse(self, refusal: Refusal, desk: Desk, request: Request) -> Reply: ...

    def fail(self, status: int) -> Reply:
        """A failure of that HTTP status in this broker's envelope."""
        ...

    def unacknowledged(self) -> Reply:
        """What it says of an order call that it sent on without hearing what became of it."""
        ...

    def login_address(self, desk: Desk, account: SandboxAccount) -> str | None:
        """Path and query of the login page to open for an account; None for a broker without one."""
        ...


# Rows and facts of a broker's order, as its own JSON has them.
Row = dict[str, object]
