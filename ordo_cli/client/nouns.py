"""The public models that a client hands out: those of `schemas`, in the lists and changes that calls answer with."""

from __future__ import annotations

from ordo_cli.client.events import Event
from ordo_cli.client.following import END
from ordo_cli.client.models import parse
from ordo_cli.domain.values import dataclass
from ordo_cli.schemas import (
    Account,
    AuditRow,
    CancelledOut,
    ChangedLeg,
    FanOut,
    FundsRow,
    HoldingRow,
    KillState,
    Leg,
    Login,
    Move,
    Order,
    OrderRow,
    PositionRow,
    Pressed,
    Preview,
    Quote,
    Reconciled,
    Rows,
    Status,
    Switch,
    TradeRow,
)

__all__ = [
    "Account",
    "AuditRow",
    "Books",
    "CancelledOut",
    "Change",
    "ChangedLeg",
    "FanOut",
    "Funds",
    "Holdings",
    "KillState",
    "Leg",
    "ListOfAccounts",
    "ListOfCancelled",
    "ListOfFanOuts",
    "ListOfLogins",
    "Login",
    "Move",
    "Order",
    "Positions",
    "Pressed",
    "Preview",
    "Quote",
    "Reconciled",
    "Status",
    "Switch",
    "Trades",
    "change",
]

ListOfAccounts = list[Account]
ListOfCancelled = list[CancelledOut]
ListOfFanOuts = list[FanOut]
ListOfLogins = list[Login]
Books = Rows[OrderRow]
Funds = Rows[FundsRow]
Holdings = Rows[HoldingRow]
Positions = Rows[PositionRow]
Trades = Rows[TradeRow]


@dataclass(frozen=True, slots=True)
class Change:
    """One event of a fan-out: a leg that changed, or with `kind` `outcome` the whole of it at its end.

    A leg is as it is now; its `change` says what this event is about, and the same each time that it is followed.
    """

    id: str | None
    kind: str
    data: ChangedLeg | FanOut


def change(event: Event) -> Change:
    """The event as models. Raises ValueError for one that is none of ordo's."""
    kind: type[FanOut] | type[ChangedLeg] = FanOut if event.kind == END else ChangedLeg
    return Change(event.id, event.kind, parse(kind, event.data))
