"""A small Fyers in memory, behind httpx.MockTransport: it answers in the recorded shapes and keeps what arrived."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from ordo_cli.domain.market import IST
from tests.brokers.contract import Trouble
from tests.fakes import FakeClock

RECORDED = Path(__file__).parents[1] / "recorded" / "fyers"
LAST = {"NSE:IDEA-EQ": 6.85, "NSE:M&M-EQ": 3020, "NSE:NIFTY26DECFUT": 26210.4}
TOKENS = {"NSE:IDEA-EQ": "101000000014366", "NSE:M&M-EQ": "10100000002031", "NSE:NIFTY26DECFUT": "101126122936688"}
LATE, LAG = 60.0, 60.0  # seconds
LIVE = 6


def recorded(call: str) -> Any:
    """An answer as it is kept in a file."""
    return json.loads((RECORDED / f"{call}.json").read_text(encoding="utf-8"))


def lines_of(name: str) -> list[str]:
    return (RECORDED / f"{name}.csv").read_text(encoding="utf-8").splitlines(keepends=True)


@dataclass
class Entry:
    """One order: its row, and since when the book has it."""

    row: dict[str, Any]
    seen_from: float


@dataclass
class FakeFyers:
    """The broker of one account."""

    clock: FakeClock
    trouble: Trouble = Trouble.NONE
    entries: list[Entry] = field(default_factory=list)
    arrivals: list[Mapping[str, Any]] = field(default_factory=list)
    requests: list[httpx.Request] = field(default_factory=list)

    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self.handle)

    def handle(self, request: httpx.Request) -> httpx.Response:
        if self.trouble is Trouble.UNREACHABLE:
            raise httpx.ConnectError("connection refused")
        self.requests.append(request)
        if self.trouble is Trouble.EXPIRED or request.headers.get("authorization") != "ABCD1234XY-100:LIVE-TOKEN":
            return httpx.Response(401, json=recorded("session_expired"))
        route = ROUTES.get((request.method, request.url.path))
        return httpx.Response(404, json={}) if route is None else httpx.Response(200, json=route(self, request))

    # orders

    def place(self, request: httpx.Request) -> Any:
        body = json.loads(request.content)
        self.arrivals.append(body)
        if self.trouble is Trouble.REFUSES:
            return recorded("place_rejected")
        row = self._taken(body)
        if self.trouble in (Trouble.SILENT, Trouble.LATE):
            raise httpx.ReadTimeout("no answer")
        return {**recorded("place"), "id": row["id"]}

    def change(self, request: httpx.Request) -> Any:
        body = json.loads(request.content)
        entry = self._entry(body["id"])
        if entry is None or entry.row["status"] != LIVE:
            return recorded("order_unknown" if entry is None else "too_late")
        for name in ("qty", "limitPrice", "stopPrice"):
            entry.row[name] = body.get(name, entry.row[name])
        return {**recorded("modify"), "id": body["id"]}

    def cancel(self, request: httpx.Request) -> Any:
        number = json.loads(request.content)["id"]
        entry = self._entry(number)
        if entry is None or entry.row["status"] != LIVE:
            return recorded("order_unknown" if entry is None else "too_late")
        entry.row["status"] = 1
        return {**recorded("cancel"), "id": number}

    def book(self, request: httpx.Request) -> Any:
        now = self.clock.elapsed() - (LAG if self.trouble is Trouble.LAGGING else 0.0)
        rows = [entry.row for entry in self.entries if entry.seen_from <= now]
        tag = request.url.params.get("order_tag")  # the search by id is ignored, as nobody may rely on it
        return {
            **recorded("orders"),
            "orderBook": deepcopy([row for row in rows if tag is None or row["orderTag"] == tag]),
        }

    def _taken(self, body: Mapping[str, Any]) -> dict[str, Any]:
        number, filled = str(26112300000001 + len(self.entries)), body["type"] == 2
        at = self.clock.elapsed() + (LATE if self.trouble is Trouble.LATE else 0.0)
        moment = self.clock.now().astimezone(IST) + timedelta(seconds=at - self.clock.elapsed())
        row: dict[str, Any] = recorded("orders")["orderBook"][0] | {
            "id": number,
            "symbol": body["symbol"],
            "fyToken": TOKENS[body["symbol"]],
            "qty": body["qty"],
            "filledQty": body["qty"] if filled else 0,
            "type": body["type"],
            "side": body["side"],
            "productType": body["productType"],
            "limitPrice": body["limitPrice"],
            "stopPrice": body["stopPrice"],
            "tradedPrice": LAST[body["symbol"]] if filled else 0,
            "orderValidity": body["validity"],
            "status": 2 if filled else LIVE,
            "orderDateTime": f"{moment:%d}-{MONTHS[moment.month - 1]}-{moment:%Y %H:%M:%S}",
            "orderTag": f"1:{body['orderTag']}" if body.get("orderTag") else "2:Untagged",
        }
        self.entries.append(Entry(row, at))
        return row

    def _entry(self, number: str) -> Entry | None:
        return next((entry for entry in self.entries if entry.row["id"] == number), None)

    # what came of them

    def trades(self, request: httpx.Request) -> Any:
        whole = recorded("tradebook")
        rows = [
            whole["tradeBook"][0]
            | {name: row[name] for name in ("side", "productType", "symbol", "fyToken", "orderDateTime", "orderTag")}
            | {
                "orderNumber": row["id"],
                "tradeNumber": f"{row['id']}-1",
                "tradedQty": row["filledQty"],
                "tradePrice": row["tradedPrice"],
            }
            for row in (entry.row for entry in self.entries)
            if row["filledQty"]
        ]
        return whole | {"tradeBook": rows}

    def positions(self, request: httpx.Request) -> Any:
        whole = recorded("positions")
        net: dict[tuple[str, str], int] = {}
        for entry in self.entries:
            key = entry.row["symbol"], entry.row["productType"]
            net[key] = net.get(key, 0) + entry.row["filledQty"] * entry.row["side"]
        rows = [
            whole["netPositions"][0]
            | {
                "symbol": symbol,
                "productType": product,
                "fyToken": TOKENS[symbol],
                "netQty": units,
                "qty": abs(units),
                "side": (units > 0) - (units < 0),
            }
            for (symbol, product), units in net.items()
            if units
        ]
        return whole | {"netPositions": rows}

    def quotes(self, request: httpx.Request) -> Any:
        asked = request.url.params["symbols"].split(",")
        whole = recorded("quotes")
        return whole | {"d": [row for row in whole["d"] if row["n"] in asked]}


def _as_recorded(call: str) -> Callable[[FakeFyers, httpx.Request], Any]:
    return lambda fake, request: recorded(call)


MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
ROUTES: Mapping[tuple[str, str], Callable[[FakeFyers, httpx.Request], Any]] = {
    ("POST", "/api/v3/orders/sync"): FakeFyers.place,
    ("PATCH", "/api/v3/orders/sync"): FakeFyers.change,
    ("DELETE", "/api/v3/orders/sync"): FakeFyers.cancel,
    ("GET", "/api/v3/orders"): FakeFyers.book,
    ("GET", "/api/v3/tradebook"): FakeFyers.trades,
    ("GET", "/api/v3/positions"): FakeFyers.positions,
    ("GET", "/data/quotes"): FakeFyers.quotes,
    ("GET", "/api/v3/holdings"): _as_recorded("holdings"),
    ("GET", "/api/v3/funds"): _as_recorded("funds"),
    ("GET", "/api/v3/profile"): _as_recorded("profile"),
    ("POST", "/api/v3/logout"): _as_recorded("logout"),
}
