"""`ordo config` on the command line."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ordo_cli.cli import door, show
from ordo_cli.cli.door import Csv, Json

if TYPE_CHECKING:
    from ordo_cli.config import Origin
    from ordo_cli.desk import Desk

app = typer.Typer(help="Show and set the configuration", no_args_is_help=True)

Path = Annotated[str, typer.Argument(metavar="SETTING", help="e.g. limits.value_order_max")]


@app.command("show", epilog="Example: ordo config show")
def show_all(as_json: Json = False, as_csv: Csv = False) -> None:
    """Every setting, its value, and who gave it: a flag, the environment, the file or the default."""
    from ordo_cli import config

    origins = config.load(door.home()).origins
    rows = [(origin.path, config.plain(origin.value), origin.source) for origin in origins]
    door.answer(
        "config show",
        _json(origins) if as_json else None,
        as_json=as_json,
        as_csv=as_csv,
        text=lambda: show.table("", ("setting", "value", "source"), rows, as_csv=as_csv),
    )


def _json(origins: tuple[Origin, ...]) -> list[dict[str, Any]]:
    from ordo_cli import schemas  # pydantic, 45 ms; only for --json

    return [schemas.setting(each) for each in origins]


@app.command(epilog="Example: $EDITOR $(ordo config path)")
def path(as_json: Json = False) -> None:
    """Where the settings file is."""
    file = door.home().config_file
    data = {"path": file, "exists": os.path.exists(file)}
    door.answer("config path", data, as_json=as_json, text=lambda: show.line(file))


@app.command("set", epilog="Example: ordo config set limits.accounts.alice.value_order_max 300000")
def set_(
    setting: Path,
    value: Annotated[
        str, typer.Argument(metavar="VALUE", help="'off' switches a limit off, 'default' takes a line out")
    ],
    as_json: Json = False,
) -> None:
    """Change one setting in the file; its other lines stay as they are."""

    async def work(desk: Desk) -> None:
        from ordo_cli.services import accounts

        await accounts.set_value(desk, setting, value)

    door.run(work)
    data = {"setting": setting, "value": value}
    door.answer("config set", data, as_json=as_json, text=lambda: show.line(f"{setting} = {value}"))
