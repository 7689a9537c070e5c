"""Where several workers count together: a private folder in memory, named before anything of Prometheus is imported."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager

NAME = "ordo-metrics"
VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
MEMORY = "/dev/shm"  # noqa: S108  a folder of our own is made in it, which nobody else may enter
"""Counters are mapped files: on a disk that is full, writing one would end the process. Memory is not the disk."""


@contextmanager
def together(environ: MutableMapping[str, str]) -> Iterator[str]:
    """A folder for the workers that are started inside, empty at first and gone afterwards, named in `environ`.

    One that is named there already is used and emptied, and stays.
    """
    given = environ.get(VARIABLE)
    folder = given or _new(MEMORY if os.access(MEMORY, os.W_OK) else tempfile.gettempdir())
    try:
        _empty(folder)
        environ[VARIABLE] = folder
        yield folder
    finally:
        if not given:
            environ.pop(VARIABLE, None)
            shutil.rmtree(folder, ignore_errors=True)


def _new(parent: str) -> str:
    """A folder named after this process. Those of servers that were killed go first: they hold memory for nobody."""
    for name in os.listdir(parent):
        number = name.removeprefix(f"{NAME}-").partition("-")[0]
        if name.startswith(f"{NAME}-") and number.isdecimal() and not _runs(int(number)):
            shutil.rmtree(os.path.join(parent, name), ignore_errors=True)  # another user's stays, as it must
    return tempfile.mkdtemp(prefix=f"{NAME}-{os.getpid()}-", dir=parent)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _empty(folder: str) -> None:
    """Without what workers of an earlier start counted. Only their files go: the folder may be somebody's own."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    for name in os.listdir(folder):
        if name.endswith(".db"):
            os.unlink(os.path.join(folder, name))
