"""The audit trail as it is read: its rows, the filters for them, anchors kept elsewhere, and verdicts on the chain."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, TypedDict

from ordo_cli.domain.audit import GENESIS, PREFIX, instant
from ordo_cli.domain.errors import Invalid
from ordo_cli.domain.values import dataclass

ANCHOR_VERSION = "ordo-anchor-v1"


@dataclass(frozen=True, slots=True)
class Line:
    """One row: what happened to what, who did it, when and where, and how it is known."""

    seq: int
    at: datetime
    type: str
    actor: str
    ids: Mapping[str, Any]
    before: str | None
    after: str | None
    evidence: str | None
    data: Mapping[str, Any]
    host: str
    pid: int
    boot: str


class Filters(TypedDict, total=False):
    """What rows are wanted; nothing said means all."""

    type: str
    fan_out: str
    leg: str
    since: datetime


class State(StrEnum):
    """What a check of the chain found."""

    WHOLE = "whole"
    BROKEN = "broken"  # a row was changed, removed, swapped or put in
    TRUNCATED = "truncated"  # an anchor knows more rows than there are
    REWRITTEN = "rewritten"  # the chain is consistent and is not the one that was anchored


@dataclass(frozen=True, slots=True)
class Anchor:
    """The head of the chain at a time: kept outside, it proves that nothing before it was cut off or written anew."""

    origin: str  # ordo/<installation>
    size: int
    head: str
    at: str

    def text(self) -> str:
        """The anchor as one line of JSON."""
        fields = {"version": ANCHOR_VERSION, "origin": self.origin, "size": self.size, "head": self.head, "at": self.at}
        return json.dumps(fields, sort_keys=True)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the chain holds; `seq` is the first row that does not, or the anchored size that it misses."""

    state: State
    rows: int
    head: str
    seq: int | None = None
    reason: str | None = None


Stored = tuple[int, int, str, str | None, str, bytes]
"""A row as the store has it: number, time, type, fan-out, body, hash."""


class Checker:
    """Follows the chain row by row, and remembers its head where an anchor wants it."""

    def __init__(self, anchors: Iterable[Anchor] = ()) -> None:
        self.rows = 0
        self.head = GENESIS
        self.fault: tuple[int, str] | None = None
        self._wanted = {anchor.size for anchor in anchors}
        self._heads: dict[int, bytes] = {0: GENESIS} if 0 in self._wanted else {}

    def take(self, page: Iterable[Stored]) -> bool:
        """Check these rows; False from the first bad one on."""
        from hashlib import sha256  # OpenSSL's: twice as fast as the light one, and 3 ms that only a check pays

        head, rows, wanted = self.head, self.rows, self._wanted
        for seq, at, kind, fan_out, body, digest in page:
            if seq != rows + 1:
                return self._break(rows + 1, f"row {rows + 1} is missing")
            if not body.isascii() or sha256(PREFIX + head + body.encode()).digest() != digest:
                return self._break(seq, "its hash does not fit its text and the row before it")
            if not _says(body, seq, at, kind, fan_out):
                return self._break(seq, "its columns differ from its text")
            rows, head = seq, digest
            if rows in wanted:
                self._heads[rows] = head
        self.head, self.rows = head, rows
        return True

    def verdict(self, anchors: Iterable[Anchor] = ()) -> Verdict:
        """What was found, the chain itself first and then against the anchors."""
        head = self.head.hex()
        if self.fault is not None:
            return Verdict(State.BROKEN, self.rows, head, *self.fault)
        for anchor in sorted(anchors, key=lambda each: each.size):
            if anchor.size > self.rows:
                reason = f"an anchor of {anchor.at} knows {anchor.size} rows, there are {self.rows}"
                return Verdict(State.TRUNCATED, self.rows, head, self.rows + 1, reason)
            if self._heads[anchor.size].hex() != anchor.head:
                reason = f"row {anchor.size} is not the one that was anchored at {anchor.at}"
                return Verdict(State.REWRITTEN, self.rows, head, anchor.size, reason)
        return Verdict(State.WHOLE, self.rows, head)

    def _break(self, seq: int, reason: str) -> bool:
        self.fault = (seq, reason)
        self.rows = seq - 1
        return False


def _says(body: str, seq: int, at: int, kind: str, fan_out: str | None) -> bool:
    """Whether the columns beside a text repeat what it says.

    The text is known by its hash to be one of ours, keys in order and quotes inside values escaped, so finding a key
    where it stands is exact; reading it as JSON would take most of the time that a whole check needs.
    """
    second, micro = divmod(at, 1_000_000)
    when = body.find('","at":"') + 8
    ids = body.rfind('"ids":{')
    of = body.find('"fan_out":', ids)
    return (
        body.startswith(f"{_second(second)}.{micro:06}Z", when)
        and (of < 0 if fan_out is None else body.startswith(f'"{fan_out}"', of + 10))
        and body.find(f',"seq":{seq},"to":', ids) > 0
        and body.endswith(f',"type":"{kind}"}}')
    )


@lru_cache(maxsize=4)
def _second(second: int) -> str:
    return instant(second * 1_000_000)[:19]


def read_anchors(text: str, origin: str) -> list[Anchor]:
    """The anchors in a file, one a line. Raises Invalid for a line that is none, or is another installation's."""
    anchors = []
    for number, row in enumerate(text.splitlines(), start=1):
        if not row.strip():
            continue
        anchor = _anchor(row, number)
        if anchor.origin != origin:
            raise Invalid(f"line {number} is an anchor of {anchor.origin}, this is {origin}")
        anchors.append(anchor)
    if not anchors:
        raise Invalid("the file holds no anchor", hint="make one: ordo audit export FILE --anchor ANCHOR")
    return anchors


def _anchor(row: str, number: int) -> Anchor:
    try:
        fields = json.loads(row)
        if fields["version"] != ANCHOR_VERSION or type(fields["size"]) is not int or len(fields["head"]) != 64:
            raise ValueError
        return Anchor(str(fields["origin"]), fields["size"], str(fields["head"]), str(fields["at"]))
    except (ValueError, KeyError, TypeError):
        raise Invalid(f"line {number} of the anchors is not an anchor of ordo's") from None


def line_of(body: str) -> Line:
    """A row as it is shown, from its text."""
    said = json.loads(body)
    return Line(
        said["seq"],
        datetime.fromisoformat(said["at"]),
        said["type"],
        said["actor"],
        said["ids"],
        said["from"],
        said["to"],
        said["evidence"],
        said["data"],
        said["host"],
        said["pid"],
        said["boot"],
    )
