"""Fyers' gateway: API v3 as its documents and SDKs describe it, at one address of this machine for all its hosts."""

from __future__ import annotations

from urllib.parse import urlencode

from ordo_cli.sandbox.accounts import SandboxAccount
from ordo_cli.sandbox.desk import Desk
from ordo_cli.sandbox.faults import CALLS
from ordo_cli.sandbox.fyers import login, market, orders, portfolio
from ordo_cli.sandbox.fyers.answers import (
    EXPIRED,
    FORBIDDEN,
    INVALID_TOKEN,
    NOT_LOGGED_IN,
    UNACKNOWLEDGED,
    error,
    failure,
    ok,
)
from ordo_cli.sandbox.gateway import Refusal, Route
from ordo_cli.sandbox.rates import DAY, MINUTE, SECOND, Limit
from ordo_cli.sandbox.sessions import Session
from ordo_cli.sandbox.wire import Reply, Request

API, DATA, SYMBOLS = "/api/v3", "/data", "/sym_details"
# One budget for everything (DOC, REVIEW; confirmed), files aside. Not kept here: the block for the rest of the day that
# follows when the limit of a minute was broken more than three times.
COUNTED = frozenset(CALLS) - {"instruments"}
LIMITS = (
    Limit("all", COUNTED, 10, SECOND),
    Limit("all a minute", COUNTED, 200, MINUTE),
    Limit("all a day", COUNTED, 100_000, DAY),
)


class Fyers:
    name = "fyers"
    title = "Fyers API v3"
    limits = LIMITS
    echoes = True
    routes = (
        Route("GET", f"{API}/generate-authcode", "login", login.page, open=True),
        Route("POST", f"{API}/generate-authcode", "login", login.submit, open=True),
        Route("POST", f"{API}/validate-authcode", "login", login.exchange, open=True),
        Route("POST", f"{API}/validate-refresh-token", "login", login.refresh, open=True),
        Route("POST", f"{API}/logout", "logout", login.logout),
        Route("GET", f"{API}/profile", "profile", login.profile),
        Route("POST", f"{API}/orders/sync", "place", orders.place),
        Route("PATCH", f"{API}/orders/sync", "modify", orders.modify),
        Route("DELETE", f"{API}/orders/sync", "cancel", orders.cancel),
        Route("DELETE", f"{API}/orders/{{id}}/sync", "cancel", orders.cancel_by_path),
        Route("POST", f"{API}/multi-order/sync", "place", orders.place_several),
        Route("PATCH", f"{API}/multi-order/sync", "modify", orders.modify_several),
        Route("DELETE", f"{API}/multi-order/sync", "cancel", orders.cancel_several),
        Route("GET", f"{API}/orders", "book", orders.book),
        Route("GET", f"{API}/tradebook", "trades", orders.trades),
        Route("GET", f"{API}/positions", "positions", portfolio.positions),
        Route("DELETE", f"{API}/positions", "place", portfolio.exit_positions),
        Route("POST", f"{API}/positions", "positions", portfolio.convert),
        Route("GET", f"{API}/holdings", "holdings", portfolio.holdings),
        Route("GET", f"{API}/funds", "funds", portfolio.funds),
        Route("POST", f"{API}/multiorder/margin", "margin", portfolio.margin),
        Route("GET", f"{DATA}/quotes", "quotes", market.quotes),
        Route("POST", f"{DATA}/quotes", "quotes", market.quotes_by_post),
        Route("GET", f"{DATA}/depth", "quotes", market.depth),
        Route("GET", f"{DATA}/marketStatus", "quotes", market.market_status),
        Route("GET", f"{SYMBOLS}/{{file}}", "instruments", market.symbol_file, open=True),
    )

    def session_of(self, desk: Desk, request: Request) -> Session | None:
        """`Authorization: <app_id>:<access_token>`, without a scheme (DOC, SDK, GO, OA; confirmed)."""
        app_id, _, token = request.header("authorization").partition(":")
        session = desk.sessions.find(token, desk.clock.now())
        return session if session is not None and session.account.api_key == app_id else None

    def claimant(self, desk: Desk, request: Request) -> SandboxAccount | None:
        app_id = request.header("authorization").partition(":")[0] or request.asked("client_id")
        if not app_id and b"client_id=" in request.body:
            app_id = request.form().get("client_id", "")
        return desk.by_key(app_id)

    def preflight(self, desk: Desk, request: Request) -> Reply | None:
        return None

    def refuse(self, refusal: Refusal, desk: Desk, request: Request) -> Reply:
        if refusal is Refusal.NO_SESSION:
            token = request.header("authorization").partition(":")[2]
            if not token:
                return error(NOT_LOGGED_IN, "Could not authenticate the user", 401)
            if desk.sessions.has_expired(token, desk.clock.now()):
                return error(EXPIRED, "Your token has expired", 401)
            return error(INVALID_TOKEN, "Please provide a valid token", 401)
        if refusal in (Refusal.RATE, Refusal.CAP):
            return failure(429)
        if refusal is Refusal.ADDRESS:  # code and text unconfirmed
            return error(FORBIDDEN, f"IP address {request.peer} is not whitelisted for this app", 403)
        status = 405 if refusal is Refusal.WRONG_METHOD else 404
        return error(-status, "There is no such resource", status)

    def fail(self, status: int) -> Reply:
        return failure(status)

    def unacknowledged(self) -> Reply:
        """201: sent on, not acknowledged (DOC). Whether `s` is ok and an id is there is unconfirmed: none here."""
        return ok(UNACKNOWLEDGED, "Request forwarded, no acknowledgement yet: please check the order book")

    def login_address(self, desk: Desk, account: SandboxAccount) -> str | None:
        asked = {
            "client_id": account.api_key,
            "redirect_uri": desk.redirect,
            "response_type": "code",
            "state": "sandbox",
        }
        return f"{API}/generate-authcode?{urlencode(asked)}"


GATEWAY = Fyers()
