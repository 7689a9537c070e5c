"""Zerodha's gateway: Kite Connect v3 as its documents, mocks and SDKs describe it, at one address of this machine."""

from __future__ import annotations

from urllib.parse import urlencode

from ordo_cli.sandbox.accounts import SandboxAccount
from ordo_cli.sandbox.desk import Desk
from ordo_cli.sandbox.gateway import Refusal, Route
from ordo_cli.sandbox.rates import DAY, MINUTE, SECOND, Limit
from ordo_cli.sandbox.sessions import Session
from ordo_cli.sandbox.wire import Reply, Request
from ordo_cli.sandbox.zerodha import login, market, orders, portfolio
from ordo_cli.sandbox.zerodha.answers import error, failure

ORDERS = frozenset({"place", "modify", "cancel"})
QUOTES = frozenset({"quotes"})
REST = frozenset(
    {"login", "logout", "profile", "book", "order", "trades", "positions", "holdings", "funds", "margin", "instruments"}
)
LIMITS = (  # DOC/03, counted by the calendar second (TradingQnA); confirmed
    Limit("quotes", QUOTES, 1, SECOND),
    Limit("orders", ORDERS, 10, SECOND),
    Limit("orders a minute", ORDERS, 400, MINUTE),
    Limit("orders a day", ORDERS, 5_000, DAY),
    Limit("everything else", REST, 10, SECOND),
)


class Zerodha:
    name = "zerodha"
    title = "Zerodha Kite Connect v3"
    limits = LIMITS
    echoes = True
    routes = (
        Route("GET", "/connect/login", "login", login.page, open=True),
        Route("POST", "/connect/login", "login", login.submit, open=True),
        Route("POST", "/session/token", "login", login.exchange, open=True),
        Route("POST", "/session/refresh_token", "login", login.refresh, open=True),
        Route("DELETE", "/session/token", "logout", login.logout, open=True),
        Route("GET", "/user/profile", "profile", login.profile),
        Route("GET", "/user/profile/full", "profile", login.profile),
        Route("GET", "/user/margins", "funds", portfolio.funds),
        Route("GET", "/user/margins/{segment}", "funds", portfolio.funds_of_segment),
        Route("POST", "/orders/{variety}", "place", orders.place),
        Route("PUT", "/orders/{variety}/{order_id}", "modify", orders.modify),
        Route("DELETE", "/orders/{variety}/{order_id}", "cancel", orders.cancel),
        Route("GET", "/orders", "book", orders.book),
        Route("GET", "/orders/{order_id}", "order", orders.life),
        Route("GET", "/orders/{order_id}/trades", "trades", orders.trades_of_order),
        Route("GET", "/trades", "trades", orders.trades),
        Route("GET", "/portfolio/positions", "positions", portfolio.positions),
        Route("PUT", "/portfolio/positions", "positions", portfolio.convert),
        Route("GET", "/portfolio/holdings", "holdings", portfolio.holdings),
        Route("POST", "/margins/orders", "margin", portfolio.order_margins),
        Route("POST", "/margins/basket", "margin", portfolio.basket_margins),
        Route("POST", "/charges/orders", "margin", portfolio.contract_note),
        Route("GET", "/quote", "quotes", market.full),
        Route("GET", "/quote/ohlc", "quotes", market.ohlc),
        Route("GET", "/quote/ltp", "quotes", market.ltp),
        Route("GET", "/instruments", "instruments", market.instruments),
        Route("GET", "/instruments/{exchange}", "instruments", market.instruments),
    )

    def session_of(self, desk: Desk, request: Request) -> Session | None:
        """`Authorization: token <api_key>:<access_token>` (PY, DOC/04; confirmed)."""
        scheme, _, pair = request.header("authorization").partition(" ")
        api_key, _, token = pair.partition(":")
        session = desk.sessions.find(token, desk.clock.now())
        fits = scheme == "token" and session is not None and session.account.api_key == api_key
        return session if fits else None

    def claimant(self, desk: Desk, request: Request) -> SandboxAccount | None:
        given = request.header("authorization").partition(" ")[2].partition(":")[0] or request.asked("api_key")
        if not given and b"api_key=" in request.body:
            given = request.form().get("api_key", "")
        return desk.by_key(given)

    def preflight(self, desk: Desk, request: Request) -> Reply | None:
        return None

    def refuse(self, refusal: Refusal, desk: Desk, request: Request) -> Reply:
        if refusal is Refusal.NO_SESSION:
            return error(403, "TokenException", "Incorrect `api_key` or `access_token`.")
        if refusal is Refusal.RATE:
            return failure(429)
        if refusal is Refusal.CAP:  # 429 or 400: unconfirmed
            return error(429, "NetworkException", "Maximum allowed order requests exceeded")
        if refusal is Refusal.ADDRESS:  # text and type LOG (confirmed), status unconfirmed
            text = (
                f"IP ({request.peer}) is not allowed to place orders for this app."
                " Update allowed IPs on the Kite developer console."
            )
            return error(403, "PermissionException", text)
        if refusal is Refusal.WRONG_METHOD:
            return error(405, "GeneralException", "Method not allowed")
        return error(404, "GeneralException", "Route not found")

    def fail(self, status: int) -> Reply:
        return failure(status)

    def unacknowledged(self) -> Reply:
        return failure(504)

    def login_address(self, desk: Desk, account: SandboxAccount) -> str | None:
        return f"/connect/login?{urlencode({'v': 3, 'api_key': account.api_key})}"


GATEWAY = Zerodha()
