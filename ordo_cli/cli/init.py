"""`ordo init` on the command line."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ordo_cli.cli import door, show
from ordo_cli.cli.door import Json

if TYPE_CHECKING:
    from ordo_cli.desk import Desk
    from ordo_cli.services.setup import Step


class Keeper(StrEnum):
    KEYRING = "keyring"
    VAULT = "vault"


def init(
    secrets: Annotated[Keeper | None, typer.Option("--secrets", help="Where credentials are kept")] = None,
    key_file: Annotated[str | None, typer.Option("--key-file", metavar="F", help="Vault: its 32-byte key")] = None,
    passphrase_file: Annotated[
        str | None,
        typer.Option("--passphrase-file", metavar="F", help="Vault: a file or descriptor with its passphrase"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Set up folders, settings, secrets, database and kill switch; safe to run again.

    Example: ordo init --secrets vault --passphrase-file /run/secrets/ordo
    """

    async def work(desk: Desk) -> list[Step]:
        from ordo_cli.services import setup

        choice = setup.propose(desk, secrets, key_file, passphrase_file)
        if choice.reason and door.interactive():
            door.confirm(f"{choice.reason}. Keep secrets in a vault that {choice.key_file} opens?", yes=False)
        elif choice.reason:
            door.say(f"{choice.reason}: secrets go to a vault that {choice.key_file} opens; keep that file safe")
        return await setup.initialise(desk, choice)

    steps = door.run(work)
    door.answer("init", _json(steps) if as_json else None, as_json=as_json, text=lambda: _text(steps))


def _json(steps: list[Step]) -> list[dict[str, Any]]:
    from ordo_cli import schemas  # pydantic, 45 ms; only for --json

    return [schemas.step(each) for each in steps]


def _text(steps: list[Step]) -> None:
    words = {True: "made", False: "kept", None: ""}
    show.table("ordo is set up", ("what", "where", ""), [(step.what, step.where, words[step.made]) for step in steps])
