"""`ordo account` on the command line: who orders can be for."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ordo_cli.cli import door, show
from ordo_cli.cli.door import Csv, Json, Yes
from ordo_cli.domain.errors import Invalid, NotFound

if TYPE_CHECKING:
    from ordo_cli.desk import Desk
    from ordo_cli.domain.accounts import Account
    from ordo_cli.services.accounts import Described, Wishes
    from ordo_cli.services.setup import Step

app = typer.Typer(help="Add, list, show, edit and remove accounts", no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="ID", help="the account's name")]
Group = Annotated[list[str] | None, typer.Option("--group", metavar="G", help="A group it belongs to; again for more")]
Weight = Annotated[str | None, typer.Option("--weight", metavar="W", help="Its share with --split weights (1)")]
BaseUrl = Annotated[
    str | None, typer.Option("--base-url", metavar="U", help="Another server: https, or http on loopback")
]
Egress = Annotated[
    str | None, typer.Option("--egress", metavar="A", help="Source address or proxy its calls leave from")
]
SecretsFile = Annotated[
    str | None, typer.Option("--secrets-file", metavar="F", help="TOML or JSON with its credentials; - reads input")
]
Behaviour = Annotated[
    list[str] | None,
    typer.Option("--behaviour", metavar="X", help="Paper: trouble to rehearse; ordo broker show paper"),
]
Limit = Annotated[
    list[str] | None,
    typer.Option("--limit", metavar="NAME=VALUE", help="A limit of its own, e.g. value_order_max=50000"),
]


@app.command(epilog="Example: ordo account add alice --broker paper --group family --weight 2")
def add(
    account: Id,
    broker: Annotated[str, typer.Option("--broker", metavar="B", help="ordo broker list names them")],
    group: Group = None,
    weight: Weight = None,
    base_url: BaseUrl = None,
    egress: Egress = None,
    secrets_file: SecretsFile = None,
    behaviour: Behaviour = None,
    limit: Limit = None,
    as_json: Json = False,
) -> None:
    """Take an account in; what its broker needs to know is asked for unseen."""
    from ordo_cli.services import accounts, brokers

    wishes = _wishes(group or [], weight, base_url, egress, behaviour or [], limit)
    given = _from_file(secrets_file, broker)
    for field in brokers.credentials_of(broker, door.plugins()):
        if field not in given:
            given[field] = door.secret(f"{field} of {account}", "--secrets-file")

    async def work(desk: Desk) -> tuple[list[Step], Described]:
        return await accounts.add(desk, account, broker, wishes, given), await accounts.describe(desk, account)

    steps, found = door.run(work)
    if steps:
        door.say(f"ordo was not set up yet; made a home with defaults ({door.home().config_file})")
    _answer("account add", found, as_json, f"added {account}, {found.mode} at {broker}")


@app.command(epilog="Example: ordo account edit alice --group family --limit value_order_max=50000")
def edit(
    account: Id,
    group: Group = None,
    no_groups: Annotated[bool, typer.Option("--no-groups", help="Take it out of every group")] = False,
    weight: Weight = None,
    base_url: BaseUrl = None,
    egress: Egress = None,
    secrets_file: SecretsFile = None,
    behaviour: Behaviour = None,
    no_behaviours: Annotated[bool, typer.Option("--no-behaviours", help="Paper: let it behave again")] = False,
    limit: Limit = None,
    as_json: Json = False,
) -> None:
    """Change what is given; the groups and behaviours given replace those it had."""
    from ordo_cli.services import accounts

    if all(it is None for it in (group, weight, base_url, egress, secrets_file, behaviour, limit)) and not (
        no_groups or no_behaviours
    ):
        raise Invalid("nothing to change", hint="see: ordo account edit --help")
    wishes = _wishes([] if no_groups else group, weight, base_url, egress, [] if no_behaviours else behaviour, limit)

    async def work(desk: Desk) -> Described:
        given = _from_file(secrets_file, (await accounts.describe(desk, account)).account.broker)
        await accounts.edit(desk, account, wishes, given)
        return await accounts.describe(desk, account)

    _answer("account edit", door.run(work), as_json, f"changed {account}")


@app.command("list", epilog="Example: ordo account list --json")
def list_(as_json: Json = False, as_csv: Csv = False) -> None:
    """Every account with its broker, groups and weight."""
    found = door.operate(lambda operations: operations.accounts(), reading=True)
    names = ("account", "broker", "mode", "groups", "weight", "enabled", "behaviours")
    rows = [(it.id, it.broker, mode, it.groups, _weight(it), it.enabled, it.behaviours) for it, mode in found]
    door.answer(
        "account list",
        _listed(found, as_json),
        as_json=as_json,
        as_csv=as_csv,
        text=lambda: show.table("", names, rows, as_csv=as_csv),
    )


@app.command("show", epilog="Example: ordo account show alice")
def show_one(account: Id, as_json: Json = False) -> None:
    """One account, its limits and what decides each, and whether the kill switch covers it."""

    async def work(desk: Desk) -> Described:
        from ordo_cli.services import accounts

        return await accounts.describe(desk, account)

    found = door.run(work, reading=True)
    door.answer("account show", _shown(found, as_json), as_json=as_json, text=lambda: _text(found))


@app.command(epilog="Example: ordo account remove alice")
def remove(account: Id, yes: Yes = False, as_json: Json = False) -> None:
    """Forget an account with its credentials and limits; refused while an order of it is unsettled."""

    async def work(desk: Desk) -> None:
        from ordo_cli.services import accounts

        await accounts.describe(desk, account)
        door.confirm(f"Remove {account} and its credentials?", yes=yes)
        await accounts.remove(desk, account)

    door.run(work)
    data = {"account": account, "removed": True}
    door.answer("account remove", data, as_json=as_json, text=lambda: show.line(f"removed {account}"))


@app.command(epilog="Example: ordo account enable alice")
def enable(account: Id, as_json: Json = False) -> None:
    """Let an account take part again."""
    _switch(account, True, as_json)


@app.command(epilog="Example: ordo account disable alice")
def disable(account: Id, as_json: Json = False) -> None:
    """Leave an account out of `all` and its groups, and refuse orders that name it."""
    _switch(account, False, as_json)


def _switch(account: str, enabled: bool, as_json: bool) -> None:
    async def work(desk: Desk) -> Described:
        from ordo_cli.services import accounts

        await accounts.enable(desk, account, enabled)
        return await accounts.describe(desk, account)

    word = "enable" if enabled else "disable"
    _answer(f"account {word}", door.run(work), as_json, f"{word}d {account}")


def _answer(command: str, found: Described, as_json: bool, sentence: str) -> None:
    if found.disarmed:
        door.warn(f"nothing of {found.account.id} leaves: stopped by {' '.join(found.disarmed)} (ordo kill status)")
    door.answer(command, _shown(found, as_json), as_json=as_json, text=lambda: show.line(sentence))


def _wishes(
    groups: list[str] | None,
    weight: str | None,
    base_url: str | None,
    egress: str | None,
    behaviours: list[str] | None,
    limits: list[str] | None,
) -> Wishes:
    from ordo_cli.services.accounts import Wishes, parse_weight

    named = [limit.partition("=") for limit in limits or []]
    for name, equals, value in named:
        if not (name and equals and value):
            raise Invalid("a limit is written NAME=VALUE", hint="--limit value_order_max=50000")
    return Wishes(
        groups=None if groups is None else tuple(groups),
        weight=None if weight is None else parse_weight(weight),
        base_url=base_url,
        egress=egress,
        behaviours=None if behaviours is None else tuple(behaviours),
        limits={name: value for name, _, value in named},
    )


def _from_file(path: str | None, broker: str) -> dict[str, str]:
    from ordo_cli.services.accounts import read_credentials
    from ordo_cli.services.brokers import fields_of

    if path is None:
        return {}
    try:
        if path == "-":
            text = sys.stdin.read()
        else:
            with open(path, encoding="utf-8") as file:
                text = file.read()
    except FileNotFoundError:
        raise NotFound(f"there is no file {path}") from None
    except (OSError, UnicodeDecodeError):
        raise Invalid(f"{path} cannot be read as text") from None
    return read_credentials(text, broker, fields_of(broker, door.plugins()))


def _weight(account: Account) -> str:
    return format(account.weight.normalize(), "f")


def _shown(found: Described, as_json: bool) -> Any:
    if not as_json:
        return None
    from ordo_cli import schemas  # pydantic, 45 ms; only for --json

    return schemas.account_shown(found)


def _listed(found: Sequence[tuple[Account, Any]], as_json: bool) -> Any:
    if not as_json:
        return None
    from ordo_cli import schemas  # pydantic, 45 ms; only for --json

    return [schemas.account(account, mode) for account, mode in found]


def _text(found: Described) -> None:
    account = found.account
    words = {True: "kept", False: "missing", None: "not told"}
    facts = {
        "account": account.id,
        "broker": account.broker,
        "mode": found.mode,
        "groups": account.groups,
        "weight": _weight(account),
        "enabled": account.enabled,
        "base URL": account.base_url,
        "egress": account.egress,
        "behaviours": account.behaviours,
        "stopped by": " ".join(found.disarmed) or "nothing; it is armed",
        "credentials": ", ".join(f"{name}: {words[kept]}" for name, kept in found.credentials.items()),
    }
    show.facts("", [(name, value) for name, value in facts.items() if value != ()])
    show.table("limits", ("limit", "value", "set by"), found.limits)
