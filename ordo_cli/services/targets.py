"""Targets: the accounts that words like `alice`, `@family` and `all` mean right now, and whose money they are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ordo_cli.domain.accounts import Account, Target, choose
from ordo_cli.domain.fanouts import Mode

if TYPE_CHECKING:
    from ordo_cli.desk import Desk

EVERYTHING = (Target("all"),)


async def chosen(desk: Desk, targets: Iterable[Target]) -> list[Account]:
    """The accounts that targets mean, each once. Raises NotFound or Invalid like `choose`."""
    return [account for account, _ in choose(await desk.store.accounts.all(), targets)]


def mode_of(desk: Desk, accounts: Iterable[Account]) -> Mode:
    """Live as soon as one of them is: that is what the user must be told."""
    modes = {desk.spec(account).mode for account in accounts}
    return next((mode for mode in (Mode.LIVE, Mode.SANDBOX) if mode in modes), Mode.PAPER)
