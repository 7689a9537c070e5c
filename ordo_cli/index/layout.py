"""How an index lies on the disk: a head with a check sum, then sections that are looked into where they lie."""

from __future__ import annotations

import struct
import zlib

MAGIC = b"ordoidx1"
SECTIONS = (
    "records",  # the rows: a check sum and the fields with tabs between them, in the order of the search
    "starts",  # 4 bytes each: where a row's record begins, and behind the last one where it ends
    "by_id",  # 8 bytes each, ascending: the check sum of a name, and the number of its row
    "by_code",  # the same of a broker's codes
    "by_token",  # and of its numbers
    "expiries",  # 4 bytes each: the day of expiry as an ordinal, 0 for shares
    "strikes",  # 8 bytes each: the strike in ten-thousandths of a rupee, 0 where there is none
    "kinds",  # 1 byte each: what it is
    "exchanges",  # 1 byte each: the place of its exchange in EXCHANGES
    "bases",  # what is searched by words: a line for each share or underlying
    "lines",  # 4 bytes each: where the line of a base begins
    "firsts",  # 4 bytes each: the first row of a base, and behind the last one the number of rows
)
_HEAD = struct.Struct(f"<8s5I{2 * len(SECTIONS)}QI")  # magic, the five numbers, sections, check sum of the body
SIZE = _HEAD.size + 4  # and the check sum of the head itself
LONGEST = 1 << 32  # bytes that an offset can tell

SHARE, FUTURE, CALL, PUT = range(4)
EXCHANGES = ("NSE", "BSE", "NFO", "BFO", "CDS", "BCD", "MCX")
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
STRIKE_UNIT = 10_000  # a strike has up to four decimals
FIELDS = 12  # of a record, see `build`


class Broken(ValueError):
    """The file is no index, or not a whole one."""


class Head:
    """What an index says of itself, and where its sections lie."""

    __slots__ = ("ambiguous", "bases", "body", "day", "left_out", "places", "rows")

    def __init__(
        self,
        rows: int,
        bases: int,
        day: int,
        left_out: int,
        ambiguous: int,
        places: dict[str, tuple[int, int]],
        body: int,
    ) -> None:
        self.rows, self.bases, self.day = rows, bases, day  # the day as an ordinal
        self.left_out, self.ambiguous = left_out, ambiguous  # rows that were not taken, names that several rows have
        self.places = places  # offset and length of each section
        self.body = body  # the check sum of all that follows

    def packed(self) -> bytes:
        flat = [number for name in SECTIONS for number in self.places[name]]
        head = _HEAD.pack(MAGIC, self.rows, self.bases, self.day, self.left_out, self.ambiguous, *flat, self.body)
        return head + struct.pack("<I", zlib.crc32(head))


def read_head(data: bytes, length: int) -> Head:
    """The head of a file that is this long. Raises Broken."""
    if len(data) < SIZE or data[:8] != MAGIC:
        raise Broken("it is no index of instruments, or one of another version")
    head = data[: _HEAD.size]
    if struct.unpack("<I", data[_HEAD.size : SIZE])[0] != zlib.crc32(head):
        raise Broken("its head was damaged")
    _, rows, bases, day, left_out, ambiguous, *flat, body = _HEAD.unpack(head)
    places = {name: (flat[2 * at], flat[2 * at + 1]) for at, name in enumerate(SECTIONS)}
    end = max(offset + size for offset, size in places.values())
    if end != length:
        raise Broken(f"it is {length} bytes long and should be {end}")
    return Head(rows, bases, day, left_out, ambiguous, places, body)


def code_of(text: str) -> int:
    """The check sum that a name, a code or a number is found by."""
    return zlib.crc32(text.encode("utf-8", "surrogatepass"))
