"""Instruments and their prices, asked of an account that can tell."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from ordo_cli.brokers.base import Tools
from ordo_cli.brokers.indexed import ENDING, IndexedMaster
from ordo_cli.domain.accounts import Account, Target, choose
from ordo_cli.domain.errors import Invalid, NotFound
from ordo_cli.domain.instruments import Instrument, InstrumentId
from ordo_cli.domain.portfolio import Quote
from ordo_cli.domain.tokens import TokenScope
from ordo_cli.domain.values import dataclass
from ordo_cli.services import cached

if TYPE_CHECKING:
    from ordo_cli.desk import Desk


@dataclass(frozen=True, slots=True)
class Found:
    """An instrument, and the brokers that have it."""

    instrument: Instrument
    brokers: tuple[str, ...]


async def quotes(
    desk: Desk, instruments: Sequence[InstrumentId], account: str | None = None
) -> Mapping[InstrumentId, Quote]:
    """The market in these instruments; those that the broker does not know are missing."""
    return await cached.quotes(desk, await _teller(desk, account), instruments)


async def show(desk: Desk, instrument: InstrumentId, account: str | None = None) -> Instrument:
    """What the exchange demands of an order in it. Raises NotFound."""
    found = await _known(desk, instrument, account)
    if found is None:
        raise NotFound(f"no instrument {instrument} is known", hint=f"ordo instrument search {instrument.symbol[:6]}")
    return found


async def search(desk: Desk, text: str, limit: int = 20, account: str | None = None) -> Sequence[Found]:
    """What the text may mean, the likeliest first; never one alone where several fit.

    Without an account every list on this machine is searched, and the exchange of the first account that has none.
    """
    desk.rights.require(TokenScope.READ, TokenScope.TRADE)
    if account is not None:
        teller = await _teller(desk, account)
        return [Found(each, (teller.broker,)) for each in await _searched(desk, teller, text, limit)]
    ranked = [(rank, name, each.instrument) for name, known in _lists(desk) for rank, each in known.ranked(text, limit)]
    try:
        teller = await _teller(desk, None, listed=False if ranked else None)
    except NotFound:
        if not any(True for _ in _lists(desk)):
            raise
    else:
        if desk.spec(teller).master is None:
            told = await (await desk.lines.to(teller)).search(text, limit)
            # Its own order is kept, and what it has is as likely as what the lists have at the same place.
            ranked += [((0, place), teller.broker, each) for place, each in enumerate(told)]
    ranked.sort(key=lambda found: found[0])
    return _together(ranked)[:limit]


def _together(ranked: Sequence[tuple[tuple[int, ...], str, Instrument]]) -> list[Found]:
    """Each instrument once, as the first says it, with everybody who has it."""
    found: dict[InstrumentId, Found] = {}
    for _, broker, instrument in ranked:
        before = found.get(instrument.id)
        if before is None:
            found[instrument.id] = Found(instrument, (broker,))
        elif broker not in before.brokers:
            found[instrument.id] = Found(before.instrument, (*before.brokers, broker))
    return list(found.values())


def _lists(desk: Desk) -> Iterator[tuple[str, IndexedMaster]]:
    """Every list on this machine, with the broker that it is of."""
    for name in sorted(os.listdir(desk.home.instruments)):
        if name.endswith(ENDING):
            yield name.removesuffix(ENDING).partition("-")[0], IndexedMaster(os.path.join(desk.home.instruments, name))


async def _searched(desk: Desk, account: Account, text: str, limit: int) -> Sequence[Instrument]:
    if desk.spec(account).master is None:
        return await (await desk.lines.to(account)).search(text, limit)
    return [each.instrument for each in desk.lines.tools(account).master.search(text, limit)]


async def _known(desk: Desk, name: InstrumentId, account: str | None) -> Instrument | None:
    """The instrument as the account's broker has it; without any account, as the first list has it."""
    try:
        teller = await _teller(desk, account)
    except NotFound:
        listings = [listing for _, known in _lists(desk) if (listing := known.listing(name)) is not None]
        if account is not None or not listings:
            raise
        return listings[0].instrument
    if desk.spec(teller).master is None:
        return await cached.instrument(desk, teller, name)
    listing = desk.lines.tools(teller).master.listing(name)  # which needs no session
    return None if listing is None else listing.instrument


async def set_price(desk: Desk, instrument: InstrumentId, price: Decimal | None) -> None:
    """Fix a price at the paper exchange, to rehearse with; None lets it move again. Raises NotFound or Invalid."""
    from ordo_cli.brokers import paper  # only the paper exchange can be told a price, so only it is loaded

    desk.rights.require(TokenScope.ADMIN)
    tools = Tools(desk.clock, desk.chance, Path(desk.home.data), options=desk.config.brokers.get("paper", {}))
    await paper.set_price(tools, instrument, price)


async def _teller(desk: Desk, name: str | None, listed: bool | None = None) -> Account:
    """The account that is asked: the one named, else the first whose broker gives quotes, and has a list or none."""
    desk.rights.require(TokenScope.READ, TokenScope.TRADE)
    accounts = await desk.store.accounts.all()
    if name is not None:
        chosen = choose(accounts, [Target(name)])
        desk.rights.require_accounts(account for account, _ in chosen)
        if len(chosen) != 1:
            raise Invalid("prices are asked of a single account", hint="--account alice")
        only: Account = chosen[0][0]
        return only
    for account in accounts:
        if listed is not None and (desk.spec(account).master is not None) is not listed:
            continue
        if account.enabled and desk.rights.covers(account) and desk.spec(account).capabilities(account).quotes:
            return account
    raise NotFound("no account can tell prices", hint="add one: ordo account add alice --broker paper")
