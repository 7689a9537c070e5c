"""Instrument masters: what a broker's own list says of an instrument, and how an adapter asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import NamedTuple, Protocol

from ordo_cli.domain.accounts import Account
from ordo_cli.domain.instruments import Exchange, Instrument, InstrumentId
from ordo_cli.domain.values import dataclass, field


@dataclass(frozen=True, slots=True)
class Listing:
    """One instrument as one broker lists it: ordo's facts of it, and the names that this broker's calls want."""

    instrument: Instrument
    code: str  # how orders and books spell it: a trading symbol, a security id; unique within `segment`
    token: str = ""  # the broker's number of it, where calls want one; unique within `segment`
    segment: str = ""  # the broker's own word for where it is traded, as its calls want it
    more: Mapping[str, str] = field(default_factory=dict)  # what else an order must repeat, by the broker's names


class Row(NamedTuple):
    """A Listing in the plain words of the file: a third of the work for 150,000 lines, as no object is made of any.

    What is no instrument, no price or no lot is left out by whoever takes the rows, and counted.
    """

    instrument: str  # `NFO:NIFTY28MAR2420800CE`, by ordo's grammar, the strike without needless zeros
    name: str
    tick: str  # rupees, as plain decimals
    lot: int
    code: str
    token: str = ""
    segment: str = ""
    freeze_quantity: int | None = None
    lower_band: str | None = None  # rupees
    upper_band: str | None = None
    isin: str | None = None
    more: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class MasterFile:
    """One file of a master: what ordo calls it, and where it is."""

    name: str  # a plain word; the file on disk is named after it
    url: str
    secret: bool = False  # it takes the account's session: `headers` of the source go along


@dataclass(frozen=True, slots=True)
class MasterSource:
    """Where a broker keeps its master and how its lines read."""

    files: Callable[[Account], Sequence[MasterFile]]  # for this account's base URL
    parse: Callable[[str, Iterable[str]], Iterator[Listing | Row]]
    """The listings in the lines of a file, named as in `files`, as objects or as plain rows.

    A line that cannot be read is left out, never guessed; one that breaks the file's own promise about its columns
    raises ValueError, and the whole file is not taken."""
    headers: Callable[[Mapping[str, str], Mapping[str, str]], Mapping[str, str]] = lambda credentials, token: {}
    """What a `secret` file is asked for with, made of the account's credentials and its session's token."""


class Master(Protocol):
    """A broker's master as it is on this machine. Nothing here waits for a network."""

    @property
    def day(self) -> date | None:
        """The trading day that it is of; None when there is none on this machine."""
        ...

    def listing(self, instrument: InstrumentId) -> Listing | None: ...

    def coded(self, code: str, segment: str = "") -> Listing | None:
        """What this broker means by that code."""
        ...

    def numbered(self, token: str, segment: str = "") -> Listing | None:
        """What this broker means by that number."""
        ...

    def search(self, text: str, limit: int = 20, exchange: Exchange | None = None) -> Sequence[Listing]: ...


class NoMaster:
    """There is none."""

    day: date | None = None

    def listing(self, instrument: InstrumentId) -> Listing | None:
        return None

    def coded(self, code: str, segment: str = "") -> Listing | None:
        return None

    def numbered(self, token: str, segment: str = "") -> Listing | None:
        return None

    def search(self, text: str, limit: int = 20, exchange: Exchange | None = None) -> Sequence[Listing]:
        return ()
