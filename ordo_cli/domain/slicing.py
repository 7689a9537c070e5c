"""Slicing: how a quantity above an exchange's freeze quantity becomes orders that the exchange takes.

Ordo slices by itself, each slice a leg with its own tag, and never asks a broker to: children of a broker's own slicing
share one tag, or have none (safety: more than one order to a tag cannot be told from an order sent twice).
"""

from __future__ import annotations

from ordo_cli.domain.instruments import Instrument

MOST_SLICES = 20  # of one account's order: with room for cancels, what the rates let out before a market order is late


def slices(quantity: int, instrument: Instrument | None) -> tuple[int, ...]:
    """The quantities of its orders, in units: whole lots, none above the freeze quantity, the last one what is left.

    The quantity as it is where nothing is known of a freeze quantity, or where not even one lot is below it.
    """
    if instrument is None or instrument.freeze_quantity is None or quantity <= instrument.freeze_quantity:
        return (quantity,)
    most = instrument.freeze_quantity - instrument.freeze_quantity % instrument.lot
    if most < 1:
        return (quantity,)
    whole, left = divmod(quantity, most)
    return (most,) * whole + ((left,) if left else ())
