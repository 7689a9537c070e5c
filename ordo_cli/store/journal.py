"""The journal of fan-outs and legs: written down before anything leaves, and asked after a crash."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Literal

from ordo_cli.domain.accounts import AccountId
from ordo_cli.domain.errors import KeyConflict, NotFound
from ordo_cli.domain.fanouts import FanOut
from ordo_cli.domain.instruments import InstrumentId
from ordo_cli.domain.journal import ClaimTerms, DayUse, OperationTerms, Owner, Picture, Wait
from ordo_cli.domain.legs import FanOutId, Leg, LegId
from ordo_cli.domain.orders import BrokerOrderId, Side, Tag
from ordo_cli.store import lookups
from ordo_cli.store.chain import Origin, Tell
from ordo_cli.store.claims import claiming, operating
from ordo_cli.store.driver import Ask, Body
from ordo_cli.store.picture import Pick, picture, using
from ordo_cli.store.planning import Conflict, Window, opening, replaying
from ordo_cli.store.rows import ids_of, ids_text, leg_changes, leg_of, micros, place_of, standing, time_of

if TYPE_CHECKING:
    from ordo_cli.store.base import Database


Changed = Callable[[FanOutId], None]
"""Told of a fan-out after something of it was committed; it may not fail, nor take any time."""


def unheard(fan_out: FanOutId) -> None:
    """Nobody listens."""


class Journal:
    """Questions and changes in ordo's words, one transaction each."""

    def __init__(
        self, database: Database, origin: Callable[[], Origin], owner: Owner | None, changed: Changed = unheard
    ) -> None:
        self._database = database
        self._origin = origin
        self._owner = owner
        self._changed = changed

    async def replay(self, principal: str, verb: str, key: str, fingerprint: str) -> FanOut | None:
        """What this key was used for before, or None. Raises KeyConflict when it was used for something else."""
        found = await self._database.glance(replaying, principal, verb, key, fingerprint)
        return None if found is None else _replayed(found, key)

    async def outset(
        self, principal: str, verb: str, key: str, fingerprint: str
    ) -> tuple[dict[LegId, Owner], FanOut | None]:
        """Who else plans or sends legs, and what `replay` gives, in one look."""
        others, found = await self._database.glance(lookups.outset, principal, verb, key, fingerprint, self._owner)
        return others, None if found is None else _replayed(found, key)

    async def open(self, fan_out: FanOut, *, duplicate_window: Window | None) -> FanOut:
        """Write a fan-out and its legs down, judged against the journal, or give back what its key stands for.

        Raises KeyConflict when the key stands for another request, StoreFailed when nothing could be written.
        """
        written = await self._database.run(opening, fan_out, duplicate_window, self._owner, self._origin())
        self._changed(fan_out.id)
        return _replayed(written, fan_out.key)

    async def claim(self, leg: LegId, terms: ClaimTerms) -> Leg | Wait:
        """Make a planned leg SENDING, durably, or say how long to wait for its turn.

        Raises KillEngaged, LimitExceeded, or IllegalMove when it is not planned (any more); then nothing may be sent.
        """
        claimed = await self._database.run(claiming, leg, terms, self._origin())
        self._changed(place_of(leg)[0])
        return claimed

    async def operation(
        self,
        account: AccountId,
        kind: Literal["cancel", "modify"],
        terms: OperationTerms,
        leg: LegId | None = None,
    ) -> Wait | None:
        """Count a cancel or modify that is about to leave, or say how long to wait for its turn."""
        return await self._database.run(operating, account, kind, leg, terms, self._origin())

    async def move(
        self,
        leg: LegId,
        change: Callable[[Leg], Leg],
        *,
        kind: str = "state",
        data: Mapping[str, object] | None = None,
    ) -> Leg:
        """Apply a move to the leg as it now is; with it goes one audit row, and none when nothing changed."""
        moved = await self._database.run(_moving, leg, change, kind, data, self._origin())
        self._changed(moved.fan_out)
        return moved

    async def fan_out(self, id_or_prefix: str) -> FanOut:
        """One fan-out. Raises NotFound, or Invalid when several begin so."""
        return await self._database.read(lookups.one_fan_out, id_or_prefix)

    async def fan_outs(
        self, limit: int = 20, account: AccountId | None = None, before: str | None = None
    ) -> list[FanOut]:
        """The latest fan-outs, newest first, or the latest of those before one. Raises NotFound when it is none."""
        return await self._database.read(lookups.newest, limit, account, before)

    async def leg(self, id_or_prefix: str) -> tuple[FanOut, Leg]:
        """One leg and its fan-out. Raises NotFound, or Invalid when several begin so."""
        return await self._database.read(lookups.one_leg, id_or_prefix)

    async def unsettled(self, account: AccountId | None = None) -> list[tuple[FanOut, Leg]]:
        """Every leg of which more is to come, oldest first. The fan-out beside it holds its unsettled legs only."""
        return await self._database.read(lookups.unsettled, account)

    async def owners(self) -> dict[LegId, Owner]:
        """Who plans or sends each leg that is planned, sending or not sent."""
        return await self._database.read(lookups.owners)

    async def by_order_ids(self, account: AccountId, ids: Iterable[BrokerOrderId]) -> dict[BrokerOrderId, LegId]:
        """Which of a broker's orders are ours."""
        found = await self._database.read(lookups.by, "by_order_id", "broker_order_id", account, ids)
        return {BrokerOrderId(known): leg for known, leg in found.items()}

    async def by_tags(self, account: AccountId, tags: Iterable[Tag]) -> dict[Tag, LegId]:
        """Which tags of an account are in the journal."""
        found = await self._database.read(lookups.by, "by_tag", "tag", account, tags)
        return {Tag(known): leg for known, leg in found.items()}

    async def pre_image(self, leg: LegId) -> frozenset[str] | None:
        """The broker's order ids from just before this leg was sent, if they were taken."""
        fan_out, number = place_of(leg)
        rows = await self._database.read(_asking, "pre_image", fan_out=fan_out, number=number)
        return ids_of(rows[0][0]) if rows else None

    async def remember_book(self, account: AccountId, day: date, ids: Iterable[BrokerOrderId], at: datetime) -> None:
        """Keep the order ids of a book that could be trusted, for comparing the next one with it."""
        await self._database.run(_remembering, account, day.isoformat(), ids_text(ids), micros(at))

    async def last_book(self, account: AccountId, day: date) -> frozenset[BrokerOrderId] | None:
        """The order ids of the day's last book that could be trusted."""
        rows = await self._database.read(_asking, "book", account=account, day=day.isoformat())
        return frozenset(BrokerOrderId(each) for each in ids_of(rows[0][0])) if rows else None

    async def day_use(self, account: AccountId, day: date) -> DayUse:
        """What one account has sent in a trading day."""
        return (await self._database.read(using, day.isoformat(), [account]))[account]

    async def day_uses(self, day: date) -> dict[AccountId, DayUse]:
        """What every account that sent anything in a trading day, or has an order working, has used."""
        return await self._database.read(using, day.isoformat())

    async def picture(
        self, pick: Pick, day: date, instrument: InstrumentId, side: Side, named: Sequence[AccountId] | None = None
    ) -> Picture:
        """All that planning asks, in one look; `waiting` is about this instrument and side. Raises what `pick` does.

        `named` are the accounts to choose from, where it is known that no other can be meant.
        """
        return await self._database.glance(picture, pick, day.isoformat(), str(instrument), side.value, named)

    async def last_operations(self) -> dict[AccountId, datetime]:
        """When each account was last sent anything."""
        rows = await self._database.read(_asking, "last_operations")
        return {AccountId(account): time_of(at) for account, at in rows}


def _replayed(found: FanOut | Conflict, key: str) -> FanOut:
    if isinstance(found, Conflict):
        raise KeyConflict(
            f"the key {key} was used for another request, fan-out {found.fan_out}; nothing was sent",
            hint="take a new key for a new order",
        )
    return found


def _moving(
    leg_id: LegId, change: Callable[[Leg], Leg], kind: str, data: Mapping[str, object] | None, origin: Origin
) -> Body[Leg]:
    fan_out, number = place_of(leg_id)
    rows = yield Ask("leg", {"fan_out": fan_out, "number": number})
    if not rows:
        raise NotFound(f"there is no leg {leg_id}")
    before = leg_of(rows[0])
    after = change(before)
    if after == before:
        return before
    yield Ask("save_leg", leg_changes(after))
    yield _tell(origin, kind, before, after, data)
    return after


def _tell(origin: Origin, kind: str, before: Leg, after: Leg, data: Mapping[str, object] | None) -> Tell:
    facts: dict[str, object] = dict(data or {})
    if after.problem is not None and after.problem != before.problem:
        facts["problem"] = after.problem.code
        facts["message"] = after.problem.message
    if after.broker_order_id != before.broker_order_id:
        facts["broker_order_id"] = after.broker_order_id
    if after.filled_quantity != before.filled_quantity:
        facts["filled_quantity"] = after.filled_quantity
        facts["average_price"] = after.average_price
    if after.quantity != before.quantity:
        facts["quantity"] = after.quantity
    ids = {"fan_out": after.fan_out, "leg": after.id, "attempt": after.attempt, "account": after.account}
    evidence = None if after.evidence is None else after.evidence.value
    return Tell(origin, kind, ids=ids, before=standing(before), after=standing(after), evidence=evidence, data=facts)


def _asking(name: str, **parameters: object) -> Body[list[tuple[str, int]]]:
    return (yield Ask(name, parameters))


def _remembering(account: str, day: str, ids: str, at: int) -> Body[None]:
    if (yield Ask("book", {"account": account, "day": day})):
        yield Ask("save_book", {"account": account, "day": day, "order_ids": ids, "at": at})
    else:
        yield Ask("add_book", (account, day, at, ids))
