"""`ordo status` on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ordo_cli.cli import door, show
from ordo_cli.cli.door import Json
from ordo_cli.domain.breaker import State

if TYPE_CHECKING:
    from ordo_cli.services.status import AccountStatus, Doubt, Status

ACCOUNTS = ("account", "broker", "mode", "session", "state", "today", "value", "open", "unknown", "last call")
DOUBTS = ("leg", "account", "order", "state", "since", "age")


def status(as_json: Json = False) -> None:
    """Say how everything stands: kill switch, accounts, unknown legs, last calls. Asks no broker.

    Example: ordo status --json
    """
    found = door.operate(lambda operations: operations.status(), reading=True)
    door.answer("status", _json(found) if as_json else None, as_json=as_json, text=lambda: _print(found))


def _print(found: Status) -> None:
    engaged = [str(each.scope) for each in found.kill.scopes if each.engaged]
    pairs: list[tuple[str, object]] = [("kill switch", f"ENGAGED: {', '.join(engaged)}" if engaged else "armed")]
    if found.kill.unwritten:
        pairs.append(("presses", f"in force, not yet in the database: {', '.join(found.kill.unwritten)}"))
    if found.waiting:
        pairs.append(("on the way", f"{found.waiting} legs planned or being sent"))
    paused = ", ".join(f"{account} {instrument}" for account, instrument in found.paused)
    pairs.append(("entries paused", f"{paused} (until the unknown legs are settled)" if paused else "nowhere"))
    for each in found.lists:
        day = "is not on this machine" if each.day is None else f"of {each.day:%d %b %Y}"
        mend = f"; stale, so orders are refused: ordo instrument sync --broker {each.broker}" if each.stale else ""
        pairs.append((f"instruments of {each.title}", day + mend))
    show.facts("", pairs)
    if found.accounts:
        show.table("", ACCOUNTS, [_account_row(each) for each in found.accounts])
    elif engaged:
        door.say("not set up yet: ordo init")
    else:
        door.say("no account yet: ordo account add alice --broker paper")
    if found.doubts:
        show.table("unknown legs", DOUBTS, [_doubt_row(each) for each in found.doubts])
        door.say("settle them: ordo fanout reconcile")


def _account_row(each: AccountStatus) -> tuple[object, ...]:
    if each.enabled and not each.stopped_by and each.breaker is not State.CLOSED:
        state = f"breaker {each.breaker}"
    else:
        state = "disabled" if not each.enabled else ("engaged" if each.stopped_by else "armed")
    return (
        each.account,
        each.broker,
        each.mode,
        each.session,
        state,
        each.orders_today,
        round(each.value_today, 2),
        each.open_orders,
        each.unknown,
        each.last_call,
    )


def _doubt_row(each: Doubt) -> tuple[object, ...]:
    order = f"{each.side} {each.quantity} {each.instrument}"
    return (each.leg, each.account, order, each.state, each.since, age_text(each.age))


def age_text(seconds: float) -> str:
    """How long ago, in the two largest units that matter."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _json(found: Status) -> object:
    from ordo_cli import schemas  # pydantic, 45 ms; only for --json

    return schemas.status(found)
