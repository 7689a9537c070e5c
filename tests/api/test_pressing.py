"""A press over HTTP while the database says nothing: who may, what it does, what it never does."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from ordo_cli import arming, press
from ordo_cli.api.pressing import AT_ONCE, PATIENCE, Pressers
from ordo_cli.desk import Desk, open_desk
from ordo_cli.domain.kill import GLOBAL
from ordo_cli.domain.tokens import TokenScope
from ordo_cli.domain.values import replace
from ordo_cli.home import Home, home_at, make
from ordo_cli.services import accounts, kill, presses, tokens
from ordo_cli.services.setup import arm_new
from ordo_cli.store.tokens import MOST_KNOWN
from tests import backends
from tests.api.conftest import BUY, Key, bearing, calling, token
from tests.api.serving import PATIENCE as LONG
from tests.api.serving import a_token, environment, serving
from tests.backends import POSTGRESQL, Backend
from tests.pgproxy import Proxy

KILL = "/api/v1/kill"
GONE = ("tokens", "switches", "accounts")
ELSEWHERE = ("ordo kill", "SIGUSR1")


@contextmanager
def unreadable(home: Home) -> Iterator[None]:
    """For as long as this lasts, the database answers no question about tokens, switches and accounts."""
    with closing(sqlite3.connect(home.database, isolation_level=None)) as other:
        for table in GONE:
            other.execute(f"ALTER TABLE {table} RENAME TO away_{table}")
        try:
            yield
        finally:
            for table in GONE:
                other.execute(f"ALTER TABLE away_{table} RENAME TO {table}")


def armed(home: Home) -> bool:
    return os.path.exists(arming.path_of(home.run, "global", ""))


class Later:
    """The clock of a desk, so much later."""

    def __init__(self, desk: Desk, by: timedelta) -> None:
        self._clock, self._by = desk.clock, by

    def now(self) -> datetime:
        return self._clock.now() + self._by

    def elapsed(self) -> float:
        return self._clock.elapsed()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


async def test_who_was_seen_before_presses_without_the_database(home: Home, client: httpx.AsyncClient) -> None:
    assert (await client.get(KILL)).json()["engaged"] is False
    with unreadable(home):
        assert (await client.get(KILL)).status_code == 503
        answer = await client.post(KILL, json={"reason": "enough"})
        told = answer.json()
        assert not armed(home)
    assert (answer.status_code, told["engaged"], told["quiet"], told["recorded"]) == (200, True, True, False)
    assert told["certain"] is True
    ((_, noted, _),) = press.pending(home.run)
    assert (noted.scope, noted.reason.partition(" ")[0]) == ("global", "enough")
    state = (await client.get(KILL)).json()  # in force, and shown as not written down yet
    assert (state["engaged"], state["unwritten"]) == (True, ["global"])


async def test_a_server_that_has_just_begun_knows_who_may_press(home: Home, desk: Desk) -> None:
    text = await token(desk, TokenScope.KILL_ENGAGE)
    async with open_desk(home, actor="serve") as fresh, calling(fresh) as client:
        with unreadable(home):
            assert (await client.post(KILL, headers=bearing(text))).status_code == 200
    assert not armed(home)


@pytest.mark.parametrize("who", ["made since", "without the scope", "wrong secret", "nobody", "no token"])
async def test_whom_nobody_can_vouch_for_stops_nothing_and_hears_what_works(home: Home, desk: Desk, who: str) -> None:
    reading, pressing = await token(desk, TokenScope.READ, name="reads"), await token(desk, name="presses")
    async with calling(desk) as client:
        await client.get(KILL, headers=bearing(reading))
        async with open_desk(home) as beside:
            since = await token(beside, name="since")
        texts = {
            "made since": since,
            "without the scope": reading,
            "wrong secret": pressing[:-1] + ("0" if pressing[-1] != "0" else "1"),
            "nobody": "ordo_" + "0" * 12 + "_" + "0" * 52,
        }
        with unreadable(home):
            answer = await client.post(KILL, headers=bearing(texts[who]) if who in texts else {})
    assert armed(home)
    assert list(press.pending(home.run)) == []
    if who == "no token":
        assert answer.status_code == 401
        return
    problem = answer.json()
    assert answer.status_code == 503
    assert "NOTHING WAS STOPPED" in problem["message"]
    assert all(word in problem["hint"] for word in ELSEWHERE)


async def test_a_token_that_is_over_presses_no_more(home: Home, desk: Desk) -> None:
    text = await token(desk, lifetime=timedelta(hours=1))
    await tokens.learn(desk)
    assert tokens.remembered(desk, text) is not None
    assert tokens.remembered(replace(desk, clock=Later(desk, timedelta(hours=2))), text) is None


async def test_a_revocation_that_was_seen_is_remembered_at_once(home: Home, desk: Desk) -> None:
    text = await token(desk, name="seen")
    async with calling(desk) as client:
        client.headers.update(bearing(text))
        assert (await client.get(KILL)).status_code == 200
        async with open_desk(home) as beside:
            await tokens.revoke(beside, "seen")
        assert (await client.post(KILL)).status_code == 401  # the database is asked first, where it answers
        with unreadable(home):
            assert (await client.post(KILL)).status_code == 503
    assert armed(home)


async def test_a_revocation_by_this_process_is_remembered_too(home: Home, desk: Desk) -> None:
    text = await token(desk, name="mine")
    await tokens.learn(desk)
    await tokens.revoke(desk.acting_as("token:other", desk.rights), "mine")
    assert tokens.remembered(desk, text) is None


async def test_a_token_revoked_elsewhere_can_at_most_stop(home: Home, desk: Desk, key: Key) -> None:
    """Nobody can tell any more that it was revoked, and to stop is the safe side."""
    text = await token(desk, name="unseen")
    async with calling(desk) as client:
        client.headers.update(bearing(text))
        placed = await client.post("/api/v1/orders", json=BUY, headers={"Idempotency-Key": key()})
        assert placed.status_code == 201
        async with open_desk(home) as beside:
            await tokens.revoke(beside, "unseen")
        with unreadable(home):
            before = len(list(press.pending(home.run)))
            for method, route in (("GET", KILL), ("POST", f"{KILL}/release"), ("POST", "/api/v1/orders")):
                headers = {"Idempotency-Key": key()}
                answer = await client.request(method, route, json=BUY if "orders" in route else None, headers=headers)
                assert answer.status_code in (422, 503), (route, answer.text)
            assert before == len(list(press.pending(home.run)))
            told = (await client.post(KILL, json={"level": "flatten"})).json()
    assert (told["engaged"], told["accounts"]) == (True, [])
    assert "the clean-up could not run" in told["problem"]
    async with open_desk(home) as beside:
        rows = await beside.store.audit.rows({"type": "sweep"})
    assert rows == []


async def test_more_than_a_stop_waits_for_the_databases_own_word(home: Home, desk: Desk) -> None:
    """It answers too late for the press and says then that the token was revoked: nothing is cancelled or closed."""
    text = await token(desk, name="late")
    await tokens.learn(desk)
    pressers = Pressers(desk)
    with unreadable(home):
        presser, _ = await pressers.admit(text, "request-1")
    assert presser.sure is False
    async with open_desk(home) as beside:
        await tokens.revoke(beside, "late")
    with pytest.raises(Exception, match="not valid any more"):
        await presser.require_word(recorded=False)
    await pressers.close()


async def test_a_scope_that_nobody_can_look_up_is_not_told_as_certain(home: Home, client: httpx.AsyncClient) -> None:
    await client.get(KILL)
    with unreadable(home):
        misspelt = (await client.post(KILL, json={"scope": "account:alcie"})).json()
        right = (await client.post(KILL, json={"scope": "account:alice"})).json()
    assert (misspelt["certain"], right["certain"]) == (False, True)


def from_afar(home: Home, *words: str) -> subprocess.CompletedProcess[str]:
    """What `ordo --remote` comes to at a server whose database cannot be read."""
    with serving(Path(home.data)) as server, unreadable(home):
        return subprocess.run(
            [sys.executable, "-m", "ordo_cli", "--remote", server.url, *words],
            env=environment() | {"ORDO_TOKEN": server.token},
            capture_output=True,
            text=True,
            timeout=LONG,
        )


def test_from_afar_it_holds_and_a_clean_up_that_could_not_run_is_no_clean_one(home: Home) -> None:
    done = from_afar(home, "kill", "--flatten")
    assert done.returncode == 10, done.stderr
    assert done.stdout.startswith("ENGAGED (files), quiet confirmed")
    assert "the clean-up could not run" in done.stderr
    assert "as they were" in done.stderr
    assert not armed(home)


def test_from_afar_a_name_that_nobody_could_look_up_is_to_be_checked(home: Home) -> None:
    done = from_afar(home, "kill", "--scope", "account:alcie")
    assert done.returncode == 10, done.stderr
    assert "CHECK THE NAME" in done.stderr


async def test_the_server_writes_the_press_down_once_it_can(home: Home, desk: Desk) -> None:
    text = await token(desk)
    async with calling(desk) as client:
        client.headers.update(bearing(text))
        await client.get(KILL)
        with unreadable(home):
            await client.post(KILL, json={"reason": "enough"})
    assert await presses.retry(desk) == 0  # the press itself may still be trying
    later = replace(desk, clock=Later(desk, timedelta(minutes=1)))
    standing_by = asyncio.ensure_future(Pressers(later).stand_by())
    async with asyncio.timeout(LONG):
        while list(press.pending(home.run)):
            await asyncio.sleep(0.01)
    standing_by.cancel()
    state = await kill.state(desk)
    row = state.scopes[0].row
    assert row is not None
    assert (row.scope, row.engaged) == (GLOBAL, True)
    assert (row.reason or "").startswith("enough by token:")


# PostgreSQL, from the server's process to a wire that can be cut or fall silent


@pytest.fixture
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Backend]:
    yield from backends.lent(POSTGRESQL, request.node.nodeid, monkeypatch)


@pytest.fixture
def there(tmp_path: Path, backend: Backend, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home whose journal is in PostgreSQL, armed, with alice."""
    found = home_at(str(tmp_path / "home"))
    make(found)
    monkeypatch.setenv("ORDO_DATABASE__URL", backend.where(Path(found.database)))

    async def furnish() -> None:
        async with open_desk(found, actor="test") as desk:
            await arm_new(desk, (GLOBAL,))
            await accounts.add(desk, "alice", "paper", accounts.Wishes(), {})

    asyncio.run(furnish())
    return found


@pytest.fixture
def wire(there: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """What the server reaches its database by."""
    with Proxy(os.environ["ORDO_DATABASE__URL"]) as proxy:
        monkeypatch.setenv("ORDO_DATABASE__URL", proxy.url)
        yield proxy


async def pressed(url: str, text: str, home: Home, body: dict[str, Any]) -> tuple[float, float, httpx.Response]:
    """Seconds until the arming file was gone, seconds until the answer, and the answer."""
    async with httpx.AsyncClient(base_url=url, timeout=LONG) as client:
        began = time.monotonic()
        answering = asyncio.ensure_future(client.post(KILL, json=body, headers=bearing(text)))
        stopped = 0.0
        while not answering.done():
            if not stopped and not armed(home):
                stopped = time.monotonic() - began
            await asyncio.sleep(0.002)
        return stopped, time.monotonic() - began, answering.result()


@pytest.mark.parametrize("trouble", ["silent", "gone"])
@pytest.mark.parametrize("level", ["block", "flatten"])
def test_a_postgresql_that_says_nothing_keeps_no_press_waiting(
    there: Home, wire: Proxy, trouble: str, level: str
) -> None:
    text = a_token(Path(there.data), TokenScope.KILL_ENGAGE)
    with serving(Path(there.data), token=text) as server:
        if trouble == "silent":
            wire.silent = True
        else:
            wire.refuse()
        stopped, answered, answer = asyncio.run(pressed(server.url, text, there, {"level": level}))
        wire.silent = False
    print(f"{trouble}, {level}: stopped after {stopped * 1000:.0f} ms, answered after {answered:.1f} s")
    told = answer.json()
    assert (answer.status_code, told["engaged"], told["quiet"], told["recorded"]) == (200, True, True, False)
    assert 0 < stopped < AT_ONCE + 0.9  # a tenth of a second, and what a busy machine adds
    assert answered < PATIENCE + 5
    assert ("the clean-up could not run" in (told["problem"] or "")) is (level == "flatten")


def test_presses_that_wait_for_their_rows_keep_no_other_press_waiting(there: Home, wire: Proxy) -> None:
    text = a_token(Path(there.data), TokenScope.KILL_ENGAGE)
    with serving(Path(there.data), token=text) as server:
        wire.silent = True

        async def many() -> float:
            async with httpx.AsyncClient(base_url=server.url, timeout=LONG) as client:
                body = {"scope": "account:alice"}
                before = [asyncio.ensure_future(client.post(KILL, json=body, headers=bearing(text))) for _ in range(40)]
                await asyncio.sleep(1)
                stopped, _, _ = await pressed(server.url, text, there, {})
                await asyncio.gather(*before)
                return stopped

        assert 0 < asyncio.run(many()) < 1.5
        wire.silent = False


def test_a_signal_stops_while_postgresql_is_silent(there: Home, wire: Proxy) -> None:
    with serving(Path(there.data)) as server:
        wire.silent = True
        began = time.monotonic()
        server.process.send_signal(signal.SIGUSR1)
        while armed(there):
            assert time.monotonic() - began < 1
            time.sleep(0.002)
        wire.silent = False


def test_a_stranger_is_told_soon_what_works(there: Home, wire: Proxy) -> None:
    with serving(Path(there.data)) as server:
        wire.silent = True
        text = "ordo_" + "0" * 12 + "_" + "0" * 52
        stopped, answered, answer = asyncio.run(pressed(server.url, text, there, {}))
        wire.silent = False
    assert (stopped, answer.status_code) == (0.0, 503)
    assert answered < PATIENCE + 1
    assert all(word in answer.json()["hint"] for word in ELSEWHERE)
    assert armed(there)


async def test_no_more_tokens_are_remembered_than_are_bounded(desk: Desk) -> None:
    text = await token(desk, name="last")
    found = await tokens.authenticate(desk, text)
    assert found is not None
    known = desk.store.tokens.known
    known.clear()
    known.update({f"other-{number}": replace(found, id=f"other-{number}") for number in range(MOST_KNOWN)})
    assert await tokens.authenticate(desk, text) is not None
    kept = tokens.remembered(desk, text)
    assert (len(known), "other-0" in known, kept is not None and kept.id) == (MOST_KNOWN, False, found.id)


async def test_an_older_look_brings_no_revoked_token_back(desk: Desk) -> None:
    """Looks may end in another order than they began."""
    text = await token(desk, name="over")
    found = await tokens.authenticate(desk, text)
    assert found is not None
    desk.store.tokens.known[found.id] = None  # as a later look has seen it
    assert await tokens.authenticate(desk, text) is not None  # what the older one read
    assert tokens.remembered(desk, text) is None
