"""The text of config.toml: finds, changes and removes a setting while every other line stays as its owner wrote it."""

from __future__ import annotations

import json
import re
import tomllib
from decimal import Decimal
from enum import StrEnum

from ordo_cli.domain.patterns import later

HEAD = """\
# Settings of ordo. Every line that begins with # shows a default; take the # away to change it,
# or write: ordo config set limits.value_order_max 300000
# Secrets never go here. The environment (ORDO_LIMITS__VALUE_ORDER_MAX) and flags come before this file.
"""
TAIL = """\
# Of the limits for everyone, for a group and for an account the strictest holds; paper accounts may have ten times
# the values and counts. "off" switches a limit off.
# [limits.groups.family]
# value_order_max = 100000
# [limits.accounts.alice]
# day_orders_max = 20
"""
_TABLE = later(r"\s*\[\s*([^\[\]]+?)\s*\]\s*(#.*)?$")
_KEY = later(r"\s*([A-Za-z0-9_\"'.\s-]+?)\s*=")


def literal(value: object) -> str:
    """A value as TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | Decimal | float):
        return format(Decimal(str(value)).normalize(), "f")
    if isinstance(value, list):
        return "[" + ", ".join(literal(item) for item in value) + "]"
    return json.dumps(str(value) if isinstance(value, StrEnum) else value)  # JSON's strings are TOML's


def line_of(text: str, path: str) -> int | None:
    """The number of the line where a setting begins, or None when it is written in some unusual way."""
    return next((begin + 1 for name, begin, _ in _entries(text) if name == path), None)


def with_value(text: str, path: str, value: str) -> str:
    """The text with one setting changed, or added to its table, or added with its table at the end."""
    lines = text.splitlines()
    table, _, key = path.rpartition(".")
    for name, begin, end in _entries(text):
        if name == path:
            before = lines[begin].partition("=")[0].rstrip()
            lines[begin : end + 1] = [f"{before} = {value}{_remark(lines[begin]) if begin == end else ''}"]
            return "\n".join(lines) + "\n"
    header = next((n for n, line in enumerate(lines) if _table_of(line) == table), None)
    if header is None:
        return "\n".join([*lines, "", f"[{table}]", f"{key} = {value}"]).lstrip("\n") + "\n"
    end = next((n for n in range(header + 1, len(lines)) if _table_of(lines[n]) is not None), len(lines))
    shown_default = (n for n in range(header + 1, end) if re.match(rf"\s*#\s*{re.escape(key)}\s*=", lines[n]))
    lines.insert(next(shown_default, header) + 1, f"{key} = {value}")
    return "\n".join(lines) + "\n"


def without_value(text: str, path: str) -> str:
    """The text without this setting, as far as it stands there."""
    lines = text.splitlines()
    for name, begin, end in reversed(_entries(text)):
        if name == path:
            del lines[begin : end + 1]
    return "\n".join(lines) + "\n"


def without_table(text: str, path: str) -> str:
    """The text without this table; remarks that follow it go too only when they stand inside it."""
    lines = text.splitlines()
    header = next((n for n, line in enumerate(lines) if _table_of(line) == path), None)
    if header is None:
        return text
    end = header + 1
    while end < len(lines) and lines[end].strip() and _table_of(lines[end]) is None:
        end += 1
    return "\n".join(lines[:header] + lines[end:]).rstrip("\n") + "\n"


def _entries(text: str) -> list[tuple[str, int, int]]:
    """Each setting with the numbers of its first and last line, counted from 0."""
    found: list[tuple[str, int, int]] = []
    lines, table, n = text.splitlines(), "", 0
    while n < len(lines):
        named = _table_of(lines[n])
        key = _KEY.match(lines[n])
        if named is not None:
            table = named
        elif key and not lines[n].lstrip().startswith("#"):
            end = _last_line(lines, n)
            found.append((_join(table, _plain(key.group(1))), n, end))
            n = end
        n += 1
    return found


def _last_line(lines: list[str], begin: int) -> int:
    """Where a value that began here is whole; lists and long texts may run over several lines."""
    for end in range(begin, len(lines)):
        try:
            tomllib.loads("\n".join(lines[begin : end + 1]))
        except tomllib.TOMLDecodeError:
            continue
        return end
    return begin


def _table_of(line: str) -> str | None:
    named = _TABLE.match(line)
    return _plain(named.group(1)) if named and not line.lstrip().startswith("#") else None


def _plain(name: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in name.split("."))


def _join(table: str, key: str) -> str:
    return f"{table}.{key}" if table else key


def _remark(line: str) -> str:
    """The remark at the end of a line, unless its # may stand inside a text."""
    value, hash_sign, remark = line.partition("#")
    return f"  #{remark}" if hash_sign and not set("\"'") & set(remark) and value.count('"') % 2 == 0 else ""
