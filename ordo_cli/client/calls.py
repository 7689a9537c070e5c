"""What is asked of a server: one function for each route, and for each whether it may be asked again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum, auto
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from ordo_cli.domain.errors import Invalid
from ordo_cli.domain.keys import check_key
from ordo_cli.domain.values import dataclass, field

if TYPE_CHECKING:
    from decimal import Decimal

    from ordo_cli.domain.orders import OrderIntent

Body = Mapping[str, Any]
SWEEP = 120.0  # seconds that cancelling and closing everywhere may take


class Repeat(Enum):
    """When a call may be asked again after silence."""

    FREELY = auto()  # it changes nothing, or the same once as often
    BY_KEY = auto()  # the server knows the key and answers from its journal
    NEVER = auto()  # only when not a byte of it left


@dataclass(frozen=True, slots=True)
class Call:
    """One request, as it is sent every time it is sent."""

    method: str
    route: str
    body: Body | None = field(default=None, repr=False)  # an answer to a broker's challenge is in it
    key: str | None = None
    asynchronous: bool = False
    repeat: Repeat = Repeat.FREELY
    seconds: float = 0.0  # more than others take: it waits for many answers of brokers
    query: tuple[tuple[str, str], ...] = field(default=())

    @property
    def where(self) -> str:
        """The route with its query, safely quoted."""
        return self.route + ("?" + urlencode(self.query) if self.query else "")

    @property
    def headers(self) -> dict[str, str]:
        """What this call says beside the token."""
        said = {"Accept": "application/json"}
        if self.body is not None:
            said["Content-Type"] = "application/json"
        if self.key is not None:
            said["Idempotency-Key"] = self.key
        if self.asynchronous:
            said["Prefer"] = "respond-async"
        return said

    @property
    def content(self) -> bytes | None:
        """The body in its one spelling: a repetition is the same bytes."""
        if self.body is None:
            return None
        import json  # 6 ms; reads have no body

        return json.dumps(self.body, default=_text).encode()


def place(body: Body, key: str, *, asynchronous: bool = False) -> Call:
    """Send one order to many accounts."""
    return Call("POST", "/orders", body, check_key(key), asynchronous, Repeat.BY_KEY)


def preview(body: Body) -> Call:
    """What an order would do; nothing is sent."""
    return Call("POST", "/orders/preview", body)


def order_body(
    *,
    side: str,
    instrument: str,
    quantity: int,
    to: str | Iterable[str],
    limit_price: Decimal | str | int | None = None,
    trigger_price: Decimal | str | int | None = None,
    product: str = "cnc",
    validity: str = "day",
    after_market: bool = False,
    disclosed: int | None = None,
    label: str | None = None,
    split: str = "each",
    on_partial: str = "keep",
    allow_duplicate: bool = False,
    confirm: bool = False,
) -> Body:
    """The body of an order. Raises Invalid for a price that is not exact."""
    return {
        "side": str(side),
        "instrument": str(instrument),
        "quantity": quantity,
        "limit_price": price(limit_price),
        "trigger_price": price(trigger_price),
        "product": str(product),
        "validity": str(validity),
        "after_market": after_market,
        "disclosed": disclosed,
        "label": label,
        "targets": [to] if isinstance(to, str) else [str(target) for target in to],
        "split": str(split),
        "on_partial": str(on_partial),
        "allow_duplicate": allow_duplicate,
        "confirm": confirm,
    }


def intent_body(intent: OrderIntent, **more: Any) -> Body:
    """The body of an order whose intent is there already."""
    return order_body(
        side=intent.side,
        instrument=str(intent.instrument),
        quantity=intent.quantity,
        limit_price=intent.limit_price,
        trigger_price=intent.trigger_price,
        product=intent.product,
        validity=intent.validity,
        after_market=intent.after_market,
        disclosed=intent.disclosed,
        label=intent.label,
        **more,
    )


def price(amount: Decimal | str | int | None) -> str | None:
    """A price as it travels. Raises Invalid for a float: 0.1 + 0.2 is not a price."""
    if amount is None:
        return None
    if isinstance(amount, bool | float):
        raise Invalid("a price is a Decimal, a text or a whole number, never a float", hint="Decimal('1500.05')")
    return amount if isinstance(amount, str) else format(amount, "f")


def fan_outs(limit: int = 20, account: str | None = None) -> Call:
    return Call("GET", "/fanouts", query=_query(limit=limit, account=account))


def fan_out(fan_out_id: str) -> Call:
    return Call("GET", f"/fanouts/{_word(fan_out_id)}")


def events(fan_out_id: str, until: str = "terminal") -> Call:
    return Call("GET", f"/fanouts/{_word(fan_out_id)}/events", query=_query(until=until))


def cancel_fan_out(fan_out_id: str) -> Call:
    return Call("POST", f"/fanouts/{_word(fan_out_id)}/cancel")


def reconcile(fan_out_id: str) -> Call:
    return Call("POST", f"/fanouts/{_word(fan_out_id)}/reconcile")


def leg(leg_id: str) -> Call:
    return Call("GET", f"/legs/{_word(leg_id)}")


def modify(
    leg_id: str,
    *,
    quantity: int | None = None,
    limit_price: Decimal | str | int | None = None,
    trigger_price: Decimal | str | int | None = None,
    confirm: bool = False,
) -> Call:
    """Change a working order; sent once, because the broker would do it twice."""
    body = {
        "quantity": quantity,
        "limit_price": price(limit_price),
        "trigger_price": price(trigger_price),
        "confirm": confirm,
    }
    return Call("PATCH", f"/legs/{_word(leg_id)}", body, repeat=Repeat.NEVER)


def cancel_leg(leg_id: str) -> Call:
    return Call("DELETE", f"/legs/{_word(leg_id)}")


def consolidated(noun: str, targets: Iterable[str] = ()) -> Call:
    """Positions, holdings, funds, orders or trades of these targets."""
    return Call("GET", f"/{noun}", query=tuple(("target", str(target)) for target in targets))


def quotes(instruments: Iterable[str], account: str | None = None) -> Call:
    named = tuple(("instrument", str(instrument)) for instrument in instruments)
    return Call("GET", "/quotes", query=named + _query(account=account))


def accounts() -> Call:
    return Call("GET", "/accounts")


def logins(targets: Iterable[str]) -> Call:
    return Call("GET", "/logins", query=tuple(("target", str(target)) for target in targets))


def login(account: str) -> Call:
    return Call("POST", f"/accounts/{_word(account)}/login", repeat=Repeat.NEVER)


def login_answer(account: str, answer: str, challenge: str | None = None) -> Call:
    """Answer a challenge; a wrong second answer could lock the account out, so it goes once."""
    body = {"answer": answer} | ({} if challenge is None else {"challenge": challenge})
    return Call("POST", f"/accounts/{_word(account)}/login/answer", body, repeat=Repeat.NEVER)


def log_out(account: str) -> Call:
    return Call("DELETE", f"/accounts/{_word(account)}/session")


def kill_status() -> Call:
    return Call("GET", "/kill")


def kill(
    scope: str = "global",
    level: str = "block",
    reason: str = "",
    *,
    include_protective: bool = False,
    foreign: bool = False,
) -> Call:
    """Press the switch. Pressing again stops again, so it is repeated until it is confirmed."""
    body: dict[str, Any] = {"scope": str(scope), "level": level}
    said = {"reason": reason, "include_protective": include_protective, "all": foreign}
    body |= {name: value for name, value in said.items() if value}
    return Call("POST", "/kill", body, seconds=0.0 if level == "block" else SWEEP)


def release(scope: str, reason: str, acknowledge: Iterable[str] = ()) -> Call:
    """Let a scope send again; never repeated: somebody may have pressed in between."""
    body = {"scope": str(scope), "reason": reason, "acknowledge": list(acknowledge)}
    return Call("POST", "/kill/release", body, repeat=Repeat.NEVER)


def status() -> Call:
    return Call("GET", "/status")


def audit(
    *,
    kind: str | None = None,
    fan_out: str | None = None,
    leg: str | None = None,
    since: str | None = None,
    limit: int = 50,
) -> Call:
    return Call("GET", "/audit", query=_query(type=kind, fanout=fan_out, leg=leg, since=since, limit=limit))


def at(location: str) -> Call:
    """A look at the fan-out that a `Location` names. Nothing but its id is taken from there."""
    return fan_out(location.rpartition("/")[2])


def _query(**given: object) -> tuple[tuple[str, str], ...]:
    return tuple((name, str(value)) for name, value in given.items() if value is not None)


def _word(text: str) -> str:
    """An id as one part of a path, whatever is in it."""
    if not text or text in (".", ".."):
        raise Invalid(f"{text!r} names nothing")
    return quote(text, safe="")


def _text(value: object) -> str:
    return str(value)
