"""`ordo remote` on the command line: the token of a server, kept in the keyring of this machine under its address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ordo_cli.cli import door, show
from ordo_cli.cli.door import Json
from ordo_cli.cli.talk import current
from ordo_cli.client import calls
from ordo_cli.client.address import Address
from ordo_cli.client.whose import SERVICE, token_from
from ordo_cli.domain.errors import Invalid, OrdoError, SessionNeeded

if TYPE_CHECKING:
    from ordo_cli.secrets.oskeyring import OsKeyring

app = typer.Typer(help="Keep the token of a server in the keyring", no_args_is_help=True)

Url = Annotated[
    str | None, typer.Argument(metavar="[URL]", help="https://…, or http and unix:// on this machine; else ORDO_REMOTE")
]


@app.command("login", epilog="Example: ordo remote login https://desk.example:8020")
def login(url: Url = None, as_json: Json = False) -> None:
    """Try a token at a server and keep it, so that `--remote URL` needs no more."""
    address = _address(url)
    file = current().token_file
    token = token_from(file) if file else door.secret(f"Token for {address.url}", "--token-file F")
    _try(address, token)
    _keyring().write(address.url, "token", token.strip())
    data = {"remote": address.url, "kept": True}
    door.answer("remote login", data, as_json=as_json, text=lambda: show.line(f"kept the token for {address.url}"))


@app.command("logout", epilog="Example: ordo remote logout https://desk.example:8020")
def logout(url: Url = None, as_json: Json = False) -> None:
    """Forget the token of a server. It stays good: revoke it there with `ordo token revoke`."""
    address = _address(url)
    _keyring().erase(address.url, "token")
    data = {"remote": address.url, "kept": False}
    door.answer("remote logout", data, as_json=as_json, text=lambda: show.line(f"forgot the token for {address.url}"))


def _address(url: str | None) -> Address:
    given = url or current().remote
    if not given:
        raise Invalid("which server?", hint="ordo remote login https://desk.example:8020")
    return Address(given)


def _try(address: Address, token: str) -> None:
    """Raises SessionNeeded for a token that the server does not know; one that may not look is as good as any."""
    from ordo_cli.client.lean import Lean
    from ordo_cli.machine import SystemChance, SystemClock

    try:
        Lean(address, token, SystemClock(), SystemChance()).ask(calls.status())
    except SessionNeeded:
        raise
    except OrdoError as error:
        if error.code != "not_allowed":
            raise


def _keyring() -> OsKeyring:
    from ordo_cli.secrets.oskeyring import OsKeyring

    return OsKeyring(SERVICE)
