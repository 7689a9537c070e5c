"""Fan-outs on the command line: list, show, watch, reconcile, cancel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ordo_cli.cli import door, show
from ordo_cli.cli.cancels import answer_cancels
from ordo_cli.cli.door import Csv, Json
from ordo_cli.cli.exits import exit_code_of_reconciling
from ordo_cli.cli.outcomes import answer_fan_out, choice

if TYPE_CHECKING:
    from ordo_cli.cli.operations import Operations
    from ordo_cli.domain.fanouts import FanOut
    from ordo_cli.services.cancelling import Cancelled
    from ordo_cli.services.orders import Until
    from ordo_cli.services.reconcile import Reconciled

app = typer.Typer(help="One order sent to many accounts: list, show, watch, settle", no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="ID", help="A fan-out's id or its beginning")]
COLUMNS = ("id", "time", "mode", "side", "instrument", "quantity", "legs", "accepted", "refused", "unknown", "outcome")


@app.command("list", epilog="Example: ordo fanout list --account alice")
def list_(
    account: Annotated[str | None, typer.Option("--account", metavar="A", help="Only those with a leg of it")] = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", help="How many, newest first", min=1, max=1000)] = 20,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """The newest fan-outs."""
    found = door.operate(lambda operations: operations.recent(limit, account), reading=True)
    door.answer(
        "fanout list",
        _json(found) if as_json else None,
        as_json=as_json,
        as_csv=as_csv,
        text=lambda: (
            show.table("", COLUMNS, [_row(fan_out) for fan_out in found], as_csv=as_csv)
            if found or as_csv
            else door.say("no fan-outs")
        ),
    )


@app.command("show", epilog="Example: ordo fanout show 7f3k --json")
def show_(fan_out_id: Id, as_json: Json = False) -> None:
    """One fan-out with its legs; the exit code says what became of it."""
    fan_out = door.operate(lambda operations: operations.fan_out(fan_out_id), reading=True)
    answer_fan_out("fanout show", fan_out, "accepted", as_json)


@app.command("watch", epilog="Example: ordo fanout watch 7f3k --until filled")
def watch(
    fan_out_id: Id,
    until: Annotated[
        str, typer.Option("--until", metavar="accepted|terminal|filled", help="End when it is so")
    ] = "terminal",
    as_json: Json = False,
) -> None:
    """Follow a fan-out until every leg has ended."""
    from ordo_cli.services.orders import Until

    end = choice(Until, until, "--until")
    answer_fan_out("fanout watch", door.operate(lambda operations: _watch(operations, fan_out_id, end)), until, as_json)


@app.command("reconcile", epilog="Example: ordo fanout reconcile")
def reconcile(
    fan_out_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="Only this one; all that are unsettled otherwise")
    ] = None,
    as_json: Json = False,
) -> None:
    """Look in the brokers' books what became of unsettled legs. Sends nothing."""
    found = door.operate(lambda operations: operations.reconcile(fan_out_id))
    door.answer(
        "fanout reconcile",
        _reconciled_json(found) if as_json else None,
        as_json=as_json,
        text=lambda: _print_reconciled(found),
        exit_code=exit_code_of_reconciling(found),
    )


@app.command("cancel", epilog="Example: ordo fanout cancel 7f3k")
def cancel(fan_out_id: Id, as_json: Json = False) -> None:
    """Cancel every leg that still works. Never blocked by the kill switch, and never asks."""
    done = door.operate(lambda operations: _cancel(operations, fan_out_id))
    answer_cancels("fanout cancel", done, as_json)


async def _watch(operations: Operations, fan_out_id: str, until: Until) -> FanOut:
    from ordo_cli.cli.live import Board

    with Board() as board:
        async for fan_out in operations.watch(fan_out_id, until):
            board(fan_out)
    return fan_out


async def _cancel(operations: Operations, fan_out_id: str) -> Sequence[Cancelled]:
    from ordo_cli.services.cancelling import working_legs

    fan_out = await operations.fan_out(fan_out_id)
    if working := working_legs(fan_out):
        door.banner(fan_out.mode, [leg.account for leg in working])
    return await operations.cancel_fan_out(fan_out)


def _row(fan_out: FanOut) -> tuple[object, ...]:
    intent, tally = fan_out.intent, fan_out.summary
    return (
        fan_out.id,
        fan_out.created_at,
        fan_out.mode,
        intent.side,
        intent.instrument,
        intent.quantity,
        tally.legs,
        tally.accepted,
        tally.refused,
        tally.unknown,
        fan_out.outcome,
    )


def _print_reconciled(found: Reconciled) -> None:
    from ordo_cli.cli.live import COLUMNS as LEGS
    from ordo_cli.cli.live import row_of

    if found.moved:
        show.table("", ("leg", *LEGS), [(leg.id, *row_of(leg)) for leg in found.moved])
    for leg in found.orphans:
        door.warn(
            f"{leg.account}: order {show.cell(leg.broker_order_id)} is ours and was not known here; it is now {leg.id}"
        )
    for advice in found.unknown:
        door.warn(f"{advice.leg.id} is still {advice.leg.state}: {show.cleaned(advice.message)}")
    for failure in found.failures:
        door.warn(f"{failure.account} could not be read: {show.cleaned(failure.problem.message)}")
    if not (found.moved or found.orphans or found.unknown or found.failures):
        door.say("nothing to settle")


def _json(found: Sequence[FanOut]) -> object:
    from ordo_cli import schemas  # pydantic, 45 ms; only for --json

    return schemas.fan_outs(found)


def _reconciled_json(found: Reconciled) -> object:
    from ordo_cli import schemas

    return schemas.reconciled(found)
