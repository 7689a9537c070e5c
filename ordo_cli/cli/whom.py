"""Whose money a command is about: said on standard error before anything is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ordo_cli.cli import door
from ordo_cli.domain.accounts import Account, Target, choose

if TYPE_CHECKING:
    from ordo_cli.cli.operations import Operations
    from ordo_cli.domain.fanouts import Mode


async def announce(operations: Operations, targets: Sequence[Target]) -> tuple[Mode, list[Account]]:
    """Say which accounts these targets are, and in which mode: live as soon as one of them is.

    Raises NotFound or Invalid for targets that mean nobody.
    """
    from ordo_cli.domain.fanouts import Mode  # the engine: what only refuses a word need not load it

    modes = dict(await operations.accounts())
    accounts = [account for account, _ in choose(list(modes), targets)]
    there = {modes[account] for account in accounts}
    mode = next((mode for mode in (Mode.LIVE, Mode.SANDBOX) if mode in there), Mode.PAPER)
    door.banner(mode, [account.id for account in accounts])
    return mode, accounts
