"""Limits: what a pre-trade check compares with, where each was set, and whose word is the strictest."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Any

from ordo_cli.domain.accounts import Account
from ordo_cli.domain.errors import Invalid
from ordo_cli.domain.instruments import SYMBOL, Exchange, InstrumentId
from ordo_cli.domain.money import shown
from ordo_cli.domain.values import dataclass, field, replace

PAPER_FACTOR = 10
OFF = "off"
_NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]{1,4})?", re.ASCII)


class SelfCross(StrEnum):
    """What happens when own accounts would stand on both sides of one instrument. Listed from strict to loose."""

    REFUSE = "refuse"
    ASK = "ask"
    ALLOW = "allow"


class MarginCheck(StrEnum):
    """Whether an order is held against the money of its account before it is sent. Listed from strict to loose."""

    ON = "on"
    OFF = "off"


Patterns = frozenset[str]
"""Instruments by name, `NSE:INFY`, or a whole exchange, `NFO:*`."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one account. Money in rupees, windows in seconds, collars in percent; None is off."""

    value_order_max: Decimal | None = Decimal(200_000)
    value_fanout_max: Decimal | None = Decimal(1_000_000)
    collar_pct: Decimal | None = Decimal(3)
    collar_option_pct: Decimal | None = Decimal(20)
    ltp_max_age: Decimal = Decimal(10)
    day_value_max: Decimal | None = Decimal(2_500_000)
    day_orders_max: int | None = 200
    open_orders_max: int | None = 50
    loss_day_max: Decimal | None = None
    duplicate_window: Decimal = Decimal(10)
    self_cross: SelfCross = SelfCross.ASK
    margin_check: MarginCheck = MarginCheck.ON
    instruments_allowed: tuple[Patterns, ...] = ()  # every one of these lists must have it
    instruments_restricted: Patterns = frozenset()

    def restricts(self, instrument: InstrumentId) -> str | None:
        """The name of the limit that keeps this instrument out, or None."""
        names = {str(instrument), f"{instrument.exchange}:*"}
        if names & self.instruments_restricted:
            return "instruments_restricted"
        if any(not names & allowed for allowed in self.instruments_allowed):
            return "instruments_allowed"
        return None


@dataclass(frozen=True, slots=True)
class Rule:
    """How one limit is read from a setting, which of two values is the stricter, and what it means."""

    read: Callable[[object], Any]
    stricter: Callable[[Any, Any], Any]
    comment: str
    scaled: bool = False  # a value or a count, so that paper accounts get ten times it


def _number(value: object) -> Decimal:
    text = str(value)
    if isinstance(value, bool | float) or not _NUMBER.fullmatch(text):
        raise Invalid(f"{shown(text)} is not a number of zero or more", hint="write it like 200000 or 2.5")
    return Decimal(text)


def _amount(value: object) -> Decimal | None:
    return None if value == OFF else _number(value)


def _count(value: object) -> int | None:
    if value == OFF:
        return None
    number = _number(value)
    if number != int(number):
        raise Invalid(f"{shown(str(value))} is not a whole number")
    return int(number)


def _word_of(words: type[StrEnum]) -> Callable[[object], StrEnum]:
    def read(value: object) -> StrEnum:
        if value not in list(words):  # a list in the file has no hash
            raise Invalid(f"{shown(str(value))} is not one of {', '.join(words)}")
        return words(str(value))

    return read


def _patterns(value: object) -> Patterns:
    names = [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value
    if not isinstance(names, list):
        raise Invalid("expected a list of instruments", hint='write it like ["NSE:INFY", "NFO:*"]')
    return frozenset(_pattern(name) for name in names)


def _pattern(name: object) -> str:
    exchange, _, symbol = str(name).partition(":")
    if exchange not in set(Exchange) or not (symbol == "*" or SYMBOL.fullmatch(symbol)):
        raise Invalid(f"{shown(str(name))} is not an instrument", hint="write NSE:INFY, or NFO:* for a whole exchange")
    return str(name)


def _allowed(value: object) -> tuple[Patterns, ...]:
    patterns = _patterns(value)
    return (patterns,) if patterns else ()


def _sternest(words: type[StrEnum]) -> Callable[[StrEnum, StrEnum], StrEnum]:
    return lambda one, other: min(one, other, key=list(words).index)


def _least(one: Any, other: Any) -> Any:
    return min((limit for limit in (one, other) if limit is not None), default=None)


RULES: Mapping[str, Rule] = {
    "value_order_max": Rule(_amount, _least, "rupees one order of one account may be worth", scaled=True),
    "value_fanout_max": Rule(_amount, _least, "rupees all legs of one fan-out may be worth", scaled=True),
    "collar_pct": Rule(_amount, _least, "percent a price may be off the last one before ordo asks; double is refused"),
    "collar_option_pct": Rule(_amount, _least, "the same for options"),
    "ltp_max_age": Rule(_number, min, "seconds a last price may be old when it has to judge a market order"),
    "day_value_max": Rule(_amount, _least, "rupees an account may send in one day", scaled=True),
    "day_orders_max": Rule(_count, _least, "orders an account may send in one day", scaled=True),
    "open_orders_max": Rule(_count, _least, "orders an account may have open at once", scaled=True),
    "loss_day_max": Rule(
        _amount, _least, "rupees an account may lose in a day before new orders are refused", scaled=True
    ),
    "duplicate_window": Rule(_number, max, "seconds in which the same order of the same account is taken for a slip"),
    "self_cross": Rule(_word_of(SelfCross), _sternest(SelfCross), "own accounts on both sides: refuse, ask or allow"),
    "margin_check": Rule(
        _word_of(MarginCheck),
        _sternest(MarginCheck),
        "on asks each account's broker for its money before an order is sent; off saves that call",
    ),
    "instruments_allowed": Rule(_allowed, lambda one, other: one + other, "when not empty, nothing else may be traded"),
    "instruments_restricted": Rule(_patterns, lambda one, other: one | other, "never to be traded"),
}


def rule_of(name: str) -> Rule:
    """How this limit is read and compared. Raises Invalid for a name that is none."""
    if name not in RULES:
        raise Invalid(f"there is no limit {shown(name)}", hint="limits are: " + " ".join(RULES))
    return RULES[name]


SCALED = tuple(name for name, rule in RULES.items() if rule.scaled)

Values = Mapping[str, Any]
"""Limits by name, those that were set."""


@dataclass(frozen=True, slots=True)
class LimitBook:
    """Every limit that was set: for all, for groups and for accounts. The strictest that covers an account holds."""

    everyone: Limits = Limits()
    groups: Mapping[str, Values] = field(default_factory=dict)
    accounts: Mapping[str, Values] = field(default_factory=dict)

    def for_account(self, account: Account, paper: bool) -> Limits:
        """What holds for this account; a paper account may have ten times the values and counts."""
        found = self.everyone
        for said in (*(self.groups.get(group) for group in account.groups), self.accounts.get(account.id)):
            if not said:
                continue
            stricter = {name: RULES[name].stricter(getattr(found, name), value) for name, value in said.items()}
            found = replace(found, **stricter)
        return _on_paper(found) if paper else found

    def where(self, limit: str, account: Account) -> str:
        """The setting that decides this limit, as a path in config.toml."""
        return self.deciding(limit, account)[0]

    def deciding(self, limit: str, account: Account) -> list[str]:
        """Every setting that would have to be changed for this limit to move; several when they tie."""
        if limit in ("instruments_allowed", "instruments_restricted"):
            return [path for path, value in self._said(limit, account) if value] or [f"limits.{limit}"]
        strictest = self._strictest(limit, account)
        return [path for path, value in self._said(limit, account) if value == strictest]

    def how_to_change(
        self, limit: str, account: Account, needed: Decimal | int | StrEnum | None = None, paper: bool = False
    ) -> str:
        """The command, or commands, that would let `needed` pass; a paper account needs a tenth of it."""
        if needed is None or isinstance(needed, StrEnum):
            value = needed or "VALUE"
        else:
            scaled = paper and RULES[limit].scaled
            least = (Decimal(needed) / PAPER_FACTOR).to_integral_value(ROUND_CEILING) if scaled else Decimal(needed)
            value = format(least, "f")
        return " && ".join(f"ordo config set {path} {value}" for path in self.deciding(limit, account))

    def _strictest(self, limit: str, account: Account) -> Any:
        said = [value for _, value in self._said(limit, account)]
        found = said[0]
        for value in said[1:]:
            found = RULES[limit].stricter(found, value)
        return found

    def _said(self, limit: str, account: Account) -> Iterable[tuple[str, Any]]:
        yield f"limits.{limit}", getattr(self.everyone, limit)
        for group in account.groups:
            if limit in self.groups.get(group, {}):
                yield f"limits.groups.{group}.{limit}", self.groups[group][limit]
        if limit in self.accounts.get(account.id, {}):
            yield f"limits.accounts.{account.id}.{limit}", self.accounts[account.id][limit]


@lru_cache(maxsize=256)  # asked several times for each leg of an order
def _on_paper(limits: Limits) -> Limits:
    return replace(limits, **{name: _tenfold(name, getattr(limits, name)) for name in SCALED})


def _tenfold(name: str, value: Any) -> Any:
    return value * PAPER_FACTOR if RULES[name].scaled and value is not None else value
