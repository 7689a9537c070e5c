"""Locks the default collection of the Secret Service on this session bus; run as a program."""

from __future__ import annotations

import secretstorage


def main() -> None:
    connection = secretstorage.dbus_init()
    secretstorage.get_default_collection(connection).lock()


if __name__ == "__main__":
    main()
