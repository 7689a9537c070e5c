"""Gateway proof: fan-outs to four brokers' sandboxes over real sockets, with trouble at each, judged by the exchange.

`python -m tests.proofs.gateways FAN_OUTS SEED` prints one JSON line with what it found. Each day has a fresh home and a
fresh sandbox. Orders go to one account at each broker, from two desks over the same home, while rules drawn from the
seed make answers late, cut, wrong or missing, end sessions, and let books lag. The books are read after each. In the
end nothing is wrong any more, the books of the day are final, and four things are counted:

D   accepted orders beyond one for a leg, and orders of no leg
L   legs whose final state contradicts the exchange
U   legs of which nobody knows although a book could tell; those that a person has to decide stand apart
A   audit chains that do not hold
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import httpx

from ordo_cli.brokers.paper.book import Order
from ordo_cli.brokers.paper.listing import EQUITIES
from ordo_cli.desk import Desk, open_desk
from ordo_cli.domain.accounts import Target
from ordo_cli.domain.errors import OrdoError
from ordo_cli.domain.fanouts import FanOut
from ordo_cli.domain.instruments import InstrumentId, parse_instrument
from ordo_cli.domain.legs import Block, Leg, Submission
from ordo_cli.domain.orders import OrderIntent, Product, Side, Validity
from ordo_cli.domain.trail import State
from ordo_cli.home import Home, home_at
from ordo_cli.sandbox.sandbox import Sandbox, Settings, serving
from ordo_cli.services import orders, reconcile
from ordo_cli.services.planning import PlaceRequest
from tests.proofs.trading import MORNING, Customer, DayClock, Door, customers, draw, fetch_lists, log_in, prepare

A_DAY = 15  # fan-outs
AT_ONCE = 4  # days
BREATH = 61.0  # seconds of the day between two: a circuit breaker then lets one read try
CLOSED = 7 * 3600.0  # from the morning on: half an hour after the close, when the books of the day are final
PRICES = {row[0]: row[3] for row in EQUITIES if 100 <= row[3] <= 5000}
NOT_THERE = {Submission.BLOCKED, Submission.REJECTED, Submission.ABSENT}
DOUBT = {Submission.UNKNOWN, Submission.SENDING, Submission.DISPUTED}

TAGLESS = frozenset({"hdfc", "mstock"})


@dataclass
class Found:
    """What all the days came to."""

    fan_outs: int = 0
    faulted: int = 0
    refused: Counter[str] = field(default_factory=Counter)  # as a whole, by reason
    legs: Counter[str] = field(default_factory=Counter)
    brokers: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    blocked: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    evidence: Counter[str] = field(default_factory=Counter)
    unclear: int = 0  # legs that were unknown when their order had been sent
    absent: int = 0  # of these, settled by the day's final books alone
    person: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    lies: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    audits: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)  # anything else that may not be


@dataclass
class Day:
    """One day at the brokers, with its two desks."""

    sandbox: Sandbox
    door: Door
    clock: DayClock
    desks: Sequence[Desk]
    luck: random.Random
    found: Found
    people: Sequence[Customer]
    asked: dict[str, OrderIntent] = field(default_factory=dict)  # the last order for each instrument
    logged_out: bool = False

    async def trade(self, wanted: int) -> None:
        """So many fan-outs that met trouble, each with looks at the books after it."""
        while wanted > 0:
            self.clock.skip(BREATH + self.luck.uniform(0, 30))
            await self.door.change("faults/clear")
            if self.logged_out:
                await log_in(self.desks[0], self.door, self.people)
                self.logged_out = False
            wishes = [await self._order() for _ in range(2 if self.luck.random() < 0.2 else 1)]
            before = len(self.sandbox.record.rows)
            for rules in draw(self.luck, self.people).values():
                for rule in rules:
                    await self.door.change("faults", rule=rule)
            looking = asyncio.create_task(self._look()) if self.luck.random() < 0.2 else None
            desks = self.luck.sample(list(self.desks), len(self.desks))
            placed = await asyncio.gather(*(self._place(*each) for each in zip(desks, wishes, strict=False)))
            if looking is not None:
                await looking
            await self._settle()
            Exchange(self).in_session([leg for leg in await self._legs() if leg.submission in NOT_THERE])
            wanted -= await self._faulted([each for each in placed if each is not None], before)

    async def _faulted(self, placed: Sequence[FanOut], before: int) -> int:
        """How many of these met trouble: with one of their own orders, or with anything that was read meanwhile."""
        rows = [row for row in (await self.door.ask("requests"))["requests"][before:] if row["faults"]]
        tags = {row["tag"] for row in rows if row["call"] == "place"}
        reads = any(row["call"] != "place" for row in rows)
        met = sum(reads or any(self._sent(leg) in tags for leg in each.legs) for each in placed)
        self.found.faulted += met
        return met

    def _sent(self, leg: Leg) -> str:
        return next(each for each in self.people if each.name == leg.account).tag_sent(leg.tag)

    async def _order(self) -> PlaceRequest:
        """The next order, at a price that is held so that it fills, waits, fills in part, or is refused."""
        # Not what is intraday: the exchange closes that without a trade, so that positions and trades never agree
        # again, and of a leg in the same instrument that did not arrive the final books would rightly prove nothing.
        known = [name for name, intent in self.asked.items() if intent.product is Product.CNC]
        again = bool(known) and self.luck.random() < 0.3
        name = self.luck.choice(known if again else [each for each in PRICES if each not in self.asked])
        if again and self.luck.random() < 0.5:  # the very same once more, which only its time tells apart
            return PlaceRequest(self.asked[name], (Target("@family"),), confirmed=True)
        price, quantity = Decimal(PRICES[name]), max(1, 20_000 // PRICES[name]) + self.luck.randint(0, 3)
        way = self.luck.choice(("fills", "fills", "fills", "waits", "waits", "part", "part", "ioc", "stop", "short"))
        await self._hold(name, price, self.luck.randint(1, 3 * quantity) if way in ("part", "ioc") else 1_000_000)
        others = [each for each in self.asked if each != name]
        if others and self.luck.random() < 0.3:  # what waits there is filled
            other = self.luck.choice(others)
            await self._hold(other, Decimal(int(PRICES[other] * 0.97)), 1_000_000)
        intent = OrderIntent(
            side=Side.SELL if way == "short" else Side.BUY,
            instrument=_nse(name),
            quantity=quantity,
            limit_price={"waits": price - int(price / 50) - 1, "stop": price + 2}.get(way, price),
            trigger_price=price + 1 if way == "stop" else None,
            product=Product.CNC if again or way == "short" else self.luck.choice((Product.CNC, Product.MIS)),
            validity=Validity.IOC if way == "ioc" else Validity.DAY,
        )
        self.asked[name] = intent
        return PlaceRequest(intent, (Target("@family"),), confirmed=True)

    async def _hold(self, name: str, price: Decimal, depth: int) -> None:
        await self.door.change("price", instrument=str(_nse(name)), price=str(price), depth=depth)

    async def _place(self, desk: Desk, request: PlaceRequest) -> FanOut | None:
        try:
            fan_out = await orders.place(desk, request)
        except OrdoError as error:  # all of it was refused, with nothing written down and nothing sent
            self.found.refused[error.reason] += 1
            self.logged_out = True
            return None
        self.found.fan_outs += 1
        for leg in fan_out.legs:
            self.found.unclear += leg.submission is Submission.UNKNOWN
            if leg.problem is not None and leg.problem.code == Block.SESSION:
                self.logged_out = True
        return fan_out

    async def _settle(self) -> None:
        """Look at the books until nothing is unknown, but not for ever; the rules end somewhere on the way."""
        last = self.luck.randint(1, 2)
        for look in range(3):
            if look == last:
                await self.door.change("faults/clear")
            if not await self._look():
                break
            self.clock.skip(self.luck.uniform(2, 20))

    async def _look(self) -> bool:
        """Read the books once; whether anything is left to look for."""
        told = await reconcile.reconcile(self.luck.choice(self.desks))
        self.logged_out = self.logged_out or any(each.problem.code != "BOOK_UNTRUSTED" for each in told.failures)
        self.found.wrong += [
            f"{each.account}: {each.problem}" for each in told.failures if each.problem.code == "failed"
        ]
        self.found.wrong += [f"{leg.account} {leg.id} was adopted: {leg.tag}" for leg in told.orphans]
        return bool(told.unknown)

    async def end(self) -> None:
        """Everything works again: what the session's books tell, then the day's final books, then the judgement."""
        await self.door.change("faults/clear")
        await log_in(self.desks[0], self.door, self.people)
        exchange = Exchange(self)
        self.clock.skip(600)
        await self._all_read()
        for leg in [leg for leg in await self._legs() if leg.submission is Submission.UNKNOWN]:
            there = exchange.of(leg)
            if leg.broker in TAGLESS:  # before the final book no refused order is taken for one without a tag
                there = [order for order in there if order.outcome != "rejected"]
            if there:
                self.found.unknown.append(f"{leg.account} {leg.id} in the session")
        self.clock.skip((MORNING - self.clock.now()).total_seconds() + CLOSED)
        await self._all_read()
        placed = (await self.door.ask("requests", call="place"))["requests"]
        Exchange(self).judge(await self._legs(), placed, (await self.door.ask("tags"))["tags"])
        verdict = await self.desks[0].store.audit.verify()
        self.found.audits += [] if verdict.state is State.WHOLE else [str(verdict)]
        for row in (await self.door.ask("requests"))["requests"]:
            self.found.faults.update(row["faults"])

    async def _all_read(self) -> None:
        for _ in range(3):
            told = await reconcile.reconcile(self.desks[1])
            self.found.wrong += [f"at the end {each.account}: {each.problem}" for each in told.failures]
            self.clock.skip(5)

    async def _legs(self) -> list[Leg]:
        return [leg for fan_out in await self.desks[0].store.journal.fan_outs(10_000) for leg in fan_out.legs]


class Exchange:
    """What the exchange has of each account, by tag as it was sent."""

    def __init__(self, day: Day) -> None:
        self._found = day.found
        self._by_name: dict[str, Customer] = {each.name: each for each in day.people}
        self._orders: dict[tuple[str, str | None], list[Order]] = defaultdict(list)
        for each in day.people:
            for order in day.sandbox.floor.book(each.at.paper):
                self._orders[each.name, order.tag].append(order)

    def of(self, leg: Leg) -> list[Order]:
        return self._orders.get((leg.account, self._by_name[leg.account].tag_sent(leg.tag)), [])

    def in_session(self, legs: Sequence[Leg]) -> None:
        """What may not be said of a leg while its orders can still turn up."""
        for leg in legs:
            wrong = "no book is final yet" if leg.submission is Submission.ABSENT else self._wrong(leg, {})
            if wrong is not None:
                self._found.lies.append(f"{leg.account} {leg.id} is {leg.state} in the session: {wrong}")

    def judge(self, legs: Sequence[Leg], places: Sequence[dict[str, Any]], tags: Sequence[dict[str, Any]]) -> None:
        known = {(leg.account, self._by_name[leg.account].tag_sent(leg.tag)) for leg in legs}
        papers = {each.at.paper: each.name for each in self._by_name.values()}
        for row in tags:
            if row["accepted"] > 1:
                self._found.duplicates.append(f"{row['accepted']} orders of {row['account']} under {row['tag']}")
            if (papers[row["account"]], row["tag"]) not in known:
                self._found.duplicates.append(f"{row['account']} has an order under {row['tag']}, which is no leg's")
        self._found.duplicates += [f"{name} has an order under {tag}" for name, tag in self._orders if tag is None]
        users = {each.at.user: each.name for each in self._by_name.values()}
        sent = Counter((users.get(row["account"]), row["tag"]) for row in places if row["tag"])
        self._found.duplicates += [
            f"{name} was sent {tag} {times} times" for (name, tag), times in sent.items() if times > 1
        ]
        ids: dict[tuple[str | None, str], str | None] = {
            (users.get(row["account"]), row["order_id"]): row["tag"] for row in places if row["order_id"]
        }
        for leg in legs:
            self._count(leg)
            wrong = self._wrong(leg, ids)
            if wrong is not None:
                self._found.lies.append(
                    f"{leg.account} {leg.id} is {leg.state} ({leg.evidence}, {leg.problem}): {wrong}"
                )

    def _count(self, leg: Leg) -> None:
        found = self._found
        found.legs[leg.state] += 1
        found.brokers[leg.broker][leg.submission.value] += 1
        found.evidence[str(leg.evidence)] += 1
        if leg.submission is Submission.BLOCKED:
            found.blocked[leg.problem.code if leg.problem else "none"] += 1
        found.absent += leg.submission is Submission.ABSENT
        if leg.submission is Submission.DISPUTED:
            found.person.append(f"{leg.account} {leg.id}: {leg.problem}")
        elif leg.submission in DOUBT:
            found.unknown.append(f"{leg.account} {leg.id} in the end, exchange has {len(self.of(leg))}")

    def _wrong(self, leg: Leg, ids: dict[tuple[str | None, str], str | None]) -> str | None:
        """How the journal contradicts the exchange about this leg."""
        there = self.of(leg)
        accepted = [order for order in there if order.outcome != "rejected"]
        if leg.submission in DOUBT:
            return None
        if leg.submission is not Submission.ACKED:
            return "the exchange has it" if accepted else None
        if not there:
            return "the exchange does not have it"
        order = there[0]
        if ids.get((leg.account, leg.broker_order_id or "")) != self._by_name[leg.account].tag_sent(leg.tag):
            return f"{leg.broker_order_id} is another order"
        if order.filled != leg.filled_quantity or order.quantity != leg.quantity:
            return f"{order.filled} of {order.quantity} filled, {leg.filled_quantity} of {leg.quantity} here"
        ends = ("cancelled", "expired")  # for which some brokers have one word
        alike = leg.state == order.outcome or (leg.state in ends and order.outcome in ends)
        return None if alike else f"it is {order.phase} {order.outcome}"


def _nse(name: str) -> InstrumentId:
    return parse_instrument(f"NSE:{name}")


async def one_day(home: Home, folder: str, seed: int, wanted: int, found: Found) -> None:
    clock, luck = DayClock(MORNING), random.Random(seed)

    def told(text: str) -> None:
        if " failed at " in text:
            found.wrong.append(text)

    settings = Settings(folder=folder, port=0, seed=seed, accounts=1, exchange_hours=True)
    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(serving(settings, clock, told))
        door = Door(await stack.enter_async_context(httpx.AsyncClient(trust_env=False)), sandbox)
        await prepare(home, clock, door, customers(sandbox))
        desks = [await stack.enter_async_context(open_desk(home, clock=clock)) for _ in range(2)]
        day = Day(sandbox, door, clock, desks, luck, found, customers(sandbox))
        await log_in(desks[0], door, day.people)
        await fetch_lists(desks[0])
        await day.trade(wanted)
        await day.end()


async def all_days(fan_outs: int, seed: int, found: Found) -> None:
    """As many days as it takes, a few at a time: they mostly wait."""
    room = asyncio.Semaphore(AT_ONCE)

    async def day(number: int, wanted: int) -> None:
        async with room:
            with tempfile.TemporaryDirectory(prefix="ordo-gateways-") as place:
                await one_day(home_at(f"{place}/home"), f"{place}/sandbox", seed * 10_000 + number, wanted, found)
            bad = [*found.duplicates, *found.lies, *found.unknown, *found.audits, *found.wrong, *found.person]
            print(f"{found.faulted} of {fan_outs}", *bad, sep="\n  ", file=sys.stderr, flush=True)

    wanted = [min(A_DAY, fan_outs - begun) for begun in range(0, fan_outs, A_DAY)]
    await asyncio.gather(*(day(number, each) for number, each in enumerate(wanted)))


def main(fan_outs: int, seed: int) -> dict[str, object]:
    """Run the proof; everything that is wrong is listed by its kind."""
    found = Found()
    asyncio.run(all_days(fan_outs, seed, found))
    return {
        "seed": seed,
        "fan_outs": found.fan_outs,
        "faulted": found.faulted,
        "legs": dict(found.legs),
        "brokers": {name: dict(each) for name, each in found.brokers.items()},
        "blocked": dict(found.blocked),
        "refused_whole": dict(found.refused),
        "faults": dict(found.faults),
        "evidence": dict(found.evidence),
        "unclear_when_sent": found.unclear,
        "absent_by_final_books": found.absent,
        "D": found.duplicates,
        "L": found.lies,
        "U": found.unknown,
        "A": found.audits,
        "for_a_person": found.person,
        "wrong": found.wrong,
    }


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), int(sys.argv[2]))))
