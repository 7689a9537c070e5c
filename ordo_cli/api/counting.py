"""Where several workers count together: a private folder in memory, named before anything of Prometheus is imported."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
MEMORY = "/dev/shm"  # noqa: S108  a folder of our own is made in it, which nobody else may enter
"""Counters are mapped files: on a disk that is full, writing one would end the process. Memory is not the disk."""


@contextmanager
def together(environ: MutableMapping[str, str]) -> Iterator[str]:
    """A folder for the workers that are started inside, empty at first and gone afterwards, named in `environ`.

    One that is named there already is used and emptied, and stays.
    """
    given = environ.get(VARIABLE)
    folder = given or tempfile.mkdtemp(prefix="ordo-metrics-", dir=MEMORY if os.access(MEMORY, os.W_OK) else None)
    try:
        _empty(folder)
        environ[VARIABLE] = folder
        yield folder
    finally:
        if not given:
            environ.pop(VARIABLE, None)
            shutil.rmtree(folder, ignore_errors=True)


def _empty(folder: str) -> None:
    """Without what workers of an earlier start counted. Only their files go: the folder may be somebody's own."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    for name in os.listdir(folder):
        if name.endswith(".db"):
            os.unlink(os.path.join(folder, name))
