"""Legs on the command line: a person settles one that nobody could answer for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ordo_cli.cli import door, show
from ordo_cli.cli.door import Json
from ordo_cli.domain.errors import Invalid

if TYPE_CHECKING:
    from ordo_cli.desk import Desk
    from ordo_cli.domain.legs import Leg
    from ordo_cli.services.legs import Dossier

app = typer.Typer(help="Settle a leg that nobody could answer for", no_args_is_help=True)

BOOK = ("order", "side", "instrument", "quantity", "filled", "price", "state", "placed", "tag")
POSITIONS = ("instrument", "product", "quantity", "average", "last")


@app.callback()
def _legs() -> None:
    """Settle a leg that nobody could answer for."""


@app.command(
    "resolve", epilog='Example: ordo leg resolve 7f3k2m9q4x-2 --broker-id 2411220001 --reason "seen in the app"'
)
def resolve(
    leg: Annotated[str, typer.Argument(metavar="LEG", help="The leg's id or its beginning")],
    absent: Annotated[bool, typer.Option("--absent", help="The broker never had it; needs a terminal")] = False,
    broker_id: Annotated[
        str | None, typer.Option("--broker-id", metavar="ID", help="It is this order in the broker's book")
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why; the audit keeps it")] = None,
    as_json: Json = False,
) -> None:
    """Say what became of an unknown leg, after seeing the broker's book and positions."""
    if absent == (broker_id is not None):
        raise Invalid("say either --absent or --broker-id ID")
    if absent and not door.interactive():
        # A script that took "unknown" for "absent" would send again what may exist; only somebody who looks may say so.
        raise Invalid(
            "--absent is said by a person at a terminal", hint="without one, use --broker-id ID", code="needs_terminal"
        )
    why = reason if reason is not None else door.prompt("Reason", "--reason")
    after = door.run(lambda desk: _resolve(desk, leg, broker_id, why))
    door.answer(
        "leg resolve",
        _json(after) if as_json else None,
        as_json=as_json,
        text=lambda: show.facts("", [("leg", after.id), ("account", after.account), ("state", after.state)]),
    )


async def _resolve(desk: Desk, word: str, broker_id: str | None, reason: str) -> Leg:
    from ordo_cli.services import legs, targets

    found = await legs.dossier(desk, word)
    accounts = [account for account in await desk.store.accounts.all() if account.id == found.leg.account]
    door.banner(targets.mode_of(desk, accounts), [found.leg.account])
    _tell(found)
    if broker_id is None:
        _make_sure(found)
    return await legs.resolve(desk, found.leg.id, reason=reason, broker_id=broker_id)


def _make_sure(found: Dossier) -> None:
    typed = door.prompt(
        f"Type the account's name to say that {found.leg.account} has no such order", "an answer at a terminal"
    )
    if typed != found.leg.account:
        raise Invalid("that is not the account's name; nothing was done", code="declined")


def _tell(found: Dossier) -> None:
    """The evidence, on standard error: the leg, the book around it, the positions."""
    intent, leg = found.fan_out.intent, found.leg
    sent = f", sent {show.cell(leg.sent_at)}" if leg.sent_at else ""
    door.say(f"leg {leg.id}: {intent.side} {leg.quantity} {intent.instrument} {intent.type}, tag {leg.tag}{sent}")
    if found.problem is not None:
        door.warn(f"the book could not be read: {show.cleaned(found.problem.message)}")
        return
    book = [
        (
            row.order_id,
            row.side,
            row.instrument,
            row.quantity,
            row.filled_quantity,
            row.limit_price or row.average_price,
            row.state,
            row.placed_at,
            row.tag,
        )
        for row in found.book
    ]
    held = [(at.instrument, at.product, at.quantity, at.average_price, at.last_price) for at in found.positions]
    _talk_table(f"Order book of {leg.account}", BOOK, book)
    _talk_table(f"Positions of {leg.account}", POSITIONS, held)


def _talk_table(title: str, columns: tuple[str, ...], rows: Sequence[Sequence[object]]) -> None:
    cells = [[show.cell(value) for value in row] for row in rows]
    door.say(f"\n{title}\n" + (show.plain_text(columns, cells).rstrip() if cells else "empty"))


def _json(leg: Leg) -> object:
    from ordo_cli import schemas  # pydantic, 45 ms; only for --json

    return schemas.leg(leg)
