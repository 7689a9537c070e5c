"""What the accounts have, consolidated: positions, holdings, funds, orders, trades; and closing positions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ordo_cli.cli import door, show
from ordo_cli.cli.door import Csv, Json
from ordo_cli.cli.exits import exit_code_of_reads
from ordo_cli.cli.whom import announce
from ordo_cli.domain.accounts import Target, parse_target
from ordo_cli.domain.instruments import parse_instrument

if TYPE_CHECKING:
    from ordo_cli.cli.operations import Operations
    from ordo_cli.domain.instruments import InstrumentId
    from ordo_cli.services.portfolio import Consolidated, Row
    from ordo_cli.services.sweep import SweepReport

app = typer.Typer(help="Close positions", no_args_is_help=True)

Targets = Annotated[list[str] | None, typer.Argument(metavar="[TARGET]…", help="alice, @group or all")]


def positions(targets: Targets = None, as_json: Json = False, as_csv: Csv = False) -> None:
    """Net positions of the day. Example: ordo positions @family"""
    columns = ("account", "instrument", "product", "quantity", "average", "last", "realised", "unrealised")
    _consolidated(
        "positions",
        targets,
        as_json,
        as_csv,
        columns,
        lambda at: (
            at.row.instrument,
            at.row.product,
            at.row.quantity,
            at.row.average_price,
            at.row.last_price,
            at.row.realised,
            at.row.unrealised,
        ),
        "position_row",
    )


def holdings(targets: Targets = None, as_json: Json = False, as_csv: Csv = False) -> None:
    """Shares held. Example: ordo holdings alice"""
    columns = ("account", "instrument", "isin", "quantity", "average", "last", "pnl")
    _consolidated(
        "holdings",
        targets,
        as_json,
        as_csv,
        columns,
        lambda at: (
            at.row.instrument,
            at.row.isin,
            at.row.quantity,
            at.row.average_price,
            at.row.last_price,
            at.row.pnl,
        ),
        "holding_row",
    )


def funds(targets: Targets = None, as_json: Json = False, as_csv: Csv = False) -> None:
    """Money free and used. Example: ordo funds"""
    columns = ("account", "available", "used", "collateral", "total")
    _consolidated(
        "funds",
        targets,
        as_json,
        as_csv,
        columns,
        lambda at: (at.row.available, at.row.used, at.row.collateral, at.row.total),
        "funds_row",
    )


def orders(targets: Targets = None, as_json: Json = False, as_csv: Csv = False) -> None:
    """The brokers' order books; LEG is ours where the order is. Example: ordo orders alice --json"""
    columns = (
        "account",
        "order",
        "side",
        "instrument",
        "quantity",
        "filled",
        "type",
        "price",
        "average",
        "state",
        "leg",
    )
    _consolidated("orders", targets, as_json, as_csv, columns, _order_cells, "order_row")


def _order_cells(at: Row[Any]) -> tuple[object, ...]:
    order = at.row.report
    return (
        order.order_id,
        order.side,
        order.instrument,
        order.quantity,
        order.filled_quantity,
        order.type,
        order.limit_price or order.trigger_price,
        order.average_price,
        order.state,
        at.row.leg,
    )


def trades(targets: Targets = None, as_json: Json = False, as_csv: Csv = False) -> None:
    """Today's trades. Example: ordo trades --csv"""
    columns = ("account", "time", "side", "instrument", "quantity", "price", "order", "trade")
    _consolidated(
        "trades",
        targets,
        as_json,
        as_csv,
        columns,
        lambda at: (
            at.row.traded_at,
            at.row.side,
            at.row.instrument,
            at.row.quantity,
            at.row.price,
            at.row.order_id,
            at.row.trade_id,
        ),
        "trade_row",
    )


@app.callback()
def _position() -> None:
    """Close positions."""


@app.command("close", epilog="Example: ordo position close @family --instrument NSE:INFY")
def close(
    targets: Targets = None,
    instrument: Annotated[str | None, typer.Option("--instrument", metavar="I", help="Only this one")] = None,
    as_json: Json = False,
) -> None:
    """Close positions, verified on what the brokers show. Never blocked by the kill switch, and never asks."""
    from ordo_cli.cli.sweeps import answer_sweep

    chosen = targets_of(targets)
    only = None if instrument is None else parse_instrument(instrument)
    answer_sweep("position close", door.operate(lambda operations: _close(operations, chosen, only)), as_json)


async def _close(operations: Operations, chosen: tuple[Target, ...], only: InstrumentId | None) -> SweepReport:
    await announce(operations, chosen)
    return await operations.close(chosen, only)


def targets_of(words: list[str] | None) -> tuple[Target, ...]:
    """The targets that were named, or all of them."""
    return tuple(parse_target(word) for word in words) if words else (Target("all"),)


def _consolidated(
    name: str,
    words: list[str] | None,
    as_json: bool,
    as_csv: bool,
    columns: Sequence[str],
    cells: Callable[[Row[Any]], Sequence[object]],
    schema: str,
) -> None:
    """Read from every account, print the rows, and name on standard error each account that could not be read."""
    chosen = targets_of(words)
    found = door.operate(lambda operations: operations.consolidated(name, chosen), reading=True)
    door.answer(
        name,
        _json(found, schema) if as_json else None,
        as_json=as_json,
        as_csv=as_csv,
        text=lambda: _print(name, columns, cells, found, as_csv),
        exit_code=exit_code_of_reads(len(found.accounts), [problem.code for _, problem in found.failures]),
    )


def _json(found: Consolidated[Any], schema: str) -> object:
    from ordo_cli import schemas  # pydantic, 45 ms; only for --json

    return schemas.consolidated(found, getattr(schemas, schema))


def _print(
    title: str,
    columns: Sequence[str],
    cells: Callable[[Row[Any]], Sequence[object]],
    found: Consolidated[Any],
    as_csv: bool,
) -> None:
    rows = [(at.account, *cells(at)) for at in found.rows]
    if rows or as_csv:
        show.table("", columns, rows, as_csv=as_csv)
    elif len(found.failures) < len(found.accounts):
        door.say(f"no {title}" + (" in the other accounts" if found.failures else ""))
    for account, problem in found.failures:
        door.warn(f"{account} could not be read: {show.cleaned(problem.message)}")
