"""What a broker's refusals mean, as a reviewed table of data: only what a row cites is certain, all else is unknown.

A table is `tables/<broker>.toml` in this package:

    version = 1                    # grows with every change
    [[answer]]
    http = 403                     # the status, or leave it out for any
    code = "TokenException"        # the broker's own code or kind of error, as text; or leave it out for any
    message = "(?i)session expired"  # a pattern found in its message; or leave it out for any
    means = "session"              # rejected | session | wrong_answer | egress | rate
    as = "SESSION"                 # ordo's code of it, told to scripts
    hint = "ordo login"            # what helps, if anything does
    source = "DOC/16, FORUM"       # who says so: a row without a source is refused

`rejected` and `egress` are definitive refusals of an order, `rate` one only where the broker documents that an excess
is refused. Rows are tried in order and the first that fits decides. The default row, which stands in no table, is
unknown.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import cache
from typing import Any

from ordo_cli.brokers.base import WRONG_ANSWER
from ordo_cli.brokers.http import Answer
from ordo_cli.domain.errors import OrdoError, Rejected, SessionExpired
from ordo_cli.domain.text import clean
from ordo_cli.domain.values import dataclass


class Means(StrEnum):
    """What a row says of the order that was answered so."""

    REJECTED = "rejected"  # it is not at the broker, and never will be
    SESSION = "session"  # the session is over; the order is not at the broker
    WRONG_ANSWER = "wrong_answer"  # of a login: the same question may be answered once more
    EGRESS = "egress"  # this machine's address is not let in; the order is not at the broker
    RATE = "rate"  # one too many in a time, refused by the broker's own documentation


@dataclass(frozen=True, slots=True)
class Row:
    """One answer that is certain, and who says so."""

    means: Means
    named: str
    source: str
    http: int | None = None
    code: str | None = None
    message: re.Pattern[str] | None = None
    hint: str | None = None

    def fits(self, status: int, code: str, message: str) -> bool:
        return (
            (self.http is None or self.http == status)
            and (self.code is None or self.code == code)
            and (self.message is None or self.message.search(message) is not None)
        )


@dataclass(frozen=True, slots=True)
class Table:
    """One broker's rows."""

    broker: str
    version: int
    rows: tuple[Row, ...]

    def error_of(self, status: int, code: str, message: str) -> OrdoError | None:
        """The error that this answer surely means, or None: then nobody knows."""
        row = next((row for row in self.rows if row.fits(status, code, message)), None)
        if row is None:
            return None
        said = clean(message) or f"{self.broker} refused it"
        if row.means is Means.SESSION:
            return SessionExpired(said, hint=row.hint)
        return Rejected(said, hint=row.hint, code=WRONG_ANSWER if row.means is Means.WRONG_ANSWER else row.named)


Told = Callable[[Answer], tuple[str, str] | None]
"""The broker's code and message in an answer that is a refusal by its form; None for one that is none."""


def classify(broker: str, told: Told) -> Callable[[Answer], OrdoError | None]:
    """An adapter's `Classify`: its refusals by the table of its name."""
    table = load(broker)

    def judged(answer: Answer) -> OrdoError | None:
        said = told(answer)
        return None if said is None else table.error_of(answer.status, *said)

    return judged


@cache
def load(broker: str) -> Table:
    """The table of this broker. Raises ValueError for one that says less than it must."""
    with open(os.path.join(os.path.dirname(__file__), "tables", f"{broker}.toml"), "rb") as file:
        whole = tomllib.load(file)
    return Table(broker, int(whole["version"]), tuple(_row(broker, each) for each in whole["answer"]))


FIELDS = frozenset({"http", "code", "message", "means", "as", "hint", "source"})


def _row(broker: str, given: Mapping[str, Any]) -> Row:
    if not given.keys() <= FIELDS or not given.get("source") or not given.keys() & {"http", "code", "message"}:
        raise ValueError(f"a row of {broker}'s answers is not one: {dict(given)}")
    if given.get("http", 400) // 100 != 4 and "code" not in given and "message" not in given:
        raise ValueError(f"a status alone proves nothing of an order: {dict(given)}")
    message = given.get("message")
    return Row(
        Means(given["means"]),
        str(given["as"]),
        str(given["source"]),
        given.get("http"),
        None if given.get("code") is None else str(given["code"]),
        None if message is None else re.compile(message),
        given.get("hint"),
    )
