"""The client without asyncio, for scripts. Made of `aioline.py` by `python -m tests.client.making`."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import httpx

from ordo_cli.client import tls
from ordo_cli.client.address import Address
from ordo_cli.client.calls import Call
from ordo_cli.client.events import QUIET, Event, Reader
from ordo_cli.client.following import END, Following
from ordo_cli.client.patience import Lost, Pause, Reply, asking
from ordo_cli.client.tokens import bearer
from ordo_cli.domain.seams import Chance, Waiting

CONNECT = 5.0  # seconds
TIMEOUT = 30.0  # of one try; a placing that takes longer is asked for again by its key
PATIENCE = 60.0  # of all tries together


class Line:
    """Sends calls to one server, each as often as it may be."""

    def __init__(
        self,
        address: Address,
        token: str | None,
        timeout: float,
        patience: float,
        verify: ssl.SSLContext | None,
        transport: httpx.BaseTransport | None,
        clock: Waiting,
        chance: Chance,
    ) -> None:
        self.clock, self.chance = clock, chance
        self._timeout, self._patience = timeout, patience
        if transport is None:
            context: ssl.SSLContext | bool = (verify or tls.context()) if address.secure else False
            transport = httpx.HTTPTransport(
                verify=context, http1=True, http2=False, trust_env=False, retries=0, uds=address.socket or None
            )
        self._http = httpx.Client(
            base_url=address.base, headers=bearer(token), transport=transport, trust_env=False, follow_redirects=False
        )

    def ask(self, call: Call) -> Reply:
        """The answer to a call. Raises what the server refused it with, Unreachable or NoAnswer."""
        steps = asking(call, self.clock.elapsed, self.chance, self._patience, self._timeout)
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

    def follow(self, call: Call, last: str | None = None) -> Iterator[Event]:
        """The events of a stream, over as many connections as it takes, until the one that ends it."""
        reader, following = Reader(last), Following(call, self.clock.elapsed, self.chance, self._patience)
        while True:
            headers = following.headers(reader)
            try:
                with self._http.stream("GET", call.where, headers=headers, timeout=_limits(QUIET)) as answer:
                    if answer.status_code != 200:
                        following.refused(_reply(answer, answer.read()))
                    else:
                        for text in answer.iter_lines():
                            event = reader.line(text)
                            if event is None:
                                continue
                            following.heard()
                            yield event
                            if event.kind == END:
                                return
                        following.lost(Lost(True, "the stream ended early"))
            except httpx.TransportError as error:
                following.lost(_lost(error, QUIET))
            reader.fresh()
            self.clock.wait(following.pause)

    def close(self) -> None:
        self._http.close()

    def _send(self, call: Call, seconds: float) -> Reply | Lost:
        try:
            answer = self._http.request(
                call.method, call.where, content=call.content, headers=call.headers, timeout=_limits(seconds)
            )
        except httpx.TransportError as error:
            return _lost(error, seconds)
        return _reply(answer, answer.content)


def _limits(seconds: float) -> httpx.Timeout:
    return httpx.Timeout(seconds, connect=min(seconds, CONNECT))


def _reply(answer: httpx.Response, content: bytes) -> Reply:
    return Reply(answer.status_code, {name.lower(): value for name, value in answer.headers.items()}, content)


def _lost(error: httpx.TransportError, seconds: float) -> Lost:
    before = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout | httpx.ProxyError)
    if isinstance(error, httpx.TimeoutException):
        return Lost(not before, f"nothing came within {seconds:.1f} seconds")
    # The words of the error may name an address with more in it than the user wants to see again; its kind is enough.
    return Lost(not before, "no connection" if before else f"the connection broke ({type(error).__name__})")
