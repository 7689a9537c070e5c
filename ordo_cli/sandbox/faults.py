"""Trouble by rule: which calls of which broker and account go wrong, how, and how often."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum

from ordo_cli.domain.errors import Invalid
from ordo_cli.domain.money import shown
from ordo_cli.domain.values import dataclass
from ordo_cli.sandbox.chance import SeededChance

ANY = "*"


class Kind(StrEnum):
    """What goes wrong. The first group keeps a request from being handled; for all others it was, if it could be."""

    DROP_BEFORE = "drop-before"
    STATUS = "status"
    IP_REFUSED = "ip-refused"
    SESSION_DEATH = "session-death"
    LATENCY = "latency"
    ACCEPT_THEN_DROP = "accept-then-drop"
    ACCEPT_THEN_STATUS = "accept-then-status"
    UNACKNOWLEDGED = "unacknowledged"
    RESET_AFTER_HEAD = "reset-after-head"
    TRUNCATE = "truncate"
    HTML = "html"
    EMPTY = "empty"
    NOT_JSON = "not-json"
    DUPLICATE_ANSWER = "duplicate-answer"
    LATE_ANSWER = "late-answer"
    BOOK_LAG = "book-lag"
    BOOK_SHRINK = "book-shrink"
    UNKNOWN_STATUS = "unknown-status"


KINDS = {
    Kind.DROP_BEFORE: "the connection ends before the request is handled, without a byte",
    Kind.STATUS: "status=CODE: not handled, answered with that HTTP status in the broker's envelope; 429 says when",
    Kind.IP_REFUSED: "not handled, refused as from an address that is not registered",
    Kind.SESSION_DEATH: "the session ends just before, so that the broker refuses it itself",
    Kind.LATENCY: "latency=MS: handled that many milliseconds later",
    Kind.ACCEPT_THEN_DROP: "handled; then the connection ends without a byte",
    Kind.ACCEPT_THEN_STATUS: "accept-then-status=CODE: handled; then answered as if it had failed with that status",
    Kind.UNACKNOWLEDGED: "handled; answered as by a broker that got no word from the exchange: 201 at Fyers, else 504",
    Kind.RESET_AFTER_HEAD: "handled; the head is sent, then the connection is reset",
    Kind.TRUNCATE: "handled; the head promises the whole body and half of it comes",
    Kind.HTML: "handled; answered with a page of the edge and status 502",
    Kind.EMPTY: "handled; answered with its status and no body",
    Kind.NOT_JSON: "handled; answered with its status and a body that is not JSON",
    Kind.DUPLICATE_ANSWER: "handled once; the answer is sent twice",
    Kind.LATE_ANSWER: "late-answer=MS: handled at once, answered that many milliseconds later",
    Kind.BOOK_LAG: "book-lag=SECONDS: the book and the trades show how things stood that long ago",
    Kind.BOOK_SHRINK: "the book lacks its newest order; book-shrink=N lacks N",
    Kind.UNKNOWN_STATUS: "every order of the book has a status that no table knows",
}
NEEDS_VALUE = {
    Kind.STATUS: re.compile(r"[45]\d\d"),
    Kind.ACCEPT_THEN_STATUS: re.compile(r"[45]\d\d"),
    Kind.LATENCY: re.compile(r"\d{1,6}"),
    Kind.LATE_ANSWER: re.compile(r"\d{1,6}"),
    Kind.BOOK_LAG: re.compile(r"\d{1,6}"),
}
MAY_HAVE_VALUE = {Kind.BOOK_SHRINK: re.compile(r"\d{1,4}")}
CALLS = (
    "login",
    "logout",
    "profile",
    "place",
    "modify",
    "cancel",
    "book",
    "order",
    "trades",
    "positions",
    "holdings",
    "funds",
    "margin",
    "quotes",
    "instruments",
    "other",
)
_RULE = re.compile(
    r"(?P<broker>[a-z]+|\*)(?:/(?P<account>[A-Za-z0-9_-]+))?:(?P<call>[a-z]+|\*):(?P<kind>[a-z-]+)"
    r"(?:=(?P<value>\d+))?(?:@(?P<chance>\d{1,3}(?:\.\d{1,3})?)%)?(?:x(?P<count>\d{1,6}))?",
    re.ASCII,
)


@dataclass(slots=True)
class Rule:
    """One rule as it was written, and how often it has struck."""

    text: str
    broker: str
    account: str | None
    call: str
    kind: Kind
    value: int | None
    chance: float
    left: int | None
    chances: SeededChance
    struck: int = 0

    def fits(self, broker: str, account: str | None, call: str) -> bool:
        return (
            self.left != 0
            and self.broker in (ANY, broker)
            and self.call in (ANY, call)
            and (self.account is None or (account is not None and self.account.lower() == account.lower()))
        )

    def strikes(self) -> bool:
        """Whether it does this time; asked once for each request that it fits."""
        if self.chance < 1 and self.chances.uniform(0, 1) >= self.chance:
            return False
        self.struck += 1
        if self.left is not None:
            self.left -= 1
        return True


@dataclass(frozen=True, slots=True)
class Trouble:
    """All that strikes one request: each kind once, with its value."""

    kinds: dict[Kind, int | None]

    def __contains__(self, kind: Kind) -> bool:
        return kind in self.kinds

    def value(self, kind: Kind, otherwise: int = 0) -> int:
        found = self.kinds.get(kind)
        return otherwise if found is None else found


NONE = Trouble({})


class Faults:
    """The rules that hold now."""

    def __init__(self, chance: SeededChance, brokers: Sequence[str]) -> None:
        self._chance, self._brokers = chance.of("faults"), tuple(brokers)
        self._made = 0
        self.rules: list[Rule] = []

    def add(self, text: str) -> Rule:
        """Read `BROKER[/USER]:CALL:KIND[=VALUE][@P%][xN]`; `*` is any broker or call. Raises Invalid."""
        match = _RULE.fullmatch(text)
        if match is None:
            raise Invalid(
                f"{shown(text)} is no fault", hint="write it like zerodha:place:accept-then-drop@20% or *:book:htmlx3"
            )
        part = match.groupdict()
        if part["broker"] not in (ANY, *self._brokers):
            raise Invalid(f"no broker {shown(part['broker'])} is served", hint="served: " + " ".join(self._brokers))
        if part["call"] not in (ANY, *CALLS):
            raise Invalid(f"there is no call {shown(part['call'])}", hint="calls: " + " ".join(CALLS))
        kind = _kind(part["kind"], part["value"])
        chance = float(part["chance"] or 100) / 100
        if not 0 < chance <= 1:
            raise Invalid(f"{part['chance']}% is no chance between 0 and 100")
        self._made += 1
        rule = Rule(
            text=text,
            broker=part["broker"],
            account=part["account"],
            call=part["call"],
            kind=kind,
            value=None if part["value"] is None else int(part["value"]),
            chance=chance,
            left=None if part["count"] is None else int(part["count"]),
            chances=self._chance.of(f"{self._made}"),
        )
        self.rules.append(rule)
        return rule

    def clear(self) -> None:
        self.rules.clear()

    def strike(self, broker: str, account: str | None, call: str) -> Trouble:
        """What goes wrong with this request."""
        fitting = [rule for rule in self.rules if rule.fits(broker, account, call)]
        struck = {rule.kind: rule.value for rule in fitting if rule.strikes()}
        return Trouble(struck) if struck else NONE


def _kind(text: str, value: str | None) -> Kind:
    try:
        kind = Kind(text)
    except ValueError:
        raise Invalid(f"{shown(text)} is no kind of fault", hint="kinds: " + " ".join(Kind)) from None
    pattern = NEEDS_VALUE.get(kind) or (MAY_HAVE_VALUE.get(kind) if value is not None else None)
    if pattern is not None and (value is None or not pattern.fullmatch(value)):
        raise Invalid(f"{kind} does not take {shown(value or 'nothing')}", hint=KINDS[kind])
    if pattern is None and value is not None:
        raise Invalid(f"{kind} takes no value", hint=KINDS[kind])
    return kind
