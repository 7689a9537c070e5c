"""`ordo sandbox` on the command line: brokers' own protocols on this machine, to try ordo against without a broker."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from ordo_cli.cli import door
from ordo_cli.cli.front import write_out
from ordo_cli.domain.errors import Invalid

if TYPE_CHECKING:
    from ordo_cli.sandbox.sandbox import Sandbox, Settings

ALL = "zerodha,mstock,fyers,hdfc"


def sandbox(
    brokers: Annotated[str, typer.Option("--brokers", metavar="B,…", help="Which, in the order of their ports")] = ALL,
    port: Annotated[
        int, typer.Option("--port", metavar="P", min=0, max=65000, help="The first one's port; 0 takes free ones")
    ] = 8100,
    accounts: Annotated[
        int, typer.Option("--accounts", metavar="N", min=1, max=50, help="Customers of each broker")
    ] = 2,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", min=0, help="Accounts, prices and faults repeat with it")
    ] = 1,
    fault: Annotated[
        list[str] | None,
        typer.Option("--fault", metavar="RULE", help="e.g. zerodha:place:accept-then-drop@20% or *:book:html"),
    ] = None,
    hours: Annotated[
        str, typer.Option("--hours", metavar="H", help="always, or exchange: 09:15 to 15:30 in India")
    ] = "always",
    redirect: Annotated[
        str | None, typer.Option("--redirect", metavar="URL", help="Where login pages send the browser")
    ] = None,
    list_faults: Annotated[bool, typer.Option("--list-faults", help="Say which kinds of fault there are")] = False,
) -> None:
    """Serve brokers' wire protocols to this machine alone, over a paper exchange of their own. No money is near it.

    Example: ordo sandbox --brokers zerodha --fault zerodha:place:accept-then-drop@20%
    """
    from ordo_cli.sandbox.faults import CALLS, KINDS

    if list_faults:
        lines = [f"{kind:<20}{what}" for kind, what in KINDS.items()]
        lines.append(f"a rule: BROKER[/USER]:CALL:KIND[=VALUE][@P%][xN]; calls: {' '.join(CALLS)}, or *")
        write_out("\n".join(lines) + "\n")
        return
    from ordo_cli.sandbox.sandbox import Settings

    if hours not in ("always", "exchange"):
        raise Invalid(f"--hours {hours} is neither always nor exchange")
    settings = Settings(
        folder=os.path.join(door.home().data, "sandbox"),
        brokers=tuple(dict.fromkeys(filter(None, brokers.split(",")))),
        port=port,
        seed=seed,
        accounts=accounts,
        faults=tuple(fault or ()),
        exchange_hours=hours == "exchange",
        redirect=redirect,
    )
    _serve(settings)


def _serve(settings: Settings) -> None:
    import asyncio  # 45 ms that help need not pay

    asyncio.run(_until_stopped(settings))


async def _until_stopped(settings: Settings) -> None:
    import asyncio
    import signal

    from ordo_cli.machine import SystemClock
    from ordo_cli.sandbox.sandbox import serving

    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with serving(settings, SystemClock(), door.say) as running:
        _announce(running)
        await stopped.wait()


def _announce(running: Sandbox) -> None:
    """Say where each broker is and whom it knows, once requests are answered."""
    from ordo_cli.sandbox.sandbox import table

    for line in table(running):
        door.say(line)
    door.say("to end it: Ctrl-C")
