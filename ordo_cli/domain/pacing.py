"""How often a broker may be asked, and who is never refused for that: whoever is getting out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from ordo_cli.domain.errors import Unreachable

_getting_out: ContextVar[bool] = ContextVar("getting_out", default=False)


class Pace(Protocol):
    """The questions that one account's broker takes."""

    async def turn(self) -> None:
        """Wait until one more may be asked, and count it. Raises AskedTooOften when that would take too long."""
        ...


class AskedTooOften(Unreachable):
    """A question that ordo did not ask, for its broker would have taken one too many amiss."""


@contextmanager
def getting_out() -> Iterator[None]:
    """What is asked in here is asked for a cancel or a clean-up, which no count of a minute holds up."""
    before = _getting_out.set(True)
    try:
        yield
    finally:
        _getting_out.reset(before)


def is_getting_out() -> bool:
    """Whether what is being done now is a cancel or a clean-up."""
    return _getting_out.get()
