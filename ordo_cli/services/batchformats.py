"""The formats of files of orders: CSV, JSON, JSON Lines and YAML, each read strictly and line by line."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

from ordo_cli.domain.batch import COLUMNS, Fault, column_faults, read_row
from ordo_cli.domain.money import shown
from ordo_cli.domain.values import dataclass

LONGEST_CELL = 1_000  # characters


class Format(StrEnum):
    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"
    YAML = "yaml"


Record = tuple[int, Mapping[str, str]] | Fault
"""A line's number and its cells by column, or what keeps it from having any."""


def line_at(text: str, position: int) -> int:
    """The number of the line that this position lies in."""
    return text.count("\n", 0, position) + 1


def _csv(text: str) -> Iterator[Record]:
    """Rows under one line of column names. Lines are read one by one: no cell of an order spans two of them, and an
    unclosed quote then spoils one line instead of the rest of the file."""
    columns: list[str] | None = None
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        cells = _cells(number, line)
        if isinstance(cells, Fault):
            yield cells
            if columns is None:
                return
        elif columns is None:
            columns = cells
            faults = _dialect(number, line) or column_faults(number, columns)
            yield from faults
            if faults:
                return  # under names that are wrong, every row would be too
        elif len(cells) != len(columns):
            yield Fault(number, f"{len(cells)} cells under {len(columns)} columns")
        else:
            yield number, dict(zip(columns, cells, strict=True))


def _cells(number: int, line: str) -> list[str] | Fault:
    if '"' not in line:
        cells = line.split(",")
    else:
        try:
            cells = next(csv.reader([line], strict=True))
        except csv.Error as error:
            return _misquoted(number, str(error))
    if len(line) > LONGEST_CELL and any(len(cell) > LONGEST_CELL for cell in cells):
        return _too_long(number)
    return cells


def _misquoted(number: int, reason: str) -> Fault:
    if "limit" in reason:
        return _too_long(number)
    wrong = "a quote is not closed" if "unexpected end" in reason else "a quote in the middle of a cell"
    return Fault(number, wrong, None, "a line break inside a cell is not allowed")


def _too_long(number: int, column: str | None = None) -> Fault:
    return Fault(number, f"a cell of more than {LONGEST_CELL} characters", column)


def _dialect(number: int, line: str) -> list[Fault]:
    if "," in line:
        return []
    for mark, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if mark in line:
            return [Fault(number, f"cells are separated by {name}", None, "separate them with commas")]
    return []


def _json(text: str) -> Iterator[Record]:
    """A list of objects. Each is decoded on its own, so that its line is known."""
    decoder, position, end = _decoder(), _skip(text, 0), len(text)
    if position >= end or text[position] != "[":
        yield Fault(line_at(text, position), "expected a list of orders: [{…}, {…}]")
        return
    position = _skip(text, position + 1)
    line, counted = 1, 0
    first = True
    while True:
        line, counted = line + text.count("\n", counted, position), position
        if position < end and text[position] == "]" and first:
            break
        value, position = _value(decoder, text, position, line)
        yield from _json_row(line, value)
        if isinstance(value, Fault):
            return
        first = False
        position = _skip(text, position)
        if position < end and text[position] == "]":
            break
        if position >= end or text[position] != ",":
            yield Fault(line_at(text, position), "expected a comma or the end of the list")
            return
        position = _skip(text, position + 1)
    if (after := _skip(text, position + 1)) < end:
        yield Fault(line_at(text, after), "something stands after the end of the list")


def _jsonl(text: str) -> Iterator[Record]:
    """One object a line; a line that is broken does not spoil the next."""
    decoder = _decoder()
    for number, line in enumerate(text.split("\n"), start=1):
        if not (stripped := line.strip(" \t")):
            continue
        value, position = _value(decoder, stripped, 0, number)
        if not isinstance(value, Fault) and stripped[position:].strip(" \t"):
            value = Fault(number, "something stands after the order")
        yield from _json_row(number, value)


class _Number(str):
    """A number as its digits stood in the file: a price never passes through a float."""

    __slots__ = ()


class _Pairs(list[tuple[str, Any]]):
    """An object of JSON before anybody decided about names given twice."""


def _decoder() -> json.JSONDecoder:
    return json.JSONDecoder(
        object_pairs_hook=_Pairs, parse_float=_Number, parse_int=_Number, parse_constant=_Number, strict=True
    )


def _value(decoder: json.JSONDecoder, text: str, position: int, line: int) -> tuple[Any, int]:
    try:
        return decoder.raw_decode(text, position)
    except json.JSONDecodeError as error:
        where = line + text.count("\n", position, min(error.pos, len(text)))
        return Fault(where, f"not JSON: {error.msg.lower()}"), position
    except RecursionError:
        return Fault(line, "nested too deeply"), position


def _skip(text: str, position: int) -> int:
    while position < len(text) and text[position] in " \t\n\r":
        position += 1
    return position


def _json_row(line: int, value: Any) -> Iterator[Record]:
    if isinstance(value, Fault):
        yield value
    elif not isinstance(value, _Pairs):
        yield Fault(line, "expected an order: {…}")
    else:
        yield from _object_row(line, value)


def _object_row(line: int, pairs: Sequence[tuple[str, Any]]) -> Iterator[Record]:
    faults = column_faults(line, [name for name, _ in pairs])
    cells: dict[str, str] = {}
    for name, value in pairs:
        text = _cell_of(value, QUOTED.get(name)) if name in COLUMNS else ""
        if text is None:
            faults.append(Fault(line, f"{name} must be {SPELLING.get(name, 'text')}", name))
        elif len(text) > LONGEST_CELL:
            faults.append(_too_long(line, name))
        else:
            cells[name] = text
    if not faults:
        yield line, cells
        return
    # The cells that could be read are read too, so that one run shows every mistake of the row.
    found = read_row(line, cells)
    shown_already = {fault.column for fault in faults}
    yield from faults
    yield from (fault for fault in (found if isinstance(found, list) else []) if fault.column not in shown_already)


QUOTED: Mapping[str, type] = {"qty": _Number, "disclosed": _Number, "amo": bool}
SPELLING = {"qty": "a whole number, not text", "disclosed": "a whole number, not text", "amo": "true or false"}
SPELLING |= {"limit": 'a number or text like "1500.05"', "trigger": 'a number or text like "1500.05"'}
SPELLING |= {"to": "text, or a list of names"}


def _cell_of(value: Any, exactly: type | None) -> str | None:
    """A value of JSON as the cell it would be in a table; None when its kind does not belong there."""
    if value is None:
        return ""
    if exactly is not None:
        return (str(value).lower() if exactly is bool else str(value)) if type(value) is exactly else None
    if type(value) is list and all(isinstance(item, str) for item in value):
        return " ".join(value)
    return str(value) if isinstance(value, str) else None


def _yaml(text: str) -> Iterator[Record]:
    """A list of mappings, read as a stream: composing a tree would recurse in C and die of a deep one."""
    import yaml  # 25 ms; only for files in YAML

    line = 1
    try:
        open_nodes: list[_Node] = []
        for event in yaml.parse(text, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader)):
            line = event.start_mark.line + 1 if event.start_mark else line
            done = _grown(open_nodes, event, line)
            if isinstance(done, Fault):
                yield done
                return
            if done is not None and len(open_nodes) == 1 and isinstance(open_nodes[0].value, list):
                yield from _json_row(done.line, done.value)
                open_nodes[0].value.clear()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = mark.line + 1 if mark else line
        yield Fault(where, f"not YAML: {getattr(error, 'problem', None) or 'a character that it does not allow'}")


@dataclass(slots=True)
class _Node:
    """A list or an object of YAML that is still open, or a value that is complete. `name` waits for its value."""

    line: int
    value: Any
    name: str | None = None


DEEPEST = 3  # the list, the order, the names under `to`


def _grown(open_nodes: list[_Node], event: Any, line: int) -> _Node | Fault | None:
    """Take one event in: the node that it completes below the outermost list, a fault, or neither."""
    kind = type(event).__name__
    if kind == "AliasEvent" or getattr(event, "anchor", None):
        return Fault(line, "an anchor or a reference to one", None, "write the value out")
    if kind == "DocumentStartEvent" and open_nodes:
        return Fault(line, "more than one document")
    if kind in ("SequenceStartEvent", "MappingStartEvent", "ScalarEvent"):
        if getattr(event, "tag", None) not in (None, "!"):
            return Fault(line, f"a tag: {shown(str(event.tag))}", None, "write the plain value")
        if not open_nodes and kind != "SequenceStartEvent":
            return Fault(line, "expected a list of orders, each beginning with a dash")
        if len(open_nodes) >= DEEPEST and kind != "ScalarEvent":
            return Fault(line, "nested too deeply")
    if kind == "ScalarEvent":
        return _into(open_nodes, _Node(line, _scalar(event)))
    if kind in ("SequenceStartEvent", "MappingStartEvent"):
        open_nodes.append(_Node(line, [] if kind == "SequenceStartEvent" else _Pairs()))
    elif kind in ("SequenceEndEvent", "MappingEndEvent") and len(open_nodes) > 1:
        return _into(open_nodes, open_nodes.pop())
    return None


def _into(open_nodes: list[_Node], node: _Node) -> _Node | Fault | None:
    parent = open_nodes[-1]
    if not isinstance(parent.value, _Pairs):
        parent.value.append(node.value)
    elif parent.name is None:
        if not isinstance(node.value, str):
            return Fault(node.line, "the name of a value must be text")
        parent.name = node.value
    else:
        parent.value.append((parent.name, node.value))
        parent.name = None
    return node


def _scalar(event: Any) -> Any:
    """The text of a scalar as JSON would type it; in quotes it is text."""
    text = str(event.value)
    if event.style in ("'", '"', "|", ">"):
        return text
    if text in ("", "~", "null"):
        return None
    if text in ("true", "false"):
        return text == "true"
    return _Number(text) if text[:1].isdigit() else text


READERS: Mapping[Format, Callable[[str], Iterator[Record]]] = {
    Format.CSV: _csv,
    Format.JSON: _json,
    Format.JSONL: _jsonl,
    Format.YAML: _yaml,
}
