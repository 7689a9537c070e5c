"""One leg with what was asked for: as a row, as facts, as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ordo_cli.domain.fanouts import FanOut
    from ordo_cli.domain.legs import Leg, Problem
    from ordo_cli.domain.orders import Changes
    from ordo_cli.services.portfolio import Booked, Row

COLUMNS = ("leg", "account", "side", "instrument", "quantity", "asked", "state", "filled", "average", "order", "note")


def row(fan_out: FanOut, leg: Leg) -> tuple[object, ...]:
    intent = fan_out.intent
    note = leg.problem.message if leg.problem else ""
    return (
        leg.id,
        leg.account,
        intent.side,
        intent.instrument,
        leg.quantity,
        intent.limit_price or intent.trigger_price,
        leg.state,
        leg.filled_quantity or None,
        leg.average_price,
        leg.broker_order_id,
        note,
    )


def facts(fan_out: FanOut, leg: Leg, booked: Row[Booked] | Problem | None) -> list[tuple[str, object]]:
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
        ("asked limit", intent.limit_price),
        ("asked trigger", intent.trigger_price),
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
        *_book_facts(booked),
    ]


def _book_facts(booked: Row[Booked] | Problem | None) -> list[tuple[str, object]]:
    if booked is None:
        return []
    if not isinstance(booked, tuple):
        return [("broker's book", f"could not be read: {booked.message}")]
    order = booked.row.report
    prices = [f"limit {order.limit_price}"] if order.limit_price else []
    prices += [f"trigger {order.trigger_price}"] if order.trigger_price else []
    said = ", ".join([order.state, f"{order.filled_quantity} of {order.quantity}", *prices])
    return [("broker's book", said), ("broker's message", order.message)]


def changed(leg: Leg, changes: Changes) -> list[tuple[str, object]]:
    """What a modify has changed, and how the leg stands."""
    return [
        ("leg", leg.id),
        ("account", leg.account),
        ("quantity", leg.quantity),
        ("limit", changes.limit_price),
        ("trigger", changes.trigger_price),
        ("state", leg.state),
    ]


def as_data(fan_out: FanOut, leg: Leg, booked: Row[Booked] | Problem | None = None) -> object:
    """The leg in public, with the broker's row where it was asked for."""
    from ordo_cli import schemas  # pydantic, 45 ms; only for --json

    return schemas.order(fan_out, leg, booked)
