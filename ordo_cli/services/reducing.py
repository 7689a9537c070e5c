"""Reducing: how much of an account's positions may be closed right now, so that nothing is ever turned around."""

from __future__ import annotations

from ordo_cli.brokers.base import Broker
from ordo_cli.desk import Desk
from ordo_cli.domain import matching
from ordo_cli.domain.accounts import AccountId
from ordo_cli.domain.errors import LimitExceeded
from ordo_cli.domain.exits import Exit, exits
from ordo_cli.domain.legs import Leg, Submission
from ordo_cli.domain.orders import OrderIntent

IN_DOUBT = frozenset({Submission.SENDING, Submission.UNKNOWN, Submission.DISPUTED})


async def closable(desk: Desk, account: AccountId, broker: Broker) -> list[Exit]:
    """What may be closed of each position, net of all that may still take it off.

    Read in this order, so that what fills between two of the reads is counted twice rather than not at all.
    """
    doubts = await _doubts(desk, account)
    book = await broker.orders()
    return exits(await broker.positions(), book, doubts)


async def require_room(desk: Desk, leg: Leg, intent: OrderIntent, broker: Broker) -> None:
    """Raises LimitExceeded when the close would take off more than there is. For the account's one writer to ask.

    Whoever planned it read the position before it had the account to itself; another close may have filled since.
    """
    room = 0
    for each in await closable(desk, leg.account, broker):
        held = each.position
        if held.instrument == intent.instrument and held.product is intent.product:
            room += each.quantity if held.quantity * intent.side.sign < 0 else 0
    if leg.quantity > room:
        raise LimitExceeded(
            f"a close of {leg.quantity} would turn the position around: {room} of it can be closed now",
            hint="look again: ordo positions",
            code="REDUCE_ONLY",
        )


async def _doubts(desk: Desk, account: AccountId) -> list[tuple[OrderIntent, Leg]]:
    """Legs that may still become an order or fill: those of a session whose book is final cannot any more."""
    now = desk.clock.now()
    return [
        (fan_out.intent, leg)
        for fan_out, leg in await desk.store.journal.unsettled(account)
        if leg.submission in IN_DOUBT
        and (leg.sent_at is None or now < matching.final_at(fan_out.intent.instrument.exchange, leg.sent_at))
    ]
