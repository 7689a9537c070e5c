"""Accounts, groups and targets: who an order is for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import NewType

from ordo_cli.domain.errors import Invalid, NotFound
from ordo_cli.domain.money import parse_quantity, shown
from ordo_cli.domain.values import dataclass

AccountId = NewType("AccountId", str)
BrokerName = NewType("BrokerName", str)
GroupName = NewType("GroupName", str)

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}", re.ASCII)
EVERYONE = "all"


@dataclass(frozen=True, slots=True)
class Account:
    """One login at one broker, under a name of the user's choosing."""

    id: AccountId
    broker: BrokerName
    groups: tuple[GroupName, ...] = ()
    weight: Decimal = Decimal(1)
    enabled: bool = True
    base_url: str | None = None
    egress: str | None = None  # source address or proxy that this account's calls leave from
    behaviours: tuple[str, ...] = ()  # paper only: trouble to rehearse

    def __post_init__(self) -> None:
        check_name(self.id, "account")
        for group in self.groups:
            check_name(group, "group")
        if not self.weight.is_finite() or self.weight <= 0:
            raise Invalid(f"weight {self.weight} of {self.id} is not above zero")


@dataclass(frozen=True, slots=True)
class Target:
    """One word after `--to`: an account, `@group` or `all`, and a quantity of its own if it has one."""

    name: str
    quantity: int | None = None

    def __str__(self) -> str:
        return self.name if self.quantity is None else f"{self.name}={self.quantity}"


def check_name(text: str, what: str) -> str:
    """The name itself when it is one. Raises Invalid; `all` is taken."""
    if not NAME.fullmatch(text) or text == EVERYONE:
        raise Invalid(
            f"{shown(text)} cannot name {'an' if what[0] in 'aeiou' else 'a'} {what}",
            hint="names start with a letter or digit and have up to 32 of a-z 0-9 _ -; 'all' is taken",
        )
    return text


def parse_target(text: str) -> Target:
    """Read `alice`, `@family`, `all` or `alice=10`."""
    name, equals, quantity = text.partition("=")
    if name != EVERYONE:
        check_name(name.removeprefix("@"), "group" if name.startswith("@") else "account")
    if equals and (name == EVERYONE or name.startswith("@")):
        raise Invalid(f"{shown(text)}: only a single account takes a quantity of its own")
    return Target(name, parse_quantity(quantity) if equals else None)


def choose(
    accounts: Sequence[Account], targets: Iterable[Target], *, even_disabled: bool = False
) -> list[tuple[Account, int | None]]:
    """The accounts that targets mean, each once, in the order first named, with a quantity of its own or None.

    Raises NotFound for a name nobody has, Invalid for a disabled account named alone or given two quantities. Closing
    what an account holds is for disabled ones too.
    """
    known = {account.id: account for account in accounts}
    chosen: dict[AccountId, int | None] = {}
    for target in targets:
        for account in _meant(known, target, even_disabled):
            before = chosen.get(account.id)
            if before is not None and target.quantity is not None and before != target.quantity:
                raise Invalid(f"{account.id} was given two quantities, {before} and {target.quantity}")
            chosen[account.id] = target.quantity if target.quantity is not None else before
    if not chosen:
        raise NotFound("no account was chosen", hint="add one: ordo account add alice --broker paper")
    return [(known[account_id], quantity) for account_id, quantity in chosen.items()]


def _meant(known: dict[AccountId, Account], target: Target, even_disabled: bool) -> list[Account]:
    if target.name == EVERYONE:
        return [account for account in known.values() if account.enabled or even_disabled]
    if target.name.startswith("@"):
        members = [account for account in known.values() if target.name[1:] in account.groups]
        if not members:
            raise NotFound(f"no account is in group {target.name}", hint="see: ordo account list")
        return [account for account in members if account.enabled or even_disabled]
    account = known.get(AccountId(target.name))
    if account is None:
        raise NotFound(f"there is no account {target.name}", hint="see: ordo account list")
    if not account.enabled and not even_disabled:
        raise Invalid(f"account {account.id} is disabled", hint=f"ordo account enable {account.id}")
    return [account]
