"""One server process: the desk, the application, uvicorn around it, and an end that leaves no order halfway."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Iterator

import uvicorn
from fastapi import FastAPI

from ordo_cli import log
from ordo_cli.api.app import LANDING, make_app
from ordo_cli.api.flights import LONGEST, Flights
from ordo_cli.api.meters import telling
from ordo_cli.api.metrics import Counted
from ordo_cli.api.notifying import ALIVE, READY, STOPPING, heartbeat, notify
from ordo_cli.api.protocol import patient
from ordo_cli.api.settings import Settings
from ordo_cli.desk import Desk, open_desk
from ordo_cli.domain.kill import GLOBAL
from ordo_cli.home import Home
from ordo_cli.services import kill

CLOSING = 3  # seconds that answers under way get once everything has landed
ONCE = 1.0  # seconds within which a worker that is told twice to end was told once
BRIEF = 0.0005  # seconds that a thread may keep the interpreter: one that reads a list holds up no kill
ACTOR = "serve"  # who does what no token asked for

Ready = Callable[[Desk], None]
"""Told once requests are answered."""
Say = Callable[[str], None]
"""Says a line to whoever started the server."""


def run(
    home: Home,
    settings: Settings,
    sockets: list[socket.socket],
    tls: ssl.SSLContext | None,
    ready: Ready,
    say: Say,
    parent: int | None = None,
) -> None:
    """Serve until SIGTERM or Ctrl-C, and return when everything that was on the wire is written down.

    A worker ends so too when `parent`, a descriptor, does: nobody would end it any more.
    """
    sys.setswitchinterval(BRIEF)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(home, settings, sockets, tls, ready, say, parent))


def try_out(home: Home) -> None:
    """Open the home once and close it, before workers do it side by side. Raises what keeps it from being used."""

    async def once() -> None:
        async with open_desk(home, actor=ACTOR):
            pass

    asyncio.run(once())


async def _serve(
    home: Home,
    settings: Settings,
    sockets: list[socket.socket],
    tls: ssl.SSLContext | None,
    ready: Ready,
    say: Say,
    parent: int | None,
) -> None:
    counted = Counted()
    async with telling(os.environ, counted) as meter, open_desk(home, actor=ACTOR, meter=meter) as desk:
        log.configure(home.logs, desk.clock, "info")
        _collect_uvicorn()
        app = make_app(desk, settings, counted)
        alone = parent is None
        server = Server(_config(app, tls, settings), lambda: _ready(ready, desk, alone))
        stopping = _listen(app, desk, server, say, parent)
        living = asyncio.ensure_future(_live(desk)) if alone else None
        try:
            await server.serve(sockets=sockets)
        finally:
            if stopping:
                await asyncio.wait(stopping)
            if living is not None:
                living.cancel()


def _ready(ready: Ready, desk: Desk, alone: bool) -> None:
    if alone:
        notify(READY)
    ready(desk)


async def _live(desk: Desk) -> None:
    """Signs of life for systemd: they end when this loop stands still."""
    beat = heartbeat()
    while beat is not None:
        await desk.clock.sleep(beat)
        notify(ALIVE)


class Server(uvicorn.Server):
    """uvicorn's server with signals answered here, and its start told."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None: `_listen` answers them, and a stop that was asked for is no death by signal."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()


def _config(app: FastAPI, tls: ssl.SSLContext | None, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=patient(settings.patience),
        ws="none",
        lifespan="on",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_graceful_shutdown=CLOSING,
        workers=1,
        ssl_context_factory=None if tls is None else lambda config, default: tls,
    )


def _listen(app: FastAPI, desk: Desk, server: Server, say: Say, parent: int | None) -> list[asyncio.Task[None]]:
    """SIGTERM and Ctrl-C end in order, once; a second one leaves at once. SIGUSR1 stops all sending."""
    loop, stopping = asyncio.get_running_loop(), list[asyncio.Task[None]]()
    flights: Flights = app.state.flights
    first = 0.0

    def waiting(names: tuple[str, ...]) -> None:
        what = f"the clean-up is under way: {', '.join(names)}"
        log.get(__name__).warning("stopping", waits_for=list(names))
        say(f"stopping when it is done: {what}, up to {LONGEST:g} s (again to leave now)")
        if parent is None:
            notify(f"STATUS={what}")

    async def stop() -> None:
        desk.stopping.set()
        if cut := await flights.land(LANDING, waiting):
            log.get(__name__).error("cut", flights=cut)
            say(f"{cut} requests were cut halfway; what became of them: ordo status, ordo audit show")
        server.should_exit = True

    def heard() -> None:
        nonlocal first
        if stopping and parent is not None and loop.time() - first < ONCE:
            return  # the parent's word and that of whoever ends the whole group are one
        first = first or loop.time()
        if stopping:
            flights.leave()
            server.force_exit = server.should_exit = True
            return
        stopping.append(loop.create_task(stop()))
        if parent is None:
            notify(STOPPING)

    def orphaned() -> None:
        assert parent is not None
        loop.remove_reader(parent)
        if not stopping:
            heard()

    def press() -> None:
        flights.begin(kill.engage(desk, GLOBAL, reason="SIGUSR1"))

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, heard)
    loop.add_signal_handler(signal.SIGUSR1, press)
    if parent is not None:
        loop.add_reader(parent, orphaned)
    return stopping


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """uvloop's where there is one: half the memory of a TLS connection, and twice the requests."""
    try:
        import uvloop
    except ImportError:  # Windows has none
        return asyncio.new_event_loop
    return uvloop.new_event_loop


class _Collector(logging.Handler):
    """uvicorn's own words, among ordo's log lines."""

    def emit(self, record: logging.LogRecord) -> None:
        level = "error" if record.levelno >= logging.ERROR else "warning"
        getattr(log.get(record.name), level)("uvicorn", message=record.getMessage(), exc_info=record.exc_info)


def _collect_uvicorn() -> None:
    logger = logging.getLogger("uvicorn")
    logger.handlers, logger.propagate = [_Collector(logging.WARNING)], False
    logger.setLevel(logging.WARNING)
