"""Positions: close them in order, verified on what the broker shows, without stopping anything else."""

from __future__ import annotations

from collections.abc import Iterable

from ordo_cli.desk import Desk
from ordo_cli.domain.accounts import Target
from ordo_cli.domain.instruments import InstrumentId
from ordo_cli.domain.tokens import TokenScope
from ordo_cli.services.sweep import SweepReport, Wish, clean
from ordo_cli.services.targets import EVERYTHING, chosen


async def close(
    desk: Desk, targets: Iterable[Target] = EVERYTHING, instrument: InstrumentId | None = None
) -> SweepReport:
    """Close the positions of these accounts, in one instrument or in all, and say what was observed after it.

    Ordo's own open orders in those instruments go first: one of them could open again what was just closed.
    """
    desk.rights.require(TokenScope.TRADE)
    accounts = await chosen(desk, targets)
    desk.rights.require_accounts(accounts)
    return await clean(desk, accounts, Wish(flatten=True, instrument=instrument))
