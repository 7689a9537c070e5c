"""JSON read strictly: no name twice, no number that is none, no half of a pair, no depth that costs."""

from __future__ import annotations

import json
import re
from typing import Any

from ordo_cli.api.problems import Malformed

DEEPEST = 16
LONGEST_NUMBER = 40  # characters; more digits than any quantity or price has
BOM = b"\xef\xbb\xbf"
LONE = re.compile("[\ud800-\udfff]")


def read(data: bytes) -> Any:
    """The value that this text spells, and nothing else. Raises Malformed with a sentence."""
    if data.startswith(BOM):
        raise Malformed("the body begins with a byte order mark, which JSON does not have")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("the body is not UTF-8") from None
    _require_shallow(text)
    try:
        value = json.loads(
            text, object_pairs_hook=_object, parse_constant=_constant, parse_float=_number, parse_int=_number
        )
    except json.JSONDecodeError as error:
        raise Malformed(f"the body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise _too_deep() from None
    if "\\u" in text:
        _require_whole_letters(value)
    return value


def _require_shallow(text: str) -> None:
    """Count brackets outside strings before anything is built: depth costs more than it looks."""
    if text.count("[") + text.count("{") <= DEEPEST:
        return
    depth, quoted, escaped = 0, False, False
    for letter in text:
        if escaped:
            escaped = False
        elif quoted:
            escaped, quoted = letter == "\\", letter != '"'
        elif letter == '"':
            quoted = True
        elif letter in "[{":
            depth += 1
            if depth > DEEPEST:
                raise _too_deep()
        elif letter in "]}":
            depth -= 1


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Malformed("the body gives the same name twice in one object")
    return found


def _constant(word: str) -> Any:
    raise Malformed(f"{word} is not JSON")


def _number(digits: str) -> int | float:
    if len(digits) > LONGEST_NUMBER:
        raise Malformed("the body holds a number that is too long")
    if digits.lstrip("-").isdigit():
        return int(digits)
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise Malformed("the body holds a number that is too large")
    return value


def _require_whole_letters(value: Any) -> None:
    if isinstance(value, str):
        if LONE.search(value):
            raise Malformed("the body holds half of a surrogate pair")
    elif isinstance(value, dict):
        for name, each in value.items():
            _require_whole_letters(name)
            _require_whole_letters(each)
    elif isinstance(value, list):
        for each in value:
            _require_whole_letters(each)


def _too_deep() -> Malformed:
    return Malformed(f"the body is nested more than {DEEPEST} deep")
