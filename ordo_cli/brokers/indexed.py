"""Masters as they are on this machine: the index of a broker's list, opened when somebody asks and never before."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from ordo_cli import log
from ordo_cli.brokers.masters import Listing
from ordo_cli.domain.accounts import Account
from ordo_cli.domain.instruments import Exchange, Instrument, InstrumentId, kind_of, parse_instrument

if TYPE_CHECKING:
    from collections.abc import Callable

    from ordo_cli.index.reading import Fields, Index

ENDING = ".idx"


class Masters:
    """The masters in one folder: one for each broker, and one for each other address that a broker is reached at."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._open: dict[str, IndexedMaster] = {}

    def of(self, account: Account) -> IndexedMaster:
        name = name_of(account)
        if name not in self._open:
            self._open[name] = IndexedMaster(os.path.join(self._folder, name + ENDING))
        return self._open[name]


def name_of(account: Account) -> str:
    """What the master of this account's broker is called on this machine. Another address has another master, so that
    a sandbox's never serves a live account."""
    if account.base_url is None:
        return account.broker
    from hashlib import sha256  # 2 ms, for accounts with an address of their own

    return f"{account.broker}-{sha256(account.base_url.rstrip('/').encode()).hexdigest()[:16]}"


class IndexedMaster:
    """A Master over an index file. A newer file is used from the next question on; a damaged one counts as none."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._index: Index | None = None
        self._stamp: tuple[int, int, int] | None = None  # of the file that was opened, or found to be broken

    @property
    def day(self) -> date | None:
        index = self._current()
        return None if index is None else date.fromordinal(index.head.day)

    def listing(self, instrument: InstrumentId) -> Listing | None:
        return self._one(lambda index: index.named(str(instrument)))

    def coded(self, code: str, segment: str = "") -> Listing | None:
        return self._one(lambda index: index.coded(code, segment))

    def numbered(self, token: str, segment: str = "") -> Listing | None:
        return self._one(lambda index: index.numbered(token, segment))

    def search(self, text: str, limit: int = 20, exchange: Exchange | None = None) -> Sequence[Listing]:
        return [listing for _, listing in self.ranked(text, limit, exchange)]

    def ranked(
        self, text: str, limit: int = 20, exchange: Exchange | None = None
    ) -> list[tuple[tuple[int, ...], Listing]]:
        """What is found with its rank, which compares with that of other masters: the lowest is the likeliest."""
        from ordo_cli.index.search import search  # for whoever searches

        found = self._asked(lambda index: search(index, text, limit, exchange))
        return [(rank, listing_of(row)) for rank, row in found]

    def _one(self, find: Callable[[Index], list[Fields]]) -> Listing | None:
        """The one that is meant; None too where several are, for nobody may choose among them."""
        rows = self._asked(find)
        return listing_of(rows[0]) if len(rows) == 1 else None

    def _asked[T](self, ask: Callable[[Index], list[T]]) -> list[T]:
        index = self._current()
        if index is None:
            return []
        try:
            return ask(index)
        except ValueError as error:
            self._index = None  # and as its stamp stays known, it is not opened again
            log.get(__name__).error("master_damaged", file=os.path.basename(self.path), why=str(error))
            return []

    def _current(self) -> Index | None:
        from ordo_cli.index.reading import Index, stamp_of  # 2 ms, for accounts whose broker has a master

        try:
            stamp = stamp_of(os.stat(self.path))
            if stamp != self._stamp:
                self._stamp, self._index = stamp, None
                self._index = Index(self.path)
                self._stamp = self._index.stamp
        except FileNotFoundError:
            self._index, self._stamp = None, None
        except (OSError, ValueError) as error:
            self._index = None
            log.get(__name__).error("master_unreadable", file=os.path.basename(self.path), why=str(error))
        return self._index


def listing_of(row: Fields) -> Listing:
    """The listing that a row of the index holds."""
    name, title, tick, lot, freeze, low, high, isin, code, token, segment, more = row
    instrument = parse_instrument(name)
    return Listing(
        instrument=Instrument(
            id=instrument,
            name=title,
            kind=kind_of(instrument),
            tick=Decimal(tick),
            lot=int(lot),
            freeze_quantity=int(freeze) if freeze else None,
            lower_band=Decimal(low) if low else None,
            upper_band=Decimal(high) if high else None,
            isin=isin or None,
        ),
        code=code,
        token=token,
        segment=segment,
        more=dict(pair.split("\x1f", 1) for pair in more.split("\x1e")) if more else {},
    )
