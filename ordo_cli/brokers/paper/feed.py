"""The price feed: a price is a pure function of seed, instrument and second, so it repeats and needs no storing."""

from __future__ import annotations

from functools import lru_cache
from math import isqrt
from zlib import crc32

from ordo_cli.brokers.paper.amounts import DAY, EPOCH_ORDINAL, SCALE, SECOND, midnight
from ordo_cli.brokers.paper.hours import CLOSE
from ordo_cli.brokers.paper.listing import INDICES, Listing
from ordo_cli.domain.instruments import Kind, Right
from ordo_cli.domain.values import dataclass

# Waves of noise: a new height every `period` seconds, a straight line between; heights in millionths of the price.
# Together they reach 4 %, so that no price of a day leaves a band of 10 % around the close before.
WAVES = ((432_000, 12_000), (86_400, 10_000), (14_400, 8_000), (3_600, 5_000), (600, 3_000), (60, 1_500), (5, 500))
_MASK = (1 << 64) - 1
_FULL = 1 << 20
CARRY = 65  # thousandths a year by which a future stands above its index
SIGHT = 130  # thousandths a year by which an index is expected to move: what an option's time is worth
DEPTH = 20_000_000 * SCALE  # rupees on offer at the best price; further levels have more
LEVELS = 5
YEAR = 365 * DAY


@dataclass(frozen=True, slots=True)
class Feed:
    """Prices of one seed, in whole units."""

    seed: int = 1

    def price(self, item: Listing, at: int) -> int:
        """The last price at a moment: it changes with each second, by whole ticks, and is never below one."""
        spot = item.base + item.base * _wave(self.seed, item.underlying, at // SECOND) // 1_000_000
        if item.kind is not Kind.EQUITY:
            spot = _derived(item, spot, at)
        return max(spot // item.tick, 1) * item.tick

    def previous_close(self, item: Listing, day: int) -> int:
        return self.price(item, midnight(day - 1) + CLOSE)

    def band(self, item: Listing, reference: int) -> tuple[int, int]:
        """The lowest and highest price that an order may carry: 10 % either way; of the index, for an option."""
        reach = (item.base if item.kind is Kind.OPTION else reference) // 10
        lower, upper = reference - reach, reference + reach
        return max(-(-lower // item.tick), 1) * item.tick, upper // item.tick * item.tick

    def touch(self, item: Listing, last: int, at: int) -> tuple[int, int]:
        """Best bid and offer, a tick apart; the last trade was at one of them."""
        if _noise(crc32(item.id.symbol.encode()), at // SECOND) > 0 and last > item.tick:
            return last - item.tick, last
        return last, last + item.tick

    def depth(self, item: Listing) -> int:
        """Units on offer at the best price."""
        price = item.base // 50 if item.kind is Kind.OPTION else item.base
        return max(DEPTH // price // item.lot, 10) * item.lot


@lru_cache(maxsize=4_096)  # most questions of one call are about the same seconds; 8 microseconds each otherwise
def _wave(seed: int, symbol: str, second: int) -> int:
    """How far a price is from its base, in millionths."""
    key = crc32(f"{seed}/{symbol}".encode()) << 8
    total = 0
    for octave, (period, height) in enumerate(WAVES):
        step, past = divmod(second, period)
        low, high = _noise(key + octave, step), _noise(key + octave, step + 1)
        total += height * (low * (period - past) + high * past) // (period * _FULL)
    return total // 2 if symbol in INDICES else total  # an index moves like a share, and half as far


def _derived(item: Listing, spot: int, at: int) -> int:
    assert item.expiry is not None
    close = midnight(item.expiry.toordinal() - EPOCH_ORDINAL) + CLOSE
    left = max(close - at, 0)
    if item.strike is None:
        return spot + spot * CARRY * left // (1_000 * YEAR)
    # Worth of time: 0.4 x volatility x root of the years left at the money, and less the further away.
    root = isqrt(left * 1_000_000 // YEAR)
    at_the_money = spot * SIGHT * 4 * root // 10_000_000
    away = abs(spot - item.strike)
    time = at_the_money * at_the_money // (at_the_money + away) if at_the_money else 0
    inside = spot - item.strike if item.right is Right.CALL else item.strike - spot
    return max(inside, 0) + time


def _noise(key: int, step: int) -> int:
    """A number from -2^20 to 2^20 that looks like chance and is always the same."""
    mixed = (key * 0x9E3779B97F4A7C15 + step * 0xD1342543DE82EF95 + 0x632BE59BD9B4E019) & _MASK
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
    return ((mixed ^ (mixed >> 31)) & (2 * _FULL - 1)) - _FULL
