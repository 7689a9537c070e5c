"""The kill switch in public: how it stands, what a press came to, what a release left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ordo_cli import press
from ordo_cli.domain import kill
from ordo_cli.schemas.base import Foreign, Moment, Out
from ordo_cli.schemas.operations import AccountSweep, sweep

if TYPE_CHECKING:
    from ordo_cli.services.kill import KillState as State
    from ordo_cli.services.kill import ScopeState as Standing
    from ordo_cli.services.sweep import SweepReport


class ScopeState(Out):
    scope: str
    engaged: bool
    armed: bool
    state: str
    level: str | None
    epoch: int | None
    reason: Foreign | None
    actor: str | None
    changed_at: Moment | None


class AccountStop(Out):
    account: str
    engaged: bool
    level: str | None
    by: tuple[str, ...]


class KillState(Out):
    engaged: bool
    scopes: tuple[ScopeState, ...]
    accounts: tuple[AccountStop, ...]
    unwritten: tuple[str, ...]


class Switch(Out):
    scope: str
    epoch: int
    reason: Foreign | None
    actor: str | None
    changed_at: Moment | None


class Pressed(Out):
    """What one press did; `quiet` means that no sender can still be on its way.

    `certain` is false where no arming file was there and nothing could be looked up: such a scope may not exist.
    """

    scope: str
    level: str
    reason: str | None
    engaged: bool
    quiet: bool
    quiet_ms: float
    senders: tuple[int, ...]
    recorded: bool
    certain: bool = True  # older servers do not say
    problem: str | None
    accounts: tuple[AccountSweep, ...]


def kill_state(found: State) -> dict[str, Any]:
    """Every scope and account, by the files and by the rows."""
    whole = KillState(
        engaged=found.engaged,
        scopes=tuple(_scope(each) for each in found.scopes),
        accounts=tuple(
            AccountStop(
                account=each.account,
                engaged=each.engaged,
                level=_word(each.level),
                by=tuple(str(scope) for scope in each.by),
            )
            for each in found.accounts
        ),
        unwritten=tuple(found.unwritten),
    )
    return whole.model_dump(mode="json")


def switch(row: kill.Switch) -> dict[str, Any]:
    """One scope's record."""
    whole = Switch(scope=str(row.scope), epoch=row.epoch, reason=row.reason, actor=row.actor, changed_at=row.changed_at)
    return whole.model_dump(mode="json")


def pressed(
    asked: press.Press, outcome: press.Outcome, swept: SweepReport | None = None, problem: str | None = None
) -> dict[str, Any]:
    """A press with its clean-up. `ordo kill --json` without one prints the same by itself, before pydantic is there."""
    accounts = [] if swept is None else sweep(swept)["accounts"]
    told = press.data(asked, outcome) | {"accounts": accounts, "problem": problem or outcome.problem}
    return Pressed(**told).model_dump(mode="json")  # type: ignore[arg-type]  # validated here, field by field


def _scope(each: Standing) -> ScopeState:
    row = each.row
    return ScopeState(
        scope=str(each.scope),
        engaged=each.engaged,
        armed=each.armed,
        state=each.why,
        level=_word(each.level),
        epoch=None if row is None else row.epoch,
        reason=None if row is None else row.reason,
        actor=None if row is None else row.actor,
        changed_at=None if row is None else row.changed_at,
    )


def _word(level: kill.Level | None) -> str | None:
    return None if level is None else level.name.lower()
