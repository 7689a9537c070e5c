"""Instruments and their prices, asked of an account that can tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from ordo_cli.brokers.base import Tools
from ordo_cli.domain.accounts import Account, Target, choose
from ordo_cli.domain.errors import Invalid, NotFound
from ordo_cli.domain.instruments import Instrument, InstrumentId
from ordo_cli.domain.portfolio import Quote
from ordo_cli.domain.tokens import TokenScope
from ordo_cli.services import cached

if TYPE_CHECKING:
    from ordo_cli.brokers.base import Broker
    from ordo_cli.desk import Desk


async def quotes(
    desk: Desk, instruments: Sequence[InstrumentId], account: str | None = None
) -> Mapping[InstrumentId, Quote]:
    """The market in these instruments; those that the broker does not know are missing."""
    return await cached.quotes(desk, await _teller(desk, account), instruments)


async def show(desk: Desk, instrument: InstrumentId, account: str | None = None) -> Instrument:
    """What the exchange demands of an order in it. Raises NotFound."""
    found = await cached.instrument(desk, await _teller(desk, account), instrument)
    if found is None:
        raise NotFound(f"no instrument {instrument} is known", hint=f"ordo instrument search {instrument.symbol[:6]}")
    return found


async def search(desk: Desk, text: str, limit: int = 20, account: str | None = None) -> Sequence[Instrument]:
    return await (await _line(desk, account)).search(text, limit)


async def set_price(desk: Desk, instrument: InstrumentId, price: Decimal | None) -> None:
    """Fix a price at the paper exchange, to rehearse with; None lets it move again. Raises NotFound or Invalid."""
    from ordo_cli.brokers import paper  # only the paper exchange can be told a price, so only it is loaded

    desk.rights.require(TokenScope.ADMIN)
    tools = Tools(desk.clock, desk.chance, Path(desk.home.data), options=desk.config.brokers.get("paper", {}))
    await paper.set_price(tools, instrument, price)


async def _line(desk: Desk, name: str | None) -> Broker:
    return await desk.lines.to(await _teller(desk, name))


async def _teller(desk: Desk, name: str | None) -> Account:
    """The account that is asked: the one named, else the first whose broker gives quotes."""
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
        if account.enabled and desk.rights.covers(account) and desk.spec(account).capabilities(account).quotes:
            return account
    raise NotFound("no account can tell prices", hint="add one: ordo account add alice --broker paper")
