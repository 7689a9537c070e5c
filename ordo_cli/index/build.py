"""Building an index: rows come in as they are read, and leave as one piece of bytes in the order of the search."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Mapping
from datetime import date
from itertools import accumulate, pairwise
from sys import byteorder
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

Facts = tuple[str, bytes, int, int, int, int, int, int]
"""Of one row: how it is ordered, its record, its strike, its kind, the place of its exchange, and the check sums of
name, code and number, 32 bits to the left."""
Dated = tuple[str, int, str]
"""What all contracts of one expiry share: base, ordinal of the expiry, and how they are ordered."""


class Builder:
    """Takes rows, and makes the file of them. A row that breaks the grammar of instruments is left out and counted."""

    def __init__(self) -> None:
        self._rows: list[Facts] = []
        self._names: dict[str, str] = {}  # of a base: what the search knows it by besides its symbol
        self._expiries: dict[str, int] = {}  # by what the order of a row begins with
        self._dated: dict[str, Dated | None] = {}
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
        exchange, _, symbol = instrument.partition(":")
        place = _PLACE.get(exchange, -1)
        kind = SHARE
        if 0 <= place <= LAST_OF_CASH:
            base, order, strike = symbol, f"{symbol}\0{place}", 0
            good = _SYMBOL.fullmatch(symbol) is not None
        else:
            kind = _RIGHTS.get(symbol[-2:], FUTURE)
            head = symbol[:-3] if kind == FUTURE else symbol[:-2].rstrip("0123456789.")
            spelled = "" if kind == FUTURE else symbol[len(head) + 2 : -2]
            dated = self._of_date(exchange, head if kind == FUTURE else symbol[: len(head) + 2], place, kind)
            strike = 0 if kind == FUTURE else _units(spelled)
            good = dated is not None and strike >= 0 and len(symbol) <= 40 and (kind != FUTURE or symbol[-3:] == "FUT")
            base, _, order = dated or ("", 0, "")
        good = good and (tick in self._sound or self._is_price(tick)) and lot > 0 and (freeze is None or freeze > 0)
        good = good and not (low and not self._is_price(low)) and not (high and not self._is_price(high))
        if not good or not code or not tick.strip("0."):
            self.left_out += 1
            return
        if kind == SHARE:
            self._names[base] = f"{name}\t{isin or ''}"
        elif base not in self._names:
            self._names[base] = name
        if not f"{name}{code}{token}{segment}{isin}".isprintable():
            name, code, token, segment = (each.translate(_TO_SPACE) for each in (name, code, token, segment))
            isin = isin and isin.translate(_TO_SPACE)
        extra = ""
        if more:
            extra = "\x1e".join([f"{key}\x1f{value.translate(_TO_SPACE)}" for key, value in more.items()])
        record = (
            f"{instrument}\t{name}\t{tick}\t{lot}\t{freeze or ''}\t{low or ''}\t{high or ''}"
            f"\t{isin or ''}\t{code}\t{token}\t{segment}\t{extra}"
        )
        self._rows.append(
            (
                f"{order}{strike:014d}{kind}\0{record}",
                record.encode("utf-8", "replace"),
                strike,
                kind,
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
        ordinals = [0 if row[3] == SHARE else self._expiries[row[0][: row[0].index("\0") + 10]] for row in rows]
        sections["expiries"] = _packed(array("I", ordinals))
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

    def _of_date(self, exchange: str, head: str, place: int, kind: int) -> Dated | None:
        """What `NIFTY24NOV26` says; None when it is against the grammar, or its day not in the calendar."""
        key = f"{place}{min(kind, 2)}{head}"
        if key in self._dated:
            return self._dated[key]
        match = _DATED.fullmatch(head) if place > LAST_OF_CASH else None
        expiry = _ordinal(match[2]) if match else 0
        found = None
        if match and expiry:
            order = f"{match[1]}\0{min(kind, 2)}{expiry:07d}{place}"
            self._expiries[order] = expiry
            found = match[1], expiry, order
        self._dated[key] = found
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
        if row[1] != kept[-1][1]:
            kept.append(row)
    return kept


def _name(row: Facts) -> bytes:
    return row[1][: row[1].index(b"\t")]


def _columns(rows: list[Facts]) -> tuple[dict[str, bytes], int]:
    records = [crc32(row[1]).to_bytes(4, "little") + row[1] for row in rows]
    ends = list(accumulate(map(len, records)))
    if ends[-1] >= LONGEST:
        raise Broken("it is larger than 4 GB")
    names = sorted([row[5] | number for number, row in enumerate(rows)])
    codes = sorted([row[6] | number for number, row in enumerate(rows)])
    tokens = sorted([row[7] | number for number, row in enumerate(rows) if row[7] >= 0])
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
        "strikes": _packed(array("Q", [row[2] for row in rows])),
        "kinds": bytes([row[3] for row in rows]),
        "exchanges": bytes([row[4] for row in rows]),
    }, ambiguous


def _bases(rows: list[Facts], names: Mapping[str, str]) -> tuple[bytes, bytes, bytes]:
    """A line for each base: its letters and digits, the words of its name, its ISIN; and where its rows begin."""
    text, lines, firsts, before, at = [], array("I"), array("I"), None, 0
    for number, row in enumerate(rows):
        base = row[0][: row[0].index("\0")]
        if base == before:
            continue
        before = base
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
    body = b"".join(parts)
    bases = len(sections["lines"]) // 4
    head = Head(rows, bases, day.toordinal(), left_out, ambiguous, places, crc32(body))
    return head.packed() + body


def build(rows: Iterable[tuple[object, ...]], day: date) -> bytes:
    """The file of these rows, each as `Builder.add` takes them."""
    builder = Builder()
    for row in rows:
        builder.add(*row)  # type: ignore[arg-type]
    return builder.finish(day)
