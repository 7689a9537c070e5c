"""HDFC in a test's hands: recorded answers, its list of instruments in memory, and a broker with a book behind it."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx

from ordo_cli.brokers.base import BrokerSession, Tools
from ordo_cli.brokers.hdfc.codes import reference_of
from ordo_cli.brokers.hdfc.master import listings
from ordo_cli.brokers.masters import Listing, Master
from ordo_cli.domain.accounts import Account, AccountId, BrokerName
from ordo_cli.domain.instruments import Exchange, InstrumentId
from ordo_cli.domain.market import IST
from ordo_cli.domain.orders import Tag
from tests.brokers.wire.fakes import NoChance
from tests.fakes import FakeClock

RECORDED = Path(__file__).parents[1] / "recorded" / "hdfc"
MONDAY_NOON = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)  # 12:00 in India
CREDENTIALS = {
    "api_key": "sentinel-api-key",
    "api_secret": "sentinel-api-secret",
    "user_id": "sentinel-user-id",
    "password": "sentinel-password",
}
OTP = "918273"


def recorded(name: str) -> Any:
    return json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))


def jwt(**claims: object) -> str:
    """The recorded access token, with these claims in it."""
    said = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return str(recorded("access_token")["accessToken"]).replace("CLAIMS", said)


TOKEN = jwt(sub="sentinel", exp=int((MONDAY_NOON + timedelta(hours=8)).timestamp()))
SECRETS = (*CREDENTIALS.values(), OTP, TOKEN, "sentinel-token-id-0001", "sentinel-request-one", "sentinel-request-two")


class MemoryMaster:
    """A master made of listings, without a file."""

    day: date | None = date(2026, 11, 23)

    def __init__(self, found: Sequence[Listing]) -> None:
        self._by_id = {each.instrument.id: each for each in found}
        self._by_code = {(each.code, each.segment): each for each in found}
        self._by_token = {(each.token, each.segment): each for each in found}
        assert len(self._by_id) == len(self._by_code) == len(found)

    def listing(self, instrument: InstrumentId) -> Listing | None:
        return self._by_id.get(instrument)

    def coded(self, code: str, segment: str = "") -> Listing | None:
        return self._by_code.get((code, segment))

    def numbered(self, token: str, segment: str = "") -> Listing | None:
        return self._by_token.get((token, segment))

    def search(self, text: str, limit: int = 20, exchange: Exchange | None = None) -> Sequence[Listing]:
        return [each for each in self._by_id.values() if text in each.instrument.id.symbol][:limit]


def master() -> MemoryMaster:
    with (RECORDED / "security-master.csv").open(encoding="utf-8", newline="") as lines:
        return MemoryMaster(list(listings(lines)))


def account(base_url: str | None = None) -> Account:
    return Account(AccountId("alice"), BrokerName("hdfc"), base_url=base_url)


def tools(
    transport: httpx.AsyncBaseTransport | None,
    *,
    clock: FakeClock | None = None,
    known: Master | None = None,
    token: str | None = TOKEN,
    options: Mapping[str, str] | None = None,
    read_timeout: float = 15.0,
) -> Tools:
    session = None if token is None else BrokerSession({"access_token": token}, MONDAY_NOON + timedelta(hours=8))
    return Tools(
        clock or FakeClock(MONDAY_NOON),
        NoChance(),
        Path(),
        read_timeout,
        options or {},
        session,
        known or master(),
        transport,
    )


class FakeHdfc:
    """The broker: it keeps a book, fills what crosses its one price, and misbehaves as it is told."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.price = Decimal("455.10")
        self.requests: list[httpx.Request] = []
        self.placed: list[dict[str, Any]] = []  # every order that ever arrived
        self.rows: dict[str, dict[str, Any]] = {}
        self.fills: list[dict[str, Any]] = []
        self.refuses = self.silent = self.expired = self.unreachable = self.renumbers = False
        self.late = self.lagging = 0.0
        self._waiting: list[tuple[float, dict[str, Any]]] = []
        self._history: list[tuple[float, dict[str, dict[str, Any]]]] = []
        self._positions: dict[tuple[str, str, str], dict[str, Any]] = {}

    def arrived(self, tag: Tag) -> int:
        return sum(order["external_reference_number"] == reference_of(tag) for order in self.placed)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.unreachable:
            raise httpx.ConnectError("refused")
        self.requests.append(request)
        assert request.headers["user-agent"]
        assert request.url.params["api_key"] == CREDENTIALS["api_key"]
        if self.expired or request.headers.get("authorization") != TOKEN:
            return httpx.Response(401, json=recorded("session_expired"))
        self._arrive()
        return self._route(request.method, request.url.path.removeprefix("/oapi/v1"), request)

    def _route(self, method: str, path: str, request: httpx.Request) -> httpx.Response:
        match method, path.strip("/").split("/"):
            case "POST", ["orders", "regular"]:
                return self._place(json.loads(request.content))
            case "PUT", ["orders", "regular", id]:
                return self._modify(id, json.loads(request.content))
            case "DELETE", ["orders", "regular", id]:
                return self._cancel(id, request)
            case "GET", ["orders"]:
                return _success(list(self._shown().values()))
            case "GET", ["orders", id] if id in self._shown():
                return _success([self._shown()[id]])
            case "GET", ["trades"]:
                return _success(self.fills)
            case "GET", ["portfolio", "cumulative-positions"]:
                return _success({"net": list(self._positions.values())})
            case "GET", ["portfolio", "holdings"]:
                return _success([])
            case "GET", ["user", "margins"]:
                return httpx.Response(200, json=recorded("funds"))
        return httpx.Response(404, json={"status": "error", "message": "nothing here"})

    # what happens to orders

    def _place(self, order: dict[str, Any]) -> httpx.Response:
        if self.refuses:
            return httpx.Response(200, json=recorded("refused"))
        self.placed.append(order)
        if self.late:
            self._waiting.append((self.clock.elapsed() + self.late, order))
            raise httpx.ReadTimeout("silent")
        id = self._enter(order)
        if self.silent:
            raise httpx.ReadTimeout("silent")
        return _success({"order_id": id})

    def _arrive(self) -> None:
        due = [order for at, order in self._waiting if at <= self.clock.elapsed()]
        self._waiting = [each for each in self._waiting if each[0] > self.clock.elapsed()]
        for order in due:
            self._enter(order)

    def _enter(self, order: dict[str, Any], id: str | None = None) -> str:
        id = id or f"261123{len(self.rows) + 1:09d}"
        row = {**recorded("orders")["data"][0], **order}
        row |= {
            "order_id": id,
            "status": "OPEN",
            "transaction_type": order["transaction_type"].title(),
            "order_timestamp": self.clock.now().astimezone(IST).strftime("%d/%m/%Y %H:%M:%S"),
            "external_reference_number": "STAPI202611236812180",
            "filled_quantity": 0,
            "pending_quantity": order["quantity"],
            "cancelled_quantity": 0,
            "total_traded_value": 0,
            "order_slot": "AMO" if order["amo"] else "Online",
        }
        self.rows[id] = row
        buys = order["transaction_type"] == "BUY"
        price = Decimal(str(order["price"])) or self.price
        if not order["trigger_price"] and (price >= self.price if buys else price <= self.price):
            self._fill(row)
        self._remember()
        return id

    def _fill(self, row: dict[str, Any]) -> None:
        units, value = row["quantity"], float(self.price * row["quantity"])
        row |= {"status": "Traded", "filled_quantity": units, "pending_quantity": 0, "total_traded_value": value}
        trade = {**recorded("trades")["data"][0], "trade_id": str(700_000 + len(self.fills)), "filled_quantity": units}
        trade |= {name: row[name] for name in ("order_id", "product", "transaction_type", "security_id", "exchange")}
        trade |= {"average_price": float(self.price), "total_traded_value": value}
        self.fills.append(trade)
        key = row["security_id"], row["exchange"], row["product"]
        held = self._positions.setdefault(
            key,
            {**recorded("positions")["data"]["net"][0], "product": row["product"], "net_qty": 0},
        )
        held["net_qty"] += units if row["transaction_type"] == "Buy" else -units

    def _modify(self, id: str, changes: dict[str, Any]) -> httpx.Response:
        row = self.rows.get(id)
        if row is None or row["status"] != "OPEN":
            return httpx.Response(
                404 if row is None else 400, json={"status": "error", "message": "cannot be modified"}
            )
        if self.renumbers:
            self.rows[id] = {**row, "status": "CANCELLED", "cancelled_quantity": row["quantity"], "pending_quantity": 0}
            id = f"{id}9"
            row = {**row, "order_id": id}
        self.rows[id] = {**row, **changes, "pending_quantity": changes["quantity"]}
        self._remember()
        return _success({"order_id": id})

    def _cancel(self, id: str, request: httpx.Request) -> httpx.Response:
        assert request.content == b""
        row = self.rows.get(id)
        if row is None:
            return httpx.Response(404, json={"status": "error", "message": "no such thing"})
        if row["status"] != "OPEN":
            return httpx.Response(200, json={"status": "error", "message": "cannot be cancelled now"})
        self.rows[id] = {**row, "status": "CANCELLED", "cancelled_quantity": row["quantity"], "pending_quantity": 0}
        self._remember()
        return _success({"order_id": id})

    # what the book shows

    def _remember(self) -> None:
        self._history.append((self.clock.elapsed(), dict(self.rows)))

    def _shown(self) -> dict[str, dict[str, Any]]:
        if not self.lagging:
            return self.rows
        then = self.clock.elapsed() - self.lagging
        return next((rows for at, rows in reversed(self._history) if at <= then), {})


def _success(data: object) -> httpx.Response:
    return httpx.Response(200, json={"status": "success", "data": data})
