"""What a person means by a few words: `infy`, `nifty 24500 ce nov`, `nifty24nov24500ce`, `reliance fut`."""

from __future__ import annotations

import re

from ordo_cli.index.layout import CALL, EXCHANGES, FUTURE, MONTHS, PUT, STRIKE_UNIT

TYPE_CHECKING = False  # typing costs 8 ms of the 60 that a completed word may take
if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST, MOST_WORDS, MOST_NUMBERS = 120, 8, 4

_WORDS = re.compile(r"[A-Z0-9&_.-]+", re.ASCII)
_NOISE = re.compile(r"[^A-Z0-9]+", re.ASCII)
_MONTH = "(" + "|".join(MONTHS) + ")"
_RIGHT = "(CE|PE|FUT)"
_NUMBER = re.compile(r"[0-9]{1,7}(?:\.[0-9]{1,4})?", re.ASCII)
_STRIKE = re.compile(rf"([0-9]{{1,7}}(?:\.[0-9]{{1,4}})?){_RIGHT}", re.ASCII)
_DATE = re.compile(rf"([0-9]{{1,2}})?-?{_MONTH}-?([0-9]{{2}}|20[0-9]{{2}})?", re.ASCII)
_DATED = re.compile(
    rf"([A-Z0-9&_-]*?[A-Z&_-])([0-9]{{0,2}}){_MONTH}([0-9]{{0,9}}(?:\.[0-9]{{1,4}})?){_RIGHT}?", re.ASCII
)
_UNDATED = re.compile(rf"([A-Z0-9&_-]*?[A-Z&_-])([0-9]{{1,7}}(?:\.[0-9]{{1,4}})?)?{_RIGHT}", re.ASCII)
_SPOKEN = {
    "CE": CALL,
    "CALL": CALL,
    "CALLS": CALL,
    "PE": PUT,
    "PUT": PUT,
    "PUTS": PUT,
    "FUT": FUTURE,
    "FUTURE": FUTURE,
    "FUTURES": FUTURE,
}
_FULL = {"JANUARY": 1, "FEBRUARY": 2, "MARCH": 3, "APRIL": 4, "JUNE": 6, "JULY": 7, "AUGUST": 8, "SEPT": 9}
_LAST = {"SEPTEMBER": 9, "OCTOBER": 10, "NOVEMBER": 11, "DECEMBER": 12}
_MONTHS = {month: at for at, month in enumerate(MONTHS, start=1)} | _FULL | _LAST


class Asked:
    """One way to understand a text. Numbers are in ten-thousandths; each is a day, a year or a strike, as fits."""

    __slots__ = ("exchange", "kinds", "months", "numbers", "words")

    def __init__(self, exchange: int | None = None) -> None:
        self.exchange = exchange  # its place in EXCHANGES
        self.words: list[str] = []  # letters and digits that the base or its name has
        self.numbers: list[int] = []
        self.months: set[int] = set()
        self.kinds: set[int] = set()

    @property
    def joined(self) -> str:
        return "".join(self.words)

    @property
    def of_contract(self) -> bool:
        """Whether it says something that only a contract has."""
        return bool(self.numbers or self.months or self.kinds)

    def copy(self) -> Asked:
        other = Asked(self.exchange)
        other.words, other.numbers = [*self.words], [*self.numbers]
        other.months, other.kinds = {*self.months}, {*self.kinds}
        return other


def readings(text: str) -> Iterator[Asked]:
    """Every way to understand it, the likelier ones first. Nothing outside ASCII is taken for something like it."""
    exchange, words = _split(text)
    if not words:
        return
    # A word may be a part of the contract or of a name: BSE, MAY and PE are exchanges, months and rights, and names.
    plain = [word for word in words if not _tells(word)]
    if not plain:
        yield _literal(exchange, words)
        return
    yield from _understood(exchange, words)
    if len(plain) < len(words):
        yield _literal(exchange, words)


def _split(text: str) -> tuple[int | None, list[str]]:
    text = text[:LONGEST].upper()
    head, colon, rest = text.partition(":")
    exchange = EXCHANGES.index(head.strip()) if colon and head.strip() in EXCHANGES else None
    words = _WORDS.findall(rest if exchange is not None else text)
    return exchange, [word for word in words if _NOISE.sub("", word)][:MOST_WORDS]


def _tells(word: str) -> bool:
    """Whether this word says something of a contract or an exchange, and need not be part of a name."""
    if word in _SPOKEN or word in _MONTHS or word in EXCHANGES:
        return True
    return bool(_NUMBER.fullmatch(word) or _STRIKE.fullmatch(word) or (_DATE.fullmatch(word) and word[0].isdigit()))


def _literal(exchange: int | None, words: list[str]) -> Asked:
    asked = Asked(exchange)
    asked.words = [_NOISE.sub("", word) for word in words]
    return asked


def _understood(exchange: int | None, words: list[str]) -> Iterator[Asked]:
    """The words taken for what they say; one that is written together is taken whole first, then apart."""
    asked, glued = Asked(exchange), []
    for word in words:
        if word in EXCHANGES:
            asked.exchange = EXCHANGES.index(word)
        elif not _take(asked, word):
            if _DATED.fullmatch(word) or _UNDATED.fullmatch(word):
                glued.append(word)
            else:
                asked.words.append(_NOISE.sub("", word))
    whole = asked.copy()
    whole.words += [_NOISE.sub("", word) for word in glued]
    whole.numbers = whole.numbers[:MOST_NUMBERS]
    yield whole
    if len(glued) == 1:
        yield from _apart(asked, glued[0])


def _take(asked: Asked, word: str) -> bool:
    """Whether the word says something by itself, which is then noted."""
    if word in _SPOKEN:
        asked.kinds.add(_SPOKEN[word])
    elif word in _MONTHS:
        asked.months.add(_MONTHS[word])
    elif _NUMBER.fullmatch(word):
        asked.numbers.append(_units(word))
    elif match := _STRIKE.fullmatch(word):
        asked.numbers.append(_units(match[1]))
        asked.kinds.add(_SPOKEN[match[2]])
    elif (match := _DATE.fullmatch(word)) and (match[1] or match[3]):
        asked.numbers += [_units(part) for part in (match[1], match[3]) if part]
        asked.months.add(_MONTHS[match[2]])
    else:
        return False
    return True


def _apart(asked: Asked, word: str) -> Iterator[Asked]:
    """A name, a date and a strike in one word. `24NOV24500CE` may be of 2024 or of the 24th, and both are tried."""
    if match := _DATED.fullmatch(word):
        base, first, month, rest, right = match.groups()
        ways = [[first, rest], [first, rest[:2], rest[2:]]] if len(rest) > 2 else [[first, rest]]
        for way in ways:
            numbers = [number for number in way if number]
            if all(_NUMBER.fullmatch(number) for number in numbers) and (first or rest or right):
                yield _with(asked, base, numbers, _MONTHS[month], right)
    elif match := _UNDATED.fullmatch(word):
        base, strike, right = match.groups()
        yield _with(asked, base, [strike] if strike else [], None, right)


def _with(asked: Asked, base: str, numbers: list[str], month: int | None, right: str | None) -> Asked:
    other = asked.copy()
    other.words.append(_NOISE.sub("", base))
    other.words = [word for word in other.words if word]
    other.numbers = [*other.numbers, *map(_units, numbers)][:MOST_NUMBERS]
    other.months |= {month} if month else set()
    other.kinds |= {_SPOKEN[right]} if right else set()
    return other


def _units(number: str) -> int:
    whole, _, fraction = number.partition(".")
    return int(whole) * STRIKE_UNIT + int(fraction.ljust(4, "0") or 0)
