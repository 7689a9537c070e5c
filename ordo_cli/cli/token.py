"""`ordo token` on the command line: who may do what over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from ordo_cli.cli import door, show
from ordo_cli.cli.door import Csv, Json, Yes
from ordo_cli.cli.front import Unwritten, write_out
from ordo_cli.domain.accounts import parse_target
from ordo_cli.domain.limits import rule_of
from ordo_cli.domain.money import text_of
from ordo_cli.domain.tokens import TokenScope, parse_lifetime

if TYPE_CHECKING:
    from ordo_cli.desk import Desk
    from ordo_cli.domain.tokens import Token, TokenState
    from ordo_cli.services.tokens import Made

app = typer.Typer(help="Make, list and revoke tokens for the HTTP API", no_args_is_help=True)


@app.command(epilog="Example: ordo token create bot --scope trade --accounts alice --max-value 50000")
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is for; a name of its own")],
    scope: Annotated[list[TokenScope], typer.Option("--scope", help="What it may do; again for more")],
    accounts: Annotated[
        list[str] | None,
        typer.Option("--accounts", metavar="TARGET", help="For whom: alice, @group or all (all); again for more"),
    ] = None,
    max_value: Annotated[
        str | None,
        typer.Option("--max-value", metavar="V", help="Rupees that one fan-out, all legs together, may be worth"),
    ] = None,
    expires: Annotated[str, typer.Option("--expires", metavar="TIME", help="30d, 12h, 90m, 8w or never")] = "30d",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Make a token and print it, this once: ordo keeps only what it hashes to.

    read sees orders, positions and status; trade places, changes and closes, cancels and logs in; cancel cancels;
    kill:engage presses the kill switch, for any account; kill:release releases it; admin may do all that, see the
    audit and make tokens. A request for an account outside --accounts is refused whole. --max-value is a cap on each
    fan-out, not on a day; market orders count 5 % above the last price, and closing a position is not capped.
    """
    targets = [parse_target(word) for word in accounts or []]
    most = None if max_value is None else rule_of("value_fanout_max").read(max_value)
    lifetime = parse_lifetime(expires)
    if TokenScope.ADMIN in scope:
        door.confirm(f"{show.cleaned(name)} may then do everything, tokens included. Make it?", yes=yes)

    async def work(desk: Desk) -> Made:
        from ordo_cli.services import tokens

        return await tokens.create(desk, name, scope, targets, most, lifetime)

    _hand_over(door.run(work), as_json)


@app.command("list", epilog="Example: ordo token list --json")
def list_(as_json: Json = False, as_csv: Csv = False) -> None:
    """Every token, what it may do, and when it was last used; never the tokens themselves."""

    async def work(desk: Desk) -> list[tuple[Token, TokenState]]:
        from ordo_cli.services import tokens

        return await tokens.everyone(desk)

    found = door.run(work, reading=True)
    names = ("id", "name", "state", "scopes", "accounts", "max_value", "expires_at", "last_used_at")
    door.answer(
        "token list",
        [_data(*each) for each in found] if as_json else None,
        as_json=as_json,
        as_csv=as_csv,
        text=lambda: (
            show.table("", names, [_cells(*each) for each in found], as_csv=as_csv)
            if found or as_csv
            else door.say("no tokens; make one: ordo token create NAME --scope read")
        ),
    )


@app.command(epilog="Example: ordo token revoke bot")
def revoke(
    token: Annotated[str, typer.Argument(metavar="NAME", help="Its name, or its id")], as_json: Json = False
) -> None:
    """End a token: its next request is refused, whichever process it reaches."""

    async def work(desk: Desk) -> tuple[Token, TokenState]:
        from ordo_cli.services import tokens

        ended = await tokens.revoke(desk, token)
        return ended, ended.state(desk.clock.now())

    ended, state = door.run(work)
    door.answer(
        "token revoke",
        _data(ended, state) if as_json else None,
        as_json=as_json,
        text=lambda: show.line(f"revoked {ended.name} ({ended.id})"),
    )


def _hand_over(made: Made, as_json: bool) -> NoReturn:
    """The text alone on standard output. Where it finds no room nobody has seen it, and the command has failed."""
    token, rights = made.token, made.token.rights
    whom = "every account" if rights.accounts is None else " ".join(map(str, rights.accounts))
    cap = "" if rights.max_value is None else f", up to {text_of(rights.max_value)} rupees a fan-out"
    until = "for ever" if token.expires_at is None else f"until {show.indian_time(token.expires_at)} IST"
    door.say(f"token {token.name} ({token.id}): {' '.join(sorted(rights.scopes))} on {whom}{cap}, {until}")
    door.say("this is the only time that it is shown; keep it where nobody else reads")
    try:
        if as_json:
            from ordo_cli import schemas  # pydantic, 45 ms; only for --json

            write_out(door.document("token create", door.DONE, data=schemas.token_made(made)))
        else:
            write_out(made.text + "\n")
    except Unwritten:
        door.say(f"nobody has seen the token: ordo token revoke {token.name}, and make another")
        door.leave(door.FAILED)
    door.leave(door.DONE)


def _data(token: Token, state: TokenState) -> dict[str, Any]:
    from ordo_cli import schemas  # pydantic, 45 ms; only for --json

    return schemas.token(token, state)


def _cells(token: Token, state: TokenState) -> tuple[object, ...]:
    rights = token.rights
    accounts = "all" if rights.accounts is None else tuple(map(str, rights.accounts))
    scopes = tuple(sorted(rights.scopes))
    return token.id, token.name, state, scopes, accounts, rights.max_value, token.expires_at, token.last_used_at
