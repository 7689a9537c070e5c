"""The operations on a desk of this machine: one service each, imported when it is asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ordo_cli.domain.accounts import AccountId

if TYPE_CHECKING:
    from ordo_cli.cli.operations import News
    from ordo_cli.desk import Desk
    from ordo_cli.domain.accounts import Account, Target
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


class Local:
    """Every operation, by its service."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def accounts(self) -> Sequence[tuple[Account, Mode]]:
        from ordo_cli.services import accounts

        return await accounts.everyone(self._desk)

    async def preview(self, request: PlaceRequest) -> Preview:
        from ordo_cli.services import orders

        return await orders.preview(self._desk, request)

    async def place(self, request: PlaceRequest, news: News) -> FanOut:
        from ordo_cli.services import orders

        return await orders.place(self._desk, request, watch=news, show=news)

    async def wait(self, fan_out: FanOut, until: Until, timeout: float | None, news: News) -> FanOut:
        from ordo_cli.services import orders

        limit = self._desk.config.wait_timeout if timeout is None else timeout
        return (await orders.wait(self._desk, fan_out, until, limit, watch=news)).fan_out

    async def recent(self, limit: int, account: str | None) -> Sequence[FanOut]:
        from ordo_cli.services import accounts, fanouts

        found = await fanouts.recent(self._desk, limit, AccountId(account) if account else None)
        if account and not found:
            await accounts.describe(self._desk, account)
        return found

    async def fan_out(self, word: str) -> FanOut:
        from ordo_cli.services import fanouts

        return await fanouts.show(self._desk, word)

    def watch(self, word: str, until: Until) -> AsyncIterator[FanOut]:
        from ordo_cli.services import fanouts

        return fanouts.watch(self._desk, word, until)

    async def reconcile(self, word: str | None) -> Reconciled:
        from ordo_cli.services import fanouts, reconcile

        whole = None if word is None else (await fanouts.show(self._desk, word)).id
        return await reconcile.reconcile(self._desk, fan_out_id=whole)

    async def cancel_fan_out(self, fan_out: FanOut) -> Sequence[Cancelled]:
        from ordo_cli.services import cancelling

        return await cancelling.cancel_fan_out(self._desk, fan_out.id)

    async def cancel_each(
        self, words: Sequence[str], account: str | None, announce: Callable[[list[AccountId]], Awaitable[None]]
    ) -> Sequence[Cancelled]:
        from ordo_cli.services import cancelling

        return await cancelling.cancel_each(self._desk, words, account, announce)

    async def cancel_all(self, targets: Sequence[Target]) -> Sequence[Cancelled]:
        from ordo_cli.services import cancelling

        return await cancelling.cancel_all(self._desk, targets)

    async def leg(self, word: str) -> tuple[FanOut, Leg]:
        from ordo_cli.services import fanouts

        return await fanouts.leg(self._desk, word)

    async def leg_and_book(self, word: str) -> tuple[FanOut, Leg, Row[Booked] | Problem | None]:
        from ordo_cli.services import portfolio

        fan_out, leg = await self.leg(word)
        return fan_out, leg, await portfolio.in_book(self._desk, leg)

    async def modify(self, leg: Leg, changes: Changes, confirmed: bool) -> Leg:
        from ordo_cli.services import modifying

        return await modifying.modify(self._desk, leg.id, changes, confirmed=confirmed)

    async def consolidated(self, noun: str, targets: Sequence[Target]) -> Consolidated[Any]:
        from ordo_cli.services import portfolio

        found: Consolidated[Any] = await getattr(portfolio, noun)(self._desk, targets)
        return found

    async def close(self, targets: Sequence[Target], instrument: InstrumentId | None) -> SweepReport:
        from ordo_cli.services import positions

        return await positions.close(self._desk, targets, instrument)

    async def quotes(self, names: Sequence[InstrumentId], account: str | None) -> Mapping[InstrumentId, Quote]:
        from ordo_cli.services import instruments

        return await instruments.quotes(self._desk, names, account)

    async def kill_state(self) -> KillState:
        from ordo_cli.services import kill

        return await kill.state(self._desk)

    async def sweep(self, scope: Scope, level: Level, reason: str, protective: bool, foreign: bool) -> SweepReport:
        from ordo_cli.services import kill

        return await kill.sweep(self._desk, scope, level, include_protective=protective, foreign=foreign)

    async def release(self, scope: Scope, reason: str, acknowledged: Sequence[str], stamp: int) -> Switch:
        from ordo_cli.services import kill

        return await kill.release(self._desk, scope, reason, acknowledged, stamp)

    async def log_in(self, targets: Sequence[Target]) -> Sequence[LoginState]:
        from ordo_cli.services import login

        return await login.start(self._desk, targets)

    async def logins(self, targets: Sequence[Target]) -> Sequence[LoginState]:
        from ordo_cli.services import login

        return await login.status(self._desk, targets)

    async def login_question(self, account: str) -> KeptChallenge:
        from ordo_cli.services import login

        return await login.pending(self._desk, account)

    async def login_answer(self, account: str, answer: str) -> LoginState:
        from ordo_cli.services import login

        return await login.answer(self._desk, account, answer)

    async def log_out(self, targets: Sequence[Target]) -> Sequence[LoginState]:
        from ordo_cli.services import login

        return await login.out(self._desk, targets)

    async def status(self) -> Status:
        from ordo_cli.services import status

        return await status.status(self._desk)

    async def audit(
        self, kind: str | None, fan_out: str | None, leg: str | None, since: datetime | None, limit: int
    ) -> Sequence[Line]:
        from ordo_cli.services import audit

        return await audit.rows(self._desk, kind=kind, fan_out=fan_out, leg=leg, since=since, limit=limit)
