"""Files of orders: from bytes that anybody may have written to rows, with every mistake and its line."""

from __future__ import annotations

import os
import stat

from ordo_cli.domain.batch import Fault, Row, read_row, repeated_keys
from ordo_cli.domain.errors import Invalid, NotFound
from ordo_cli.domain.money import shown
from ordo_cli.services.batchformats import READERS, Format, line_at

LARGEST = 8 * 1024 * 1024  # bytes of a file
MOST_ROWS = 20_000
MOST_FAULTS = 1_000  # more would only hide the first


ENDINGS = {
    ".csv": Format.CSV,
    ".json": Format.JSON,
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
    ".yaml": Format.YAML,
    ".yml": Format.YAML,
}


def format_of(path: str, said: Format | None) -> Format:
    """The format that was said, or the one that the file's ending names."""
    if said is not None:
        return said
    ending = os.path.splitext(path)[1].lower()
    if ending not in ENDINGS:
        raise Invalid(
            f"{shown(path)} does not say its format", hint="end it in .csv, .json, .jsonl or .yaml, or give --format"
        )
    return ENDINGS[ending]


def load(path: str) -> bytes:
    """The file's bytes. Refuses what is not a plain file, and what is too large to be one of orders."""
    try:
        # Without O_NONBLOCK a named pipe would wait for a writer for ever.
        with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise Invalid(f"{shown(path)} is not a plain file")
            return file.read(LARGEST + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(f"there is no file {shown(path)}") from None
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or "it is no name of a file"
        raise Invalid(f"{shown(path)} cannot be read: {reason}") from None


def parse(data: bytes, kind: Format) -> tuple[list[Row], list[Fault]]:
    """Every row that is right, and everything that is wrong, in the order of the file."""
    text = _decoded(data)
    if isinstance(text, Fault):
        return [], [text]
    rows: list[Row] = []
    faults: list[Fault] = []
    for record in READERS[kind](text):
        found = [record] if isinstance(record, Fault) else read_row(*record)
        if isinstance(found, Row):
            rows.append(found)
        else:
            faults.extend(found)
        if len(rows) > MOST_ROWS:
            return [], [*faults, Fault(rows[-1].line, f"more than {MOST_ROWS} rows", None, "split the file")]
        if len(faults) >= MOST_FAULTS:
            return rows, [*faults[:MOST_FAULTS], Fault(faults[-1].line, "and more; this many are enough")]
    faults += repeated_keys(rows)
    if not rows and not faults:
        faults.append(Fault(1, "there is no order in the file"))
    return rows, sorted(faults, key=lambda fault: fault.line)


def _decoded(data: bytes) -> str | Fault:
    """The text of the file: UTF-8 with or without its mark, no NUL, no odd line ends."""
    if len(data) > LARGEST:
        return Fault(1, f"larger than {LARGEST // 1024 // 1024} MB", None, "split the file")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0\0" in (data[1:4:2], data[0:3:2]):
        return Fault(1, "the file is in UTF-16 or UTF-32", None, "save it as UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return Fault(data.count(b"\n", 0, error.start) + 1, "not UTF-8", None, "save the file as UTF-8")
    if (nul := text.find("\0")) >= 0:
        return Fault(line_at(text, nul), "a NUL character")
    if "\r" in text:
        text = text.replace("\r\n", "\n")
        if (lone := text.find("\r")) >= 0:
            return Fault(line_at(text, lone), "a carriage return inside a line", None, "end lines with LF or CRLF")
    return text
