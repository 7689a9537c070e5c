"""What commands do, wherever it is done: on a desk of this machine (`local`) or at a server (`remote`).

A command is written once against this. Values are those of the domain and the services either way, so that tables,
JSON and exit codes have one source.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ordo_cli.domain.accounts import Account, AccountId, Target
    from ordo_cli.domain.fanouts import FanOut, Mode
    from ordo_cli.domain.instruments import InstrumentId
    from ordo_cli.domain.kill import Level, Scope, Switch
    from ordo_cli.domain.legs import Leg, Problem
    from ordo_cli.domain.orders import Changes
    from ordo_cli.domain.portfolio import Quote
    from ordo_cli.domain.sessions import KeptChallenge, LoginState
    from ordo_cli.domain.trail import Line
    from ordo_cli.services.cancelling import Cancelled
    from ordo_cli.services.kill import KillState
    from ordo_cli.services.orders import Until
    from ordo_cli.services.planning import PlaceRequest, Preview
    from ordo_cli.services.portfolio import Booked, Consolidated, Row
    from ordo_cli.services.reconcile import Reconciled
    from ordo_cli.services.status import Status
    from ordo_cli.services.sweep import SweepReport

type News = Callable[[FanOut | Leg], None]
"""Told of the whole fan-out once it is written down, and of each leg as it changes."""


class Operations(Protocol):
    """Every operation that has a route."""

    async def accounts(self) -> Sequence[tuple[Account, Mode]]: ...

    async def preview(self, request: PlaceRequest) -> Preview: ...

    async def place(self, request: PlaceRequest, news: News) -> FanOut: ...

    async def wait(self, fan_out: FanOut, until: Until, timeout: float | None, news: News) -> FanOut: ...

    async def recent(self, limit: int, account: str | None) -> Sequence[FanOut]:
        """The newest fan-outs. Raises NotFound for an account that has none and is none."""
        ...

    async def fan_out(self, word: str) -> FanOut: ...

    def watch(self, word: str, until: Until) -> AsyncIterator[FanOut]: ...

    async def reconcile(self, word: str | None) -> Reconciled: ...

    async def cancel_fan_out(self, fan_out: FanOut) -> Sequence[Cancelled]: ...

    async def cancel_each(
        self, words: Sequence[str], account: str | None, announce: Callable[[list[AccountId]], Awaitable[None]]
    ) -> Sequence[Cancelled]: ...

    async def cancel_all(self, targets: Sequence[Target]) -> Sequence[Cancelled]: ...

    async def leg(self, word: str) -> tuple[FanOut, Leg]: ...

    async def leg_and_book(self, word: str) -> tuple[FanOut, Leg, Row[Booked] | Problem | None]: ...

    async def modify(self, leg: Leg, changes: Changes, confirmed: bool) -> Leg: ...

    async def consolidated(self, noun: str, targets: Sequence[Target]) -> Consolidated[Any]: ...

    async def close(self, targets: Sequence[Target], instrument: InstrumentId | None) -> SweepReport: ...

    async def quotes(self, names: Sequence[InstrumentId], account: str | None) -> Mapping[InstrumentId, Quote]: ...

    async def kill_state(self) -> KillState: ...

    async def sweep(self, scope: Scope, level: Level, reason: str, protective: bool, foreign: bool) -> SweepReport:
        """Clean up under a scope that is pressed already."""
        ...

    async def release(self, scope: Scope, reason: str, acknowledged: Sequence[str], stamp: int) -> Switch: ...

    async def log_in(self, targets: Sequence[Target]) -> Sequence[LoginState]: ...

    async def logins(self, targets: Sequence[Target]) -> Sequence[LoginState]: ...

    async def login_question(self, account: str) -> KeptChallenge:
        """What this account's broker waits to hear. Raises SessionNeeded when that is nothing."""
        ...

    async def login_answer(self, account: str, answer: str) -> LoginState: ...

    async def log_out(self, targets: Sequence[Target]) -> Sequence[LoginState]: ...

    async def status(self) -> Status: ...

    async def audit(
        self, kind: str | None, fan_out: str | None, leg: str | None, since: datetime | None, limit: int
    ) -> Sequence[Line]: ...
