"""One leg with what was asked for: as a row, as facts, as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ordo_cli.domain.fanouts import FanOut
    from ordo_cli.domain.legs import Leg

COLUMNS = ("leg", "account", "side", "instrument", "quantity", "state", "filled", "price", "order", "note")


def row(fan_out: FanOut, leg: Leg) -> tuple[object, ...]:
    intent = fan_out.intent
    note = leg.problem.message if leg.problem else ""
    return (
        leg.id,
        leg.account,
        intent.side,
        intent.instrument,
        leg.quantity,
        leg.state,
        leg.filled_quantity or None,
        leg.average_price or intent.limit_price or intent.trigger_price,
        leg.broker_order_id,
        note,
    )


def facts(fan_out: FanOut, leg: Leg) -> list[tuple[str, object]]:
    intent, problem = fan_out.intent, leg.problem
    return [
        ("leg", leg.id),
        ("fan-out", fan_out.id),
        ("key", fan_out.key),
        ("account", leg.account),
        ("broker", leg.broker),
        ("mode", fan_out.mode),
        ("quantity", leg.quantity),
        ("type", intent.type),
        ("limit", intent.limit_price),
        ("trigger", intent.trigger_price),
        ("product", intent.product),
        ("validity", intent.validity),
        ("state", leg.state),
        ("filled", leg.filled_quantity),
        ("average price", leg.average_price),
        ("broker's order", leg.broker_order_id),
        ("tag", leg.tag),
        ("evidence", leg.evidence),
        ("cancel", None if leg.cancel == "none" else leg.cancel),
        ("attempts", leg.attempt),
        ("sent", leg.sent_at),
        ("answered", leg.answered_at),
        ("latency", None if leg.latency_ms is None else f"{leg.latency_ms:.1f} ms"),
        ("problem", problem.message if problem else None),
        ("what helps", problem.hint if problem else None),
        ("note", intent.label),
    ]


def as_data(fan_out: FanOut, leg: Leg) -> object:
    from ordo_cli import schemas

    return schemas.order(fan_out, leg)
