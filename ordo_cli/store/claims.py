"""The transactions that let something leave: a leg becomes SENDING, a cancel or a modify is counted."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from math import ceil

from ordo_cli.domain.capabilities import RateLimits
from ordo_cli.domain.errors import KillEngaged, LimitExceeded, NotFound
from ordo_cli.domain.journal import ClaimTerms, DayLimits, OperationTerms, Wait
from ordo_cli.domain.kill import Scope, ScopeKind
from ordo_cli.domain.legs import Leg, LegId, Purpose, Submission
from ordo_cli.store.chain import Origin, Tell
from ordo_cli.store.driver import Ask, Body
from ordo_cli.store.rows import (
    VALUE_UNIT,
    account_of,
    ids_text,
    leg_of,
    micros,
    owner_text,
    place_of,
    standing,
    value_units,
)

ROLLING_SECOND = 1.25  # a second, and the quarter by which one first byte may come later than another after its claim
ROLLING_MINUTE = 60.25
ROLLING_HOUR = 3600.25
TURN = 2.0  # seconds until a tagless leg looks again: its account has one writer, so what it is behind is unknown


def claiming(leg_id: LegId, terms: ClaimTerms, origin: Origin) -> Body[Leg | Wait]:
    """Make one leg SENDING if the switch, the rates, the day's limits and the account's order of turns allow it."""
    fan_out, number = place_of(leg_id)
    rates, boot, day = terms.rates, terms.owner.boot_id, terms.day.isoformat()
    most = _most(rates.per_second, rates.kept_for_cancels)
    asked = {"fan_out": fan_out, "number": number, "boot": boot, "day": day, "newer": most - 1}
    rows = yield Ask("claimable", asked)
    if not rows:
        raise NotFound(f"there is no leg {leg_id}")
    *columns, newest, orders, units, opened = rows[0]
    leg = leg_of(columns)
    if leg.purpose is Purpose.ENTRY:
        yield from _refuse_when_engaged(leg.account, terms.scopes)
    sending = leg.to(Submission.SENDING, attempt=leg.attempt + 1, sent_at=terms.now)
    wait = _left(newest, ROLLING_SECOND, terms.elapsed)
    if rates.per_minute is not None:
        wait = max(wait, (yield from _minute(leg.account, boot, terms.elapsed, rates, rates.kept_for_cancels)))
    if wait > 0:
        return Wait(wait)
    yield from _refuse_over_long_rates(leg.account, boot, terms.elapsed, day, rates)
    if leg.purpose is Purpose.ENTRY:
        _refuse_over_limits(leg, terms, orders, units, opened)
    if terms.tagless and (yield from _others_in_flight(leg)):
        return Wait(TURN)
    changes = {"submission": sending.submission.value, "attempt": sending.attempt, "sent_at": micros(terms.now)}
    yield Ask("claim_leg", {"fan_out": fan_out, "number": number, "owner": owner_text(terms.owner), **changes})
    yield from _count(
        leg.account, "place", leg.id, terms.owner.boot_id, terms.elapsed, micros(terms.now), day, terms.value
    )
    if terms.pre_image is not None:
        yield Ask("remove_pre_image", {"fan_out": fan_out, "number": number})
        yield Ask("add_pre_image", (fan_out, number, ids_text(terms.pre_image)))
    yield _tell(origin, leg, sending)
    return sending


def operating(account: str, kind: str, leg: LegId | None, terms: OperationTerms, origin: Origin) -> Body[Wait | None]:
    """Count a cancel or a modify, if the account may start one now; cancels may use what is kept for them."""
    kept = 0 if kind == "cancel" else terms.rates.kept_for_cancels
    if kind == "modify":
        yield from _refuse_when_engaged(account, terms.scopes)
    wait = yield from _wait(account, terms.owner.boot_id, origin.elapsed, terms.rates, kept)
    if wait is not None:
        return wait
    day = terms.day.isoformat()
    if kind == "modify":
        yield from _refuse_over_long_rates(account, terms.owner.boot_id, origin.elapsed, day, terms.rates)
        yield from _refuse_over_modifications(account, day, leg, terms.rates.modifications_per_order)
    yield from _count(account, kind, leg, terms.owner.boot_id, origin.elapsed, origin.at, day, None)
    return None


def _refuse_when_engaged(account: str, scopes: Iterable[Scope]) -> Body[None]:
    """What covered the account when the order was planned, and the groups that it has joined since."""
    broker = next((scope.name for scope in scopes if scope.kind is ScopeKind.BROKER), "")
    rows = yield Ask("engaged", {"account": account, "broker": broker})
    engaged = {(kind, name) for kind, name, pressed in rows if pressed}
    if not engaged:
        return
    groups = [group for row in (yield Ask("account", {"id": account})) for group in account_of(row).groups]
    for scope in dict.fromkeys([*scopes, *(Scope(ScopeKind.GROUP, group) for group in groups)]):
        if (scope.kind.value, scope.name) in engaged:
            raise KillEngaged(
                f"the kill switch is engaged for {scope}", hint=f"ordo kill release --scope {scope}", code="KILL"
            )


def _wait(account: str, boot: str, elapsed: float, rates: RateLimits, kept: int) -> Body[Wait | None]:
    """How long until one more operation fits into the rolling second and the rolling minute."""
    wait = yield from _nth(account, boot, elapsed, _most(rates.per_second, kept), ROLLING_SECOND)
    if rates.per_minute is not None:
        wait = max(wait, (yield from _minute(account, boot, elapsed, rates, kept)))
    return Wait(wait) if wait > 0 else None


def _minute(account: str, boot: str, elapsed: float, rates: RateLimits, kept: int) -> Body[float]:
    return _nth(account, boot, elapsed, _most(rates.per_minute or 0, kept), ROLLING_MINUTE)


def _nth(account: str, boot: str, elapsed: float, most: int, length: float) -> Body[float]:
    """Seconds until the account's last `most` operations no longer lie within so many seconds."""
    rows = yield Ask("nth_operation", {"account": account, "boot": boot, "newer": most - 1})
    return _left(rows[0][0] if rows else None, length, elapsed)


def _most(limit: int, kept: int) -> int:
    return max(limit - kept, 1)


def _left(newest: float | None, length: float, elapsed: float) -> float:
    """Seconds until the operation that fills the window has left it: of all that it may hold, the oldest.

    Operations later than `elapsed` count as well: another process may have been faster to the lock.
    """
    return 0.0 if newest is None else newest + length - elapsed


def _refuse_over_long_rates(account: str, boot: str, elapsed: float, day: str, rates: RateLimits) -> Body[None]:
    """An hour and a day are longer than any order waits."""
    if rates.per_hour is not None:
        left = yield from _nth(account, boot, elapsed, rates.per_hour, ROLLING_HOUR)
        if left > 0:
            raise LimitExceeded(
                f"{account} has used all {rates.per_hour} order operations that its broker takes in an hour",
                hint=f"cancels still go; entries again in {ceil(left / 60)} minutes",
                code="OPS_EXCEEDED",
            )
    if rates.per_day is None:
        return
    used = (yield Ask("day_operations", {"account": account, "day": day}))[0][0]
    if used >= rates.per_day:
        raise LimitExceeded(
            f"{account} has used all {rates.per_day} order operations that its broker takes in a day",
            hint="cancels still go; entries again tomorrow",
            code="OPS_EXCEEDED",
        )


def _refuse_over_modifications(account: str, day: str, leg: LegId | None, most: int | None) -> Body[None]:
    if most is None or leg is None:
        return
    used = (yield Ask("modifications", {"account": account, "day": day, "leg": leg}))[0][0]
    if used >= most:
        raise LimitExceeded(
            f"leg {leg} was modified {used} times, which is all that its broker takes",
            hint=f"cancel it and send a new order: ordo order cancel {leg}",
            code="OPS_EXCEEDED",
        )


def _refuse_over_limits(leg: Leg, terms: ClaimTerms, orders: int, units: int, opened: int) -> None:
    limits, whose = terms.limits, f"of {leg.account}"
    _refuse_above("DAY_ORDERS_MAX", orders + 1, limits.orders, f"orders {whose} today", limits)
    if limits.value is not None:
        total = Decimal(int(units) + value_units(terms.value)) / VALUE_UNIT
        _refuse_above("DAY_VALUE_MAX", total, limits.value, f"rupees in orders {whose} today", limits)
    _refuse_above("OPEN_ORDERS_MAX", opened + 1, limits.open_orders, f"open orders {whose}", limits)


def _refuse_above(code: str, reached: Decimal | int, most: Decimal | int | None, what: str, limits: DayLimits) -> None:
    if most is not None and reached > most:
        raise LimitExceeded(f"{reached} {what} would pass the limit of {most}", hint=limits.hint(code), code=code)


def _others_in_flight(leg: Leg) -> Body[bool]:
    rows = yield Ask("in_flight", {"account": leg.account, "fan_out": leg.fan_out})
    return any((of, number) != place_of(leg.id) for of, number in rows)


def _count(
    account: str, kind: str, leg: LegId | None, boot: str, elapsed: float, at: int, day: str, value: Decimal | None
) -> Body[None]:
    yield Ask("add_operation", (account, kind, leg, boot, elapsed, at, day, value_units(value)))


def _tell(origin: Origin, before: Leg, after: Leg) -> Tell:
    ids = {"fan_out": before.fan_out, "leg": before.id, "attempt": after.attempt, "account": before.account}
    return Tell(origin, "state", ids=ids, before=standing(before), after=standing(after))
