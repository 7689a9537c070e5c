"""The meter is told of what happened, once, with what is true; and nothing of an order hangs on it."""

from __future__ import annotations

from datetime import datetime

import pytest

from ordo_cli.desk import Desk
from ordo_cli.domain.errors import LimitExceeded
from ordo_cli.domain.fanouts import FanOut
from ordo_cli.domain.kill import GLOBAL, Level, Scope, parse_scope
from ordo_cli.domain.legs import Leg
from ordo_cli.services import kill, orders
from ordo_cli.services.planning import PlaceRequest
from tests.fakes import FakeClock, buy, refusing, silent_after_accepting
from tests.services.conftest import Add, Opener
from tests.services.test_orders import request


class Counting:
    """A meter that keeps what it is told."""

    def __init__(self) -> None:
        self.legs: list[tuple[str, str]] = []
        self.spans: list[float] = []
        self.fan_outs: list[tuple[int, float]] = []
        self.commits: list[int] = []
        self.replays = 0
        self.presses: list[tuple[Scope, Level]] = []

    def leg(self, leg: Leg, began: datetime, ended: datetime) -> None:
        self.legs.append((leg.account, leg.state))
        self.spans.append((ended - began).total_seconds())

    def fan_out(self, fan_out: FanOut, seconds: float) -> None:
        self.fan_outs.append((len(fan_out.legs), seconds))

    def commit(self, seconds: float, bodies: int) -> None:
        self.commits.append(bodies)

    def replayed(self) -> None:
        self.replays += 1

    def press(self, scope: Scope, level: Level) -> None:
        self.presses.append((scope, level))


@pytest.fixture
def meter() -> Counting:
    return Counting()


@pytest.fixture
def reopen(reopen: Opener, meter: Counting) -> Opener:
    return lambda **more: reopen(**({"meter": meter} | more))


async def test_every_leg_is_counted_once_with_what_became_of_it(desk: Desk, add: Add, meter: Counting) -> None:
    await add("alice")
    (await add("bob")).script = [refusing()]
    (await add("carol")).script = [silent_after_accepting]
    await orders.place(desk, request(buy()))
    assert sorted(meter.legs) == [("alice", "open"), ("bob", "rejected"), ("carol", "unknown")]
    assert [legs for legs, _ in meter.fan_outs] == [3]


async def test_a_leg_that_is_blocked_from_the_start_is_counted_too(desk: Desk, add: Add, meter: Counting) -> None:
    await add("alice")
    await add("bob")
    await kill.engage(desk, parse_scope("account:bob"))
    fan_out = await orders.place(desk, request(buy()))
    assert sorted(meter.legs) == sorted((leg.account, leg.state) for leg in fan_out.legs)
    assert ("bob", "not_sent") in meter.legs


async def test_a_fan_out_takes_as_long_as_its_slowest_leg(
    desk: Desk, add: Add, meter: Counting, clock: FakeClock
) -> None:
    await add("alice")

    async def slow() -> None:
        await clock.sleep(0.2)

    (await add("bob")).before_placing = slow
    await orders.place(desk, request(buy()))
    [(legs, seconds)] = meter.fan_outs
    assert (legs, len(meter.spans)) == (2, 2)
    assert 0.2 <= max(meter.spans) <= seconds + 1e-6


async def test_a_replay_is_counted_and_counts_no_leg_again(desk: Desk, add: Add, meter: Counting) -> None:
    await add("alice")
    for _ in range(3):
        await orders.place(desk, PlaceRequest(buy(), request(buy()).targets, key="the-same-key-again"))
    assert (meter.replays, len(meter.legs), len(meter.fan_outs)) == (2, 1, 1)


async def test_a_press_is_counted(desk: Desk, meter: Counting) -> None:
    await kill.engage(desk, GLOBAL, Level.CANCEL)
    assert meter.presses == [(GLOBAL, Level.CANCEL)]


async def test_a_request_that_is_refused_whole_has_no_legs_to_count(desk: Desk, add: Add, meter: Counting) -> None:
    await add("alice")
    with pytest.raises(LimitExceeded):
        await orders.place(desk, request(buy(quantity=10_000_000)))
    assert (meter.legs, meter.fan_outs) == ([], [])
