"""What a cache may say in a broker's place, for a moment: quotes, instruments and funds. All else is always asked.

Never from here: positions, orders, holdings, the kill switch, keys, legs, and the money that an order is held against.
The paper exchange is not cached: it is on this machine, nearer than any cache, and its prices are set by hand.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ordo_cli.domain import market
from ordo_cli.domain.fanouts import Mode
from ordo_cli.domain.instruments import Instrument, InstrumentId, Kind, parse_instrument
from ordo_cli.domain.money import money
from ordo_cli.domain.portfolio import Funds, Quote

if TYPE_CHECKING:
    from ordo_cli.desk import Desk
    from ordo_cli.domain.accounts import Account

QUOTE, FUNDS = 1.0, 2.0  # seconds that an answer may be told again
INSTRUMENT = 3600.0  # and never beyond its trading day
BANDED = 60.0  # an instrument with a price band, which an exchange may move within the day


async def quotes(
    desk: Desk, account: Account, instruments: Sequence[InstrumentId], oldest: float | None = None
) -> Mapping[InstrumentId, Quote]:
    """The market in these instruments, as the broker says or said a second ago.

    `oldest` is how many seconds old a price may be, by its own time stamp, to be judged on. One of half that age, or
    from a time that has not come, is asked anew: the cache shall not be what makes a price too old.
    """
    broker = await desk.lines.to(account)
    if not _may(desk, account):
        return await broker.quotes(instruments)
    found = {name: quote for name in instruments if (quote := await _quote(desk, account, name, oldest)) is not None}
    missing = [name for name in instruments if name not in found]
    if not missing:
        return found
    asked = await broker.quotes(missing)
    for name, quote in asked.items():
        await _put(desk, _quote_key(account, name), _of_quote(quote), QUOTE)
    return {name: each for name in instruments if (each := found.get(name) or asked.get(name)) is not None}


async def instrument(desk: Desk, account: Account, name: InstrumentId) -> Instrument | None:
    """The instrument as this broker trades it today."""
    broker = await desk.lines.to(account)
    if not _may(desk, account) or desk.spec(account).master is not None:
        return await broker.instrument(name)  # out of its list, which is nearer than a cache and may be a newer one
    key = f"instrument/{_market(account)}/{market.trading_day(desk.clock.now()).isoformat()}/{name}"
    kept = await _get(desk, key, INSTRUMENT, _instrument)
    if kept is not None and kept.id == name:
        return kept
    found = await broker.instrument(name)
    if found is not None:
        seconds = INSTRUMENT if found.lower_band is None and found.upper_band is None else BANDED
        await _put(desk, key, _of_instrument(found), seconds)
    return found


async def funds(desk: Desk, account: Account) -> Funds:
    """The account's money, to look at; an order is held against what the broker says at that moment."""
    broker = await desk.lines.to(account)
    if not _may(desk, account):
        return await broker.funds()
    key = f"funds/{_market(account)}/{account.id}"
    kept = await _get(desk, key, FUNDS, _funds)
    if kept is not None:
        return kept
    found = await broker.funds()
    await _put(desk, key, {name: str(getattr(found, name)) for name in FUNDS_FIELDS}, FUNDS)
    return found


def _may(desk: Desk, account: Account) -> bool:
    return desk.spec(account).mode is not Mode.PAPER


def _market(account: Account) -> str:
    """Accounts that see one market: those of one broker at one address."""
    return f"{account.broker}@{account.base_url or ''}"


def _quote_key(account: Account, name: InstrumentId) -> str:
    return f"quote/{_market(account)}/{name}"


async def _quote(desk: Desk, account: Account, name: InstrumentId, oldest: float | None) -> Quote | None:
    kept = await _get(desk, _quote_key(account, name), QUOTE, _quote_of)
    if kept is None or kept.instrument != name:
        return None
    age = desk.clock.now() - kept.at
    return kept if oldest is None or timedelta(0) <= age <= timedelta(seconds=oldest / 2) else None


async def _put(desk: Desk, key: str, body: Mapping[str, object], seconds: float) -> None:
    said = json.dumps({"said_at": desk.clock.now().isoformat(), **body}, separators=(",", ":"))
    await desk.cache.put(key, said.encode(), seconds)


async def _get[T](desk: Desk, key: str, seconds: float, read: Callable[[Mapping[str, Any]], T]) -> T | None:
    """What was kept there, or None when nothing was, it is too old by our own clock, or it cannot be read."""
    kept = await desk.cache.get(key)
    if kept is None:
        return None
    try:
        body = json.loads(kept)
        age = desk.clock.now() - _moment(body["said_at"])
        return read(body) if timedelta(0) <= age <= timedelta(seconds=seconds) else None
    except Exception:  # another version may have written it; the broker knows
        return None


PRICES = ("last_price", "bid", "ask", "open", "high", "low", "previous_close")
FUNDS_FIELDS = ("available", "used", "collateral", "total")


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount)


def _amount(text: str | None) -> Decimal | None:
    return None if text is None else money(text)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a moment has a time zone")
    return moment


def _of_quote(quote: Quote) -> dict[str, object]:
    prices = {name: _text(getattr(quote, name)) for name in PRICES}
    return {"instrument": str(quote.instrument), **prices, "volume": quote.volume, "at": quote.at.isoformat()}


def _quote_of(body: Mapping[str, Any]) -> Quote:
    sides = _amount(body["bid"]), _amount(body["ask"])
    last, opened, high, low, close = (money(body[name]) for name in PRICES if name not in ("bid", "ask"))
    name, at = parse_instrument(body["instrument"]), _moment(body["at"])
    return Quote(name, last, *sides, opened, high, low, close, int(body["volume"]), at)


def _of_instrument(found: Instrument) -> dict[str, object]:
    return {
        "instrument": str(found.id),
        "name": found.name,
        "kind": found.kind,
        "tick": str(found.tick),
        "lot": found.lot,
        "freeze_quantity": found.freeze_quantity,
        "lower_band": _text(found.lower_band),
        "upper_band": _text(found.upper_band),
        "isin": found.isin,
    }


def _instrument(body: Mapping[str, Any]) -> Instrument:
    return Instrument(
        id=parse_instrument(body["instrument"]),
        name=body["name"],
        kind=Kind(body["kind"]),
        tick=money(body["tick"]),
        lot=body["lot"],
        freeze_quantity=body["freeze_quantity"],
        lower_band=_amount(body["lower_band"]),
        upper_band=_amount(body["upper_band"]),
        isin=body["isin"],
    )


def _funds(body: Mapping[str, Any]) -> Funds:
    return Funds(*(money(body[name]) for name in FUNDS_FIELDS))
