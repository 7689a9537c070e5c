"""Markets: what brokers say of an instrument before it is ordered, each asked once for all its accounts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ordo_cli.domain.accounts import Account, BrokerName
from ordo_cli.domain.errors import OrdoError
from ordo_cli.domain.fanouts import Mode
from ordo_cli.domain.instruments import Instrument
from ordo_cli.domain.legs import Problem
from ordo_cli.domain.orders import OrderIntent
from ordo_cli.domain.portfolio import Quote
from ordo_cli.domain.values import dataclass
from ordo_cli.services import cached

if TYPE_CHECKING:
    from ordo_cli.desk import Desk


@dataclass(frozen=True, slots=True)
class Market:
    """What one broker says of the instrument, asked once for all its accounts."""

    instrument: Instrument | None
    quote: Quote | None
    problem: Problem | None = None  # why nobody could be asked


async def read(desk: Desk, intent: OrderIntent, accounts: Sequence[Account]) -> dict[BrokerName, Market]:
    """What each broker of these accounts says."""
    by_broker: dict[BrokerName, list[Account]] = {}
    for account in accounts:
        by_broker.setdefault(account.broker, []).append(account)
    # At once, as each waits for an answer of another broker; begun in turn, so that what is near has answered then.
    loop = asyncio.get_running_loop()
    asked = [asyncio.Task(_market(desk, intent, some), loop=loop, eager_start=True) for some in by_broker.values()]
    try:
        return dict(zip(by_broker, [await each for each in asked], strict=True))
    finally:
        for each in asked:
            each.cancel()


async def _market(desk: Desk, intent: OrderIntent, accounts: Sequence[Account]) -> Market:
    """The instrument and its price from the first account that answers; when none does, the checks judge without."""
    silence: OrdoError | None = None
    limits = [desk.config.limits.for_account(each, desk.spec(each).mode is Mode.PAPER) for each in accounts]
    oldest = float(min(each.ltp_max_age for each in limits))
    for account in accounts:
        try:
            instrument = await cached.instrument(desk, account, intent.instrument)
            known = [intent.instrument] if instrument is not None else []
            quotes = await cached.quotes(desk, account, known, oldest) if known else {}
        except OrdoError as error:
            silence = silence or error
            continue
        return Market(instrument, quotes.get(intent.instrument))
    problem = None if silence is None else Problem("MARKET_UNREADABLE", silence.message, silence.hint)
    return Market(None, None, problem)
