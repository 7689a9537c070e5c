"""Reading an index: opened at once whatever its size, looked into where it lies, checked at every row."""

from __future__ import annotations

import mmap
import os
import zlib
from bisect import bisect_left

from ordo_cli.index.layout import FIELDS, SIZE, Broken, code_of, read_head

TYPE_CHECKING = False  # typing costs 8 ms of the 60 that a completed word may take
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal

Fields = list[str]
"""Name of the instrument, its name in words, tick, lot, freeze quantity, lower and upper band, ISIN, and the broker's
code, number, segment and what else it wants, as `Builder.add` was given them; what is unknown is empty."""

ID, NAME, TICK, LOT, FREEZE, LOW, HIGH, ISIN, CODE, TOKEN, SEGMENT, MORE = range(FIELDS)


class Index:
    """An index that lies open. It goes on showing what it showed when its file is replaced. Raises Broken, OSError."""

    __slots__ = ("_map", "_views", "head", "stamp")

    def __init__(self, path: str) -> None:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        try:
            self.stamp = stamp_of(os.fstat(descriptor))
            if self.stamp[2] < SIZE:
                raise Broken("it is too short")
            self._map = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
        finally:
            os.close(descriptor)
        self.head = read_head(self._map[:SIZE], len(self._map))
        self._views: dict[str, memoryview] = {}

    def whole(self) -> bool:
        """Whether every byte is as it was written; 10 ms for 150,000 rows."""
        return zlib.crc32(memoryview(self._map)[SIZE:]) == self.head.body

    def column(self, name: str, size: Literal["B", "I", "Q"]) -> memoryview:
        """A section as numbers of this size: `B`, `I` or `Q`. Little-endian, as are the machines that ordo runs on."""
        view = self._views.get(name)
        if view is None:
            offset, length = self.head.places[name]
            view = self._views[name] = memoryview(self._map)[offset : offset + length].cast(size)
        return view

    def text(self, name: str) -> bytes:
        offset, length = self.head.places[name]
        return self._map[offset : offset + length]

    def row(self, number: int) -> Fields:
        """The fields of a row. Raises Broken when they are not as they were written."""
        starts = self.column("starts", "I")
        begin = self.head.places["records"][0]
        record = self._map[begin + starts[number] : begin + starts[number + 1]]
        if len(record) < 5 or int.from_bytes(record[:4], "little") != zlib.crc32(record[4:]):
            raise Broken(f"row {number} was damaged")
        fields = record[4:].decode("utf-8").split("\t")
        if len(fields) != FIELDS:
            raise Broken(f"row {number} is not a row")
        return fields

    def found(self, by: str, text: str) -> Iterator[int]:
        """The numbers of the rows that may be meant: their check sum is that of the text."""
        column, code = self.column(by, "Q"), code_of(text)
        at = bisect_left(column, code << 32)
        while at < len(column) and column[at] >> 32 == code:
            yield column[at] & 0xFFFFFFFF
            at += 1

    def named(self, instrument: str) -> list[Fields]:
        """The rows of this instrument: one, none, or several that differ, and then nobody may choose."""
        return [row for row in map(self.row, self.found("by_id", instrument)) if row[ID] == instrument]

    def coded(self, code: str, segment: str = "") -> list[Fields]:
        """The rows of this broker's code, in one segment or in all."""
        rows = map(self.row, self.found("by_code", code))
        return [row for row in rows if row[CODE] == code and segment in ("", row[SEGMENT])]

    def numbered(self, token: str, segment: str = "") -> list[Fields]:
        """The rows of this broker's number, in one segment or in all."""
        rows = map(self.row, self.found("by_token", token))
        return [row for row in rows if row[TOKEN] == token and segment in ("", row[SEGMENT])]


def stamp_of(status: os.stat_result) -> tuple[int, int, int]:
    """What tells one file of a name from the next one."""
    return status.st_ino, status.st_mtime_ns, status.st_size


def open_index(path: str) -> Index | None:
    """The index there; None when there is none, or what is there is not a whole one."""
    try:
        return Index(path)
    except (OSError, ValueError):
        return None
