"""Taking a broker's files into an index: what its adapter reads in them, row by row."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from decimal import Decimal

from ordo_cli.brokers.fetching import USUAL, Bounds, lines_of
from ordo_cli.brokers.masters import Listing, MasterSource, Row
from ordo_cli.domain.values import dataclass
from ordo_cli.index.build import Builder

OFTEN = 10_000  # rows between two words about how far it is


@dataclass(frozen=True, slots=True)
class Taken:
    """An index, how many instruments it has, and how many rows were none."""

    index: bytes
    rows: int
    left_out: int


def take(
    source: MasterSource,
    files: Iterable[tuple[str, str]],
    day: date,
    told: Callable[[int], None] = lambda rows: None,
    bounds: Bounds = USUAL,
) -> Taken:
    """The index of these files, each by name and place. Raises ValueError for one that is not what it should be.

    It works for a second or two, so it belongs into a thread.
    """
    builder = Builder()
    for name, path in files:
        with lines_of(path, bounds) as lines:
            for number, item in enumerate(source.parse(name, lines)):
                builder.add(*(item if type(item) is Row else row_of(item)))
                if not number % OFTEN:
                    told(len(builder))
    index = builder.finish(day)
    return Taken(index, len(builder), builder.left_out)


def row_of(listing: Listing | Row) -> Row:
    """The same in plain words."""
    if isinstance(listing, Row):
        return listing
    it = listing.instrument
    return Row(
        instrument=str(it.id),
        name=it.name,
        tick=format(it.tick, "f"),
        lot=it.lot,
        code=listing.code,
        token=listing.token,
        segment=listing.segment,
        freeze_quantity=it.freeze_quantity,
        lower_band=_text(it.lower_band),
        upper_band=_text(it.upper_band),
        isin=it.isin,
        more=listing.more,
    )


def _text(price: Decimal | None) -> str | None:
    return None if price is None else format(price, "f")
