"""What is asked over the wire and what comes back, and the permit without which nothing is asked."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from ordo_cli.brokers.base import Permit
from ordo_cli.brokers.later import httpx
from ordo_cli.domain.values import dataclass, field

Pair = tuple[bytes, bytes]

SAFE = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds for each part of an exchange, and for all of it."""

    connect: float = 5.0
    write: float = 5.0  # until the socket has taken the question
    read: float = 15.0  # until the answer begins, and between two pieces of it
    pool: float = 5.0  # until one of the account's lines is free
    whole: float = 25.0


@dataclass(frozen=True, slots=True)
class Question:
    """One request: what, and the leave to write it. The host and the length are among the headers."""

    method: str
    target: bytes = field(repr=False)  # path and query as they are written; like the rest, it may hold a secret
    headers: list[Pair] = field(repr=False)
    body: bytes = field(repr=False)
    permit: Permit
    timeouts: Timeouts

    def require_fresh_permit(self) -> None:
        """Raises when the permit has been used: its leg may be at the broker, and is not written again."""
        if self.permit.bytes_sent:
            raise httpx.LocalProtocolError("a permit is for one attempt, and this one has been used")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it came: header names in lower case, the body joined and unpacked."""

    status: int
    headers: list[Pair] = field(repr=False)
    body: bytes = field(repr=False)


class Ungated:
    """Leave for what the kill switch never blocks: reads, logins, cancels. It counts all the same."""

    __slots__ = ("bytes_sent", "first_byte_at")

    def __init__(self) -> None:
        self.bytes_sent = 0
        self.first_byte_at: float | None = None

    async def claim(self) -> None:
        """There is nothing to write down first."""

    def passing(self) -> AbstractContextManager[None]:
        return nullcontext()
