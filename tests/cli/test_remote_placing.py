"""Placing at a server from the terminal: live, interrupted, with answers lost, with the key shown; and its token."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import pytest

from tests.brokers.wire.server import Peer, serving
from tests.cli.test_remote import SERVE
from tests.client.stub import FAN_OUT, Asked, drops, refused, said, silent
from tests.client.test_events import HEAD, event
from tests.house.tree import ROOT

ACCOUNT = {
    "account": "alice",
    "broker": "paper",
    "mode": "paper",
    "groups": [],
    "weight": "1",
    "enabled": True,
    "base_url": None,
    "egress": None,
    "behaviours": [],
}
DONE = FAN_OUT["legs"][0]
UNTOLD = {"broker_order_id": None, "filled_quantity": 0, "average_price": None, "latency_ms": None, "evidence": None}
SENDING = DONE | UNTOLD | {"state": "sending", "answered_at": None}
BEGUN = FAN_OUT | {"outcome": "pending", "legs": [SENDING]}
BUY = ["buy", "NSE:INFY", "--qty", "10", "--limit", "1500.05", "--to", "alice"]
UNKNOWN = DONE | UNTOLD | {"state": "unknown", "problem": {"code": "NO_ANSWER", "message": "silence", "hint": None}}


class Desk:
    """A server that plays a part on each route, the last act for ever."""

    def __init__(self, **acts: Any) -> None:
        self.acts = {"accounts": [said(200, [ACCOUNT])], **{name: list(act) for name, act in acts.items()}}
        self.asked: list[Asked] = []
        self.reached = asyncio.Event()

    async def __call__(self, peer: Peer) -> None:
        asked = Asked(await peer.question())
        self.asked.append(asked)
        part = asked.target.removeprefix("/api/v1/").partition("?")[0]
        name = {"orders": "orders", "accounts": "accounts"}.get(part, "events" if "events" in part else "fanout")
        acts = self.acts[name]
        act = acts.pop(0) if len(acts) > 1 else acts[0]
        if isinstance(act, bytes):
            peer.say(act)
        else:
            self.reached.set()
            await act(peer)

    def keys(self) -> set[str | None]:
        return {asked.key for asked in self.asked if asked.method == "POST"}


def streaming(*parts: bytes) -> Any:
    async def play(peer: Peer) -> None:
        peer.say(HEAD + b"".join(parts))
        peer.end()

    return play


async def open_stream(peer: Peer) -> None:
    peer.say(HEAD + b": heartbeat\n\n")


class Ended:
    def __init__(self, code: int | None, out: bytes, err: bytes) -> None:
        self.code, self.out, self.err = code, out.decode(), err.decode()


async def ordo(desk: Desk, *words: str, stop: int | None = None, more: dict[str, str] | None = None) -> Ended:
    """One command line at this server, stopped by a signal once the server plays something long."""
    async with serving(desk) as server:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ORDO_")}
        environ = {
            **kept,
            "PYTHONPATH": str(ROOT),
            "ORDO_TOKEN": "ordo_ab_sesame",
            "ORDO_HOME": "no/such/home",
            **(more or {}),
        }
        running = await asyncio.create_subprocess_exec(
            sys.executable, "-c", SERVE, "--remote", server.url, *words, env=environ, stdout=PIPE, stderr=PIPE
        )
        if stop is not None:
            await asyncio.wait_for(desk.reached.wait(), 20)
            await asyncio.sleep(0.2)
            running.send_signal(stop)
        out, err = await asyncio.wait_for(running.communicate(), 40)
    assert b"Traceback" not in err
    assert b"sesame" not in out + err
    return Ended(running.returncode, out, err)


async def test_legs_are_told_as_they_change_and_the_result_is_the_last_word() -> None:
    told = streaming(event(1, "leg", SENDING), event(2, "leg", DONE), event(3, "outcome", FAN_OUT))
    desk = Desk(orders=[said(202, BEGUN)], events=[told], fanout=[said(200, FAN_OUT)])
    done = await ordo(desk, *BUY, "--key", "rebalance-17")
    assert done.code == 0
    assert done.err.splitlines()[:3] == [
        "PAPER 1 account (alice)",
        "fan-out 7f3k2m9q4x key key-12345",
        "alice filled 3.1 ms",
    ]
    assert done.out.splitlines()[1].split() == ["alice", "10", "filled", "10", "1500.00", "77", "3.1"]
    assert desk.keys() == {"rebalance-17"}
    placed = next(asked for asked in desk.asked if asked.method == "POST")
    assert placed.headers["prefer"] == "respond-async"
    assert placed.told["targets"] == ["alice"]


@pytest.mark.parametrize("first", [drops, refused(503, "stopping", None, "Retry-After: 1")])
async def test_a_lost_answer_is_asked_for_again_under_the_key_that_was_made(first: Any) -> None:
    desk = Desk(orders=[first, said(201, FAN_OUT)])
    done = await ordo(desk, *BUY)
    assert done.code == 0
    assert len([asked for asked in desk.asked if asked.method == "POST"]) == 2
    (key,) = desk.keys()
    assert key


async def test_an_earlier_try_that_is_under_way_is_followed() -> None:
    under_way = refused(409, "in_progress", None, "Retry-After: 1", "Location: /api/v1/fanouts/7f3k2m9q4x")
    told = streaming(event(2, "leg", DONE))
    desk = Desk(orders=[under_way], events=[told], fanout=[said(200, BEGUN), said(200, FAN_OUT)])
    done = await ordo(desk, *BUY, "--key", "rebalance-17", "--json")
    document = json.loads(done.out)
    assert (done.code, document["data"]["replayed"], document["data"]["outcome"]) == (0, True, "success")
    assert "this key was used before" in done.err


async def test_where_no_stream_comes_through_the_fan_out_is_looked_at() -> None:
    desk = Desk(
        orders=[said(202, BEGUN)],
        events=[refused(404, "no_such_route", "not_found")],
        fanout=[said(200, BEGUN), said(200, FAN_OUT)],
    )
    done = await ordo(desk, *BUY)
    assert done.code == 0
    assert "alice filled" in done.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_ctrl_c_says_that_the_server_goes_on_and_how_to_look(number: int) -> None:
    desk = Desk(orders=[said(202, BEGUN)], events=[open_stream], fanout=[said(200, BEGUN)])
    done = await ordo(desk, *BUY, stop=number)
    assert (done.code, done.out) == (130, "")
    assert "the server goes on with fan-out 7f3k2m9q4x" in done.err
    assert "fanout watch 7f3k2m9q4x" in done.err


async def test_ctrl_c_before_any_answer_says_the_key() -> None:
    desk = Desk(orders=[silent])
    done = await ordo(desk, *BUY, "--key", "rebalance-17", stop=signal.SIGINT)
    assert done.code == 130
    assert "may have reached the server" in done.err
    assert "--key rebalance-17" in done.err


async def test_a_leg_that_nobody_knows_of_exits_7_there_as_here() -> None:
    lost = FAN_OUT | {"outcome": "unknown", "legs": [UNKNOWN]}
    told = streaming(event(2, "leg", UNKNOWN))
    desk = Desk(orders=[said(202, BEGUN)], events=[told], fanout=[said(200, lost)])
    done = await ordo(desk, *BUY)
    assert done.code == 7
    assert "alice unknown: silence" in done.err


async def test_a_wait_that_runs_out_exits_8() -> None:
    resting = DONE | {"state": "open", "filled_quantity": 0, "average_price": None}
    desk = Desk(
        orders=[said(201, FAN_OUT | {"legs": [resting]})],
        events=[open_stream],
        fanout=[said(200, FAN_OUT | {"legs": [resting]})],
    )
    done = await ordo(desk, *BUY, "--wait", "filled", "--timeout", "0.3")
    assert done.code == 8
    asked = next(asked.target for asked in desk.asked if "events" in asked.target)
    assert asked.endswith("until=filled")


async def test_a_server_that_is_away_is_one_sentence_and_nothing_was_sent() -> None:
    desk = Desk(accounts=[drops])
    done = await ordo(desk, "positions")
    assert done.code == 1
    assert "gave no answer" in done.err


@pytest.mark.parametrize(
    ("words", "more", "code", "sentence"),
    [
        (["status"], {"ORDO_TOKEN": "two words"}, 2, "that is not a token"),
        (["--token-file", "no/such/file", "status"], {}, 2, "cannot be read"),
        (["--home", "x", "status"], {}, 2, "exclude each other"),
        (["init"], {}, 2, "works on the machine itself"),
        (["status"], {"ORDO_TOKEN": "", "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}, 4, "no token for"),
    ],
)
async def test_what_is_missing_is_said_in_a_sentence(
    words: list[str], more: dict[str, str], code: int, sentence: str
) -> None:
    desk = Desk()
    done = await ordo(desk, *words, more=more)
    assert done.code == code
    assert sentence in done.err
    assert desk.asked == []


async def test_a_token_may_lie_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("ordo_ab_sesame\n")
    desk = Desk()
    for words, more in (
        (["--token-file", str(tmp_path / "token")], {"ORDO_TOKEN": "ordo_ab_other"}),
        ([], {"ORDO_TOKEN": "", "ORDO_TOKEN_FILE": str(tmp_path / "token")}),
    ):
        done = await ordo(desk, *words, "account", "list", more=more)
        assert (done.code, desk.asked[-1].headers["authorization"]) == (0, "Bearer ordo_ab_sesame")


@pytest.mark.parametrize("body", [b"", b"[]", {"id": 1}, FAN_OUT | {"mode": "unheard of"}])
async def test_an_answer_that_means_nothing_may_have_been_done(body: Any) -> None:
    done = await ordo(Desk(orders=[said(201, body)]), *BUY, "--json", "--key", "rebalance-17")
    document = json.loads(done.out)
    assert (done.code, document["error"]["code"]) == (7, "no_answer")
    assert "rebalance-17" in document["error"]["hint"]
