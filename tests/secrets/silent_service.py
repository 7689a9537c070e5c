"""A Secret Service that takes every call and answers none; run as a program on a session bus."""

from __future__ import annotations

import sys
from pathlib import Path

from jeepney import message_bus  # type: ignore[import-untyped]  # ships no types
from jeepney.io.blocking import open_dbus_connection  # type: ignore[import-untyped]  # ships no types


def main(ready: str) -> None:
    connection = open_dbus_connection(bus="SESSION")
    connection.send_and_get_reply(message_bus.RequestName("org.freedesktop.secrets"))
    Path(ready).touch()
    while True:
        connection.receive()  # and say nothing


if __name__ == "__main__":
    main(sys.argv[1])
