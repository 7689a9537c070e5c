"""`ordo broker` on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ordo_cli.cli import door, show
from ordo_cli.cli.door import Csv, Json

if TYPE_CHECKING:
    from ordo_cli.services.brokers import Declared

SHOWN = [
    "credentials",
    "optional",
    "exchanges",
    "types",
    "products",
    "validities",
    "after_market",
    "disclosed",
    "tagged",
]
app = typer.Typer(help="What each broker can do", no_args_is_help=True)


@app.command("list", epilog="Example: ordo broker list --json")
def list_(as_json: Json = False, as_csv: Csv = False) -> None:
    """Every broker that ordo speaks to."""
    from ordo_cli.services.brokers import all_of_them

    found = all_of_them(door.plugins())
    rows = [(each.name, each.title, each.mode, each.credentials) for each in found]
    door.answer(
        "broker list",
        [_json(each, as_json) for each in found],
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

    found = declared(broker, door.plugins())
    door.answer("broker show", _json(found, as_json), as_json=as_json, text=lambda: _text(found))


def _text(found: Declared) -> None:
    facts = [(name.replace("_", " "), getattr(found, name)) for name in SHOWN]
    show.facts(f"{found.name}: {found.title}", [("mode", found.mode), *[fact for fact in facts if fact[1] != ()]])
    show.facts("operations per account", found.rates.items())
    if found.notes:
        show.text(found.notes)
    if found.behaviours:
        show.table("behaviours", ("behaviour", "what it does"), found.behaviours.items())


def _json(found: Declared, as_json: bool) -> Any:
    if not as_json:
        return None
    from ordo_cli import schemas  # pydantic, 45 ms; only for --json

    return schemas.broker(found)
