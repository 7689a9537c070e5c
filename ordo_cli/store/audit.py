"""The audit log: rows of their own, reading them back, and following the chain."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from ordo_cli.domain.legs import FanOutId
from ordo_cli.domain.trail import Anchor, Checker, Filters, Line, Stored, Verdict, line_of
from ordo_cli.store.chain import Origin, Tell
from ordo_cli.store.driver import Ask, Body
from ordo_cli.store.rows import micros, place_of

if TYPE_CHECKING:
    from ordo_cli.store.base import Database

PAGE = 5_000
NO_END = 2**62


class Audit:
    def __init__(self, database: Database, origin: Callable[[], Origin]) -> None:
        self._database = database
        self._origin = origin

    async def append(self, type: str, data: Mapping[str, object], ids: Mapping[str, object] | None = None) -> None:
        """Write a row about something that has no transaction of its own."""
        await self._database.run(telling, Tell(self._origin(), type, ids=ids, data=data))

    async def rows(self, filters: Filters | None = None, limit: int = 50) -> list[Line]:
        """The latest rows that fit, oldest first."""
        return await self._database.read(_reading, filters or {}, limit)

    async def of_fan_out(self, fan_out: FanOutId, after: int = 0) -> list[Line]:
        """Every row of one fan-out behind a row, oldest first; at most a page."""
        return await self._database.read(_of_fan_out, fan_out, after)

    async def verify(self, anchors: Iterable[Anchor] = ()) -> Verdict:
        """Follow the whole chain, and compare it with heads that were kept elsewhere."""
        known = list(anchors)
        checker = Checker(known)
        async for page in self.pages():
            if not checker.take(page):
                break
        return checker.verdict(known)

    async def pages(self) -> AsyncIterator[list[Stored]]:
        """The whole chain as it is stored, from the first row."""
        after = -NO_END
        while page := await self._database.read(_page, after):
            yield page
            after = page[-1][0]

    async def head(self) -> tuple[int, str]:
        """How many rows there are, and the hash of the last."""
        found = await self._database.read(_head)
        return (found[0][0], found[0][1].hex()) if found else (0, "0" * 64)


def telling(tell: Tell) -> Body[None]:
    """A transaction of one audit row alone."""
    yield tell


def _page(after: int) -> Body[list[Stored]]:
    return (yield Ask("audit_page", {"after": after, "most": PAGE}))


def _head() -> Body[list[tuple[int, bytes]]]:
    return (yield Ask("audit_head"))


def _of_fan_out(fan_out: str, after: int) -> Body[list[Line]]:
    rows = yield Ask("audit_of_fan_out", {"fan_out": fan_out, "after": after, "most": PAGE})
    return [line_of(row[1]) for row in rows]


def _reading(filters: Filters, limit: int) -> Body[list[Line]]:
    leg = filters.get("leg")
    fan_out = filters.get("fan_out") or (place_of(leg)[0] if leg else None)  # type: ignore[arg-type]  # text of a leg
    since = filters.get("since")
    parameters = {
        "type": filters.get("type"),
        "fan_out": fan_out,
        "since": micros(since) if since is not None else -NO_END,
        "most": PAGE,
    }
    lines: list[Line] = []
    before = NO_END
    while len(lines) < limit:
        most = PAGE if leg else limit - len(lines)
        page = yield Ask("audit_rows", {**parameters, "before": before, "most": most})
        found = [line_of(row[0]) for row in page]
        lines += [line for line in found if leg is None or line.ids.get("leg") == leg]
        if len(page) < most:
            break
        before = found[-1].seq
    return lines[:limit][::-1]
