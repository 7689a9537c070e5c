"""Searching an index: bases whose name fits, best first, and of each the contracts that fit what else was said."""

from __future__ import annotations

from bisect import bisect_right
from datetime import date

from ordo_cli.index.layout import EXCHANGES, FUTURE, SHARE, STRIKE_UNIT
from ordo_cli.index.question import Asked, readings
from ordo_cli.index.reading import CODE, ID, TOKEN, Fields, Index

TYPE_CHECKING = False  # typing costs 8 ms of the 60 that a completed word may take
if TYPE_CHECKING:
    from collections.abc import Iterator

EXACT, BEGINS, WORDS, WITHIN = range(4)  # how well a base fits, the best first
MOST_BASES = 3_000  # that are looked at for one reading

LAST = 9  # behind every reading: somebody's code or number that is spelled so

FIELD = {"by_id": ID, "by_code": CODE, "by_token": TOKEN}

Rank = tuple[int, ...]


def search(index: Index, text: str, limit: int = 20, exchange: str | None = None) -> list[tuple[Rank, Fields]]:
    """The rows that the text may mean, the likeliest first, each with its rank; ranks of two indexes compare.

    Raises Broken where what was found was damaged.
    """
    only = None if exchange is None else EXCHANGES.index(exchange)
    best: dict[int, Rank] = {}
    for number in _said_exactly(index, text.strip(), only, ("by_id",)):
        best.setdefault(number, (0,))
    for turn, asked in enumerate(readings(text), start=1):
        if only is not None and asked.exchange not in (None, only):
            continue
        if only is not None:
            asked.exchange = only
        for number, rank in _fitting(index, asked, limit):
            best.setdefault(number, (turn, *rank))
        if len(best) >= limit:
            break
    for number in _said_exactly(index, text.strip(), only, ("by_code", "by_token")):
        best.setdefault(number, (LAST,))
    ranked = sorted((rank, number) for number, rank in best.items())[:limit]
    return [(rank, index.row(number)) for rank, number in ranked]


def beginning(index: Index, word: str, limit: int = 200) -> list[str]:
    """The instruments whose name, `EXCHANGE:SYMBOL`, begins so: to complete a word."""
    exchange, colon, symbol = word.partition(":")
    if not colon or exchange not in EXCHANGES:
        return []
    only, found = EXCHANGES.index(exchange), []
    kinds, exchanges, firsts = index.column("kinds", "B"), index.column("exchanges", "B"), index.column("firsts", "I")
    for base in _bases_beginning(index, symbol):
        for number in range(firsts[base], firsts[base + 1]):
            if exchanges[number] != only:
                continue
            name = index.row(number)[ID]
            if name.startswith(word):
                found.append(name)
                if len(found) >= limit:
                    return found
            elif kinds[number] == SHARE:
                break
    return found


def _bases_beginning(index: Index, symbol: str) -> Iterator[int]:
    """Bases that begin so, and those that the symbol itself begins with: it may say more than the base."""
    squeezed = "".join(sign for sign in symbol if sign.isalnum()).encode("ascii", "ignore")
    text, lines = index.text("bases"), index.column("lines", "I")
    at = text.find(b"\n" + squeezed)
    seen = set()
    while 0 <= at < len(text) - 1:
        base = bisect_right(lines, at) - 1
        seen.add(base)
        yield base
        at = text.find(b"\n" + squeezed, at + 1)
    for length in range(len(squeezed) - 1, 1, -1):
        at = text.find(b"\n" + squeezed[:length] + b"\t")
        if at >= 0 and (base := bisect_right(lines, at) - 1) not in seen:
            yield base


def _said_exactly(index: Index, text: str, only: int | None, ways: tuple[str, ...]) -> Iterator[int]:
    """Rows whose name, code or number this is, letter by letter."""
    exchanges = index.column("exchanges", "B")
    for by in ways:
        for word in dict.fromkeys((text, text.upper())):
            for number in index.found(by, word) if word else ():
                row = index.row(number)
                if only in (None, exchanges[number]) and word == row[FIELD[by]]:
                    yield number


def _fitting(index: Index, asked: Asked, limit: int) -> Iterator[tuple[int, Rank]]:
    firsts = index.column("firsts", "I")
    found = 0
    for place, (fit, base, line) in enumerate(_bases(index, asked)):
        begin, end = firsts[base], firsts[base + 1]
        if asked.of_contract:
            rows = _contracts(index, asked, begin, end, line)
        else:
            rows = _as_they_lie(index, asked, begin, end, limit)
        for number, rank in rows:
            yield number, (fit, *rank[:1], place, *rank[1:])
            found += 1
        if found >= limit * (1 if asked.of_contract else 3) and fit > EXACT:
            return


def _bases(index: Index, asked: Asked) -> list[tuple[int, int, bytes]]:
    """The bases that have all the words, each with how well it fits and its line, the best first."""
    words = [word.encode() for word in asked.words]
    if not words:
        return []
    text, lines, firsts = index.text("bases"), index.column("lines", "I"), index.column("firsts", "I")
    joined, longest = asked.joined.encode(), max(words, key=len)
    found: list[tuple[int, bool, int, int, bytes]] = []
    at = text.find(longest)
    while at >= 0 and len(found) < MOST_BASES:
        base = bisect_right(lines, at) - 1
        end = text.find(b"\n", lines[base] + 1)
        line = text[lines[base] + 1 : end]
        fit = _fit(line, words, joined)
        if fit is not None:
            symbol = line.index(b"\t")
            contracts = firsts[base + 1] - firsts[base] > 2  # what has contracts is what is traded most
            found.append((fit, not contracts, symbol, base, line))
        at = text.find(longest, end)
    found.sort()
    return [(fit, base, line) for fit, _, _, base, line in found]


def _fit(line: bytes, words: list[bytes], joined: bytes) -> int | None:
    symbol, _, name = line.partition(b"\t")
    if symbol == joined:
        return EXACT
    if symbol.startswith(joined):
        return BEGINS
    if all(b" " + word in name or symbol.startswith(word) for word in words):
        return WORDS
    return WITHIN if all(word in line for word in words) else None


def _as_they_lie(index: Index, asked: Asked, begin: int, end: int, limit: int) -> Iterator[tuple[int, Rank]]:
    """The first rows of a base: shares, then futures, then options, the nearest expiry first."""
    kinds, exchanges = index.column("kinds", "B"), index.column("exchanges", "B")
    taken = 0
    for number in range(begin, end):
        if asked.exchange in (None, exchanges[number]):
            yield number, (min(kinds[number], 2), number - begin)
            taken += 1
            if taken >= limit:
                return


def _contracts(index: Index, asked: Asked, begin: int, end: int, line: bytes) -> Iterator[tuple[int, Rank]]:
    expiries, strikes = index.column("expiries", "I"), index.column("strikes", "Q")
    kinds, exchanges = index.column("kinds", "B"), index.column("exchanges", "B")
    wanted: dict[int, tuple[bool, set[int]] | None] = {
        expiry: _strikes_on(expiry, asked) for expiry in set(expiries[begin:end])
    }
    named = not asked.months and not asked.kinds and _in_name(asked, line)
    for number in range(begin, end):
        kind = kinds[number]
        if asked.exchange is not None and exchanges[number] != asked.exchange:
            continue
        if kind == SHARE:
            if named:
                yield number, (0, 0, number - begin)
            continue
        fits = wanted[expiries[number]]
        if fits is None or (asked.kinds and kind not in asked.kinds):
            continue
        of_date, struck = fits
        if strikes[number] in struck if kind != FUTURE else False:
            yield number, (min(kind, 2), 0, expiries[number], strikes[number], kind)
        elif of_date:
            yield number, (min(kind, 2), 1, expiries[number], strikes[number], kind)


def _strikes_on(expiry: int, asked: Asked) -> tuple[bool, set[int]] | None:
    """Whether the date tells all the numbers, and the strikes that would tell the one left over; None where neither."""
    if not expiry:
        return None
    day = date.fromordinal(expiry)
    if asked.months and day.month not in asked.months:
        return None
    dated = {day.year * STRIKE_UNIT, day.year % 100 * STRIKE_UNIT}
    if asked.months:
        dated.add(day.day * STRIKE_UNIT)
    left = [number for number in asked.numbers if number not in dated]
    if not left:
        return True, set(asked.numbers)
    return (False, set(left)) if len(set(left)) == 1 else None


def _in_name(asked: Asked, line: bytes) -> bool:
    """Whether every number is a part of the name of the base, as in 20MICRONS or NIFTY 500."""
    return all(str(number // STRIKE_UNIT).encode() in line for number in asked.numbers)
