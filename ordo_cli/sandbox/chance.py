"""Chance that repeats: every number is drawn from one seed, so that a run with the same seed has the same faults."""

from __future__ import annotations

from hashlib import sha256

CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"


class SeededChance:
    """Numbers from a seed and a purpose; two purposes do not disturb each other. Nothing here is secret."""

    def __init__(self, seed: int, purpose: str = "") -> None:
        self._seed, self._purpose, self._drawn = seed, purpose, 0

    def of(self, purpose: str) -> SeededChance:
        """Numbers of their own for one purpose, the same whatever else is drawn."""
        return SeededChance(self._seed, f"{self._purpose}/{purpose}")

    def _number(self) -> int:
        self._drawn += 1
        return int.from_bytes(sha256(f"{self._seed}{self._purpose}#{self._drawn}".encode()).digest())

    def token(self, length: int) -> str:
        """Lower-case letters and digits; at most 51 of them."""
        number = self._number()
        return "".join(CROCKFORD[number >> 5 * place & 31] for place in range(length))

    def digits(self, length: int) -> str:
        return f"{self._number() % 10**length:0{length}d}"

    def uniform(self, low: float, high: float) -> float:
        return low + (high - low) * (self._number() % (1 << 53)) / (1 << 53)
