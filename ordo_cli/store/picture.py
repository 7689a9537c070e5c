"""One look at the journal for planning: accounts, what they have used, the switch, and orders on the other side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from ordo_cli.domain.accounts import Account, AccountId
from ordo_cli.domain.journal import UNUSED, DayUse, Picture
from ordo_cli.domain.kill import Switch
from ordo_cli.store.accounts import all_accounts
from ordo_cli.store.driver import Ask, Body
from ordo_cli.store.rows import VALUE_UNIT, account_of, time_of, while_same
from ordo_cli.store.switches import all_body, switch_of

if TYPE_CHECKING:
    from ordo_cli.store.switches import Row

FEW = 16  # accounts up to which each is asked about by itself: a day's operations of all may be many

Pick = Callable[[Sequence[Account]], Iterable[AccountId]]
"""Which accounts an order is for. May refuse, and then nothing more is read."""


def picture(
    pick: Pick, day: str, instrument: str, side: str, named: Sequence[AccountId] | None = None
) -> Body[Picture]:
    """The accounts, the day's use of those picked, the switches, and the legs that wait at this instrument and side.

    Where a few accounts are `named` and nobody else can be meant, they and the switches over them are all that is read.
    """
    few = named is not None and len(named) <= FEW
    accounts = (yield from _accounts(named)) if few and named is not None else (yield from all_accounts())
    uses = yield from using(day, list(pick(accounts)))
    switches = (yield from _switches_over(accounts)) if few else switches_of((yield from all_body()))
    waiting = [
        (AccountId(account), None if sent_at is None else time_of(sent_at))
        for account, sent_at in (yield Ask("waiting_at", {"instrument": instrument, "side": side}))
    ]
    return Picture(tuple(accounts), uses, switches, tuple(waiting))


def _accounts(named: Sequence[AccountId]) -> Body[list[Account]]:
    found: list[Account] = []
    for name in named:
        found.extend(map(account_of, (yield Ask("account", {"id": name}))))
    return found


def _switches_over(accounts: Sequence[Account]) -> Body[tuple[Switch, ...]]:
    rows: dict[Row, None] = {}
    for account in accounts:
        rows |= dict.fromkeys((yield Ask("switches_over", {"account": account.id, "broker": account.broker})))
    return tuple(map(switch_of, rows))


@while_same
def switches_of(rows: Sequence[Row]) -> tuple[Switch, ...]:
    return tuple(map(switch_of, rows))


def using(day: str, accounts: Sequence[AccountId] | None = None) -> Body[dict[AccountId, DayUse]]:
    """What these accounts, or all, have sent in a trading day and have working."""
    if accounts is None or len(accounts) > FEW:
        return (yield from _using_all(day))
    uses = {}
    for account in accounts:
        ((orders, units, opened),) = yield Ask("day_use", {"account": account, "day": day})
        uses[account] = DayUse(orders, Decimal(int(units)) / VALUE_UNIT, opened)
    return uses


def _using_all(day: str) -> Body[dict[AccountId, DayUse]]:
    uses: dict[AccountId, DayUse] = {}
    for account, orders, units in (yield Ask("day_uses", {"day": day})):
        uses[AccountId(account)] = DayUse(orders, Decimal(int(units)) / VALUE_UNIT, 0)
    for account, opened in (yield Ask("all_open_orders")):
        sent = uses.get(AccountId(account), UNUSED)
        uses[AccountId(account)] = DayUse(sent.orders, sent.value, opened)
    return uses
