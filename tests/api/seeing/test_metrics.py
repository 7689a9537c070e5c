"""What Prometheus is told: true, to whoever may read everything, and never anything about one order."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families

from ordo_cli.api.app import make_app
from ordo_cli.api.counting import VARIABLE, together
from ordo_cli.api.meters import Meters
from ordo_cli.api.metrics import Counted, Now
from ordo_cli.api.settings import Settings
from ordo_cli.desk import Desk
from ordo_cli.domain.accounts import parse_target
from ordo_cli.domain.kill import GLOBAL, Level, parse_scope
from ordo_cli.domain.seams import NoMeter
from ordo_cli.domain.tokens import TokenScope
from ordo_cli.services import kill, orders, status, tokens
from ordo_cli.services.planning import PlaceRequest
from tests.fakes import FakeClock, Firm, buy, refusing, silent_after_accepting
from tests.house.tree import ROOT
from tests.services.conftest import Add, Opener

Told = dict[str, dict[tuple[tuple[str, str], ...], float]]


@pytest.fixture
def counted() -> Counted:
    return Counted()


@pytest.fixture
async def desk(reopen: Opener, counted: Counted) -> AsyncIterator[Desk]:
    async with reopen(meter=Meters(counted)) as opened:
        yield opened


@pytest.fixture
def app(desk: Desk, counted: Counted) -> FastAPI:
    return make_app(desk, Settings(), counted)


async def token(desk: Desk, *scopes: TokenScope, targets: str = "") -> str:
    name = f"t{len(await tokens.everyone(desk))}"
    made = await tokens.create(desk, name, scopes, [parse_target(word) for word in targets.split()])
    return made.text


async def ask(app: FastAPI, path: str = "/metrics", key: str = "", method: str = "GET") -> httpx.Response:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8020") as client:
        return await client.request(method, path, headers={"Authorization": f"Bearer {key}"} if key else {})


async def told(app: FastAPI, desk: Desk) -> Told:
    """Every sample, by name and labels."""
    answer = await ask(app, key=await token(desk, TokenScope.READ))
    assert answer.status_code == 200, answer.text
    return samples(answer.text)


def samples(text: str) -> Told:
    found: Told = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def labels(**each: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(each.items()))


async def test_nobody_is_told_without_a_token_that_may_read_everything(app: FastAPI, desk: Desk, add: Add) -> None:
    await add("alice")
    assert (await ask(app)).status_code == 401
    assert (await ask(app, key=await token(desk, TokenScope.TRADE))).status_code == 403
    assert (await ask(app, key=await token(desk, TokenScope.READ, targets="alice"))).status_code == 403
    assert (await ask(app, key=await token(desk, TokenScope.READ))).status_code == 200


async def test_legs_are_counted_by_broker_and_by_what_became_of_them(app: FastAPI, desk: Desk, add: Add) -> None:
    await add("alice")
    (await add("bob")).script = [refusing()]
    (await add("carol")).script = [silent_after_accepting]
    request = PlaceRequest(buy(), (parse_target("all"),), key="the-key-of-this-one")
    await orders.place(desk, request)
    await orders.place(desk, request)
    found = await told(app, desk)
    assert found["ordo_legs_total"] == {
        labels(broker="acme", state="open"): 1,
        labels(broker="acme", state="rejected"): 1,
        labels(broker="acme", state="unknown"): 1,
    }
    assert found["ordo_leg_seconds_count"][labels(broker="acme")] == 3
    assert found["ordo_fanout_seconds_count"][()] == 1
    assert found["ordo_replays_total"][()] == 1
    assert found["ordo_unknown_legs"][()] == 1


async def test_unknown_legs_are_those_of_the_store_whoever_sent_them(
    app: FastAPI, desk: Desk, reopen: Opener, add: Add, clock: FakeClock
) -> None:
    (await add("alice")).script = [silent_after_accepting]
    async with reopen() as elsewhere:
        await orders.place(elsewhere, PlaceRequest(buy(), (parse_target("all"),)))
    clock.pass_(90)
    found = await told(app, desk)
    assert found["ordo_unknown_legs"][()] == 1
    assert found["ordo_oldest_unknown_leg_seconds"][()] >= 90
    assert "ordo_legs_total" not in found, "it was not sent here"


async def test_the_kill_switch_is_told_scope_by_scope(app: FastAPI, desk: Desk, add: Add) -> None:
    await add("alice")
    await kill.engage(desk, parse_scope("account:alice"), Level.CANCEL)
    found = await told(app, desk)
    engaged = found["ordo_kill_engaged"]
    assert engaged[labels(kind="account", name="alice")] == 1
    assert engaged[labels(kind="broker", name="acme")] == 0
    assert engaged[labels(kind="global", name="")] == 0
    assert found["ordo_presses_total"] == {labels(kind="account", level="cancel"): 1}
    await kill.engage(desk, GLOBAL)
    assert (await told(app, desk))["ordo_kill_engaged"][labels(kind="global", name="")] == 1


async def test_a_session_is_told_by_what_is_left_of_it(desk: Desk, add: Add) -> None:
    for name in ("alice", "bob", "carol"):
        await add(name)
    now = await status.status(desk)
    until = {"alice": now.at + timedelta(seconds=90), "bob": now.at - timedelta(hours=1), "carol": None}
    rows = tuple(replace(each, session_until=until[each.account]) for each in now.accounts)
    families = {family.name: family for family in Now(replace(now, accounts=rows)).collect()}
    left = {each.labels["account"]: each.value for each in families["ordo_session_remaining_seconds"].samples}
    assert left == {"alice": 90, "bob": 0}


async def test_a_request_is_counted_by_its_route_and_nothing_a_client_makes_up(app: FastAPI, desk: Desk) -> None:
    key = await token(desk, TokenScope.READ)
    for made_up in ("one", "two", "three"):
        await ask(app, f"/api/v1/fanouts/{made_up}", key)
        await ask(app, f"/{made_up}")
        await ask(app, "/metrics", method=made_up.upper())
    found = await told(app, desk)
    counted = found["http_requests_total"]
    handlers = {dict(each)["handler"]: count for each, count in counted.items()}
    [template] = [handler for handler in handlers if re.fullmatch(r"/fanouts/\{\w+\}", handler)]
    assert handlers[template] == 3
    assert handlers["none"] == 3
    seen = {value for each in counted for _, value in each}
    assert not seen & {"one", "two", "three", "ONE", "TWO", "THREE"}
    assert {value for each in counted for name, value in each if name == "method"} <= {"GET", "other"}


async def test_no_label_holds_an_id_or_an_amount(app: FastAPI, desk: Desk, add: Add) -> None:
    await add("alice")
    fan_out = await orders.place(desk, PlaceRequest(buy(), (parse_target("all"),)))
    answer = await ask(app, key=await token(desk, TokenScope.READ))
    assert fan_out.id not in answer.text
    assert "INFY" not in answer.text
    assert "1500" not in answer.text


async def test_a_meter_that_fails_harms_neither_the_order_nor_the_others(
    reopen: Opener, firm: Firm, clock: FakeClock, counted: Counted
) -> None:
    class Broken(NoMeter):
        def leg(self, *_: object) -> None:
            raise OSError("no space left on device")

    async with reopen(meter=Meters(Broken(), counted)) as desk:
        from ordo_cli.services import accounts

        await accounts.add(desk, "alice", "acme", accounts.Wishes(), {})
        fan_out = await orders.place(desk, PlaceRequest(buy(), (parse_target("all"),)))
        assert fan_out.legs[0].state == "open"
        assert (await told(make_app(desk, Settings(), counted), desk))["ordo_legs_total"]


WORKER = """
import sys
from ordo_cli.api.metrics import Counted
counted = Counted()
for _ in range(int(sys.argv[1])):
    counted.replayed()
    counted.commit(0.01, 3)
"""
SCRAPE = """
import sys
from prometheus_client import CollectorRegistry
from ordo_cli.api.metrics import Counted, text_of
counted = Counted()
counted.replayed()
sys.stdout.buffer.write(text_of(counted.registry, CollectorRegistry()))
"""


def python(script: str, *words: str) -> str:
    done = subprocess.run([sys.executable, "-c", script, *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_whichever_worker_is_asked_tells_what_all_counted_since_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with together(os.environ) as folder:
        python(WORKER, "2")
        python(WORKER, "5")  # the first one is gone, and what it counted is not
        found = samples(python(SCRAPE))
        assert found["ordo_replays_total"][()] == 8
        assert found["ordo_commit_seconds_count"][()] == 7
        assert found["ordo_commit_changes_sum"][()] == 21
    assert not os.path.exists(folder)
    assert VARIABLE not in os.environ


KILLED = """
import os, signal
from ordo_cli.api.counting import together
with together(os.environ) as folder:
    print(folder, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_server_left_goes_at_the_next_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    done = subprocess.run([sys.executable, "-c", KILLED], cwd=ROOT, capture_output=True, text=True)
    left = done.stdout.strip()
    assert os.path.isdir(left)
    with together(os.environ) as folder:
        assert not os.path.exists(left)
        with together({}) as beside:
            assert os.path.isdir(folder), "the server that runs keeps its own"
            assert beside != folder


def test_the_folder_of_the_workers_is_private_and_empty_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with together(os.environ) as folder:
        assert os.stat(folder).st_mode & 0o077 == 0
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    (tmp_path / "counter_4711.db").write_bytes(b"of yesterday")
    (tmp_path / "somebody's own").write_text("stays")
    with together(os.environ) as folder:
        assert folder == str(tmp_path)
        assert os.listdir(folder) == ["somebody's own"]
    assert os.environ[VARIABLE] == str(tmp_path)
