"""Fan-outs and legs in public."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

from pydantic import ConfigDict, Field

from ordo_cli.domain import fanouts, legs, orders, trail
from ordo_cli.schemas.base import Foreign, Moment, Money, Out, Problem
from ordo_cli.schemas.portfolio import OrderRow

if TYPE_CHECKING:
    from ordo_cli.services.portfolio import Booked, Row


class Intent(Out):
    side: str
    instrument: str
    type: str
    quantity: int
    limit_price: Money | None
    trigger_price: Money | None
    product: str
    validity: str
    after_market: bool
    disclosed: int | None
    label: Foreign | None

    @classmethod
    def of(cls, intent: orders.OrderIntent) -> Self:
        return cls.unchecked(
            side=intent.side,
            instrument=str(intent.instrument),
            type=intent.type,
            quantity=intent.quantity,
            limit_price=intent.limit_price,
            trigger_price=intent.trigger_price,
            product=intent.product,
            validity=intent.validity,
            after_market=intent.after_market,
            disclosed=intent.disclosed,
            label=intent.label,
        )


class Leg(Out):
    id: str
    account: str
    broker: str
    quantity: int
    state: str
    tag: str
    broker_order_id: Foreign | None
    filled_quantity: int
    average_price: Money | None
    latency_ms: float | None
    evidence: str | None
    cancel: str
    attempt: int
    sent_at: Moment | None
    answered_at: Moment | None
    problem: Problem | None

    @classmethod
    def of(cls, leg: legs.Leg) -> Self:
        return cls.unchecked(
            id=leg.id,
            account=leg.account,
            broker=leg.broker,
            quantity=leg.quantity,
            state=leg.state,
            tag=leg.tag,
            broker_order_id=leg.broker_order_id,
            filled_quantity=leg.filled_quantity,
            average_price=leg.average_price,
            latency_ms=None if leg.latency_ms is None else round(leg.latency_ms, 3),
            evidence=leg.evidence,
            cancel=leg.cancel,
            attempt=leg.attempt,
            sent_at=leg.sent_at,
            answered_at=leg.answered_at,
            problem=None if leg.problem is None else Problem.of(leg.problem),
        )


class Move(Out):
    """One change of a leg in the words of the audit, `acked:open+cancel:planned`: the same whenever it is read."""

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)

    at: Moment
    before: str | None = Field(alias="from")
    after: str | None = Field(alias="to")
    evidence: str | None
    attempt: int | None

    @classmethod
    def of(cls, row: trail.Line) -> Self:
        return cls.model_validate(
            {
                "at": row.at,
                "from": row.before,
                "to": row.after,
                "evidence": row.evidence,
                "attempt": row.ids.get("attempt"),
            }
        )


class ChangedLeg(Leg):
    """A leg as it is now, and the change that an event tells of, which may be an older one."""

    change: Move | None = None  # older servers do not say


class Summary(Out):
    legs: int
    accepted: int
    filled: int
    refused: int
    not_sent: int
    unknown: int


class FanOut(Out):
    id: str
    key: Foreign
    mode: str
    outcome: str
    created_at: Moment
    replayed: bool
    intent: Intent
    summary: Summary
    legs: tuple[Leg, ...]

    @classmethod
    def of(cls, fan_out: fanouts.FanOut) -> Self:
        tally = fan_out.summary
        return cls.unchecked(
            id=fan_out.id,
            key=fan_out.key,
            mode=fan_out.mode,
            outcome=fan_out.outcome,
            created_at=fan_out.created_at,
            replayed=fan_out.replayed,
            intent=Intent.of(fan_out.intent),
            summary=Summary.unchecked(
                legs=tally.legs,
                accepted=tally.accepted,
                filled=tally.filled,
                refused=tally.refused,
                not_sent=tally.not_sent,
                unknown=tally.unknown,
            ),
            legs=tuple(Leg.of(leg) for leg in fan_out.legs),
        )


class Order(Leg):
    """One leg as `order list` and `order show` tell it: with what was asked for."""

    fanout: str
    key: Foreign
    mode: str
    intent: Intent
    created_at: Moment
    book: OrderRow | None
    book_problem: Problem | None


def fan_out(value: fanouts.FanOut) -> dict[str, Any]:
    """One fan-out as everybody outside sees it."""
    return FanOut.of(value).model_dump(mode="json")


def fan_out_text(value: fanouts.FanOut) -> bytes:
    """The same as JSON."""
    return FanOut.of(value).text()


def fan_outs(values: Sequence[fanouts.FanOut]) -> list[dict[str, Any]]:
    return [fan_out(value) for value in values]


def leg(value: legs.Leg) -> dict[str, Any]:
    return Leg.of(value).model_dump(mode="json")


def changed_leg(value: legs.Leg, row: trail.Line) -> dict[str, Any]:
    """One leg and one change of it."""
    return leg(value) | {"change": Move.of(row).model_dump(mode="json")}


def order(fan_out: fanouts.FanOut, value: legs.Leg, booked: Row[Booked] | legs.Problem | None = None) -> dict[str, Any]:
    """One leg with the intent it carries, and its row in the broker's book where that was asked for."""
    whole = Order(
        **Leg.of(value).model_dump(),
        fanout=fan_out.id,
        key=fan_out.key,
        mode=fan_out.mode,
        intent=Intent.of(fan_out.intent),
        created_at=fan_out.created_at,
        book=OrderRow.of(booked) if isinstance(booked, tuple) else None,
        book_problem=Problem.of(booked) if isinstance(booked, legs.Problem) else None,
    )
    return whole.model_dump(mode="json")
