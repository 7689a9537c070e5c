"""The operations at a server: each a call or two, its public JSON decoded into the values that commands show.

Nothing here waits for two things at once, so no event loop is needed: these coroutines never suspend.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ordo_cli.cli import talk
from ordo_cli.cli.remote import decoding
from ordo_cli.cli.remote.decoding import Json
from ordo_cli.client import calls
from ordo_cli.client.calls import Call
from ordo_cli.client.following import END
from ordo_cli.client.lean import PATIENCE
from ordo_cli.client.patience import IN_FLIGHT, unreadable
from ordo_cli.domain.accounts import choose
from ordo_cli.domain.errors import Invalid, NoAnswer, NotFound, OrdoError
from ordo_cli.domain.fanouts import FanOut, Outcome
from ordo_cli.domain.keys import new_key
from ordo_cli.domain.legs import Leg, Problem
from ordo_cli.domain.moments import moment_text
from ordo_cli.domain.values import replace

if TYPE_CHECKING:
    from ordo_cli.cli.operations import News
    from ordo_cli.client.lean import Lean
    from ordo_cli.client.patience import Reply
    from ordo_cli.domain.accounts import Account, AccountId, Target
    from ordo_cli.domain.fanouts import Mode
    from ordo_cli.domain.instruments import InstrumentId
    from ordo_cli.domain.kill import Level, Scope, Switch
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

WAIT = 30.0  # seconds that --wait waits when no --timeout is given
LOOK = 0.25  # seconds between looks where no stream comes through


class Remote:
    """Every operation, over one client."""

    def __init__(self, client: Lean) -> None:
        self._client = client

    async def accounts(self) -> Sequence[tuple[Account, Mode]]:
        return self._read(calls.accounts(), lambda body: decoding.rows(decoding.account, body))

    async def preview(self, request: PlaceRequest) -> Preview:
        from ordo_cli.cli.remote import outcomes

        return self._read(calls.preview(_body(request)), lambda body: outcomes.preview(request, body))

    async def place(self, request: PlaceRequest, news: News) -> FanOut:
        """Place under a key and follow what becomes of it. When it is interrupted, the server goes on."""
        client = self._client
        key = new_key(client.clock.now(), client.chance) if request.key is None else request.key
        # Cancelling the rest is part of that placing: its answer is waited for, since no stream tells of it.
        call = calls.place(_body(request), key, asynchronous=request.on_partial != "cancel-rest")
        try:
            begun = self._begun(call, client.ask(call))
        except KeyboardInterrupt:
            talk.say(f"\nthe order may have reached the server, which then goes on; ask again with --key {key}")
            raise
        news(begun)
        if begun.outcome is not Outcome.PENDING:
            return begun
        try:
            return replace(self._followed(begun, news), replayed=begun.replayed)
        except KeyboardInterrupt:
            talk.say(
                f"\nthe server goes on with fan-out {begun.id}; to look: {self._command(f'fanout watch {begun.id}')}"
            )
            raise
        except OrdoError as error:
            look = self._command(f"fanout show {begun.id}")
            raise NoAnswer(
                f"fan-out {begun.id} is under way and could not be followed: {error.message}", hint=look
            ) from error

    async def wait(self, fan_out: FanOut, until: Until, timeout: float | None, news: News) -> FanOut:
        from ordo_cli.services.orders import reached

        end = self._client.clock.elapsed() + (WAIT if timeout is None else timeout)
        try:
            for after in () if reached(fan_out, until) else self._changes(fan_out, until, end):
                fan_out = replace(after, replayed=fan_out.replayed)
                for leg in fan_out.legs:
                    news(leg)
        except OrdoError as error:  # the orders are out, and what is known of them is told
            talk.warn(f"it could not be followed to the end: {error.message}")
        return fan_out

    async def recent(self, limit: int, account: str | None) -> Sequence[FanOut]:
        found = self._read(calls.fan_outs(limit, account), lambda body: decoding.rows(decoding.fan_out, body))
        if account and not found:
            await self._chosen([account])
        return found

    async def fan_out(self, word: str) -> FanOut:
        return self._read(calls.fan_out(word), decoding.fan_out)

    async def watch(self, word: str, until: Until) -> AsyncIterator[FanOut]:
        from ordo_cli.services.orders import reached

        fan_out = await self.fan_out(word)
        yield fan_out
        if not reached(fan_out, until):
            for after in self._changes(fan_out, until):
                yield after

    async def reconcile(self, word: str | None) -> Reconciled:
        from ordo_cli.cli.remote import outcomes

        if word is None:
            raise _not_there("fanout reconcile without an ID", "name one: ordo fanout reconcile ID")
        return self._read(calls.reconcile(word), outcomes.reconciled)

    async def cancel_fan_out(self, fan_out: FanOut) -> Sequence[Cancelled]:
        from ordo_cli.cli.remote import outcomes

        return self._read(calls.cancel_fan_out(fan_out.id), lambda body: decoding.rows(outcomes.cancelled, body))

    async def cancel_each(
        self, words: Sequence[str], account: str | None, announce: Callable[[list[AccountId]], Awaitable[None]]
    ) -> Sequence[Cancelled]:
        """Cancel legs one after the other; what is wrong with one does not keep the others open."""
        from ordo_cli.services.cancelling import Cancelled

        if account is not None:
            raise _not_there("order cancel --account", "name ordo's own leg")
        found: list[Leg] = []
        done: list[Cancelled] = []
        missing: NotFound | None = None
        for word in dict.fromkeys(words):
            try:
                found.append((await self.leg(word))[1])
            except NotFound as error:
                missing = error
                done.append(_not_cancelled(Cancelled, "", word, None, error))
        if missing is not None and not found:
            raise missing
        await announce(list(dict.fromkeys(leg.account for leg in found)))
        for leg in found:
            try:
                done.append(self._cancel(leg))
            except OrdoError as error:
                done.append(_not_cancelled(Cancelled, leg.account, leg.broker_order_id or "", leg, error))
        return done

    async def cancel_all(self, targets: Sequence[Target]) -> Sequence[Cancelled]:
        raise _not_there("order cancel-all", "at the server: ordo order cancel-all")

    async def leg(self, word: str) -> tuple[FanOut, Leg]:
        return self._read(calls.leg(word), decoding.order)

    async def leg_and_book(self, word: str) -> tuple[FanOut, Leg, Row[Booked] | Problem | None]:
        from ordo_cli.cli.remote import rows

        return self._read(calls.leg(word), lambda body: (*decoding.order(body), rows.in_book(body)))

    async def modify(self, leg: Leg, changes: Changes, confirmed: bool) -> Leg:
        call = calls.modify(
            leg.id,
            quantity=changes.quantity,
            limit_price=changes.limit_price,
            trigger_price=changes.trigger_price,
            confirm=confirmed,
        )
        return self._read(call, decoding.leg)

    async def consolidated(self, noun: str, targets: Sequence[Target]) -> Consolidated[Any]:
        from ordo_cli.cli.remote import rows

        words = [str(target) for target in targets]
        body = self._read(calls.consolidated(noun, words), dict)
        # Who was asked only matters when there is nothing of theirs, or some could not be read.
        asked = await self._chosen(words) if body.get("failures") or not body.get("rows") else []
        return self._read_as(calls.consolidated(noun, words), body, lambda body: rows.consolidated(noun, body, asked))

    async def close(self, targets: Sequence[Target], instrument: InstrumentId | None) -> SweepReport:
        raise _not_there("position close", "at the server: ordo position close")

    async def quotes(self, names: Sequence[InstrumentId], account: str | None) -> Mapping[InstrumentId, Quote]:
        from ordo_cli.cli.remote import rows

        found = self._read(calls.quotes(map(str, names), account), lambda body: decoding.rows(rows.quote, body))
        return {quote.instrument: quote for quote in found}

    async def kill_state(self) -> KillState:
        from ordo_cli.cli.remote import outcomes

        return self._read(calls.kill_status(), outcomes.kill_state)

    async def sweep(self, scope: Scope, level: Level, reason: str, protective: bool, foreign: bool) -> SweepReport:
        from ordo_cli.cli.remote import outcomes

        call = calls.kill(str(scope), level.name.lower(), reason, include_protective=protective, foreign=foreign)
        return self._read(call, outcomes.swept)

    async def release(self, scope: Scope, reason: str, acknowledged: Sequence[str], stamp: int) -> Switch:
        from ordo_cli.cli.remote import outcomes

        return self._read(calls.release(str(scope), reason, acknowledged), outcomes.switch)

    async def log_in(self, targets: Sequence[Target]) -> Sequence[LoginState]:
        return await self._logged(targets, calls.login)

    async def logins(self, targets: Sequence[Target]) -> Sequence[LoginState]:
        from ordo_cli.cli.remote import logins

        call = calls.logins([str(target) for target in targets])
        return self._read(call, lambda body: decoding.rows(logins.login, body))

    async def login_question(self, account: str) -> KeptChallenge:
        from ordo_cli.cli.remote import logins

        call = calls.logins([account])
        return logins.asked_of(self._read(call, lambda body: decoding.rows(logins.login, body))[0])

    async def login_answer(self, account: str, answer: str) -> LoginState:
        from ordo_cli.cli.remote import logins

        return self._read(calls.login_answer(account, answer), logins.login)

    async def log_out(self, targets: Sequence[Target]) -> Sequence[LoginState]:
        return await self._logged(targets, calls.log_out)

    async def _logged(self, targets: Sequence[Target], call: Callable[[str], Call]) -> Sequence[LoginState]:
        from ordo_cli.cli.remote import logins

        states = await self.logins(targets)
        return logins.each(states, call, lambda call: self._read(call, logins.login))

    async def status(self) -> Status:
        from ordo_cli.cli.remote import outcomes

        return self._read(calls.status(), outcomes.status)

    async def audit(
        self, kind: str | None, fan_out: str | None, leg: str | None, since: datetime | None, limit: int
    ) -> Sequence[Line]:
        from ordo_cli.cli.remote import rows

        start = None if since is None else moment_text(since)
        call = calls.audit(kind=kind, fan_out=fan_out, leg=leg, since=start, limit=limit)
        return self._read(call, lambda body: decoding.rows(rows.line, body))

    def _begun(self, call: Call, reply: Reply) -> FanOut:
        """The fan-out of a placing: done, under way, or under way since an earlier try with the same key."""
        if reply.status != IN_FLIGHT:
            return self._read_as(call, _parsed(call, reply), decoding.fan_out)
        begun = self._read(calls.at(reply.headers["location"]), decoding.fan_out)
        return replace(begun, replayed=True)

    def _followed(self, begun: FanOut, news: News) -> FanOut:
        """The fan-out once nothing of it is on its way any more, with news of each leg until then."""
        with suppress(OrdoError):  # no stream comes through here; the fan-out itself can still be looked at
            for after in self._changes(begun, "accepted"):
                news(after)
                if after.outcome is not Outcome.PENDING:
                    break
        clock = self._client.clock
        end = clock.elapsed() + PATIENCE
        while (after := self._read(calls.fan_out(begun.id), decoding.fan_out)).outcome is Outcome.PENDING:
            if clock.elapsed() >= end:
                break
            clock.wait(LOOK)
        for leg in after.legs:
            news(leg)
        return after

    def _changes(self, fan_out: FanOut, until: str, end: float | None = None) -> Iterator[FanOut]:
        """The fan-out each time that something of it has changed, until it is as asked or the time is up."""
        call = calls.events(fan_out.id, until)
        for event in self._client.follow(call, end=end):
            if event.kind == END:
                yield self._read_as(call, event.data, lambda data: decoding.fan_out(json.loads(data)))
                return
            leg = self._read_as(call, event.data, lambda data: decoding.leg(json.loads(data)))
            after = replace(fan_out, legs=tuple(leg if each.id == leg.id else each for each in fan_out.legs))
            if after != fan_out:
                fan_out = after
                yield fan_out

    def _cancel(self, leg: Leg) -> Cancelled:
        from ordo_cli.cli.remote import outcomes

        return self._read(calls.cancel_leg(leg.id), outcomes.cancelled)

    async def _chosen(self, words: Sequence[str]) -> list[AccountId]:
        from ordo_cli.domain.accounts import parse_target

        known = [account for account, _ in await self.accounts()]
        return [account.id for account, _ in choose(known, map(parse_target, words))]

    def _read[T](self, call: Call, decode: Callable[[Any], T]) -> T:
        return self._read_as(call, _parsed(call, self._client.ask(call)), decode)

    def _read_as[T](self, call: Call, body: Any, decode: Callable[[Any], T]) -> T:
        try:
            return decode(body)
        except (KeyError, TypeError, ValueError, ArithmeticError, Invalid) as error:
            raise unreadable(call, f"{type(error).__name__}") from error

    def _command(self, words: str) -> str:
        return f"ordo --remote {self._client.address.url} {words}"


def _parsed(call: Call, reply: Reply) -> Any:
    try:
        return json.loads(reply.content)
    except ValueError:
        raise unreadable(call, "it is not JSON") from None


def _body(request: PlaceRequest) -> Json:
    return calls.intent_body(
        request.intent,
        to=[str(target) for target in request.targets],
        split=request.split,
        on_partial=request.on_partial,
        allow_duplicate=request.allow_duplicate,
        confirm=request.confirmed,
    )


def _not_cancelled(kind: type[Cancelled], account: str, order_id: str, leg: Leg | None, error: OrdoError) -> Cancelled:
    from ordo_cli.domain.accounts import AccountId
    from ordo_cli.domain.orders import BrokerOrderId

    return kind(AccountId(account), BrokerOrderId(order_id), leg, None, Problem.of(error))


def _not_there(what: str, hint: str) -> Invalid:
    return Invalid(f"{what} works on the machine itself, not with --remote", hint=hint, code="not_remote")
