"""What travels to the exchange: an order, a change or a cancel, as the text that its inbox keeps for ever."""

from __future__ import annotations

from decimal import Decimal

from ordo_cli.brokers.paper.amounts import to_units
from ordo_cli.brokers.paper.behaviours import Behaviour
from ordo_cli.domain.accounts import AccountId
from ordo_cli.domain.orders import BrokerOrderId, Changes, OrderIntent, Tag
from ordo_cli.domain.values import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """One message on its way; `delay` is how long it travels, in seconds."""

    kind: str  # place, modify, cancel
    account: AccountId
    tag: Tag | None
    body: str
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class Received:
    """One message as the exchange got it: what proofs about crashes, kills and duplicates are read from."""

    number: int
    kind: str
    account: str
    tag: str | None
    body: str
    sent: int  # when the sender let it go: microseconds of the time of day
    elapsed: float  # the same by the clock that is never set back
    due: int  # when it arrives
    handled: int | None
    order_number: int | None
    code: str | None


def place_message(account: AccountId, intent: OrderIntent, tag: Tag, behaviour: Behaviour) -> Message:
    fields = {
        "side": str(intent.side.sign),
        "instrument": str(intent.instrument),
        "quantity": str(intent.quantity),
        "type": intent.type,
        "product": intent.product,
        "validity": intent.validity,
        "limit": "" if intent.limit_price is None else format(intent.limit_price, "f"),
        "trigger": "" if intent.trigger_price is None else format(intent.trigger_price, "f"),
        "disclosed": str(intent.disclosed or ""),
        "amo": "1" if intent.after_market else "",
        **_trouble(behaviour),
    }
    return Message("place", account, tag, _encode(fields), behaviour.latency + (behaviour.late or 0.0))


def modify_message(account: AccountId, order: BrokerOrderId, changes: Changes, behaviour: Behaviour) -> Message:
    fields = {
        "order": str(order),
        "quantity": str(changes.quantity or ""),
        "limit": "" if changes.limit_price is None else format(changes.limit_price, "f"),
        "trigger": "" if changes.trigger_price is None else format(changes.trigger_price, "f"),
        **_trouble(behaviour),
    }
    return Message("modify", account, None, _encode(fields), behaviour.latency + (behaviour.late or 0.0))


def cancel_message(account: AccountId, order: BrokerOrderId, behaviour: Behaviour) -> Message:
    return Message("cancel", account, None, _encode({"order": str(order), **_trouble(behaviour)}), behaviour.latency)


def read(body: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in body.split(";"))


def number_in(text: str) -> int | None:
    return int(text) if text else None


def price_in(text: str) -> int | None:
    return to_units(Decimal(text)) if text else None


def _trouble(behaviour: Behaviour) -> dict[str, str]:
    """What the exchange must do wrong travels with the message: it may be another process that handles it."""
    trouble = {
        "session": behaviour.session,
        "expired": "1" if behaviour.expired else "",
        "refuse": behaviour.refuse or "",
        "guard": "1" if behaviour.duplicate_sensitive else "",
        "partial": str(behaviour.partial or ""),
        "rate": "1" if behaviour.rate_limited else "",
    }
    return {name: value for name, value in trouble.items() if value}


def _encode(fields: dict[str, str]) -> str:
    # Neither sign is in any symbol, number or code, and an order id of a user's making is refused before.
    return ";".join(f"{name}={value}" for name, value in fields.items())
