"""The `[brokers.paper]` table of the configuration, and the one handle that all accounts of a process share."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress

from ordo_cli.brokers.base import Permit, Tools
from ordo_cli.brokers.paper.amounts import SCALE
from ordo_cli.brokers.paper.exchange import Answer, Exchange, Rules
from ordo_cli.brokers.paper.hours import Hours
from ordo_cli.brokers.paper.messages import Message
from ordo_cli.domain.errors import Invalid, NoAnswer
from ordo_cli.domain.money import shown

FILE = "paper.db"
TOGETHER = 64  # messages that are answered in one transaction
AHEAD = 128  # messages between claim and answer: more, and the last would leave too long after its claim
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


def answered[T](view: Callable[..., T], *values: object) -> T:
    """What the exchange shows or says. Raises NoAnswer when its file fails."""
    try:
        return view(*values)
    except sqlite3.Error as error:
        raise NoAnswer(f"the paper exchange's file could not be read: {error}") from error


class Parcel:
    """One message that waits to leave, and who waits for its answer."""

    __slots__ = ("answered", "loop", "message", "permit")

    def __init__(
        self,
        message: Message,
        permit: Permit | None,
        loop: asyncio.AbstractEventLoop,
        answered: asyncio.Future[tuple[int, Answer | None]],
    ) -> None:
        self.message, self.permit, self.loop, self.answered = message, permit, loop, answered

    def tell(self, number: int, answer: Answer | None) -> None:
        self._in_its_loop(self.answered.set_result, (number, answer))

    def fail(self, error: BaseException) -> None:
        self._in_its_loop(self.answered.set_exception, error)

    def _in_its_loop[T](self, settle: Callable[[T], None], outcome: T) -> None:
        # Nobody listens any more when the waiting task was cancelled or its loop is closed: as with any answer.
        with suppress(RuntimeError):
            self.loop.call_soon_threadsafe(lambda: None if self.answered.done() else settle(outcome))


class Line:
    """The exchange in its worker thread: the event loop never waits for it, and a thousand accounts open it once."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.users = 0
        self._worker = ThreadPoolExecutor(1, "paper-exchange")
        self._room = asyncio.Semaphore(AHEAD)
        self._leaving: deque[Parcel] = deque()
        self._unanswered: deque[tuple[int, Parcel]] = deque()

    async def deliver(self, message: Message, permit: Permit | None, *, listen: bool) -> tuple[int, Answer | None]:
        """Send a message, and if we are to listen hear what the exchange says; None while its clock has not come to it.

        Messages of many accounts at once leave one by one, each in a transaction and behind a permit of its own, and
        before any of them is answered, so that the last of a thousand does not wait until its permit is too old.
        """
        async with self._room:
            if permit is not None:
                await permit.claim()
            if not listen:
                return await self.run(self.exchange.send, message, permit), None
            return await self._deliver(message, permit)

    async def _deliver(self, message: Message, permit: Permit | None) -> tuple[int, Answer | None]:
        loop = asyncio.get_running_loop()
        parcel = Parcel(message, permit, loop, loop.create_future())
        self._leaving.append(parcel)
        self._worker.submit(self._carry)
        return await parcel.answered

    def _carry(self) -> None:
        """In the worker: all that waits to leave, then some answers; what is sent in between leaves before the rest."""
        while self._leaving:
            parcel = self._leaving.popleft()
            try:
                self._unanswered.append((self.exchange.send(parcel.message, parcel.permit), parcel))
            except BaseException as error:  # whatever it is belongs to the one who asked, not to this thread
                parcel.fail(error)
        together = [self._unanswered.popleft() for _ in range(min(TOGETHER, len(self._unanswered)))]
        if together:
            self._hear(together)
        if self._unanswered:
            self._worker.submit(self._carry)

    def _hear(self, sent: list[tuple[int, Parcel]]) -> None:
        try:
            answers = self.exchange.answers([number for number, _ in sent])
        except BaseException as error:
            for _, parcel in sent:
                parcel.fail(error)
        else:
            for (number, parcel), answer in zip(sent, answers, strict=True):
                parcel.tell(number, answer)

    async def run[T](self, work: Callable[..., T], *values: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._worker, work, *values)

    def close(self) -> None:
        self._worker.shutdown(wait=True)
        self.exchange.close()


_lines: dict[tuple[str, Rules, int, int], Line] = {}  # those in use, by file, rules, clock and event loop
_lock = threading.Lock()


@asynccontextmanager
async def line(tools: Tools) -> AsyncIterator[Line]:
    """The shared handle; opened by the first account and closed by the last."""
    key = (str(tools.data / FILE), rules_of(tools.options), id(tools.clock), id(asyncio.get_running_loop()))
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
