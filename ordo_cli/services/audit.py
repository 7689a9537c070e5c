"""The audit trail: rows that fit, the proof that none was changed, and copies of it for elsewhere."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from datetime import datetime

from ordo_cli.desk import Desk
from ordo_cli.domain.errors import Invalid, NotFound
from ordo_cli.domain.moments import moment_text
from ordo_cli.domain.trail import Anchor, Checker, Filters, Line, State, Stored, Verdict, read_anchors
from ordo_cli.domain.values import dataclass

NOTHING = "0" * 64


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export wrote: the file, and the anchor that says how far the chain was."""

    path: str
    rows: int
    anchor: Anchor
    anchor_path: str | None


async def rows(
    desk: Desk,
    *,
    kind: str | None = None,
    fan_out: str | None = None,
    leg: str | None = None,
    since: datetime | None = None,
    limit: int = 50,
) -> list[Line]:
    """The latest rows that fit, oldest first. Ids may be shortened to their beginning."""
    desk.rights.require_all_of_it()
    if limit < 1:
        raise Invalid("the limit is at least 1")
    filters: Filters = {}
    if kind is not None:
        filters["type"] = kind
    if leg is not None:
        filters["leg"] = (await desk.store.journal.leg(leg))[1].id
    if fan_out is not None:
        filters["fan_out"] = (await desk.store.journal.fan_out(fan_out)).id
    if since is not None:
        filters["since"] = since
    return await desk.store.audit.rows(filters, limit)


async def verify(desk: Desk, anchors: str | None = None) -> Verdict:
    """Follow the whole chain, and compare it with the anchors in a file or in all files of a folder."""
    desk.rights.require_all_of_it()
    known = [] if anchors is None else _anchors(anchors, _origin(desk))
    return await desk.store.audit.verify(known)


async def export(desk: Desk, path: str, anchor_path: str | None = None) -> Exported:
    """Write every row as a line of JSON to a new file, and the chain's head to the end of the file of anchors.

    Raises Invalid when the file exists, and when the chain does not hold: a copy of a broken chain proves nothing.
    """
    desk.rights.require_all_of_it()
    checker = Checker()
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise Invalid(f"{path} exists already and is not overwritten") from None
    except OSError as error:
        raise Invalid(f"{path} cannot be written: {error.strerror}") from None
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            async for line in _lines(desk, checker):
                file.write(line)
            file.flush()
            os.fsync(file.fileno())
        verdict = checker.verdict()
        if verdict.state is not State.WHOLE:
            raise Invalid(f"the chain is broken at row {verdict.seq}: {verdict.reason}", hint="see: ordo audit verify")
        anchor = Anchor(_origin(desk), verdict.rows, verdict.head, moment_text(desk.clock.now()))
        if anchor_path is not None:
            _add_anchor(anchor_path, anchor)
    except OSError as error:
        os.unlink(path)
        raise Invalid(f"the export could not be written: {error.strerror}") from None
    except BaseException:
        os.unlink(path)
        raise
    await desk.store.audit.append("export", {"rows": anchor.size, "head": anchor.head}, {})
    return Exported(path, verdict.rows, anchor, anchor_path)


async def _lines(desk: Desk, checker: Checker) -> AsyncIterator[str]:
    previous = NOTHING
    async for page in desk.store.audit.pages():
        if not checker.take(page):
            return
        for row in page:
            yield line_of(row, previous)
            previous = row[5].hex()


def line_of(row: Stored, previous: str) -> str:
    """One row as it is exported: the text that was hashed, and then what ties it to the row before."""
    return f'{row[4][:-1]},"prev":"{previous}","hash":"{row[5].hex()}"}}\n'


def _origin(desk: Desk) -> str:
    return f"ordo/{desk.store.install.id}"


def _anchors(path: str, origin: str) -> list[Anchor]:
    files = [path]
    if os.path.isdir(path):
        files = [os.path.join(path, name) for name in sorted(os.listdir(path)) if not name.startswith(".")]
    anchors: list[Anchor] = []
    for each in files:
        try:
            with open(each, encoding="utf-8", errors="replace") as file:
                anchors += read_anchors(file.read(), origin)
        except FileNotFoundError:
            raise NotFound(f"there is no file {each}") from None
        except OSError as error:
            raise Invalid(f"{each} cannot be read: {error.strerror}") from None
    if not anchors:
        raise NotFound(f"there is no anchor in {path}", hint="make one: ordo audit export FILE --anchor ANCHORS")
    return anchors


def _add_anchor(path: str, anchor: Anchor) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "a", encoding="ascii") as file:
        file.write(anchor.text() + "\n")
        file.flush()
        os.fsync(file.fileno())
