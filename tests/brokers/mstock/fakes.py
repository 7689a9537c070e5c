"""m.Stock in memory: a book that orders go into and come out of, behind the paths of Type A; and a master."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx

from ordo_cli.brokers.base import BrokerSession, Tools
from ordo_cli.brokers.masters import Listing
from ordo_cli.brokers.mstock.master import parse
from ordo_cli.domain.accounts import Account, AccountId, BrokerName
from ordo_cli.domain.instruments import Exchange, InstrumentId
from ordo_cli.domain.market import IST
from tests.brokers.mstock.recorded import recorded, script_master
from tests.brokers.wire.fakes import NoChance
from tests.fakes import MONDAY_NOON, FakeClock

CREDENTIALS = {"client_id": "MA-SENTINEL-1", "password": "pass-SENTINEL-2", "api_key": "key+SENTINEL/3="}
TOKEN = "eyJ-SENTINEL-4.access.token"
ALICE = Account(AccountId("alice"), BrokerName("mstock"))
PREFIX = "/openapi/typea"
PRICE = Decimal(1500)
MONDAY = MONDAY_NOON.date()


class MemoryMaster:
    """A master that is a list."""

    def __init__(self, listings: Iterable[Listing], day: date | None = MONDAY) -> None:
        self._listings = list(listings)
        self.day = day

    def listing(self, instrument: InstrumentId) -> Listing | None:
        return next((each for each in self._listings if each.instrument.id == instrument), None)

    def coded(self, code: str, segment: str = "") -> Listing | None:
        return next((each for each in self._listings if (each.code, each.segment) == (code, segment)), None)

    def numbered(self, token: str, segment: str = "") -> Listing | None:
        return next((each for each in self._listings if (each.token, each.segment) == (token, segment)), None)

    def search(self, text: str, limit: int = 20, exchange: Exchange | None = None) -> Sequence[Listing]:
        return [each for each in self._listings if text.upper() in each.instrument.id.symbol][:limit]


def master() -> MemoryMaster:
    return MemoryMaster(parse("scriptmaster", script_master()))


def tools(clock: FakeClock, transport: httpx.AsyncBaseTransport | None, folder: Path, **options: str) -> Tools:
    session = BrokerSession({"access_token": TOKEN}, MONDAY_NOON)
    return Tools(clock, NoChance(), folder, 0.5, options, session=session, master=master(), transport=transport)


@dataclass
class FakeMStock:
    """The broker's side. `script` answers the next questions instead of it, each once."""

    clock: FakeClock
    book: list[dict[str, Any]] = field(default_factory=list)
    tape: list[dict[str, Any]] = field(default_factory=list)
    asked: list[httpx.Request] = field(default_factory=list)
    placed: list[dict[str, str]] = field(default_factory=list)
    balance: Decimal = Decimal(250_000)
    trouble: str = "none"
    late: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    hidden: dict[str, float] = field(default_factory=dict)  # order ids that the book shows only from a moment on
    script: list[Callable[[httpx.Request], httpx.Response]] = field(default_factory=list)

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self.answer)

    def answer(self, request: httpx.Request) -> httpx.Response:
        if self.trouble == "unreachable":
            raise httpx.ConnectError("connection refused", request=request)
        self.asked.append(request)
        assert request.headers["x-mirae-version"] == "1"
        if self.script:
            return self.script.pop(0)(request)
        if (
            self.trouble == "expired"
            or request.headers.get("authorization") != f"token {CREDENTIALS['api_key']}:{TOKEN}"
        ):
            return self.said("session_over", 401)
        path = request.url.path.removeprefix(PREFIX)
        if path == "/orders/regular" and request.method == "POST":
            return self._place(request)
        if path.startswith("/orders/regular/"):
            return self._one(request, path.rpartition("/")[2])
        return self._read(path, request)

    def said(self, call: str, status: int = 200) -> httpx.Response:
        return httpx.Response(status, json=recorded(call))

    # orders

    def _place(self, request: httpx.Request) -> httpx.Response:
        form = form_of(request)
        self.placed.append(form)
        cost = Decimal(form["price"]) * int(form["quantity"])
        if self.trouble == "refuses" or cost > self.balance:
            return self.said("place_short")
        row = self._row(form)
        if self.trouble == "late":
            self.late.append((self.clock.elapsed() + 60, row))
            raise httpx.ReadTimeout("silence", request=request)
        self._arrive(row)
        if self.trouble == "silent":
            raise httpx.ReadTimeout("silence", request=request)
        if self.trouble == "lagging":
            self.hidden[row["order_id"]] = self.clock.elapsed() + 60
        answer = recorded("place")
        answer[0]["data"]["order_id"] = row["order_id"]
        return httpx.Response(200, json=answer)

    def _row(self, form: dict[str, str]) -> dict[str, Any]:
        number = f"11112611230{len(self.placed):02}"
        now = self.clock.now().astimezone(IST)
        names = ("exchange", "tradingsymbol", "order_type", "transaction_type", "validity", "product")
        return {
            **recorded("order"),
            **{name: form[name] for name in names},
            "order_id": number,
            "instrument_token": int(numbers()[form["exchange"], form["tradingsymbol"]]),
            "quantity": int(form["quantity"]),
            "price": float(form["price"]),
            "trigger_price": float(form["trigger_price"]),
            "order_timestamp": f"{now:%Y-%m-%d %H:%M:%S}",
        }

    def _arrive(self, row: dict[str, Any]) -> None:
        self.book.append(row)
        cost = Decimal(str(row["price"])) * row["quantity"]
        self.balance -= cost if row["transaction_type"] == "BUY" else 0
        if row["transaction_type"] == "BUY" and row["price"] >= PRICE:
            self.fill(row, row["quantity"])

    def fill(self, row: dict[str, Any], quantity: int, price: str = "1500") -> None:
        row["filled_quantity"] += quantity
        row["average_price"] = float(price)
        if row["filled_quantity"] == row["quantity"]:
            row |= {"status": "Traded", "status_message": "TRADE CONFIRMED"}
        trade = {
            "ORDER_NUMBER": row["order_id"],
            "TRADE_NUMBER": str(75_000 + len(self.tape)),
            "QUANTITY": quantity,
            "PRICE": float(price),
            "SYMBOL": row["tradingsymbol"],
            "SEC_ID": str(row["instrument_token"]),
            "BUY_SELL": row["transaction_type"].title(),
            "PRODUCT": row["product"],
        }
        self.tape.append({**recorded("trade"), **trade})

    def _one(self, request: httpx.Request, number: str) -> httpx.Response:
        row = next((row for row in self.book if row["order_id"] == number), None)
        if row is None or row["status"] in {"Traded", "Cancelled", "Rejected"}:
            return self.said("bad_input", 400)
        if request.method == "DELETE":
            assert not request.content
            row |= {"status": "Cancelled", "status_message": "CANCELLED"}
        else:
            form = form_of(request)
            row |= {"quantity": int(form["quantity"]), "price": float(form["price"]), "modified": True}
        return httpx.Response(200, json={"status": "success", "data": {"order_id": number}})

    # reads

    def _read(self, path: str, request: httpx.Request) -> httpx.Response:
        if path == "/orders":
            return self._list([row for row in self.book if self._visible(row)])
        if path == "/tradebook":
            return self._list(self.tape)
        if path == "/portfolio/positions":
            return httpx.Response(200, json={"status": "success", "data": {"net": self._net(), "day": None}})
        if path == "/portfolio/holdings":
            return self.said("holdings")
        if path == "/user/fundsummary":
            funds = recorded("fundsummary")
            funds["data"][0]["AVAILABLE_BALANCE"] = str(self.balance)
            return httpx.Response(200, json=funds)
        if path == "/margins/orders":
            asked, margin = json.loads(request.content), recorded("margin")
            margin["data"]["total"] = asked["price"] * asked["quantity"]
            return httpx.Response(200, json=margin)
        if path == "/instruments/quote/ohlc":
            return self._quotes(request)
        if path == "/logout":
            return self.said("logout")
        return httpx.Response(404, json={"type": "about:blank", "title": "Not Found", "status": 404})

    def _visible(self, row: dict[str, Any]) -> bool:
        return self.hidden.get(row["order_id"], 0) <= self.clock.elapsed()

    def _list(self, rows: list[dict[str, Any]]) -> httpx.Response:
        if not rows:
            return self.said("orders_empty")
        return httpx.Response(200, json={"status": "success", "data": rows})

    def _net(self) -> list[dict[str, Any]]:
        held: dict[int, int] = {}
        for trade in self.tape:
            sign = 1 if trade["BUY_SELL"] == "Buy" else -1
            held[int(trade["SEC_ID"])] = held.get(int(trade["SEC_ID"]), 0) + sign * trade["QUANTITY"]
        return [{**recorded("position"), "instrument_token": token, "quantity": units} for token, units in held.items()]

    def _quotes(self, request: httpx.Request) -> httpx.Response:
        known = recorded("ohlc")["data"]
        wanted = request.url.params.get_list("i")
        return httpx.Response(200, json={"status": "success", "data": {key: known.get(key) for key in wanted}})

    async def pass_time(self, seconds: float) -> None:
        self.clock.pass_(seconds)
        for due, row in [each for each in self.late if each[0] <= self.clock.elapsed()]:
            self.late.remove((due, row))
            self._arrive(row)


def form_of(request: httpx.Request) -> dict[str, str]:
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    return {name: values[0] for name, values in parse_qs(request.content.decode(), keep_blank_values=True).items()}


def numbers() -> dict[tuple[str, str], str]:
    return {(each.segment, each.code): each.token for each in parse("scriptmaster", script_master())}
