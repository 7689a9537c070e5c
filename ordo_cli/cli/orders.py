"""Orders on the command line: place one on many accounts, list, show, modify and cancel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ordo_cli.cli import door, leg_rows, preview, show
from ordo_cli.cli.cancels import answer_cancels
from ordo_cli.cli.door import Csv, Json, Yes
from ordo_cli.cli.outcomes import answer_fan_out, choice
from ordo_cli.cli.whom import announce
from ordo_cli.domain.accounts import AccountId, Target, parse_target
from ordo_cli.domain.allocation import Split
from ordo_cli.domain.errors import Invalid
from ordo_cli.domain.instruments import parse_instrument
from ordo_cli.domain.money import parse_price, parse_quantity
from ordo_cli.domain.orders import Changes, OrderIntent, Product, Side, Validity

if TYPE_CHECKING:
    from ordo_cli.cli.operations import Operations
    from ordo_cli.domain.fanouts import FanOut
    from ordo_cli.domain.legs import Leg
    from ordo_cli.services.cancelling import Cancelled
    from ordo_cli.services.planning import PlaceRequest

app = typer.Typer(help="Place, list, show, modify and cancel orders", no_args_is_help=True)

Words = Annotated[list[str], typer.Argument(metavar="INSTRUMENT", help="EXCHANGE:SYMBOL, e.g. NSE:INFY")]
To = Annotated[
    list[str] | None, typer.Option("--to", metavar="TARGET", help="alice, @group, all or alice=10; again for more")
]
Targets = Annotated[list[str] | None, typer.Argument(metavar="[TARGET]…", help="alice, @group or all")]


@app.command("place", epilog="Example: ordo order place buy NSE:INFY --qty 10 --limit 1500 --to alice --to @family")
def place(
    side: Annotated[Side, typer.Argument(help="buy or sell")],
    instrument: Words,
    qty: Annotated[str, typer.Option("--qty", metavar="N", help="Units, not lots")],
    to: To = None,
    limit: Annotated[str | None, typer.Option("--limit", metavar="P", help="Limit price; without it MARKET")] = None,
    trigger: Annotated[
        str | None, typer.Option("--trigger", metavar="P", help="Trigger price: SL-M, or SL with --limit")
    ] = None,
    product: Annotated[Product, typer.Option("--product", case_sensitive=False)] = Product.CNC,
    validity: Annotated[Validity, typer.Option("--validity", case_sensitive=False)] = Validity.DAY,
    amo: Annotated[bool, typer.Option("--amo", help="After-market order")] = False,
    disclosed: Annotated[str | None, typer.Option("--disclosed", metavar="N", help="Units shown to the market")] = None,
    tag: Annotated[str | None, typer.Option("--tag", metavar="TEXT", help="A note of your own")] = None,
    split: Annotated[Split, typer.Option("--split", help="N for each account, or N shared out")] = Split.EACH,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be sent, and send nothing")] = False,
    yes: Yes = False,
    key: Annotated[str | None, typer.Option("--key", metavar="KEY", help="The same key never sends twice")] = None,
    wait: Annotated[
        str | None, typer.Option("--wait", metavar="accepted|terminal|filled", help="Wait for this state")
    ] = None,
    timeout: Annotated[float | None, typer.Option("--timeout", metavar="S", help="Seconds to wait", min=0)] = None,
    on_partial: Annotated[
        str, typer.Option("--on-partial", metavar="keep|cancel-rest", help="When some are refused")
    ] = "keep",
    allow_duplicate: Annotated[
        bool, typer.Option("--allow-duplicate", help="Send although the same order just went")
    ] = False,
    confirm: Annotated[bool, typer.Option("--confirm", help="Accept the checks that ask for a second look")] = False,
    as_json: Json = False,
) -> None:
    """Send one order to one or many accounts."""
    from ordo_cli.services.orders import Until  # the engine: 60 ms that usage errors need not pay
    from ordo_cli.services.planning import OnPartial, PlaceRequest

    name, more = _instrument_and_targets(instrument, to)
    intent = OrderIntent(
        side=side,
        instrument=parse_instrument(name),
        quantity=parse_quantity(qty),
        limit_price=None if limit is None else parse_price(limit, "limit"),
        trigger_price=None if trigger is None else parse_price(trigger, "trigger"),
        product=product,
        validity=validity,
        after_market=amo,
        disclosed=None if disclosed is None else parse_quantity(disclosed),
        label=tag,
    )
    partial = choice(OnPartial, on_partial, "--on-partial")
    request = PlaceRequest(
        intent, more, split, key, on_partial=partial, allow_duplicate=allow_duplicate, confirmed=confirm
    )
    if dry_run:
        preview.answer(door.operate(lambda operations: operations.preview(request), reading=True), as_json)
    until = None if wait is None else choice(Until, wait, "--wait")
    fan_out = door.operate(lambda operations: _place(operations, request, yes, until, timeout))
    answer_fan_out("order place", fan_out, str(until or Until.ACCEPTED), as_json)


async def _place(operations: Operations, request: PlaceRequest, yes: bool, until: Any, timeout: float | None) -> FanOut:
    from ordo_cli.cli.live import Board
    from ordo_cli.domain.fanouts import Mode

    mode, accounts = await announce(operations, request.targets)
    if mode is Mode.LIVE and not yes:
        preview.talk(await operations.preview(request))
        door.confirm("Send this?", yes=False)
    with Board() as board:
        fan_out = await operations.place(request, board)
        if request.split is not Split.EACH and not fan_out.replayed:
            sent = {leg.account for leg in fan_out.legs}
            without = [account.id for account in accounts if account.id not in sent]
            rest = request.intent.quantity - sum(leg.quantity for leg in fan_out.legs)
            preview.talk_rest(rest, request.intent.quantity, without)
        if until is not None:
            fan_out = await operations.wait(fan_out, until, timeout, board)
    return fan_out


def _instrument_and_targets(words: list[str], to: list[str] | None) -> tuple[str, tuple[Target, ...]]:
    """The one word with a colon is the instrument; words beside it are further targets (`--to alice @family`)."""
    instruments = [word for word in words if ":" in word] or words[:1]
    if len(instruments) != 1:
        raise Invalid("one order is for one instrument", hint="send a file with: ordo batch run FILE")
    more = [word for word in words if word != instruments[0]]
    if not to:
        raise Invalid(
            "nobody to send it to" if not more else f"unexpected {show.cleaned(more[0])!r}", hint="give --to alice"
        )
    return instruments[0], tuple(parse_target(word) for word in [*to, *more])


Account = Annotated[
    str | None, typer.Option("--account", metavar="A", help="The account, when ID is its broker's order id")
]


Only = Annotated[str | None, typer.Option("--account", metavar="A", help="Only this account")]


@app.command("list", epilog="Example: ordo order list --account alice; the brokers' own books are: ordo orders")
def list_(
    account: Only = None,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", help="Newest fan-outs to look at", min=1, max=1000)
    ] = 50,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """The legs that ordo sent, newest first."""
    found = door.operate(lambda operations: operations.recent(limit, account), reading=True)
    legs = [(fan_out, leg) for fan_out in found for leg in fan_out.legs if account in (None, leg.account)]
    door.answer(
        "order list",
        [leg_rows.as_data(fan_out, leg) for fan_out, leg in legs] if as_json else None,
        as_json=as_json,
        as_csv=as_csv,
        text=lambda: (
            show.table("", leg_rows.COLUMNS, [leg_rows.row(fan_out, leg) for fan_out, leg in legs], as_csv=as_csv)
            if legs or as_csv
            else door.say("no orders")
        ),
    )


@app.command("show", epilog="Example: ordo order show 7f3k2m9q4x-1")
def show_(
    order: Annotated[str, typer.Argument(metavar="LEG", help="A leg's id or its beginning")], as_json: Json = False
) -> None:
    """One leg: everything that is known of it, and how its broker's book shows it now."""
    fan_out, leg, booked = door.operate(lambda operations: operations.leg_and_book(order), reading=True)
    door.answer(
        "order show",
        leg_rows.as_data(fan_out, leg, booked) if as_json else None,
        as_json=as_json,
        text=lambda: show.facts(
            f"{fan_out.intent.side} {fan_out.intent.instrument}", leg_rows.facts(fan_out, leg, booked)
        ),
    )


@app.command("modify", epilog="Example: ordo order modify 7f3k2m9q4x-1 --limit 1502.50")
def modify(
    order: Annotated[str, typer.Argument(metavar="LEG", help="A leg's id or its beginning")],
    qty: Annotated[str | None, typer.Option("--qty", metavar="N", help="New quantity")] = None,
    limit: Annotated[str | None, typer.Option("--limit", metavar="P", help="New limit price")] = None,
    trigger: Annotated[str | None, typer.Option("--trigger", metavar="P", help="New trigger price")] = None,
    confirm: Annotated[bool, typer.Option("--confirm", help="Accept the checks that ask for a second look")] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Change the quantity or the prices of a working order."""
    changes = Changes(
        quantity=None if qty is None else parse_quantity(qty),
        limit_price=None if limit is None else parse_price(limit, "limit"),
        trigger_price=None if trigger is None else parse_price(trigger, "trigger"),
    )
    fan_out, leg = door.operate(lambda operations: _modify(operations, order, changes, confirm, yes))
    door.answer(
        "order modify",
        leg_rows.as_data(fan_out, leg) if as_json else None,
        as_json=as_json,
        text=lambda: show.facts("changed", leg_rows.changed(leg, changes)),
    )


@app.command("cancel", epilog="Example: ordo order cancel 7f3k2m9q4x-1")
def cancel(
    orders: Annotated[list[str], typer.Argument(metavar="ID…", help="Legs, or with --account its broker's order ids")],
    account: Account = None,
    as_json: Json = False,
) -> None:
    """Cancel orders. Never blocked by the kill switch, and never asks."""
    done = door.operate(lambda operations: _cancel(operations, orders, account))
    answer_cancels("order cancel", done, as_json)


@app.command("cancel-all", epilog="Example: ordo order cancel-all @family")
def cancel_all(targets: Targets = None, as_json: Json = False) -> None:
    """Cancel every working order that ordo placed for these accounts. Never asks."""
    chosen = tuple(parse_target(word) for word in targets or ["all"])

    async def work(operations: Operations) -> Sequence[Cancelled]:
        await announce(operations, chosen)
        return await operations.cancel_all(chosen)

    answer_cancels("order cancel-all", door.operate(work), as_json)


async def _cancel(operations: Operations, words: Sequence[str], account: str | None) -> Sequence[Cancelled]:
    async def tell(accounts: list[AccountId]) -> None:
        await announce(operations, [Target(name) for name in accounts])

    return await operations.cancel_each(words, account, tell)


async def _modify(
    operations: Operations, word: str, changes: Changes, confirmed: bool, yes: bool
) -> tuple[FanOut, Leg]:
    from ordo_cli.domain.fanouts import Mode

    fan_out, leg = await operations.leg(word)
    mode, _ = await announce(operations, [Target(leg.account)])
    if mode is Mode.LIVE:
        door.confirm(f"Change {leg.id} of {leg.account}?", yes=yes)
    return fan_out, await operations.modify(leg, changes, confirmed)
