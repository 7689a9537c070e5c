"""Instruments and prices on the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ordo_cli.cli import door, show
from ordo_cli.cli.door import Csv, Json
from ordo_cli.cli.exits import DONE, FAILED, PARTIAL, exit_code_of_reads
from ordo_cli.domain.instruments import InstrumentId, parse_instrument
from ordo_cli.domain.money import parse_price

if TYPE_CHECKING:
    from ordo_cli.domain.instruments import Instrument
    from ordo_cli.domain.portfolio import Quote
    from ordo_cli.services.instruments import Found
    from ordo_cli.services.masters import Synced

app = typer.Typer(help="Find and show instruments", no_args_is_help=True)

Asked = Annotated[
    str | None, typer.Option("--account", metavar="A", help="Ask this account; the first that can tell otherwise")
]
Name = Annotated[str, typer.Argument(metavar="INSTRUMENT", help="EXCHANGE:SYMBOL, e.g. NSE:INFY")]
QUOTE = ("instrument", "last", "bid", "ask", "open", "high", "low", "previous", "volume", "time")
FOUND = ("instrument", "name", "kind", "tick", "lot", "isin", "brokers")
SYNCED = ("list", "day", "instruments", "left out", "bytes", "s", "problem")


def quote(
    instruments: Annotated[list[str], typer.Argument(metavar="INSTRUMENT…", help="EXCHANGE:SYMBOL, e.g. NSE:INFY")],
    account: Asked = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Last price, bid and ask. Example: ordo quote NSE:INFY NSE:TCS"""
    names = [parse_instrument(name) for name in instruments]
    found = door.operate(lambda operations: operations.quotes(names, account), reading=True)
    missing = [name for name in names if name not in found]
    for name in missing:  # said with --json and --csv too
        door.warn(f"no price of {name} is known; try: ordo instrument search {name.symbol}")
    door.answer(
        "quote",
        _quotes_json(found, names) if as_json else None,
        as_json=as_json,
        as_csv=as_csv,
        text=lambda: _print_quotes(found, names, as_csv),
        exit_code=DONE if not missing else PARTIAL if found else FAILED,
    )


@app.command("sync", epilog="Example: ordo instrument sync --broker fyers")
def sync(
    account: Annotated[
        str | None, typer.Option("--account", metavar="A", help="Only the list that this account's orders go by")
    ] = None,
    broker: Annotated[str | None, typer.Option("--broker", metavar="B", help="Only the lists of this broker")] = None,
    as_json: Json = False,
) -> None:
    """Fetch the brokers' lists of instruments; orders need one of the day."""
    from ordo_cli.cli.fetching import fetched
    from ordo_cli.services import masters

    done = fetched(lambda desk, watch: masters.sync(desk, account=account, broker=broker, watch=watch))
    door.answer(
        "instrument sync",
        _synced_json(done) if as_json else None,
        as_json=as_json,
        text=lambda: show.table("", SYNCED, [_synced(each) for each in done]),
        exit_code=exit_code_of_reads(len(done), [each.problem.code for each in done if each.problem is not None]),
    )


@app.command("search", epilog="Example: ordo instrument search nifty --limit 5")
def search(
    text: Annotated[str, typer.Argument(help="Part of a symbol or a name")],
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, max=500, help="How many at most")] = 20,
    account: Asked = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Find instruments by symbol or name, and contracts by what they are: nifty 24500 ce nov, reliance fut."""
    from ordo_cli.services import instruments as service

    found = door.run(lambda desk: service.search(desk, text, limit, account), reading=True)
    rows = [_found(each) for each in found]
    if len(found) == limit:
        door.say(f"the first {limit}; more with --limit N")
    door.answer(
        "instrument search",
        [{**_json(each.instrument), "brokers": each.brokers} for each in found] if as_json else None,
        as_json=as_json,
        as_csv=as_csv,
        text=lambda: show.table("", FOUND, rows, as_csv=as_csv) if rows or as_csv else door.say("nothing found"),
    )


@app.command("show", epilog="Example: ordo instrument show NSE:INFY")
def show_(instrument: Name, account: Asked = None, as_json: Json = False) -> None:
    """Tick, lot, freeze quantity and price band."""
    from ordo_cli.services import instruments as service

    name = parse_instrument(instrument)
    found = door.run(lambda desk: service.show(desk, name, account), reading=True)
    door.answer(
        "instrument show",
        _json(found) if as_json else None,
        as_json=as_json,
        text=lambda: show.facts(str(found.id), _facts(found)),
    )


@app.command("price", epilog="Example: ordo instrument price NSE:INFY 1500.05; back to the moving market: --free")
def price(
    instrument: Name,
    amount: Annotated[str | None, typer.Argument(metavar="[PRICE]", help="Rupees")] = None,
    free: Annotated[bool, typer.Option("--free", help="Let the market move again")] = False,
    as_json: Json = False,
) -> None:
    """Set a price at the paper exchange, to rehearse with."""
    from ordo_cli.domain.errors import Invalid
    from ordo_cli.services import instruments as service

    if (amount is None) != free:
        raise Invalid("give a price, or --free")
    name = parse_instrument(instrument)
    at = None if amount is None else parse_price(amount)
    door.run(lambda desk: service.set_price(desk, name, at))
    said = (
        f"{name} stands at {show.cell(at)} on the paper exchange" if at else f"{name} moves again on the paper exchange"
    )
    data = {"instrument": str(name), "price": at}
    door.answer("instrument price", data, as_json=as_json, text=lambda: show.line(said))


def _print_quotes(found: Mapping[InstrumentId, Quote], names: Sequence[InstrumentId], as_csv: bool) -> None:
    rows = [
        (
            at.instrument,
            at.last_price,
            at.bid,
            at.ask,
            at.open,
            at.high,
            at.low,
            at.previous_close,
            at.volume,
            at.at,
        )
        for at in (found[name] for name in names if name in found)
    ]
    if rows or as_csv:
        show.table("", QUOTE, rows, as_csv=as_csv)


def _facts(found: Instrument) -> list[tuple[str, object]]:
    return [
        ("name", found.name),
        ("kind", found.kind),
        ("tick", found.tick),
        ("lot", found.lot),
        ("freeze quantity", found.freeze_quantity),
        ("lower band", found.lower_band),
        ("upper band", found.upper_band),
        ("isin", found.isin),
    ]


def _quotes_json(found: Mapping[InstrumentId, Quote], names: Sequence[InstrumentId]) -> object:
    from ordo_cli import schemas  # pydantic, 45 ms; only for --json

    return [schemas.quote(found[name]) for name in names if name in found]


def _found(found: Found) -> tuple[object, ...]:
    it = found.instrument
    return (it.id, it.name, it.kind, it.tick, it.lot, it.isin, found.brokers)


def _json(found: Instrument) -> dict[str, Any]:
    from ordo_cli import schemas

    return schemas.instrument(found)


def _synced(each: Synced) -> tuple[object, ...]:
    problem = None if each.problem is None else each.problem.message
    return (
        each.title,
        each.day,
        each.rows or None,
        each.left_out or None,
        each.received or None,
        each.seconds,
        problem,
    )


def _synced_json(done: Sequence[Synced]) -> object:
    from ordo_cli import schemas  # pydantic, 45 ms; only for --json

    return [schemas.synced(each) for each in done]
