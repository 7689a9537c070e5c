"""Where the database lies: a file of the owner alone, and never on a network file system."""

from __future__ import annotations

import os

from ordo_cli.domain.errors import StoreFailed
from ordo_cli.home import network_file_system


def refuse_network(path: str) -> None:
    """Raise StoreFailed where file locks and write-ahead logging cannot be trusted."""
    kind = network_file_system(path)
    if kind is not None:
        raise StoreFailed(
            f"{path} lies on a network file system ({kind}), where a journal can be damaged",
            hint="set ORDO_HOME to a folder on a local disk",
            code="STORE_NETWORK",
        )


def make_private(path: str) -> None:
    """The file exists, and nobody but its owner may read it; SQLite gives its companions the same rights."""
    try:
        os.makedirs(os.path.dirname(path) or ".", mode=0o700, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        if os.stat(path).st_mode & 0o077:
            os.chmod(path, 0o600)
    except OSError as error:
        raise StoreFailed(
            f"the database {path} cannot be opened: {error.strerror}", hint="see: ordo doctor", code="STORE"
        ) from error
