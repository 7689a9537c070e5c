"""Allocation: how one quantity becomes the quantities of many accounts, in whole lots, the same way every time."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from math import lcm

from ordo_cli.domain.accounts import AccountId
from ordo_cli.domain.errors import Invalid
from ordo_cli.domain.values import dataclass


class Split(StrEnum):
    EACH = "each"  # every account gets the whole quantity
    EQUAL = "equal"  # the quantity is shared, every account alike
    WEIGHTS = "weights"  # the quantity is shared by the accounts' weights


@dataclass(frozen=True, slots=True)
class Allocation:
    """Units per account, in the order given. `rest` could not be dealt in whole lots; `without` get no leg."""

    shares: dict[AccountId, int]
    rest: int = 0
    without: tuple[AccountId, ...] = ()


def allocate(
    quantity: int,
    weights: Mapping[AccountId, Decimal],
    how: Split,
    own: Mapping[AccountId, int] | None = None,
    lot: int = 1,
) -> Allocation:
    """Deal `quantity` units to the accounts that `weights` names.

    An account with a quantity of its `own` keeps it. When the quantity is shared, own quantities are taken out of it
    first and the others share what is left. Raises Invalid when they exceed it, or when nobody would get anything.
    """
    own = own or {}
    if quantity < 1 or lot < 1 or any(units < 1 for units in own.values()):
        raise Invalid("quantities and lots are whole numbers above zero")
    if how is Split.EACH:
        return Allocation({account: own.get(account, quantity) for account in weights})
    pool = quantity - sum(own[account] for account in weights if account in own)
    if pool < 0:
        raise Invalid(
            f"the quantities given to single accounts exceed {quantity} by {-pool}", hint="raise --qty or lower them"
        )
    sharing = {account: weight for account, weight in weights.items() if account not in own}
    lots = _largest_remainder(pool // lot, sharing if how is Split.WEIGHTS else dict.fromkeys(sharing, Decimal(1)))
    units = {account: own.get(account) or lots[account] * lot for account in weights}
    shares = {account: share for account, share in units.items() if share}
    if not shares:
        raise Invalid(f"{quantity} is less than one lot of {lot}, so nobody would get anything", hint="raise --qty")
    without = tuple(account for account in weights if account not in shares)
    return Allocation(shares, rest=quantity - sum(shares.values()), without=without)


def _largest_remainder(lots: int, weights: Mapping[AccountId, Decimal]) -> dict[AccountId, int]:
    """Whole lots by weight; those left over go to the largest remainders, of equal ones to the account named first."""
    if not weights:
        return {}
    whole = _whole(weights)
    total = sum(whole.values())
    dealt = {account: lots * weight // total for account, weight in whole.items()}
    by_remainder = sorted(whole, key=lambda account: -(lots * whole[account] % total))  # sorting is stable
    for account in by_remainder[: lots - sum(dealt.values())]:
        dealt[account] += 1
    return dealt


def _whole(weights: Mapping[AccountId, Decimal]) -> dict[AccountId, int]:
    """The weights as integers in the same proportion, so that no share depends on rounding."""
    ratios = {account: weight.as_integer_ratio() for account, weight in weights.items()}
    common = lcm(*(denominator for _, denominator in ratios.values()))
    return {account: numerator * (common // denominator) for account, (numerator, denominator) in ratios.items()}
