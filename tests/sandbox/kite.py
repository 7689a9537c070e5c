"""Kite Connect spoken by hand: what its documents say, written out for tests."""

from __future__ import annotations

from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from ordo_cli.sandbox.codes import totp
from tests.sandbox.conftest import Running


class Kite:
    """One customer of Zerodha's gateway."""

    def __init__(self, running: Running, number: int = 0) -> None:
        self.running, self.account, self.token = running, running.account("zerodha", number), ""

    async def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"X-Kite-Version": "3", "Authorization": f"token {self.account.api_key}:{self.token}"}
        return await self.running.http.request(method, self.running.url("zerodha", path), headers=headers, **more)

    async def page(self, **form: str) -> httpx.Response:
        """The login page, filled in."""
        whole = {
            "api_key": self.account.api_key,
            "user_id": self.account.user,
            "password": self.account.password,
            "totp": totp(self.account.totp_secret, self.running.sandbox.clock.now()),
            **form,
        }
        return await self.running.http.post(self.running.url("zerodha", "/connect/login"), data=whole)

    async def request_token(self) -> str:
        there = (await self.page()).headers["location"]
        return parse_qs(urlsplit(there).query)["request_token"][0]

    async def exchange(self, request_token: str, secret: str | None = None) -> httpx.Response:
        text = f"{self.account.api_key}{request_token}{secret or self.account.api_secret}"
        form = {
            "api_key": self.account.api_key,
            "request_token": request_token,
            "checksum": sha256(text.encode()).hexdigest(),
        }
        return await self.call("POST", "/session/token", data=form)

    async def log_in(self) -> Kite:
        answer = await self.exchange(await self.request_token())
        assert answer.status_code == 200, answer.text
        self.token = answer.json()["data"]["access_token"]
        return self

    async def place(self, variety: str = "regular", **form: str) -> httpx.Response:
        self.running.pass_()
        return await self.call("POST", f"/orders/{variety}", data={**limit_order(), **form})

    async def placed(self, variety: str = "regular", **form: str) -> str:
        answer = await self.place(variety, **form)
        assert answer.status_code == 200, answer.text
        order: str = answer.json()["data"]["order_id"]
        return order

    async def book(self) -> list[dict[str, Any]]:
        self.running.pass_()
        found: list[dict[str, Any]] = (await self.call("GET", "/orders")).json()["data"]
        return found

    async def data(self, path: str, **query: Any) -> Any:
        self.running.pass_()
        answer = await self.call("GET", path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]


def limit_order() -> dict[str, str]:
    return {
        "tradingsymbol": "INFY",
        "exchange": "NSE",
        "transaction_type": "BUY",
        "order_type": "LIMIT",
        "quantity": "12",
        "product": "CNC",
        "price": "1490",
        "validity": "DAY",
        "tag": "ord01HZX3",
    }
