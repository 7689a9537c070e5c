"""The end of a server: what is out is waited for, a clean-up while it moves on, and what is cut is on record."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from ordo_cli.api.app import LANDING
from ordo_cli.api.flights import ENDING, LONGEST, Flights
from ordo_cli.api.server import CLOSING
from ordo_cli.cli.main import main
from ordo_cli.home import Home
from ordo_cli.services import doctor
from tests.api.conftest import Run
from tests.api.serving import PATIENCE, Server, children, serving
from tests.house.tree import PACKAGE, ROOT

FLATTEN = {"scope": "account:erin", "level": "flatten", "reason": "enough"}


@pytest.fixture
def sluggish(homed: Path) -> Path:
    """The prepared home with erin: four orders wait, ten shares are held, each message of hers takes two seconds."""
    assert main(["account", "add", "erin", "--broker", "paper"]) == 0
    assert main(["buy", "NSE:INFY", "--qty", "10", "--to", "erin", "--yes", "--key", "erin-held"]) == 0
    for number in range(4):
        words = f"buy NSE:INFY --qty {number + 1} --limit 1400 --to erin --yes --confirm --key erin-waits-{number}"
        assert main(words.split()) == 0
    assert main(["account", "edit", "erin", "--behaviour", "latency=2000"]) == 0
    return homed


@pytest.fixture
def server(sluggish: Path) -> Iterator[Server]:
    with serving(sluggish) as found:
        yield found


async def flattened(
    server: Server, *signals: float, number: int = signal.SIGTERM
) -> tuple[httpx.Response | None, float]:
    """The answer to a flatten and the seconds to the server's end, with a signal so many seconds after the press."""
    async with httpx.AsyncClient(base_url=server.url, timeout=PATIENCE * 2) as client:
        sweeping = asyncio.ensure_future(client.post("/api/v1/kill", json=FLATTEN, headers=server.bearing))
        began = time.monotonic()
        for at in signals:
            await asyncio.sleep(began + at - time.monotonic())
            server.process.send_signal(number)
        (answer,) = await asyncio.gather(sweeping, return_exceptions=True)
    await asyncio.to_thread(server.process.wait, PATIENCE)
    return answer if isinstance(answer, httpx.Response) else None, time.monotonic() - began


def rows(cli: Run) -> list[dict[str, Any]]:
    return [row["data"] for row in cli("audit show --type sweep --json").told]


def test_a_flatten_that_is_halfway_is_finished_after_sigterm(server: Server, cli: Run) -> None:
    """Five messages of two seconds each: longer than the landing of anything else, and a close among them."""
    answer, seconds = asyncio.run(flattened(server, 1.0))
    assert server.process.returncode == 0
    assert seconds > LANDING + 1.0
    assert answer is not None
    (erin,) = answer.json()["accounts"]
    assert (erin["clean"], len(erin["cancelled"]), [each["quantity"] for each in erin["closed"]]) == (True, 4, [10])
    assert server.process.stderr is not None
    assert "the clean-up is under way: flatten of account:erin" in server.process.stderr.read()
    begun, ended = rows(cli)
    assert (begun["state"], ended["state"]) == ("begun", "clean")
    assert ended["accounts"] == [{"account": "erin", "cancelled": 4, "closed": ["10 NSE:INFY"], "left": []}]


def test_workers_of_a_group_that_is_ended_as_a_whole_finish_a_flatten_too(sluggish: Path, cli: Run) -> None:
    """Each hears it twice, from its parent and from whoever ended the group."""
    with serving(sluggish, "--workers", "2") as server:
        workers = children(server.process.pid)

        async def ended() -> httpx.Response:
            async with httpx.AsyncClient(base_url=server.url, timeout=PATIENCE * 2) as client:
                sweeping = asyncio.ensure_future(client.post("/api/v1/kill", json=FLATTEN, headers=server.bearing))
                await asyncio.sleep(1.5)
                for process in (server.process.pid, *workers):
                    os.kill(process, signal.SIGTERM)
                return await sweeping

        (erin,) = asyncio.run(ended()).json()["accounts"]
        assert (erin["clean"], len(erin["cancelled"])) == (True, 4)
        assert server.process.wait(PATIENCE) == 0
    assert [row["state"] for row in rows(cli)] == ["begun", "clean"]


def test_a_second_sigterm_leaves_at_once_and_what_was_cut_is_on_record(server: Server, cli: Run, home: Home) -> None:
    _, seconds = asyncio.run(flattened(server, 1.0, 3.0))
    assert seconds < 3.0 + ENDING + 2.0
    assert server.process.stderr is not None
    said = server.process.stderr.read()
    assert "again to leave now" in said
    assert "cut halfway" in said
    begun, cut = rows(cli)
    assert (begun["state"], cut["state"], cut["scope"], cut["level"]) == ("begun", "cut", "account:erin", "flatten")
    (erin,) = cut["accounts"]
    assert erin["closed"] == []
    assert "what is left was not read" in erin["left"][0]
    assert "sweep_cut" in "".join(path.read_text() for path in Path(home.logs).iterdir())
    assert complaints(home)


def test_a_flatten_whose_server_was_killed_is_on_record_until_it_is_done(server: Server, cli: Run, home: Home) -> None:
    asyncio.run(flattened(server, 1.5, number=signal.SIGKILL))
    assert [row["state"] for row in rows(cli)] == ["begun"]
    (found,) = complaints(home)
    assert found.mend == "ordo kill --scope account:erin --flatten"
    assert "positions may be open" in found.message
    cli("account edit erin --no-behaviours")
    assert cli("kill --scope account:erin --flatten").code == 0
    assert complaints(home) == []


def complaints(home: Home) -> list[doctor.Verdict]:
    return [each for each in asyncio.run(doctor.examine(home)) if "clean-up" in each.message]


async def test_what_is_no_clean_up_is_cut_after_its_landing() -> None:
    flights = Flights()
    flights.begin(asyncio.sleep(30))
    began = time.monotonic()
    assert await flights.land(0.2) == 1
    assert time.monotonic() - began < 2


async def test_a_clean_up_is_waited_for_while_it_moves_on_and_not_when_it_stands_still() -> None:
    flights, heard = Flights(), list[tuple[str, ...]]()

    async def sweep(steps: int, rest: float) -> str:
        with flights.sweeping("flatten of global", 0.5) as under_way:
            for _ in range(steps):
                await asyncio.sleep(0.1)
                under_way.moved()
            await asyncio.sleep(rest)
        return "done"

    moving, standing = flights.begin(sweep(12, 0)), flights.begin(sweep(2, 30))
    began = time.monotonic()
    assert await flights.land(0.1, heard.append) == 1
    assert 1.0 < time.monotonic() - began < 5
    assert (await moving, standing.cancelled()) == ("done", True)
    assert heard[0] == ("flatten of global", "flatten of global")


async def test_a_clean_up_that_begins_while_the_server_ends_is_waited_for_too() -> None:
    flights = Flights()

    async def sweep(begin: object = None) -> str:
        with flights.sweeping("cancel of global", 5):
            await asyncio.sleep(0.3)
            if begin is not None:
                second.append(flights.begin(sweep()))
        return "done"

    second: list[asyncio.Task[str]] = []
    first = flights.begin(sweep(True))
    assert await flights.land(0.1) == 0
    assert (await first, await second[0]) == ("done", "done")


async def test_leaving_waits_for_nothing() -> None:
    flights = Flights()

    async def sweep() -> None:
        with flights.sweeping("flatten of global", 30):
            await asyncio.sleep(30)

    flights.begin(sweep())
    landing = asyncio.ensure_future(flights.land(30))
    await asyncio.sleep(0.05)
    began = time.monotonic()
    flights.leave()
    assert await landing == 1
    assert time.monotonic() - began < 1


def test_whoever_ends_a_server_gives_it_the_time_that_a_clean_up_may_take() -> None:
    needed = max(LONGEST, LANDING) + ENDING + CLOSING
    unit = (PACKAGE / "deploy" / "ordo.service").read_text()
    given = re.search(r"^TimeoutStopSec=(\d+)$", unit, re.M)
    assert given is not None
    assert int(given[1]) > needed + 5
    ordo = (ROOT / "compose.yaml").read_text().partition("\n  ordo:\n")[2].partition("\n  postgres:\n")[0]
    composed = re.search(r"stop_grace_period: (\d+)s", ordo)
    assert composed is not None
    assert int(composed[1]) > needed + 5


def test_systemd_is_told_what_the_end_waits_for(
    sluggish: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(PATIENCE)
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        with serving(sluggish) as server:
            assert manager.recv(200) == b"READY=1"
            asyncio.run(flattened(server, 1.0, 2.0))
            assert manager.recv(200) == b"STOPPING=1"
            assert manager.recv(200) == b"STATUS=the clean-up is under way: flatten of account:erin"
