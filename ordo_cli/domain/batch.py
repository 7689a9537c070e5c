"""Batches: files of orders. What a row may say, what is wrong with it, and the key under which it is sent once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from enum import StrEnum
from functools import lru_cache
from typing import Any

from ordo_cli.domain.accounts import Target, parse_target
from ordo_cli.domain.allocation import Split
from ordo_cli.domain.errors import Invalid
from ordo_cli.domain.instruments import parse_instrument
from ordo_cli.domain.keys import check_key, fingerprint
from ordo_cli.domain.money import parse_price, parse_quantity, shown
from ordo_cli.domain.orders import OrderIntent, Product, Side, Validity
from ordo_cli.domain.text import clean
from ordo_cli.domain.values import dataclass

LABEL_LENGTH = 64
FLAGS = {"true": True, "yes": True, "false": False, "no": False}
FORMULA = ("=", "+", "-", "@")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong at a line of a file, and what helps."""

    line: int
    message: str
    column: str | None = None
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One order of a file. `key` only when the file gave one."""

    line: int
    intent: OrderIntent
    targets: tuple[Target, ...]
    split: Split = Split.EACH
    key: str | None = None

    @property
    def order(self) -> tuple[OrderIntent, tuple[Target, ...], Split]:
        """What it asks for, wherever it stands: rows with equal orders are the same row twice."""
        return self.intent, self.targets, self.split


def read_row(line: int, cells: Mapping[str, str]) -> Row | list[Fault]:
    """The order that these cells spell, or everything that is wrong with them. An empty cell is one not given."""
    said: dict[str, Any] = {}
    faults: list[Fault] = []
    for column, text in cells.items():
        if not text:
            continue
        try:
            said[column] = COLUMNS[column](text)
        except Invalid as error:
            faults.append(Fault(line, error.message, column, error.hint))
    for column in REQUIRED:
        if not cells.get(column):
            faults.append(Fault(line, f"{column} is missing", column))
    if faults:
        return faults
    try:
        intent = OrderIntent(**{NAMES.get(name, name): value for name, value in said.items() if name not in BESIDE})
    except Invalid as error:
        return [Fault(line, error.message, None, error.hint)]
    return Row(line, intent, said["to"], said.get("split", Split.EACH), said.get("key"))


def column_faults(line: int, columns: Sequence[str]) -> list[Fault]:
    """What is wrong with the names of columns: unknown, given twice, missing."""
    faults = [_unknown(line, name) for name in dict.fromkeys(columns) if name not in COLUMNS]
    twice = dict.fromkeys(name for name in columns if columns.count(name) > 1)
    faults += [Fault(line, f"column {shown(name)} is there twice", name) for name in twice]
    missing = [name for name in REQUIRED if name not in columns]
    return faults + [Fault(line, f"column {name} is missing", name) for name in missing]


def repeated_keys(rows: Sequence[Row]) -> list[Fault]:
    """A key names one order; a second row under it would never be sent."""
    first: dict[str, int] = {}
    faults = []
    for row in rows:
        if row.key is not None and first.setdefault(row.key, row.line) != row.line:
            faults.append(Fault(row.line, f"key {shown(row.key)} is taken by line {first[row.key]}", "key"))
    return faults


def keys_of(rows: Sequence[Row], batch: str, day: date) -> list[str]:
    """The key of each row: its own, or one made of what it asks for, the batch, the trading day and which copy it is.

    The same file on the same day gives the same keys, so running it again repeats answers and sends nothing.
    """
    copies: dict[object, int] = {}
    keys = []
    for row in rows:
        if row.key is not None:
            keys.append(row.key)
            continue
        copy = copies[row.order] = copies.get(row.order, 0) + 1
        keys.append(f"batch-{day:%Y%m%d}-{_digest(row, batch, copy)[:48]}")
    return keys


def _digest(row: Row, batch: str, copy: int) -> str:
    targets = [str(target) for target in row.targets]
    return fingerprint({"batch": batch, "intent": row.intent, "to": targets, "split": str(row.split), "copy": copy})


def _unknown(line: int, name: str) -> Fault:
    from difflib import get_close_matches  # 4 ms; only for a mistake

    near = get_close_matches(name, COLUMNS, 1)
    hint = f"did you mean {near[0]}?" if near else "columns are: " + " ".join(COLUMNS)
    return Fault(line, f"there is no column {shown(name)}", None, hint)


def _word[W: StrEnum](words: type[W]) -> Callable[[str], W]:
    known = {str(word): word for word in words}

    def read(text: str) -> W:
        if text not in known:
            raise Invalid(f"{shown(text)} is not one of {', '.join(known)}")
        return known[text]

    return read


@lru_cache(maxsize=4096)
def _targets(text: str) -> tuple[Target, ...]:
    names = text.replace(";", " ").split(" ")
    return tuple(parse_target(name) for name in names if name)


def _flag(text: str) -> bool:
    if text not in FLAGS:
        raise Invalid(f"{shown(text)} is not one of {', '.join(FLAGS)}")
    return FLAGS[text]


def _label(text: str) -> str:
    if clean(text, LABEL_LENGTH) != text or text.startswith(FORMULA):
        raise Invalid(
            f"{shown(clean(text))} is not a note", hint=f"up to {LABEL_LENGTH} visible characters on one line"
        )
    return text


COLUMNS: Mapping[str, Callable[[str], Any]] = {
    "side": _word(Side),
    "instrument": lru_cache(maxsize=4096)(parse_instrument),
    "qty": parse_quantity,
    "limit": lambda text: parse_price(text, "limit"),
    "trigger": lambda text: parse_price(text, "trigger"),
    "to": _targets,
    "product": _word(Product),
    "validity": _word(Validity),
    "amo": _flag,
    "disclosed": parse_quantity,
    "split": _word(Split),
    "tag": _label,
    "key": check_key,
}
REQUIRED = ("side", "instrument", "qty", "to")
BESIDE = frozenset({"to", "split", "key"})  # about the fan-out, not the order
NAMES = {"qty": "quantity", "limit": "limit_price", "trigger": "trigger_price", "amo": "after_market", "tag": "label"}
