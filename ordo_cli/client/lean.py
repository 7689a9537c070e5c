"""The client of the terminal: the same calls and the same patience on plain sockets, without httpx and asyncio."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ordo_cli.client import wire
from ordo_cli.client.address import Address
from ordo_cli.client.calls import Call
from ordo_cli.client.events import QUIET, Event, Reader
from ordo_cli.client.following import END, Following
from ordo_cli.client.patience import Lost, Pause, Reply, asking
from ordo_cli.client.tokens import bearer
from ordo_cli.domain.seams import Chance, Waiting

if TYPE_CHECKING:
    from ssl import SSLContext

TIMEOUT = 30.0  # seconds of one try
PATIENCE = 60.0  # of all tries together
AWAY = 3.0  # of tries that reach nobody: somebody is waiting for a word


class Lean:
    """Sends calls to one server, one after the other, each over a connection of its own."""

    def __init__(
        self,
        address: Address,
        token: str,
        clock: Waiting,
        chance: Chance,
        *,
        timeout: float = TIMEOUT,
        patience: float = PATIENCE,
        away: float = AWAY,
    ) -> None:
        self.address, self.clock, self.chance = address, clock, chance
        self._headers = bearer(token)
        self._timeout, self._patience, self._away = timeout, patience, away

    def ask(self, call: Call) -> Reply:
        """The answer to a call. Raises what the server refused it with, Unreachable or NoAnswer."""
        steps = asking(call, self.clock.elapsed, self.chance, self._patience, self._timeout, away=self._away)
        step = next(steps)
        while True:
            got: Reply | Lost | None = None
            if isinstance(step, Pause):
                self.clock.wait(step.seconds)
            else:
                got = self._send(call, step.seconds)
            try:
                step = steps.send(got)
            except StopIteration as end:
                reply: Reply = end.value
                return reply

    def follow(self, call: Call, last: str | None = None, end: float | None = None) -> Iterator[Event]:
        """The events of a stream, over as many connections as it takes, until the one that ends it, or until `end`."""
        reader, following = Reader(last), Following(call, self.clock.elapsed, self.chance, self._patience)
        while end is None or self.clock.elapsed() < end:
            try:
                answer = self._open(call, following.headers(reader), self._left(self._timeout, end))
                try:
                    if answer.status != 200:
                        following.refused(self._reply(answer))
                    else:
                        for text in answer.lines(lambda: self._left(QUIET, end)):
                            event = reader.line(text)
                            if event is None:
                                continue
                            following.heard()
                            yield event
                            if event.kind == END:
                                return
                        following.lost(Lost(True, "the stream ended early"))
                finally:
                    answer.close()
            except wire.Broken as broken:
                if end is not None and self.clock.elapsed() >= end:
                    return
                following.lost(Lost(broken.sent, broken.why))
            reader.fresh()
            self.clock.wait(self._left(following.pause, end))

    def _left(self, seconds: float, end: float | None) -> float:
        return seconds if end is None else max(0.001, min(seconds, end - self.clock.elapsed()))

    def _send(self, call: Call, seconds: float) -> Reply | Lost:
        try:
            answer = self._open(call, call.headers, seconds)
            try:
                return self._reply(answer, seconds)
            finally:
                answer.close()
        except wire.Broken as broken:
            return Lost(broken.sent, broken.why)

    def _open(self, call: Call, headers: dict[str, str], seconds: float) -> wire.Answer:
        asked = wire.question(self.address, call.method, call.where, {**self._headers, **headers}, call.content)
        return wire.ask(self.address, asked, self.clock.elapsed() + seconds, self.clock.elapsed, _tls)

    def _reply(self, answer: wire.Answer, seconds: float = TIMEOUT) -> Reply:
        return Reply(answer.status, answer.headers, answer.body(self.clock.elapsed() + seconds))


def _tls() -> SSLContext:
    from ordo_cli.client import tls  # 20 ms that plain http and sockets need not pay

    return tls.context()
