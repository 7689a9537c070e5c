"""Building an index: rows come in as they are read, and leave as one piece of bytes in the order of the search."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Mapping
from datetime import date
from itertools import accumulate, pairwise
from sys import byteorder
from typing import Final
from zlib import crc32

from ordo_cli.index.layout import (
    CALL,
    EXCHANGES,
    FUTURE,
    LONGEST,
    MONTHS,
    PUT,
    SECTIONS,
    SHARE,
    SIZE,
    STRIKE_UNIT,
    Broken,
    Head,
)

MOST_ROWS = 2_000_000
_SYMBOL = re.compile(r"[A-Z0-9&_.-]{1,40}", re.ASCII)
_DATED = re.compile(r"([A-Z0-9&_-]+)([0-9]{2}(?:" + "|".join(MONTHS) + r")[0-9]{2})", re.ASCII)
_STRIKE = re.compile(r"[0-9]{1,7}(?:\.[0-9]{1,4})?", re.ASCII)
_PRICE = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,8})?", re.ASCII)
_TO_SPACE = dict.fromkeys((*range(32), *range(127, 160), 0x2028, 0x2029), " ")
_SQUEEZED = re.compile(r"[^A-Z0-9]+", re.ASCII)
_PLACE = {name: at for at, name in enumerate(EXCHANGES)}
_RIGHTS = {"CE": CALL, "PE": PUT}
LAST_OF_CASH = EXCHANGES.index("BSE")
_CASH = {"NSE:": 0, "BSE:": 1}
LONGEST_NAME = 44

Facts = tuple[str, int, int, bytes, int, int, int, int]
"""Of one row: how it is ordered (base, kind, expiry, exchange), its strike, its kind, its record, the place of its
exchange, and the check sums of name, code and number, 32 bits to the left."""
ORDER: Final = 0
STRIKE: Final = 1
KIND: Final = 2
RECORD: Final = 3
PLACE: Final = 4
BY_NAME: Final = 5
BY_CODE: Final = 6
BY_TOKEN: Final = 7
Dated = tuple[str, str, int]
"""What all contracts of one expiry share: base, how they are ordered, and the place of their exchange."""


class Builder:
    """Takes rows, and makes the file of them. A row that breaks the grammar of instruments is left out and counted."""

    def __init__(self) -> None:
        self._rows: list[Facts] = []
        self._names: dict[str, str] = {}  # of a base: what the search knows it by besides its symbol
        self._expiries: dict[str, int] = {}  # by what the order of a row begins with
        self._dated: tuple[dict[str, Dated], dict[str, Dated]] = {}, {}  # of futures, and of options
        self._sound: set[str] = set()  # prices that are prices
        self.left_out = 0

    def __len__(self) -> int:
        return len(self._rows)

    def add(
        self,
        instrument: str,
        name: str,
        tick: str,
        lot: int,
        code: str,
        token: str = "",
        segment: str = "",
        freeze: int | None = None,
        low: str | None = None,
        high: str | None = None,
        isin: str | None = None,
        more: Mapping[str, str] | None = None,
    ) -> None:
        """One instrument, `EXCHANGE:SYMBOL`, with prices as plain decimals; it is left out when it is none.

        Called 150,000 times in a row, so what rows share is worked out once and looked up after that.
        """
        kind = _RIGHTS.get(instrument[-2:], FUTURE)
        if instrument[:4] in _CASH:
            kind, base, strike, place = SHARE, instrument[4:], 0, _CASH[instrument[:4]]
            order, good = f"{base}\x000{place}", _SYMBOL.fullmatch(base) is not None
        else:
            # `NFO:NIFTY24NOV26` and what is behind it: the first is the same for all contracts of an expiry.
            cut = len(instrument) - 3 if kind == FUTURE else len(instrument[:-2].rstrip("0123456789.")) + 2
            dated = self._dated[kind != FUTURE].get(instrument[:cut]) or self._of_date(instrument[:cut], kind)
            strike = (0 if instrument[cut:] == "FUT" else -1) if kind == FUTURE else _units(instrument[cut:-2])
            good = dated is not None and strike >= 0 and len(instrument) <= LONGEST_NAME
            base, order, place = dated or ("", "", 0)
        sound = self._sound
        good = good and (tick in sound or self._is_price(tick)) and lot > 0 and (freeze is None or freeze > 0)
        if low or high:
            good = good and not (low and not self._is_price(low)) and not (high and not self._is_price(high))
        if not good or not code or not tick.strip("0."):
            self.left_out += 1
            return
        if kind == SHARE:
            self._names[base] = f"{name}\t{isin or ''}"
        elif base not in self._names:
            self._names[base] = name
        if not (name + code + token + segment + (isin or "")).isprintable():
            name, code, token, segment = (each.translate(_TO_SPACE) for each in (name, code, token, segment))
            isin = isin and isin.translate(_TO_SPACE)
        extra = ""
        if more:
            extra = "\x1e".join([f"{key}\x1f{value.translate(_TO_SPACE)}" for key, value in more.items()])
        text = (
            f"{instrument}\t{name}\t{tick}\t{lot}\t{freeze or ''}\t{low or ''}\t{high or ''}"
            f"\t{isin or ''}\t{code}\t{token}\t{segment}\t{extra}"
        )
        record = text.encode("utf-8", "replace")
        self._rows.append(
            (
                order,
                strike,
                kind,
                crc32(record).to_bytes(4, "little") + record,
                place,
                crc32(instrument.encode()) << 32,
                crc32(code.encode("utf-8", "replace")) << 32,
                crc32(token.encode("utf-8", "replace")) << 32 if token else -1,
            )
        )

    def finish(self, day: date) -> bytes:
        """The whole file, of this trading day. Raises Broken when there is nothing in it, or too much."""
        if not self._rows:
            raise Broken("there is not one instrument in it")
        if len(self._rows) > MOST_ROWS:
            raise Broken(f"there are more than {MOST_ROWS} instruments in it")
        self._rows.sort()
        rows = _without_repetitions(self._rows)
        sections, ambiguous = _columns(rows)
        sections["expiries"] = _packed(array("I", [self._expiries.get(row[ORDER], 0) for row in rows]))
        sections["bases"], sections["lines"], sections["firsts"] = _bases(rows, self._names)
        return _file(sections, rows=len(rows), day=day, left_out=self.left_out, ambiguous=ambiguous)

    def _is_price(self, text: str) -> bool:
        """Whether it is one above zero, or a band that begins at zero; those seen once are remembered."""
        if text in self._sound:
            return True
        if not _PRICE.fullmatch(text):
            return False
        if len(self._sound) < 10_000:
            self._sound.add(text)
        return True

    def _of_date(self, head: str, kind: int) -> Dated | None:
        """What `NFO:NIFTY24NOV26` says; None when it is against the grammar, or its day not in the calendar."""
        exchange, _, spelled = head.partition(":")
        place = _PLACE.get(exchange, -1)
        match = _DATED.fullmatch(spelled) if place > LAST_OF_CASH else None
        expiry = _ordinal(match[2]) if match else 0
        if match is None or not expiry:
            return None
        order = f"{match[1]}\0{min(kind, 2)}{expiry:07d}{place}"
        self._expiries[order] = expiry
        found = match[1], order, place
        self._dated[kind != FUTURE][head] = found
        return found


def _units(strike: str) -> int:
    """The strike in ten-thousandths of a rupee; -1 for what is none."""
    if strike.isdecimal() and strike.isascii() and len(strike) <= 7:
        return int(strike) * STRIKE_UNIT
    if not _STRIKE.fullmatch(strike):
        return -1
    whole, _, fraction = strike.partition(".")
    return int(whole) * STRIKE_UNIT + int(fraction.ljust(4, "0"))


def _ordinal(day: str) -> int:
    try:
        return date(2000 + int(day[5:]), MONTHS.index(day[2:5]) + 1, int(day[:2])).toordinal()
    except ValueError:  # a day that is not in the calendar
        return 0


def _without_repetitions(rows: list[Facts]) -> list[Facts]:
    """Rows in order, without those that say again what the one before them says."""
    kept = rows[:1]
    for row in rows[1:]:
        if row[RECORD] != kept[-1][RECORD]:
            kept.append(row)
    return kept


def _name(row: Facts) -> bytes:
    return row[RECORD][4 : row[RECORD].index(b"\t", 4)]


def _columns(rows: list[Facts]) -> tuple[dict[str, bytes], int]:
    records = [row[RECORD] for row in rows]
    ends = list(accumulate(map(len, records)))
    if ends[-1] >= LONGEST:
        raise Broken("it is larger than 4 GB")
    names = sorted([row[BY_NAME] | number for number, row in enumerate(rows)])
    codes = sorted([row[BY_CODE] | number for number, row in enumerate(rows)])
    tokens = sorted([row[BY_TOKEN] | number for number, row in enumerate(rows) if row[BY_TOKEN] >= 0])
    ambiguous = sum(
        _name(rows[one & 0xFFFFFFFF]) == _name(rows[other & 0xFFFFFFFF])
        for one, other in pairwise(names)
        if one >> 32 == other >> 32
    )
    return {
        "records": b"".join(records),
        "starts": _packed(array("I", [0, *ends])),
        "by_id": _packed(array("Q", names)),
        "by_code": _packed(array("Q", codes)),
        "by_token": _packed(array("Q", tokens)),
        "strikes": _packed(array("Q", [row[STRIKE] for row in rows])),
        "kinds": bytes([row[KIND] for row in rows]),
        "exchanges": bytes([row[PLACE] for row in rows]),
    }, ambiguous


def _bases(rows: list[Facts], names: Mapping[str, str]) -> tuple[bytes, bytes, bytes]:
    """A line for each base: its letters and digits, the words of its name, its ISIN; and where its rows begin."""
    text, lines, firsts, before, at, base = [], array("I"), array("I"), "", 0, ""
    for number, row in enumerate(rows):
        if row[ORDER] == before:
            continue
        before, last = row[ORDER], base
        base = before[: before.index("\0")]
        if base == last:
            continue
        name, _, isin = names[base].partition("\t")
        words = _SQUEEZED.sub(" ", name.upper()).strip()
        line = f"\n{_SQUEEZED.sub('', base)}\t {words}\t{isin.upper()}".encode("ascii", "replace")
        lines.append(at)
        firsts.append(number)
        text.append(line)
        at += len(line)
    firsts.append(len(rows))
    return b"".join(text) + b"\n", _packed(lines), _packed(firsts)


def _packed(column: array[int]) -> bytes:
    if byteorder != "little":
        column.byteswap()
    return column.tobytes()


def _file(sections: Mapping[str, bytes], *, rows: int, day: date, left_out: int, ambiguous: int) -> bytes:
    places, parts, at = {}, [], SIZE
    for name in SECTIONS:
        gap = -at % 8  # whole numbers lie where a processor reads them at once
        parts += [bytes(gap), sections[name]]
        places[name] = at + gap, len(sections[name])
        at += gap + len(sections[name])
    body = 0
    for part in parts:
        body = crc32(part, body)
    bases = len(sections["lines"]) // 4
    head = Head(rows, bases, day.toordinal(), left_out, ambiguous, places, body)
    return b"".join([head.packed(), *parts])


def build(rows: Iterable[tuple[object, ...]], day: date) -> bytes:
    """The file of these rows, each as `Builder.add` takes them."""
    builder = Builder()
    for row in rows:
        builder.add(*row)  # type: ignore[arg-type]
    return builder.finish(day)
