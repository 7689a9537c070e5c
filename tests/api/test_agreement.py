"""Two doors, one room: the body of every route is the `data` of the same command's `--json`, on the same home."""

from __future__ import annotations

import asyncio
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from ordo_cli.desk import open_desk
from ordo_cli.home import find_home
from tests.api.conftest import BUY, Run, bearing, calling, token


@dataclass(frozen=True)
class Pair:
    """A command line and the request that asks for the same; `changing` names what no two runs share."""

    words: str
    method: str
    route: str
    body: Any = None
    changing: str = ""
    status: int = 200
    query: dict[str, Any] = field(default_factory=dict)
    one: bool = False  # the command takes many of what the route takes one of


RUN = "id created_at tag broker_order_id latency_ms placed_at traded_at trade_id"
ORDER = f"{RUN} leg fanout sent_at answered_at at key"
MOVES = "at high low volume"
PRESS = "quiet_ms epoch changed_at actor seq"

PAIRS = [
    Pair("buy NSE:INFY --qty 1 --to alice --key same-key-1", "POST", "/orders", BUY, ORDER, 201),
    Pair(
        "buy NSE:INFY --qty 4 --limit 1490.5 --to alice --to bob --key same-key-1",
        "POST",
        "/orders",
        BUY | {"quantity": 4, "limit_price": "1490.5", "targets": ["alice", "bob"]},
        ORDER,
        207,
    ),
    Pair(
        "buy NSE:INFY --qty 7 --split equal --to @family --dry-run",
        "POST",
        "/orders/preview",
        BUY | {"quantity": 7, "split": "equal", "targets": ["@family"]},
    ),
    Pair("fanout list", "GET", "/fanouts"),
    Pair("fanout list --account carol --limit 1", "GET", "/fanouts", query={"account": "carol", "limit": 1}),
    Pair("fanout show {fanout}", "GET", "/fanouts/{fanout}"),
    Pair("fanout cancel {resting}", "POST", "/fanouts/{resting}/cancel"),
    Pair("fanout reconcile {fanout}", "POST", "/fanouts/{fanout}/reconcile", changing="seconds message"),
    Pair("order show {resting}-1", "GET", "/legs/{resting}-1"),
    Pair("order modify {resting}-1 --limit 1410", "PATCH", "/legs/{resting}-1", {"limit_price": "1410"}),
    Pair("order cancel {resting}-1", "DELETE", "/legs/{resting}-1", one=True),
    Pair("order cancel {filled}-1", "DELETE", "/legs/{filled}-1", one=True),
    Pair("positions alice bob", "GET", "/positions", query={"target": ["alice", "bob"]}),
    Pair("holdings", "GET", "/holdings"),
    Pair("funds dave", "GET", "/funds", query={"target": "dave"}),
    Pair("orders alice", "GET", "/orders", query={"target": "alice"}),
    Pair("trades @family", "GET", "/trades", query={"target": "@family"}),
    Pair("quote NSE:INFY NSE:NOPE", "GET", "/quotes", changing=MOVES, query={"instrument": ["NSE:INFY", "NSE:NOPE"]}),
    Pair("account list", "GET", "/accounts"),
    Pair("login alice", "POST", "/accounts/{alice}/login", one=True),
    Pair("login out alice", "DELETE", "/accounts/{alice}/session", one=True),
    Pair("login status", "GET", "/logins"),
    Pair("login status alice", "GET", "/logins", query={"target": "alice"}),
    Pair("status", "GET", "/status", changing="at age_seconds"),
    Pair("audit show --limit 5", "GET", "/audit", changing="", query={"limit": 5, "type": "plan"}),
    Pair("kill status", "GET", "/kill"),
    Pair("kill --reason enough", "POST", "/kill", {"reason": "enough"}, PRESS),
    Pair("kill --scope account:alice --cancel", "POST", "/kill", {"scope": "account:alice", "level": "cancel"}, PRESS),
    Pair("kill --flatten", "POST", "/kill", {"level": "flatten"}, f"{PRESS} leg"),
]


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.words)
def test_a_route_answers_with_the_data_of_its_command(
    pair: Pair, cli: Run, homed: Path, names: dict[str, str], tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(homed, other)
    words = pair.words.format(**names) + (" --type plan" if pair.words.startswith("audit") else "")
    data = json.loads(cli(*words.split(), "--json").out)["data"]
    answer = asyncio.run(asked(pair, other, names))
    assert answer.status_code == pair.status, answer.text
    changing = pair.changing.split()
    assert without(answer.json(), changing) == without(data[0] if pair.one else data, changing)


async def asked(pair: Pair, home: Path, names: dict[str, str]) -> httpx.Response:
    """The route's answer at this home."""
    async with open_desk(find_home({"ORDO_HOME": str(home)}), actor="serve") as desk, calling(desk) as client:
        headers = bearing(await token(desk)) | {"Idempotency-Key": "same-key-1"}
        route = f"/api/v1{pair.route}".format(alice="alice", **names)
        return await client.request(pair.method, route, json=pair.body, params=pair.query, headers=headers)


def without(value: Any, names: list[str]) -> Any:
    """The value, with the fields that no two runs share reduced to whether they are there."""
    if isinstance(value, dict):
        return {name: name if name in names else without(each, names) for name, each in value.items()}
    return [without(each, names) for each in value] if isinstance(value, list) else value


async def test_every_route_is_compared_with_its_command(client: httpx.AsyncClient) -> None:
    compared = {(pair.method.lower(), pair.route.split("{")[0].rstrip("/"), pair.route.count("{")) for pair in PAIRS}
    alone = {"/orders/preview", "/kill/release", "/healthz", "/readyz", "/metrics", "/accounts/{id}/login/answer"}
    described = (await client.get("/api/v1/openapi.json")).json()["paths"]
    routes = {(verb, path.removeprefix("/api/v1"), path) for path, verbs in described.items() for verb in verbs}
    left = [
        (verb, path)
        for verb, path, _ in routes
        if (verb, path.split("{")[0].rstrip("/"), path.count("{")) not in compared
        and path not in alone
        and "events" not in path
    ]
    assert left == []
