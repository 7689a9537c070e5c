"""`ordo serve` on the command line: the same operations over HTTP."""

from __future__ import annotations

import os
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from ordo_cli.cli import door
from ordo_cli.cli.exits import exit_code_for
from ordo_cli.cli.failures import fail
from ordo_cli.domain.errors import OrdoError, Refused

if TYPE_CHECKING:
    from ordo_cli.api.settings import Settings
    from ordo_cli.desk import Desk
    from ordo_cli.home import Home


def serve(
    host: Annotated[str, typer.Option("--host", metavar="H", help="Address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", metavar="N", min=0, max=65535, help="0 takes a free one")] = 8020,
    socket: Annotated[
        str | None, typer.Option("--socket", metavar="PATH", help="A Unix socket of this user instead")
    ] = None,
    expose: Annotated[bool, typer.Option("--expose", help="Let other machines in; takes TLS")] = False,
    tls_cert: Annotated[str | None, typer.Option("--tls-cert", metavar="F", help="Certificate chain, PEM")] = None,
    tls_key: Annotated[str | None, typer.Option("--tls-key", metavar="F", help="Its key, PEM")] = None,
    client_ca: Annotated[
        str | None, typer.Option("--client-ca", metavar="F", help="Clients must show a certificate of this authority")
    ] = None,
    workers: Annotated[int, typer.Option("--workers", metavar="N", min=1, max=64, help="Processes")] = 1,
    allow_host: Annotated[
        list[str] | None, typer.Option("--allow-host", metavar="H", help="Another name it is called by")
    ] = None,
    origin: Annotated[
        list[str] | None,
        typer.Option("--origin", metavar="O", help="A web page that may call, e.g. https://desk.example"),
    ] = None,
    rate: Annotated[
        int, typer.Option("--rate", metavar="N", min=0, help="Requests a second that one token may make; 0 is any")
    ] = 500,
    patience: Annotated[
        float, typer.Option("--patience", metavar="S", min=0.1, help="Seconds that a request may take to arrive")
    ] = 10.0,
    trusted_proxy: Annotated[
        list[str] | None, typer.Option("--trusted-proxy", metavar="A", help="Whose X-Forwarded-For is believed")
    ] = None,
) -> None:
    """Serve the same operations over HTTP, to this machine alone unless told otherwise.

    Example: ordo serve; then: ordo token create phone --scope read --scope kill:engage
    """
    from ordo_cli.api.counting import together
    from ordo_cli.api.settings import Settings

    settings = Settings(
        host=host,
        port=port,
        socket=None if socket is None else os.path.abspath(socket),
        expose=expose,
        tls_cert=tls_cert,
        tls_key=tls_key,
        client_ca=client_ca,
        workers=workers,
        allow_hosts=tuple(allow_host or ()),
        origins=tuple(origin or ()),
        trusted_proxies=tuple(trusted_proxy or ()),
        rate=rate,
        patience=patience,
    )
    with together(os.environ) if workers > 1 else nullcontext():  # before anything of Prometheus is imported
        _serve(door.home(), settings)


def _serve(home: Home, settings: Settings) -> None:
    from ordo_cli.api import listening, server  # FastAPI and uvicorn, 300 ms; here only
    from ordo_cli.api import workers as processes

    if not (os.path.exists(home.run) or os.path.exists(home.database)):
        raise Refused(f"there is no ordo at {home.data}", hint="make one: ordo init", code="no_home")
    listening.require_safe(settings)
    tls = listening.tls_context(settings)
    listener, settings = listening.listen(settings)
    try:
        if settings.workers == 1:
            server.run(home, settings, [listener], tls, partial(_announce, settings), door.say)
            return

        def work(worker: int, parent: int, told: processes.Told) -> int:
            def ready(desk: Desk) -> None:
                told()
                if worker == 0:
                    _announce(settings, desk)

            try:
                server.run(home, settings, [listener], tls, ready, door.say, parent)
            except OrdoError as error:
                return fail("serve", error, as_json=False) if worker == 0 else exit_code_for(error)
            return door.DONE

        server.try_out(home)
        door.leave(processes.supervise(home, settings.workers, work))
    finally:
        listener.close()
        listening.forget(settings)


def _announce(settings: Settings, desk: Desk) -> None:
    """Say where it listens and how to get in, once requests are answered."""
    where = f"unix:{settings.socket}" if settings.socket else settings.url
    many = f", {settings.workers} workers" if settings.workers > 1 else ""
    door.say(f"ordo serves at {where}{many} (home {desk.home.data})")
    if settings.loopback and not settings.socket:
        door.say(f"  what there is: {settings.url}/docs")
    if settings.host in ("0.0.0.0", "::") and not settings.allow_hosts and not settings.socket:  # noqa: S104  refused
        door.say("  other machines call it by the names that --allow-host gives; none is given")
    door.say("  a token to call it with: ordo token create NAME --scope read --scope trade")
    door.say("  to stop everything: ordo kill; to end this server: Ctrl-C")
