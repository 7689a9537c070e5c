"""The kill switch: what can be stopped, how far, and which scopes cover an account."""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum, StrEnum

from ordo_cli.domain.accounts import Account, check_name
from ordo_cli.domain.errors import Invalid
from ordo_cli.domain.money import shown
from ordo_cli.domain.values import dataclass


class ScopeKind(StrEnum):
    GLOBAL = "global"
    BROKER = "broker"
    ACCOUNT = "account"
    GROUP = "group"


class Level(IntEnum):
    """How far a press goes; a higher one includes the lower."""

    BLOCK = 1  # nothing new leaves
    CANCEL = 2  # and open entries are cancelled
    FLATTEN = 3  # and positions are closed


@dataclass(frozen=True, slots=True, order=True)
class Scope:
    kind: ScopeKind
    name: str = ""

    def __str__(self) -> str:
        return self.kind if self.kind is ScopeKind.GLOBAL else f"{self.kind}:{self.name}"


GLOBAL = Scope(ScopeKind.GLOBAL)


@dataclass(frozen=True, slots=True)
class Switch:
    """The durable record of one scope. `epoch` grows with each release, so nothing planned before can pass after."""

    scope: Scope
    engaged: bool
    level: Level | None
    epoch: int
    reason: str | None
    actor: str | None
    changed_at: datetime | None


def parse_scope(text: str) -> Scope:
    """Read `global`, `broker:paper`, `account:alice` or `group:family`."""
    kind, colon, name = text.partition(":")
    if kind not in set(ScopeKind) or (kind == ScopeKind.GLOBAL) == bool(colon):
        raise Invalid(f"{shown(text)} is not a scope", hint="write global, broker:B, account:A or group:G")
    if kind != ScopeKind.GLOBAL:
        check_name(name, kind)
    return Scope(ScopeKind(kind), name)


def scopes_over(account: Account) -> tuple[Scope, ...]:
    """Every scope whose arming an order of this account needs."""
    return (
        GLOBAL,
        Scope(ScopeKind.BROKER, account.broker),
        Scope(ScopeKind.ACCOUNT, account.id),
        *(Scope(ScopeKind.GROUP, group) for group in account.groups),
    )


def covers(scope: Scope, account: Account) -> bool:
    return scope in scopes_over(account)
