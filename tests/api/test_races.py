"""Never twice, over HTTP: keys raced for by many clients, workers killed while they send, a press amid it all."""

from __future__ import annotations

import asyncio
from pathlib import Path
from statistics import median

import httpx
import pytest

from ordo_cli.machine import SystemClock
from tests.api import races
from tests.api.races import arrived, order, place_under_fire, prepare, race, twice
from tests.api.serving import PATIENCE, Server, serving

pytestmark = pytest.mark.proof
WORKERS, CLIENTS, KEYS = 2, 8, 100


@pytest.fixture
def home(tmp_path: Path) -> Path:
    prepare(tmp_path / "home")
    return tmp_path / "home"


@pytest.mark.timeout(300)
def test_one_key_has_one_fan_out_however_many_clients_race_for_it(home: Path) -> None:
    with serving(home, "--workers", str(WORKERS), "--rate", "0") as server:
        told = asyncio.run(race(server, CLIENTS, KEYS))
    print(dict(told.statuses))
    assert twice(home) == []
    assert {key: ids for key, ids in told.fan_outs.items() if len(ids) != 1} == {}
    assert {key: times for key, times in told.won.items() if times != 1} == {}
    assert len(told.won) == KEYS
    assert len(arrived(home)) == 2 * KEYS
    assert set(told.statuses) <= {201, 207, 409, 422}
    assert told.statuses[409] > 0, "nobody asked while the first was under way"


@pytest.mark.timeout(900)
def test_workers_killed_at_random_never_double_an_order(home: Path, long_form: bool) -> None:
    placements = 300 if long_form else 60
    with serving(home, "--workers", str(WORKERS), "--rate", "0") as server:
        told, deaths = asyncio.run(place_under_fire(server, placements, CLIENTS, seed=20261123))
    print(f"{placements} placements, {deaths} workers killed, {dict(told.statuses)}")
    assert twice(home) == []
    assert {key: ids for key, ids in told.fan_outs.items() if len(ids) != 1} == {}
    assert len(told.fan_outs) == placements
    assert deaths >= 3


@pytest.mark.timeout(300)
def test_nothing_leaves_after_a_press_has_returned_with_two_workers_busy(home: Path, long_form: bool) -> None:
    presses = 50 if long_form else 10
    with serving(home, "--workers", str(WORKERS), "--rate", "0") as server:
        took, returned = asyncio.run(press_amid(server, presses))
    print(f"{presses} presses returned within {median(took) * 1000:.0f} ms (median), {max(took) * 1000:.0f} (worst)")
    sent = sorted(message.elapsed for message in arrived(home))
    assert len(returned) == presses
    late = [at for began, ended in returned for at in sent if began < at < ended]
    assert late == []
    assert len(sent) > presses, "the workers were not busy"


async def press_amid(server: Server, presses: int) -> tuple[list[float], list[tuple[float, float]]]:
    """How long each press took, and between when nothing may leave: from its return to the release after it."""
    clock, windows, took, done = SystemClock(), list[tuple[float, float]](), list[float](), asyncio.Event()
    numbers = iter(range(1_000_000))

    async def trader() -> None:
        async with httpx.AsyncClient(base_url=server.url, headers=server.bearing, timeout=PATIENCE) as line:
            while not done.is_set():
                number = next(numbers)
                headers = {"Idempotency-Key": races.key_of(number)}
                answer = await line.post("/api/v1/orders", json=order(number), headers=headers)
                assert answer.status_code in (201, 207, 423), answer.text

    async def presser() -> None:
        async with httpx.AsyncClient(base_url=server.url, headers=server.bearing, timeout=PATIENCE) as line:
            for _ in range(presses):
                await asyncio.sleep(0.05)
                asked = clock.elapsed()
                pressed = await line.post("/api/v1/kill")
                began = clock.elapsed()
                took.append(began - asked)
                assert pressed.json()["quiet"] is True, pressed.text
                await asyncio.sleep(0.05)
                ended = clock.elapsed()
                body = {"scope": "global", "reason": "again"}
                released = await line.post("/api/v1/kill/release", json=body)
                assert released.status_code == 200, released.text
                windows.append((began, ended))
        done.set()

    await asyncio.gather(presser(), *(trader() for _ in range(8)))
    return took, windows
