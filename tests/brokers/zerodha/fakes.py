"""Kite in a test's hands: recorded answers filled with what the test's orders make of them, and a list in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl

import httpx

from ordo_cli.brokers.base import BrokerSession, Tools
from ordo_cli.brokers.http import decode_json, encode_json
from ordo_cli.brokers.masters import Listing
from ordo_cli.brokers.zerodha.master import parse
from ordo_cli.domain.accounts import Account, AccountId, BrokerName
from ordo_cli.domain.instruments import Exchange, InstrumentId
from ordo_cli.domain.market import IST
from tests.brokers.wire.fakes import NoChance
from tests.fakes import MONDAY_NOON, FakeClock

RECORDED = Path(__file__).parents[1] / "recorded" / "zerodha"
CREDENTIALS = {"user_id": "ZZ0001", "api_key": "apikeySENTINEL", "api_secret": "apisecretSENTINEL"}
ACCESS_TOKEN = "accesstokenSENTINEL"
REQUEST_TOKEN = "requesttokenSENTINEL"
SECRETS = (CREDENTIALS["api_key"], CREDENTIALS["api_secret"], ACCESS_TOKEN, REQUEST_TOKEN)
SESSION = BrokerSession({"access_token": ACCESS_TOKEN, "user_id": "ZZ0001"}, MONDAY_NOON + timedelta(hours=18))
ALICE = Account(AccountId("alice"), BrokerName("zerodha"))
HIDDEN = 60  # seconds of what a lagging book does not show, or a late order needs


def recorded(call: str) -> Any:
    """A recorded answer, as the adapter gets it."""
    return decode_json((RECORDED / f"{call}.json").read_bytes())


class ListInMemory:
    """The recorded list of instruments, as an index of it would answer."""

    def __init__(self, lines: Sequence[str] | None = None, day: date | None = date(2026, 11, 23)) -> None:
        given = (RECORDED / "instruments.csv").read_text(encoding="utf-8").splitlines() if lines is None else lines
        self.day = day
        self.listings = list(parse("recorded", given)) if given else []

    def _first(self, wanted: Callable[[Listing], bool]) -> Listing | None:
        return next((each for each in self.listings if wanted(each)), None)

    def listing(self, instrument: InstrumentId) -> Listing | None:
        return self._first(lambda each: each.instrument.id == instrument)

    def coded(self, code: str, segment: str = "") -> Listing | None:
        return self._first(lambda each: (each.code, each.segment) == (code, segment))

    def numbered(self, token: str, segment: str = "") -> Listing | None:
        return self._first(lambda each: (each.token, each.segment) == (token, segment))

    def search(self, text: str, limit: int = 20, exchange: Exchange | None = None) -> Sequence[Listing]:
        found = (each for each in self.listings if text in each.instrument.id.symbol)
        return [each for each in found if exchange in (None, each.instrument.id.exchange)][:limit]


def tools(
    transport: httpx.AsyncBaseTransport | None, *, clock: FakeClock | None = None, master: ListInMemory | None = None
) -> Tools:
    return Tools(
        clock or FakeClock(),
        NoChance(),
        Path("nowhere"),
        read_timeout=0.3,
        session=SESSION,
        master=master or ListInMemory(),
        transport=transport,
    )


def without_session(given: Tools) -> Tools:
    return replace(given, session=None)


@dataclass
class Kite:
    """One account at Kite: Infosys stands at 1500, market orders fill there at once and limit orders rest."""

    clock: FakeClock
    cash: Decimal = Decimal(100_000)
    trouble: str = "none"
    last: Decimal = Decimal(1500)
    orders: list[dict[str, Any]] = field(default_factory=list)
    arrived: list[dict[str, str]] = field(default_factory=list)
    requests: list[httpx.Request] = field(default_factory=list)
    history: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    visible_at: dict[str, float] = field(default_factory=dict)

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self.answer)

    def answer(self, request: httpx.Request) -> httpx.Response:
        if self.trouble == "unreachable":
            raise httpx.ConnectError("refused")
        self.requests.append(request)
        authorization = f"token {CREDENTIALS['api_key']}:{ACCESS_TOKEN}"
        if self.trouble == "expired" or request.headers.get("authorization") != authorization:
            return said(recorded("token_exception"), 403)
        assert request.headers["x-kite-version"] == "3"
        for method, path, handler in self._routes():
            if request.method == method and request.url.path.startswith(path):
                return handler(request)
        return refused("Route not found", "GeneralException", 404)

    def _routes(self) -> Iterator[tuple[str, str, Callable[[httpx.Request], httpx.Response]]]:
        yield "POST", "/orders/", self._place
        yield "PUT", "/orders/", self._change
        yield "DELETE", "/orders/", self._cancel
        yield "GET", "/orders/", self._one
        yield "GET", "/orders", lambda _: told([row for row in self.orders if self._visible(row)])
        yield "GET", "/trades", lambda _: told(self._trades())
        yield "GET", "/portfolio/positions", lambda _: told({"net": self._positions(), "day": []})
        yield "GET", "/portfolio/holdings", lambda _: said(recorded("holdings"))
        yield "GET", "/user/margins/equity", self._funds
        yield "POST", "/margins/orders", self._margins
        yield "GET", "/quote", self._quotes
        yield "GET", "/user/profile", lambda _: said(recorded("profile"))

    # orders

    def _place(self, request: httpx.Request) -> httpx.Response:
        form, variety = form_of(request), request.url.path.removeprefix("/orders/")
        self.arrived.append(form)
        if self.trouble == "refuses":
            return said(recorded("margin_exception"), 400)
        if form["order_type"] in ("MARKET", "SL-M") and form.get("market_protection") != "-1":
            message = (
                "Market orders without market protection are not allowed via API. "
                "Please set market protection or use a Limit order."
            )
            return refused(message)
        if self._needed(form) > self._free():
            return said(recorded("margin_exception"), 400)
        row = self._row(form, variety)
        self.orders.append(row)
        late = self.trouble in ("late", "lagging")
        self.visible_at[row["order_id"]] = self.clock.elapsed() + (HIDDEN if late else 0)
        if self.trouble in ("silent", "late"):
            raise httpx.ReadTimeout("silence")
        return id_told(row)

    def _row(self, form: Mapping[str, str], variety: str) -> dict[str, Any]:
        quantity, price = int(form["quantity"]), Decimal(form.get("price", "0"))
        market = form["order_type"] == "MARKET"
        status = "COMPLETE" if market else "AMO REQ RECEIVED" if variety == "amo" else "OPEN"
        form_of_row: dict[str, Any] = recorded("orders")["data"][0]
        return form_of_row | {
            "order_id": str(261123000000100 + len(self.orders)),
            "status": "TRIGGER PENDING" if "trigger_price" in form else status,
            "order_timestamp": in_india(self.clock.now()),
            "variety": variety,
            "exchange": form["exchange"],
            "tradingsymbol": form["tradingsymbol"],
            "order_type": form["order_type"],
            "transaction_type": form["transaction_type"],
            "validity": form["validity"],
            "product": form["product"],
            "quantity": quantity,
            "price": price,
            "trigger_price": Decimal(form.get("trigger_price", "0")),
            "average_price": self.last if market else 0,
            "filled_quantity": quantity if market else 0,
            "pending_quantity": 0 if market else quantity,
            "tag": form["tag"],
            "tags": [form["tag"]],
        }

    def _change(self, request: httpx.Request) -> httpx.Response:
        row, form = self._addressed(request), form_of(request)
        if row is None or row["status"] in ("COMPLETE", "CANCELLED"):
            return refused("Order cannot be modified", "OrderException")
        row["quantity"] = int(form.get("quantity", row["quantity"]))
        row["price"] = Decimal(form.get("price", row["price"]))
        row["trigger_price"] = Decimal(form.get("trigger_price", row["trigger_price"]))
        row["order_type"] = form.get("order_type", row["order_type"])
        return id_told(row)

    def _cancel(self, request: httpx.Request) -> httpx.Response:
        row = self._addressed(request)
        if row is None or row["status"] in ("COMPLETE", "CANCELLED"):
            return refused("Order cannot be cancelled", "OrderException")
        row["status"] = "CANCELLED"
        return id_told(row)

    def _one(self, request: httpx.Request) -> httpx.Response:
        row = self._of(request.url.path.rpartition("/")[2])
        first = {**row, "status": "PUT ORDER REQ RECEIVED"} if row else None
        return told([first, row]) if row else refused("Couldn't find that order", "GeneralException")

    def _addressed(self, request: httpx.Request) -> dict[str, Any] | None:
        """The order of a path, if the path has its variety."""
        _, _, variety, order_id = request.url.path.split("/")
        row = self._of(order_id)
        return row if row is not None and row["variety"] == variety else None

    def _of(self, order_id: str) -> dict[str, Any] | None:
        return next((row for row in self.orders if row["order_id"] == order_id), None)

    def _visible(self, row: Mapping[str, Any]) -> bool:
        return self.clock.elapsed() >= self.visible_at.get(row["order_id"], 0)

    # what is read

    def _filled(self) -> list[dict[str, Any]]:
        return [row for row in self.orders if row["filled_quantity"] and self._visible(row)]

    def _trades(self) -> list[dict[str, Any]]:
        names = ("order_id", "exchange", "tradingsymbol", "product", "transaction_type", "average_price")
        form = recorded("trades")["data"][0]
        return [
            form | {name: row[name] for name in names} | {"quantity": row["filled_quantity"]} for row in self._filled()
        ]

    def _positions(self) -> list[dict[str, Any]]:
        form = recorded("positions")["data"]["net"][0]
        return [
            form
            | {
                "exchange": row["exchange"],
                "tradingsymbol": row["tradingsymbol"],
                "product": row["product"],
                "quantity": row["filled_quantity"] * (1 if row["transaction_type"] == "BUY" else -1),
                "average_price": row["average_price"],
            }
            for row in self._filled()
        ]

    def _needed(self, form: Mapping[str, Any]) -> Decimal:
        return Decimal(form.get("price") or 0) * int(form["quantity"]) or self.last * int(form["quantity"])

    def _blocked(self) -> Decimal:
        rows = [row for row in self.orders if row["status"] != "CANCELLED"]
        return sum((self._needed(row) for row in rows), Decimal(0))

    def _free(self) -> Decimal:
        return self.cash - self._blocked()

    def _funds(self, request: httpx.Request) -> httpx.Response:
        answer = recorded("margins_equity")
        answer["data"]["net"] = self._free()
        answer["data"]["utilised"]["debits"] = self._blocked()
        return said(answer)

    def _margins(self, request: httpx.Request) -> httpx.Response:
        assert request.headers["content-type"] == "application/json"
        (row,) = decode_json(request.content)
        answer = recorded("order_margins")
        answer["data"][0] |= {name: row[name] for name in ("exchange", "tradingsymbol")}
        answer["data"][0]["total"] = self._needed(row)
        return said(answer)

    def _quotes(self, request: httpx.Request) -> httpx.Response:
        wanted = [value for key, value in parse_qsl(request.url.query.decode()) if key == "i"]
        assert len(wanted) <= 500
        return told({key: row for key, row in recorded("quote")["data"].items() if key in wanted})


def said(body: object, status: int = 200) -> httpx.Response:
    headers = {"content-type": "application/json"}
    return httpx.Response(status, headers=headers, content=encode_json(body).encode())


def told(data: object) -> httpx.Response:
    return said({"status": "success", "data": data})


def id_told(row: Mapping[str, Any]) -> httpx.Response:
    answer = recorded("order_response")
    answer["data"]["order_id"] = row["order_id"]
    return said(answer)


def refusal(message: str, kind: str = "InputException") -> bytes:
    return json.dumps({"status": "error", "message": message, "error_type": kind, "data": None}).encode()


def refused(message: str, kind: str = "InputException", status: int = 400) -> httpx.Response:
    return httpx.Response(status, headers={"content-type": "application/json"}, content=refusal(message, kind))


def form_of(request: httpx.Request) -> dict[str, str]:
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    return {name: values[0] for name, values in parse_qs(request.content.decode(), strict_parsing=True).items()}


def in_india(at: datetime) -> str:
    return at.astimezone(IST).strftime("%Y-%m-%d %H:%M:%S")
