"""Between rows and domain objects: only here is it known in which order the columns of a leg or fan-out stand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from typing import Any

from ordo_cli.domain.accounts import Account, AccountId, BrokerName, GroupName
from ordo_cli.domain.errors import Invalid
from ordo_cli.domain.fanouts import FanOut, Mode
from ordo_cli.domain.instruments import Exchange, InstrumentId
from ordo_cli.domain.journal import Owner
from ordo_cli.domain.legs import Cancel, Evidence, FanOutId, Leg, LegId, Problem, Purpose, Submission
from ordo_cli.domain.orders import BrokerOrderId, OrderIntent, OrderState, Product, Side, Tag, Validity
from ordo_cli.store.sql import COLUMNS

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
VALUE_UNIT = 10_000  # an order's value is stored in 1/10,000 rupee, so that the database can add it up exactly
FAN_OUT_WIDTH = len(COLUMNS["fanouts"])
STATE = COLUMNS["legs"][COLUMNS["legs"].index("submission") : -1]  # what a move may change; after it, the owner

# By table instead of by call: a thousand legs are read at once, and an enum's call costs ten times a lookup.
SUBMISSIONS = {each.value: each for each in Submission}
WORKING: dict[str | None, OrderState | None] = {None: None, **{each.value: each for each in OrderState}}
CANCELS = {each.value: each for each in Cancel}
EVIDENCE: dict[str | None, Evidence | None] = {None: None, **{each.value: each for each in Evidence}}
PURPOSES = {each.value: each for each in Purpose}


def micros(time: datetime) -> int:
    return (time - EPOCH) // MICROSECOND


def time_of(at: int) -> datetime:
    return EPOCH + at * MICROSECOND


def place_of(leg: LegId) -> tuple[FanOutId, int]:
    """A leg's key in the table: its fan-out and number. Raises Invalid for an id that is not made so."""
    fan_out, _, number = leg.rpartition("-")
    if not fan_out or not number.isdecimal() or not number.isascii() or number[0] == "0":
        raise Invalid(f"{leg!r} is not a leg: it is written as its fan-out, a dash and a number")
    return FanOutId(fan_out), int(number)


def leg_id(fan_out: str, number: int) -> LegId:
    return LegId(f"{fan_out}-{number}")


def owner_text(owner: Owner | None) -> str | None:
    return None if owner is None else "\t".join((owner.host, owner.boot_id, str(owner.pid), owner.started, owner.nonce))


def owner_of(text: str | None) -> Owner | None:
    if text is None:
        return None
    host, boot_id, pid, started, nonce = text.split("\t")
    return Owner(host, boot_id, int(pid), started, nonce)


def ids_text(ids: Iterable[str]) -> str:
    return json.dumps(sorted(ids))


def ids_of(text: str) -> frozenset[str]:
    return frozenset(json.loads(text))


def value_units(value: Decimal | None) -> int:
    """An order's value for the sum of the day, rounded up to 1/10,000 rupee."""
    return 0 if value is None else int((value * VALUE_UNIT).to_integral_value(ROUND_CEILING))


def leg_row(leg: Leg) -> tuple[Any, ...]:
    """A new leg in the order of the table's columns. Nobody sends it yet, so it has no owner."""
    number = place_of(leg.id)[1]
    state = FRESH if _is_fresh(leg) else _state(leg)
    return (leg.fan_out, number, leg.account, leg.broker, leg.quantity, leg.tag, leg.purpose.value, *state, None)


def _is_fresh(leg: Leg) -> bool:
    # Nearly all new legs are, and a thousand of them are written at once.
    return leg.submission is Submission.PLANNED and not leg.attempt and leg.problem is None and leg.supersedes is None


def leg_changes(leg: Leg) -> dict[str, Any]:
    """What a move may have changed, by column, with the leg's key."""
    fan_out, number = place_of(leg.id)
    return {
        "fan_out": fan_out,
        "number": number,
        "quantity": leg.quantity,
        **dict(zip(STATE, _state(leg), strict=True)),
    }


def leg_of(row: Sequence[Any]) -> Leg:
    (
        fan_out, number, account, broker, quantity, tag, purpose, submission, working, cancel, evidence, attempt,
        broker_order_id, filled_quantity, average_price, code, message, hint, sent_at, answered_at, latency_ms,
        supersedes, _settled, _owner,
    ) = row  # fmt: skip
    return Leg(
        LegId(f"{fan_out}-{number}"),
        FanOutId(fan_out),
        AccountId(account),
        BrokerName(broker),
        quantity,
        Tag(tag),
        PURPOSES[purpose],
        SUBMISSIONS[submission],
        WORKING[working],
        CANCELS[cancel],
        EVIDENCE[evidence],
        attempt,
        None if broker_order_id is None else BrokerOrderId(broker_order_id),
        filled_quantity,
        None if average_price is None else Decimal(average_price),
        None if code is None else Problem(code, message or "", hint),
        None if sent_at is None else time_of(sent_at),
        None if answered_at is None else time_of(answered_at),
        latency_ms,
        None if supersedes is None else LegId(supersedes),
    )


def fan_out_row(fan_out: FanOut, owner: str | None) -> tuple[Any, ...]:
    intent = fan_out.intent
    return (
        fan_out.id,
        fan_out.key,
        fan_out.principal,
        fan_out.verb,
        fan_out.fingerprint,
        fan_out.mode.value,
        micros(fan_out.created_at),
        intent.side.value,
        str(intent.instrument),
        intent.quantity,
        price_text(intent.limit_price),
        price_text(intent.trigger_price),
        intent.product.value,
        intent.validity.value,
        int(intent.after_market),
        intent.disclosed,
        intent.label,
        owner,
        fan_out.request_id,
    )


def fan_outs_of(rows: Iterable[Sequence[Any]]) -> list[FanOut]:
    """Fan-outs from rows of both tables joined, in the order in which they come."""
    gathered: dict[str, tuple[Sequence[Any], list[Leg]]] = {}
    for row in rows:
        _, legs = gathered.setdefault(row[0], (row, []))
        legs.append(leg_of(row[FAN_OUT_WIDTH:]))
    return [fan_out_of(row, legs) for row, legs in gathered.values()]


def fan_out_of(row: Sequence[Any], legs: Iterable[Leg]) -> FanOut:
    (
        fan_out, key, principal, verb, fingerprint, mode, created_at, side, instrument, quantity, limit_price,
        trigger_price, product, validity, after_market, disclosed, label, _owner, request_id,
    ) = row[:FAN_OUT_WIDTH]  # fmt: skip
    exchange, _, symbol = instrument.partition(":")
    intent = OrderIntent(
        Side(side),
        InstrumentId(Exchange(exchange), symbol),
        quantity,
        None if limit_price is None else Decimal(limit_price),
        None if trigger_price is None else Decimal(trigger_price),
        Product(product),
        Validity(validity),
        bool(after_market),
        disclosed,
        label,
    )
    return FanOut(
        FanOutId(fan_out),
        key,
        principal,
        verb,
        fingerprint,
        Mode(mode),
        intent,
        time_of(created_at),
        tuple(legs),
        request_id=request_id,
    )


def account_row(account: Account) -> tuple[Any, ...]:
    return (
        account.id,
        account.broker,
        json.dumps(account.groups),
        str(account.weight),
        int(account.enabled),
        account.base_url,
        account.egress,
        json.dumps(account.behaviours),
    )


def while_same[R, T](make: Callable[[Sequence[R]], T]) -> Callable[[Sequence[R]], T]:
    """Made once for all who find the same rows: fan-outs read accounts and switches, which hardly ever change."""
    last: tuple[Sequence[R], T] | None = None

    def made(rows: Sequence[R]) -> T:
        nonlocal last
        found = last
        if found is None or found[0] != rows:
            found = last = rows, make(rows)
        return found[1]

    return made


@while_same
def accounts_of(rows: Sequence[Sequence[Any]]) -> tuple[Account, ...]:
    return tuple(map(account_of, rows))


def account_of(row: Sequence[Any]) -> Account:
    account, broker, groups, weight, enabled, base_url, egress, behaviours = row
    return Account(
        AccountId(account),
        BrokerName(broker),
        tuple(GroupName(group) for group in json.loads(groups)),
        Decimal(weight),
        bool(enabled),
        base_url,
        egress,
        tuple(json.loads(behaviours)),
    )


def standing(leg: Leg) -> str:
    """Where a leg stands on its axes, as one word of the audit log: `acked:open+cancel:planned`."""
    word = leg.submission.value
    if leg.working is not None:
        word += f":{leg.working.value}"
    return word if leg.cancel is Cancel.NONE else f"{word}+cancel:{leg.cancel.value}"


def price_text(price: Decimal | None) -> str | None:
    return None if price is None else format(price, "f")


def _state(leg: Leg) -> tuple[Any, ...]:
    problem = leg.problem
    return (
        leg.submission.value,
        None if leg.working is None else leg.working.value,
        leg.cancel.value,
        None if leg.evidence is None else leg.evidence.value,
        leg.attempt,
        leg.broker_order_id,
        leg.filled_quantity,
        None if leg.average_price is None else format(leg.average_price, "f"),
        None if problem is None else problem.code,
        None if problem is None else problem.message,
        None if problem is None else problem.hint,
        None if leg.sent_at is None else micros(leg.sent_at),
        None if leg.answered_at is None else micros(leg.answered_at),
        leg.latency_ms,
        leg.supersedes,
        int(leg.settled),
    )


FRESH = _state(Leg(LegId("x-1"), FanOutId("x"), AccountId("x"), BrokerName("x"), 1, Tag("x")))
"""Where every leg begins."""
