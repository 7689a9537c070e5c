"""`ordo broker` on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ordo_cli.cli import door, show
from ordo_cli.cli.door import Csv, Json

if TYPE_CHECKING:
    from ordo_cli.services.brokers import Declared

app = typer.Typer(help="What each broker can do", no_args_is_help=True)


@app.command("list", epilog="Example: ordo broker list --json")
def list_(as_json: Json = False, as_csv: Csv = False) -> None:
    """Every broker that ordo speaks to."""
    from ordo_cli.services.brokers import all_of_them

    found = all_of_them()
    rows = [(each.name, each.title, each.mode, each.credentials) for each in found]
    door.answer(
        "broker list",
        [_data(each) for each in found],
        as_json=as_json,
        as_csv=as_csv,
        text=lambda: show.table("", ("broker", "title", "mode", "credentials"), rows, as_csv=as_csv),
    )


@app.command("show", epilog="Example: ordo broker show paper")
def show_one(
    broker: Annotated[str, typer.Argument(metavar="BROKER", help="its name, e.g. paper")], as_json: Json = False
) -> None:
    """What one broker can do, its limits, the credentials it needs and the trouble it can rehearse."""
    from ordo_cli.services.brokers import declared

    found = declared(broker)
    door.answer("broker show", _data(found), as_json=as_json, text=lambda: _text(found))


def _text(found: Declared) -> None:
    show.facts(f"{found.name}: {found.title}", [(name, value) for name, value in _data(found).items() if _plain(value)])
    show.facts("operations per account", found.rates.items())
    if found.behaviours:
        show.table("behaviours", ("behaviour", "what it does"), found.behaviours.items())


def _plain(value: object) -> bool:
    return not isinstance(value, dict)


def _data(found: Declared) -> dict[str, Any]:
    return {
        "broker": found.name,
        "title": found.title,
        "mode": found.mode,
        "credentials": list(found.credentials),
        "exchanges": list(found.exchanges),
        "types": list(found.types),
        "products": list(found.products),
        "validities": list(found.validities),
        "after_market": found.after_market,
        "disclosed": found.disclosed,
        "tagged": found.tagged,
        "rates": dict(found.rates),
        "behaviours": dict(found.behaviours),
    }
