"""Exits: which open orders protect a position, and how much of it may be closed without ever turning it around."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ordo_cli.domain.legs import Leg
from ordo_cli.domain.orders import FINAL, BrokerOrderId, OrderIntent, OrderReport, OrderState
from ordo_cli.domain.portfolio import Position
from ordo_cli.domain.values import dataclass


@dataclass(frozen=True, slots=True)
class Exit:
    """The units of a position that no order is taking off yet."""

    position: Position
    quantity: int


def protective(book: Iterable[OrderReport], positions: Iterable[Position]) -> set[BrokerOrderId]:
    """Stops opposite to an open position, up to its size: what is beyond it would open a new one."""
    spared: set[BrokerOrderId] = set()
    rows = [row for row in book if _is_stop(row)]
    for position in positions:
        room = abs(position.quantity)
        for row in rows:
            if _reduces(row, position) and 0 < row.pending_quantity <= room:
                room -= row.pending_quantity
                spared.add(row.order_id)
    return spared


def exits(
    positions: Iterable[Position], book: Sequence[OrderReport], doubts: Iterable[tuple[OrderIntent, Leg]] = ()
) -> list[Exit]:
    """What is left to close of each position, net of orders that are already taking it off.

    A stop that waits for its trigger is none of those: it takes nothing off while it waits. A leg in doubt is one as
    long as the book does not show it: it may be there, and fill.
    """
    found = []
    unseen = [(intent, leg) for intent, leg in doubts if leg.tag not in {row.tag for row in book}]
    for position in positions:
        taking = sum(row.pending_quantity for row in book if _reduces(row, position) and not _waits(row))
        taking += sum(leg.quantity - leg.filled_quantity for intent, leg in unseen if _opposes(intent, position))
        quantity = abs(position.quantity) - taking
        if quantity > 0:
            found.append(Exit(position, quantity))
    return found


def opening(intent: OrderIntent, positions: Iterable[Position]) -> int:
    """The units of an order that would do more than take off a position."""
    held = sum(abs(position.quantity) for position in positions if _opposes(intent, position))
    return max(intent.quantity - held, 0)


def _reduces(row: OrderReport, position: Position) -> bool:
    return row.state not in FINAL and _opposes(row, position)


def _opposes(order: OrderReport | OrderIntent, position: Position) -> bool:
    return (
        order.instrument == position.instrument
        and order.product is position.product
        and order.side.sign * position.quantity < 0
    )


def _is_stop(row: OrderReport) -> bool:
    return row.trigger_price is not None


def _waits(row: OrderReport) -> bool:
    return _is_stop(row) and row.state is not OrderState.PARTIAL
