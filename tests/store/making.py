"""Fan-outs, terms and stores as the store's tests want them: small, and different only where the test says so."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from ordo_cli.domain.accounts import AccountId, BrokerName
from ordo_cli.domain.capabilities import RateLimits
from ordo_cli.domain.fanouts import FanOut, Mode
from ordo_cli.domain.journal import ClaimTerms, DayLimits, OperationTerms, Owner
from ordo_cli.domain.kill import GLOBAL, Scope, ScopeKind
from ordo_cli.domain.legs import Evidence, FanOutId, Leg, LegId, Submission
from ordo_cli.domain.orders import BrokerOrderId, OrderIntent, OrderState, Tag
from ordo_cli.machine import SystemChance, SystemDisk
from ordo_cli.store.store import Store, open_store
from tests import postgres
from tests.fakes import FakeClock, buy

OWNER = Owner("desk", "boot-1", 4711, "123456", "nonce1")
DAY = date(2026, 11, 23)
ROOMY = RateLimits(per_second=1000, kept_for_cancels=0)


@asynccontextmanager
async def opened(path: Path | str, clock: FakeClock | None = None, **more: Any) -> AsyncIterator[Store]:
    given: dict[str, Any] = {"chance": SystemChance(), "disk": SystemDisk(), "actor": "tester", "owner": OWNER} | more
    """A store at this path, or in its PostgreSQL schema where the test runs on that."""
    where = str(path) if isinstance(path, str) or postgres.FAMILY not in os.environ else postgres.url_of(path)
    async with open_store(where, clock=clock or FakeClock(), **given) as store:
        yield store


def fan_out(
    name: str,
    accounts: str = "alice bob carol",
    *,
    key: str | None = None,
    fingerprint: str = "same",
    intent: OrderIntent | None = None,
    clock: FakeClock | None = None,
) -> FanOut:
    """A fan-out over these accounts, every leg planned."""
    intent = intent or buy(10, "1500")
    return FanOut(
        id=FanOutId(name),
        key=key or f"key-{name}",
        principal="tester",
        verb="place",
        fingerprint=fingerprint,
        mode=Mode.PAPER,
        intent=intent,
        created_at=(clock or FakeClock()).now(),
        legs=tuple(
            Leg(
                LegId(f"{name}-{number}"),
                FanOutId(name),
                AccountId(account),
                BrokerName("paper"),
                intent.quantity,
                Tag(f"O{name}{number}"),
            )
            for number, account in enumerate(accounts.split(), start=1)
        ),
    )


def terms(clock: FakeClock, account: str = "alice", **more: Any) -> ClaimTerms:
    base = ClaimTerms(
        scopes=(GLOBAL, Scope(ScopeKind.BROKER, "paper"), Scope(ScopeKind.ACCOUNT, account)),
        owner=OWNER,
        rates=ROOMY,
        day=DAY,
        now=clock.now(),
        elapsed=clock.elapsed(),
        limits=DayLimits(),
    )
    return replace(base, **more)


def operation(rates: RateLimits = ROOMY, **more: Any) -> OperationTerms:
    return OperationTerms(owner=OWNER, rates=rates, day=DAY, **more)


def acked(order_id: str = "B1") -> Callable[[Leg], Leg]:
    """The move of a leg that its broker accepted."""

    def change(leg: Leg) -> Leg:
        return leg.to(
            Submission.ACKED,
            evidence=Evidence.RESPONSE,
            broker_order_id=BrokerOrderId(order_id),
            working=OrderState.OPEN,
        )

    return change


def unknown(leg: Leg) -> Leg:
    return leg.to(Submission.UNKNOWN)
