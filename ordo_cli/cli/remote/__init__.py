"""Commands at a server: opens the client that `--remote` names, and does there what the desk does here."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from ordo_cli.cli.remote.operations import Remote
from ordo_cli.client.address import Address
from ordo_cli.client.lean import Lean
from ordo_cli.client.whose import token_for
from ordo_cli.machine import SystemChance, SystemClock

if TYPE_CHECKING:
    from types import FrameType

    from ordo_cli.cli.operations import Operations
    from ordo_cli.cli.talk import Invocation
    from ordo_cli.press import Outcome, Press


def at_server[T](work: Callable[[Operations], Awaitable[T]], invocation: Invocation) -> T:
    """Do the work at the server. It never suspends, so that no event loop has to be paid for (45 ms)."""
    was = signal.signal(signal.SIGTERM, _interrupted)
    running = work(Remote(_client(invocation))).__await__()
    try:
        next(running)
    except StopIteration as end:
        done: T = end.value
        return done
    finally:
        signal.signal(signal.SIGTERM, was)
    raise AssertionError("work at a server waits for nothing but the server")


def engage(asked: Press, invocation: Invocation) -> Outcome:
    """Press the switch there. Raises what the server refused it with, or NoAnswer and Unreachable."""
    from ordo_cli.client import press
    from ordo_cli.domain.errors import NoAnswer, NotFound, OrdoError, Unreachable

    address = Address(invocation.remote)
    try:
        return press.confirm(address, token_for(address.url, invocation.token_file), asked)
    except press.Refused as refusal:
        wrong = NotFound if refusal.exit_code == press.MISTAKEN else OrdoError
        raise wrong(f"{refusal}; {press.NOTHING}", hint=refusal.hint) from None
    except press.Silent as silence:
        kind = NoAnswer if silence.sent else Unreachable
        raise kind(f"NOTHING IS KNOWN TO BE STOPPED: {silence}", hint=press.AT_THE_SERVER) from None


def _client(invocation: Invocation) -> Lean:
    address = Address(invocation.remote)
    return Lean(address, token_for(address.url, invocation.token_file), SystemClock(), SystemChance())


def _interrupted(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
