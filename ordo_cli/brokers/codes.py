"""Tables of our words and a broker's codes, both ways, which never guess."""

from __future__ import annotations

from collections.abc import Mapping

from ordo_cli.domain.errors import Refused


class Codes[Word, Code: str | int]:
    """`out` gives a broker's code or refuses; `into` gives our word or None, also for a code of the wrong type.

    `also` lists codes that a broker only ever sends: older spellings, other words for the same.
    """

    def __init__(self, table: Mapping[Word, Code], *, also: Mapping[Code, Word] | None = None) -> None:
        self._codes = dict(table)
        # By type as well, because to Python True, 1 and Decimal(1) are one key, and to a broker they are not.
        self._words: dict[tuple[type, object], Word] = {}
        for code, word in [*((code, word) for word, code in table.items()), *(also or {}).items()]:
            if self._words.setdefault((type(code), code), word) != word:
                raise ValueError(f"code {code!r} stands for two words")

    @property
    def words(self) -> frozenset[Word]:
        """Our words that this broker has a code for: what its capabilities may list."""
        return frozenset(self._codes)

    def out(self, word: Word) -> Code:
        """Their code. Raises Refused for a word that they have none for: nothing is sent instead."""
        try:
            return self._codes[word]
        except KeyError:
            raise Refused(f"this broker has no {str(word)!r}", code="UNSUPPORTED") from None

    def into(self, code: object) -> Word | None:
        """Our word, or None for what no table of ours knows."""
        try:
            return self._words.get((type(code), code))
        except TypeError:  # a list or an object where a code should be
            return None
