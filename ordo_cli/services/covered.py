"""What the rights of whoever is at the desk reach: the accounts, fan-outs and legs that are shown to them at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from ordo_cli.domain.accounts import EVERYONE, Account, AccountId, Target
from ordo_cli.domain.errors import Invalid, NotAllowed, NotFound
from ordo_cli.domain.values import replace
from ordo_cli.services.targets import chosen

if TYPE_CHECKING:
    from ordo_cli.desk import Desk
    from ordo_cli.domain.fanouts import FanOut
    from ordo_cli.domain.legs import Leg

Reach = Callable[[AccountId], bool]


async def reach(desk: Desk) -> Reach:
    """Tells of an account's name whether the rights reach it, as the groups are now."""
    rights = desk.rights
    if not rights.limited:
        return lambda account: True
    known = {account.id: account for account in await desk.store.accounts.all()}
    return lambda account: rights.covers(known[account]) if account in known else rights.names(account)


async def accounts(desk: Desk) -> list[Account]:
    """Every account that the rights reach."""
    found = await desk.store.accounts.all()
    return [account for account in found if desk.rights.covers(account)] if desk.rights.limited else found


async def require(desk: Desk, names: Iterable[AccountId]) -> None:
    """Raises NotAllowed naming the accounts that the rights do not reach."""
    if not desk.rights.limited:
        return
    reached = await reach(desk)
    strange = [name for name in names if not reached(name)]
    if strange:
        raise NotAllowed(
            f"this token is not for {', '.join(strange)}; nothing was done", hint="name only accounts that it is for"
        )


async def seen(desk: Desk, targets: Iterable[Target]) -> list[Account]:
    """The accounts that targets mean, of `all` and of a group those that the rights reach. Raises as `chosen` does.

    Raises NotAllowed for an account that is named itself and not reached, and when nothing would be left.
    """
    targets = tuple(targets)
    found = await chosen(desk, targets)
    if not desk.rights.limited:
        return found
    named = {target.name for target in targets if target.name != EVERYONE and not target.name.startswith("@")}
    reached = [account for account in found if desk.rights.covers(account)]
    desk.rights.require_accounts([account for account in found if account.id in named or not reached])
    return reached


async def fan_out(desk: Desk, id_or_prefix: str) -> FanOut:
    """One fan-out; one with a leg of an account that the rights do not reach is not there."""
    if not desk.rights.limited:
        return await desk.store.journal.fan_out(id_or_prefix)
    try:
        found = await desk.store.journal.fan_out(id_or_prefix)
    except Invalid:  # it lists what begins so, other people's too
        raise Invalid(f"several fan-outs begin with {id_or_prefix!r}", hint="write the whole id") from None
    reached = await reach(desk)
    if not all(reached(leg.account) for leg in found.legs):
        raise NotFound(f"there is no fan-out {id_or_prefix!r}", hint="see: ordo fanout list")
    return found


async def leg(desk: Desk, id_or_prefix: str) -> tuple[FanOut, Leg]:
    """One leg, and of its fan-out the legs that the rights reach."""
    if not desk.rights.limited:
        return await desk.store.journal.leg(id_or_prefix)
    try:
        found, meant = await desk.store.journal.leg(id_or_prefix)
    except Invalid:
        raise Invalid(f"several legs begin with {id_or_prefix!r}", hint="write the whole id") from None
    reached = await reach(desk)
    if not reached(meant.account):
        raise NotFound(f"there is no leg {id_or_prefix!r}", hint="see: ordo fanout show ID")
    return replace(found, legs=tuple(each for each in found.legs if reached(each.account))), meant


async def fan_outs(desk: Desk, limit: int, account: AccountId | None, before: str | None = None) -> list[FanOut]:
    """The newest fan-outs of which the rights reach every leg, or the newest of those before one that they reach."""
    if before is not None:
        before = (await fan_out(desk, before)).id
    if not desk.rights.limited:
        return await desk.store.journal.fan_outs(limit, account, before)
    reached, most = await reach(desk), limit
    while True:  # nobody knows how many of the newest are other people's, so more are read until there are enough
        read = await desk.store.journal.fan_outs(most, account, before)
        found = [each for each in read if all(reached(leg.account) for leg in each.legs)]
        if len(found) >= limit or len(read) < most:
            return found[:limit]
        most *= 4


async def unsettled(desk: Desk) -> list[tuple[FanOut, Leg]]:
    """Every leg of which more is to come and which the rights reach."""
    pairs = await desk.store.journal.unsettled()
    reached = await reach(desk)
    return [pair for pair in pairs if reached(pair[1].account)] if desk.rights.limited else pairs
