"""The JSON of the brokers' lists of instruments: what became of fetching them, and how old they are."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from ordo_cli.schemas.base import Foreign, Out, Problem

if TYPE_CHECKING:
    from ordo_cli.services.masters import Age, Synced


class SyncedList(Out):
    """One list: `day` is the trading day that it is of now, whatever became of fetching it."""

    list: str
    broker: str
    base_url: Foreign | None
    day: date | None
    instruments: int
    left_out: int
    received_bytes: int
    seconds: float
    problem: Problem | None


class InstrumentList(Out):
    """How old a list is that the orders of some accounts are judged by."""

    list: str
    broker: str
    accounts: tuple[str, ...]
    day: date | None
    stale: bool

    @classmethod
    def of(cls, age: Age) -> InstrumentList:
        return cls(list=age.name, broker=age.broker, accounts=age.accounts, day=age.day, stale=age.stale)


def synced(done: Synced) -> dict[str, Any]:
    return SyncedList(
        list=done.name,
        broker=done.broker,
        base_url=done.base_url,
        day=done.day,
        instruments=done.rows,
        left_out=done.left_out,
        received_bytes=done.received,
        seconds=done.seconds,
        problem=None if done.problem is None else Problem.of(done.problem),
    ).model_dump(mode="json")
