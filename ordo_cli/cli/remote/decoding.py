"""Public JSON back into the values of the domain: orders, legs, fan-outs, accounts.

It is strict about what it reads and blind to what it does not: a field of tomorrow changes nothing, a word that no
enum knows raises ValueError. Whoever calls makes one error of KeyError, TypeError and ValueError.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from ordo_cli.domain.accounts import Account, AccountId, BrokerName, GroupName
from ordo_cli.domain.fanouts import FanOut, Mode
from ordo_cli.domain.instruments import parse_instrument
from ordo_cli.domain.legs import Cancel, Evidence, FanOutId, Leg, LegId, Problem, Submission
from ordo_cli.domain.money import money
from ordo_cli.domain.orders import (
    BrokerOrderId,
    OrderIntent,
    OrderReport,
    OrderState,
    OrderType,
    Product,
    Side,
    Tag,
    Validity,
)

Json = Mapping[str, Any]
SUBMISSIONS = {
    "not_sent": Submission.BLOCKED,
    **{
        str(word): word
        for word in Submission
        if word not in (Submission.ACKED, Submission.BLOCKED, Submission.NOT_SENT)
    },
}
"""The public words of a leg that no broker has accepted; every other word is of its working life."""


def text(row: Json, name: str) -> str:
    value = row[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is not a text")
    return value


def maybe[T](kind: Callable[[str], T], row: Json, name: str) -> T | None:
    """The value of a field that may be null."""
    return None if row[name] is None else kind(text(row, name))


def number(row: Json, name: str) -> int:
    value = row[name]
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} is not a whole number")
    return value


def some_number(row: Json, name: str) -> int | None:
    return None if row[name] is None else number(row, name)


def real(row: Json, name: str) -> float:
    value = row[name]
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(f"{name} is not a number")
    return float(value)


def truth(row: Json, name: str) -> bool:
    value = row[name]
    if not isinstance(value, bool):
        raise TypeError(f"{name} is neither true nor false")
    return value


def amount(row: Json, name: str) -> Decimal:
    return money(text(row, name))


def moment(row: Json, name: str) -> datetime:
    found = datetime.fromisoformat(text(row, name))
    if found.tzinfo is None:
        raise ValueError(f"{name} has no time zone")
    return found


def some_moment(row: Json, name: str) -> datetime | None:
    return None if row[name] is None else moment(row, name)


def rows[T](of: Callable[[Any], T], listed: object) -> tuple[T, ...]:
    """Every row of a list."""
    if not isinstance(listed, list):
        raise TypeError("not a list")
    return tuple(map(of, listed))


def texts(row: Json, name: str) -> tuple[str, ...]:
    return rows(lambda each: text({"each": each}, "each"), row[name])


def problem(body: Json) -> Problem:
    return Problem(text(body, "code"), text(body, "message"), maybe(str, body, "hint"))


def some_problem(body: Json, name: str = "problem") -> Problem | None:
    return None if body[name] is None else problem(body[name])


def account(body: Json) -> tuple[Account, Mode]:
    whole = Account(
        id=AccountId(text(body, "account")),
        broker=BrokerName(text(body, "broker")),
        groups=tuple(map(GroupName, texts(body, "groups"))),
        weight=amount(body, "weight"),
        enabled=truth(body, "enabled"),
        base_url=maybe(str, body, "base_url"),
        egress=maybe(str, body, "egress"),
        behaviours=texts(body, "behaviours"),
    )
    return whole, Mode(text(body, "mode"))


def intent(body: Json) -> OrderIntent:
    return OrderIntent(
        side=Side(text(body, "side")),
        instrument=parse_instrument(text(body, "instrument")),
        quantity=number(body, "quantity"),
        limit_price=maybe(money, body, "limit_price"),
        trigger_price=maybe(money, body, "trigger_price"),
        product=Product(text(body, "product")),
        validity=Validity(text(body, "validity")),
        after_market=truth(body, "after_market"),
        disclosed=some_number(body, "disclosed"),
        label=maybe(str, body, "label"),
    )


def leg(body: Json) -> Leg:
    """A leg by its one public word; what only the journal knows of it stays there."""
    leg_id, state = text(body, "id"), text(body, "state")
    submission = SUBMISSIONS.get(state, Submission.ACKED)
    return Leg(
        id=LegId(leg_id),
        fan_out=FanOutId(leg_id.rpartition("-")[0]),
        account=AccountId(text(body, "account")),
        broker=BrokerName(text(body, "broker")),
        quantity=number(body, "quantity"),
        tag=Tag(text(body, "tag")),
        submission=submission,
        working=OrderState(state) if submission is Submission.ACKED else None,
        cancel=Cancel(text(body, "cancel")),
        evidence=maybe(Evidence, body, "evidence"),
        attempt=number(body, "attempt"),
        broker_order_id=maybe(BrokerOrderId, body, "broker_order_id"),
        filled_quantity=number(body, "filled_quantity"),
        average_price=maybe(money, body, "average_price"),
        problem=some_problem(body),
        sent_at=some_moment(body, "sent_at"),
        answered_at=some_moment(body, "answered_at"),
        latency_ms=None if body["latency_ms"] is None else real(body, "latency_ms"),
    )


def fan_out(body: Json) -> FanOut:
    """A fan-out; its summary and outcome follow from the legs, here as there."""
    return FanOut(
        id=FanOutId(text(body, "id")),
        key=text(body, "key"),
        principal="",
        verb="place",
        fingerprint="",
        mode=Mode(text(body, "mode")),
        intent=intent(body["intent"]),
        created_at=moment(body, "created_at"),
        legs=rows(leg, body["legs"]),
        replayed=truth(body, "replayed"),
    )


def order(body: Json) -> tuple[FanOut, Leg]:
    """One leg with the fan-out that it belongs to, of which nothing else is told."""
    found = leg(body)
    whole = FanOut(
        id=FanOutId(text(body, "fanout")),
        key=text(body, "key"),
        principal="",
        verb="place",
        fingerprint="",
        mode=Mode(text(body, "mode")),
        intent=intent(body["intent"]),
        created_at=moment(body, "created_at"),
        legs=(found,),
    )
    return whole, found


def report(body: Json) -> OrderReport:
    """A row of a broker's book."""
    return OrderReport(
        order_id=BrokerOrderId(text(body, "broker_order_id")),
        state=OrderState(text(body, "state")),
        instrument=parse_instrument(text(body, "instrument")),
        side=Side(text(body, "side")),
        quantity=number(body, "quantity"),
        type=OrderType(text(body, "type")),
        product=Product(text(body, "product")),
        validity=Validity(text(body, "validity")),
        filled_quantity=number(body, "filled_quantity"),
        limit_price=maybe(money, body, "limit_price"),
        trigger_price=maybe(money, body, "trigger_price"),
        average_price=maybe(money, body, "average_price"),
        tag=maybe(Tag, body, "tag"),
        placed_at=some_moment(body, "placed_at"),
        message=maybe(str, body, "message"),
    )
