"""The `[brokers.paper]` table of the configuration, and the one handle that all accounts of a process share."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from ordo_cli.brokers.base import Tools
from ordo_cli.brokers.paper.amounts import SCALE
from ordo_cli.brokers.paper.exchange import Exchange, Rules
from ordo_cli.brokers.paper.hours import Hours
from ordo_cli.domain.errors import Invalid
from ordo_cli.domain.money import shown

FILE = "paper.db"
OPTIONS = {
    "hours": "always (default), or exchange: 09:15 to 15:30 on weekdays in India",
    "seed": "a whole number: which prices the feed makes (1)",
    "funds": "whole rupees that a new account starts with (10000000)",
}


def rules_of(options: Mapping[str, str]) -> Rules:
    """The rules that the configuration spells. Raises Invalid for a word or value that it cannot have."""
    for name in options:
        if name not in OPTIONS:
            raise Invalid(f"[brokers.paper] has no setting {shown(name)}", hint="it has: " + " ".join(OPTIONS))
    hours = options.get("hours", "always")
    if hours not in ("always", "exchange"):
        raise Invalid(f"[brokers.paper] hours = {shown(hours)} is neither always nor exchange")
    funds = _whole(options, "funds")
    return Rules(
        seed=_whole(options, "seed") or 1,
        hours=Hours(exchange=hours == "exchange"),
        **({} if funds is None else {"funds": funds * SCALE}),
    )


def _whole(options: Mapping[str, str], name: str) -> int | None:
    text = options.get(name)
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 11:
        raise Invalid(f"[brokers.paper] {name} = {shown(text)} is not a whole number")
    return int(text)


class Line:
    """The exchange in its worker thread: the event loop never waits for it, and a thousand accounts open it once."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.users = 0
        self._worker = ThreadPoolExecutor(1, "paper-exchange")

    async def run[T](self, work: Callable[..., T], *values: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._worker, work, *values)

    def close(self) -> None:
        self._worker.shutdown(wait=True)
        self.exchange.close()


_lines: dict[tuple[str, Rules, int], Line] = {}  # those in use, by file, rules and clock
_lock = threading.Lock()


@asynccontextmanager
async def line(tools: Tools) -> AsyncIterator[Line]:
    """The shared handle; opened by the first account and closed by the last."""
    key = (str(tools.data / FILE), rules_of(tools.options), id(tools.clock))
    with _lock:
        shared = _lines.get(key)
        if shared is None:
            shared = _lines[key] = Line(Exchange(key[0], tools.clock, key[1]))
        shared.users += 1
    try:
        yield shared
    finally:
        with _lock:
            shared.users -= 1
            last = not shared.users
            if last:
                del _lines[key]
        if last:
            shared.close()
