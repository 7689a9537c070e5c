"""The transaction that writes a fan-out down: key, legs, what speaks against a leg, and audit row, or nothing."""

from __future__ import annotations

from collections.abc import Mapping

from ordo_cli.domain.accounts import AccountId
from ordo_cli.domain.errors import StoreFailed
from ordo_cli.domain.fanouts import FanOut
from ordo_cli.domain.journal import Owner
from ordo_cli.domain.legs import Block, Leg, Problem, Purpose, Submission
from ordo_cli.domain.values import dataclass, replace
from ordo_cli.store.chain import Origin, Tell
from ordo_cli.store.driver import Ask, AskMany, Body
from ordo_cli.store.rows import (
    fan_out_row,
    fan_outs_of,
    leg_id,
    leg_row,
    micros,
    owner_text,
    price_text,
    standing,
)

PLANNED_FOR_MOST = (
    120  # seconds that a leg may lie planned before it is sent, with room; twins are looked for that far back
)
SECOND = 1_000_000

type Window = float | Mapping[AccountId, float]
"""Seconds in which the same order is taken for a slip: for every account, or for each its own."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """The key belongs to another request."""

    fan_out: str


def replaying(principal: str, verb: str, key: str, fingerprint: str) -> Body[FanOut | Conflict | None]:
    """The fan-out that this key was used for, if it was."""
    found = yield Ask("key", {"principal": principal, "verb": verb, "key": key})
    if not found:
        return None
    known, fan_out = found[0]
    if known != fingerprint:
        return Conflict(fan_out)
    rows = yield Ask("fan_out_legs", {"id": fan_out})
    return replace(fan_outs_of(rows)[0], replayed=True)


def opening(fan_out: FanOut, window: Window | None, owner: Owner | None, origin: Origin) -> Body[FanOut | Conflict]:
    """Write a new fan-out down, or answer what its key was used for before."""
    before = yield from replaying(fan_out.principal, fan_out.verb, fan_out.key, fan_out.fingerprint)
    if isinstance(before, Conflict):
        yield _conflict(origin, fan_out, before)
    if before is not None:
        return before
    if (yield Ask("has_fan_out", {"id": fan_out.id})):
        raise StoreFailed(
            f"there is already a fan-out {fan_out.id}; nothing was sent", hint="try again", code="STORE_ID"
        )
    doubts = yield from _doubts(fan_out)
    twins = (yield from _twins(fan_out, window)) if window is not None else {}
    judged = fan_out
    if doubts or twins:
        copied = {leg.account: twin for leg in fan_out.legs if (twin := twins.get((leg.account, leg.quantity)))}
        judged = replace(fan_out, legs=tuple(_judged(leg, doubts, copied) for leg in fan_out.legs))
    yield Ask("add_key", (fan_out.principal, fan_out.verb, fan_out.key, fan_out.fingerprint, fan_out.id))
    yield Ask("add_fan_out", fan_out_row(judged, owner_text(owner)))
    yield AskMany("add_leg", [leg_row(leg) for leg in judged.legs])
    yield _plan(origin, judged)
    return judged


def _doubts(fan_out: FanOut) -> Body[dict[str, str]]:
    """By account, a leg in the same instrument of which nobody knows what became of it."""
    rows = yield Ask("doubtful", {"instrument": str(fan_out.intent.instrument)})
    return {account: leg_id(of, number) for account, of, number in rows}


def _twins(fan_out: FanOut, window: Window) -> Body[dict[tuple[str, int], str]]:
    """By account and quantity, another fan-out's leg that asks for the same and is as fresh as the account's window."""
    intent, now = fan_out.intent, micros(fan_out.created_at)
    seconds = window if isinstance(window, Mapping) else {leg.account: window for leg in fan_out.legs}
    since = {account: now - int(each * SECOND) for account, each in seconds.items()}
    rows = yield Ask(
        "twins",
        {
            "instrument": str(intent.instrument),
            "side": intent.side.value,
            "since": min(since.values()) - PLANNED_FOR_MOST * SECOND,
        },
    )
    prices = (intent.limit_price, intent.trigger_price)
    twins = {}
    for account, quantity, limit_price, trigger_price, other, created_at, sent_at in rows:
        fresh = account in since and max(created_at, sent_at or 0) >= since[account]
        if fresh and _same_prices(prices, (limit_price, trigger_price)):
            twins[account, quantity] = other
    return twins


def _same_prices(asked: tuple[object, object], stored: tuple[str | None, str | None]) -> bool:
    from decimal import Decimal

    return asked == tuple(None if price is None else Decimal(price) for price in stored)


def _judged(leg: Leg, doubts: dict[str, str], twins: dict[AccountId, str]) -> Leg:
    """By account, as the slices of one order stand or fall together: half of it would be an order nobody asked for."""
    if leg.submission is not Submission.PLANNED:
        return leg
    twin = twins.get(leg.account)
    if twin is not None:
        message = f"the same order for {leg.account} went out moments ago in fan-out {twin}"
        return _blocked(leg, Problem(Block.DUPLICATE.value, message, "if it is meant twice: --allow-duplicate"))
    doubt = doubts.get(leg.account)
    if doubt is not None and leg.purpose is Purpose.ENTRY:
        message = f"nobody knows yet what became of leg {doubt} in the same instrument"
        return _blocked(leg, Problem("UNKNOWN_PENDING", message, f"ordo fanout reconcile, or ordo leg resolve {doubt}"))
    return leg


def _blocked(leg: Leg, problem: Problem) -> Leg:
    return leg.to(Submission.BLOCKED, problem=problem)


def _plan(origin: Origin, fan_out: FanOut) -> Tell:
    intent = fan_out.intent
    return Tell(
        origin,
        "plan",
        ids={"fan_out": fan_out.id},
        after="planned",
        data={
            "key": fan_out.key,
            "principal": fan_out.principal,
            "verb": fan_out.verb,
            "fingerprint": fan_out.fingerprint,
            "mode": fan_out.mode.value,
            "intent": {
                "side": intent.side.value,
                "instrument": str(intent.instrument),
                "quantity": intent.quantity,
                "type": intent.type.value,
                "limit_price": price_text(intent.limit_price),
                "trigger_price": price_text(intent.trigger_price),
                "product": intent.product.value,
                "validity": intent.validity.value,
                "after_market": intent.after_market,
                "disclosed": intent.disclosed,
                "label": intent.label,
            },
            "legs": [f"{leg.account} {leg.quantity} {leg.tag} {_verdict(leg)}" for leg in fan_out.legs],
        },
    )


def _verdict(leg: Leg) -> str:
    return standing(leg) if leg.problem is None else f"{standing(leg)}:{leg.problem.code}"


def _conflict(origin: Origin, fan_out: FanOut, before: Conflict) -> Tell:
    data = {"key": fan_out.key, "verb": fan_out.verb, "fingerprint": fan_out.fingerprint, "used_by": before.fan_out}
    return Tell(origin, "key-conflict", ids={"fan_out": before.fan_out}, data=data)
