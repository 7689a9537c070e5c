"""How results look: Rich tables on a terminal, aligned text in a pipe, CSV on request; foreign text is cleaned."""

from __future__ import annotations

import csv
import io
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from shutil import get_terminal_size
from typing import TYPE_CHECKING

from ordo_cli.cli.front import coloured, write_out
from ordo_cli.domain.market import IST
from ordo_cli.domain.moments import moment_text
from ordo_cli.domain.money import text_of
from ordo_cli.domain.text import clean, csv_cell

if TYPE_CHECKING:
    from rich.table import Table as RichTable
    from rich.text import Text

STYLES = {
    "filled": "green",
    "accepted": "green",
    "success": "green",
    "ok": "green",
    "armed": "green",
    "paper": "cyan",
    "open": "cyan",
    "partial": "cyan",
    "pending": "cyan",
    "sending": "cyan",
    "planned": "dim",
    "unknown": "bold magenta",
    "disputed": "bold magenta",
    "unclear": "bold magenta",
    "rejected": "red",
    "refused": "red",
    "failed": "red",
    "live": "bold red",
    "engaged": "bold red",
    "not_sent": "yellow",
    "blocked": "yellow",
    "warning": "yellow",
    "absent": "yellow",
    "cancelled": "dim",
    "expired": "dim",
}
STYLED_COLUMNS = frozenset({"state", "outcome", "verdict", "mode", "status"})
GAP = 2  # columns of a terminal between two of a table, as Rich keeps them
LEAST_TEXT = 20  # no column of running text is squeezed below this
NUMBER = re.compile(r"-?[0-9][0-9,]*(\.[0-9]+)?%?", re.ASCII)


def cleaned(text: str, limit: int = 500) -> str:
    """Text of a broker or a user without anything that a terminal would obey."""
    return clean(text, limit)


def cell(value: object) -> str:
    """A value as a table shows it: nothing as empty, exact numbers, cleaned text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return text_of(value)
    if isinstance(value, datetime):
        return indian_time(value)
    if isinstance(value, list | tuple | set | frozenset):
        return " ".join(cell(each) for each in value)
    return cleaned(str(value))


def indian_time(moment: datetime) -> str:
    """A moment to the second, as the clock of the exchanges shows it wherever this machine is."""
    return moment.astimezone(IST).strftime("%Y-%m-%d %H:%M:%S")


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, as_csv: bool = False) -> None:
    """Print rows: Rich on a terminal, aligned text in a pipe, CSV when asked for."""
    if as_csv:
        write_out(csv_text(columns, rows))
        return
    rows = list(rows)
    timed = {at for row in rows for at, value in enumerate(row) if isinstance(value, datetime)}
    columns = [name.replace("_", " ") + (" (IST)" if at in timed else "") for at, name in enumerate(columns)]
    cells = [[cell(value) for value in row] for row in rows]
    if rich_wanted():
        _rich_table(title, columns, cells)
    else:
        write_out(plain_text(columns, cells))


def plain_text(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    """Columns aligned with spaces, numbers to the right, a heading line and no decoration."""
    right = [_is_number_column(cells, at) for at in range(len(columns))]
    heads = [name.upper() for name in columns]
    widths = [max(len(row[at]) for row in [heads, *cells]) for at in range(len(columns))]
    lines = [
        "  ".join(
            text.rjust(width) if to_right else text.ljust(width)
            for text, width, to_right in zip(row, widths, right, strict=True)
        )
        for row in [heads, *cells]
    ]
    return "".join(line.rstrip() + "\n" for line in lines)


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """The rows as CSV in which no cell can be taken for a formula by a spreadsheet."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_csv_value(value) for value in row] for row in rows)
    return file.getvalue()


def _csv_value(value: object) -> str:
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return cell(value)  # a negative number is a number, not a formula
    if isinstance(value, datetime):
        return moment_text(value)
    return csv_cell(cell(value))


def _fact(value: object) -> str:
    return f"{cell(value)} IST" if isinstance(value, datetime) else cell(value)


def facts(title: str, pairs: Iterable[tuple[str, object]]) -> None:
    """Print one thing as lines of name and value; empty values are left out."""
    shown = [(name, _fact(value)) for name, value in pairs if value is not None and value != ""]
    width = max((len(name) for name, _ in shown), default=0)
    bold, plain = ("\x1b[1m", "\x1b[0m") if coloured(sys.stdout) else ("", "")
    head = f"{bold}{cleaned(title)}{plain}\n" if title else ""
    write_out(head + "".join(f"{name.ljust(width)}  {value}\n" for name, value in shown))


def text(whole: str) -> None:
    """Print several lines of result as they are laid out."""
    write_out("".join(f"{cleaned(each)}\n" for each in whole.strip().split("\n")))


def line(text: str) -> None:
    """Print one line of result."""
    write_out(cleaned(text) + "\n")


def rich_wanted() -> bool:
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def style_of(column: str, text: str) -> str:
    return STYLES.get(text, "") if column in STYLED_COLUMNS else ""


def _is_number_column(cells: Sequence[Sequence[str]], at: int) -> bool:
    filled = [row[at] for row in cells if row[at]]
    return bool(filled) and all(NUMBER.fullmatch(text) for text in filled)


def grid(title: str, columns: Sequence[str], cells: Sequence[Sequence[str]]) -> RichTable:
    """The rows as a Rich table as wide as the terminal; every cell is plain text to it, never markup.

    No word is broken to make a row fit: a row that is too wide goes on in a second line.
    """
    from rich.table import Table

    room = width()
    widths = fitted(columns, cells, room)
    drawn = Table(
        title=_styled(title, "bold") if title else None,
        title_justify="left",
        box=None,
        pad_edge=False,
        show_header=widths is not None,
    )
    if widths is None:
        drawn.add_column(overflow="fold")
        for line in _broken(columns, cells, room):
            drawn.add_row(line)
        return drawn
    for at, name in enumerate(columns):
        to_right = _is_number_column(cells, at)
        drawn.add_column(
            _styled(name, "bold"), justify="right" if to_right else "left", overflow="fold", width=widths[at]
        )
    for row in cells:
        drawn.add_row(*(_styled(text, style_of(name, text)) for name, text in zip(columns, row, strict=True)))
    return drawn


def fitted(columns: Sequence[str], cells: Sequence[Sequence[str]], room: int) -> list[int] | None:
    """How wide each column is when a row takes no more than the room: the widest of running text give way first.
    None when that is not enough."""
    widths = _natural(columns, cells)
    least = [
        min(wide, max(LEAST_TEXT, *(len(word) for row in cells for word in row[at].split()), 0))
        for at, wide in enumerate(widths)
    ]
    room -= GAP * (len(columns) - 1)
    while sum(widths) > room:
        givers = [at for at, wide in enumerate(widths) if wide > least[at]]
        if not givers:
            return None
        widths[max(givers, key=lambda at: widths[at])] -= 1
    return widths


def _natural(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> list[int]:
    from rich.cells import cell_len

    return [max(cell_len(text) for text in (name, *(row[at] for row in cells))) for at, name in enumerate(columns)]


def _broken(columns: Sequence[str], cells: Sequence[Sequence[str]], room: int) -> Iterator[Text]:
    """The heading and the rows, each over as many lines as it needs, with columns that still stand under each other."""
    widths = [min(wide, max(1, room - GAP)) for wide in _natural(columns, cells)]
    right = [_is_number_column(cells, at) for at in range(len(columns))]
    bands: list[list[int]] = [[]]
    for at, wide in enumerate(widths):
        indent = GAP if len(bands) > 1 else 0
        if bands[-1] and indent + sum(widths[one] + GAP for one in bands[-1]) + wide > room:
            bands.append([])
        bands[-1].append(at)
    for row, heading in [(columns, True), *((row, False) for row in cells)]:
        for number, band in enumerate(bands):
            if heading or any(row[at] for at in band):
                yield from _band_lines(row, columns, band, widths, right, indent=GAP if number else 0, heading=heading)


def _band_lines(
    row: Sequence[str],
    columns: Sequence[str],
    band: Sequence[int],
    widths: Sequence[int],
    right: Sequence[bool],
    *,
    indent: int,
    heading: bool,
) -> Iterator[Text]:
    from textwrap import wrap

    from rich.text import Text

    parts = {at: wrap(row[at], widths[at]) or [""] for at in band}
    for number in range(max(len(lines) for lines in parts.values())):
        line = Text(" " * indent)
        for at in band:
            text = parts[at][number] if number < len(parts[at]) else ""
            said = _styled(text, "bold" if heading else style_of(columns[at], row[at]))
            said.align("right" if right[at] else "left", widths[at])
            line.append_text(said).append(" " * GAP)
        line.rstrip()
        yield line


def _styled(text: str, style: str) -> Text:
    from rich.text import Text

    return Text(text, style=style)


def _rich_table(title: str, columns: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    from rich.console import Console  # 45 ms; only when somebody is looking

    Console(width=width()).print(grid(title, columns, cells))


def width() -> int:
    """Columns of the terminal; COLUMNS decides when it is set."""
    return get_terminal_size((100, 24)).columns


def height() -> int:
    """Lines of the terminal."""
    return get_terminal_size((100, 24)).lines
