"""Telling systemd how the server is: ready, alive, stopping. Nothing where no systemd listens."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from contextlib import suppress

READY, ALIVE, STOPPING = "READY=1", "WATCHDOG=1", "STOPPING=1"


def notify(state: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Say it to whoever started this process, if that asked for it; whether it was said."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    where = "\0" + address[1:] if address.startswith("@") else address
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.sendto(state.encode(), where)
        return True
    return False


def heartbeat(environ: Mapping[str, str] = os.environ, process: int | None = None) -> float | None:
    """Seconds between two signs of life, half of what systemd waits for; None when it waits for none."""
    whole = environ.get("WATCHDOG_USEC", "")
    meant = environ.get("WATCHDOG_PID", "")
    if not whole.isdecimal() or int(whole) == 0 or (meant and meant != str(process or os.getpid())):
        return None
    return int(whole) / 2e6
