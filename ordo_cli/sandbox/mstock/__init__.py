"""m.Stock's gateway: the Type A interface as its documents and SDKs describe it, at one address of this machine."""

from __future__ import annotations

from ordo_cli.sandbox.accounts import SandboxAccount
from ordo_cli.sandbox.desk import Desk
from ordo_cli.sandbox.gateway import Handler, Refusal, Route
from ordo_cli.sandbox.mstock import login, orders, portfolio
from ordo_cli.sandbox.mstock.answers import error, failure
from ordo_cli.sandbox.rates import HOUR, MINUTE, SECOND, Limit
from ordo_cli.sandbox.sessions import Session
from ordo_cli.sandbox.wire import Reply, Request, json_reply

BASE = "/openapi/typea"
ORDERS = frozenset({"place", "modify", "cancel"})
# INTRO (confirmed), but for the second of orders: its page is older than the rule of ten. Which limit the books fall
# under is not said, and none is kept here.
LIMITS = (
    Limit("orders", ORDERS, 10, SECOND),
    Limit("orders a minute", ORDERS, 250, MINUTE),
    Limit("orders an hour", ORDERS, 1_000, HOUR),
    Limit("quotes", frozenset({"quotes"}), 20, SECOND),
)


def _route(method: str, path: str, call: str, handler: Handler, *, open: bool = False) -> Route:
    return Route(method, BASE + path, call, handler, open)


class MStock:
    name = "mstock"
    title = "Mirae Asset m.Stock, Type A"
    limits = LIMITS
    echoes = False  # the recorded rows have neither tag nor guid
    routes = (
        _route("POST", "/connect/login", "login", login.password, open=True),
        _route("POST", "/session/token", "login", login.sent_code, open=True),
        _route("POST", "/session/verifytotp", "login", login.authenticator, open=True),
        _route("GET", "/logout", "logout", login.logout),
        _route("GET", "/Health/GetHealthStatistics", "other", login.health, open=True),
        _route("POST", "/orders/cancelall", "cancel", orders.cancel_all),
        _route("POST", "/orders/{variety}", "place", orders.place),
        _route("PUT", "/orders/regular/{order_id}", "modify", orders.modify),
        _route("DELETE", "/orders/regular/{order_id}", "cancel", orders.cancel),
        _route("GET", "/orders", "book", orders.book),
        _route("GET", "/order/details", "order", orders.details),
        _route("POST", "/order/details", "order", orders.details),
        _route("GET", "/tradebook", "trades", orders.tradebook),
        _route("GET", "/trades", "trades", orders.trade_history),
        _route("POST", "/trades", "trades", orders.trade_history),
        _route("GET", "/portfolio/positions", "positions", portfolio.positions),
        _route("POST", "/portfolio/convertposition", "positions", portfolio.convert),
        _route("GET", "/portfolio/holdings", "holdings", portfolio.holdings),
        _route("GET", "/user/fundsummary", "funds", portfolio.funds),
        _route("POST", "/margins/orders", "margin", portfolio.margin),
        _route("GET", "/instruments/quote/ltp", "quotes", portfolio.ltp),
        _route("GET", "/instruments/quote/ohlc", "quotes", portfolio.ohlc),
        _route("GET", "/instruments/scriptmaster", "instruments", portfolio.master),
    )

    def session_of(self, desk: Desk, request: Request) -> Session | None:
        """`Authorization: token <api_key>:<access_token>` (SDKA, NODEA; confirmed)."""
        scheme, _, pair = request.header("authorization").partition(" ")
        api_key, _, token = pair.rpartition(":")
        session = desk.sessions.find(token, desk.clock.now())
        fits = scheme == "token" and session is not None and session.account.api_key == api_key
        return session if fits else None

    def claimant(self, desk: Desk, request: Request) -> SandboxAccount | None:
        given = request.header("authorization").partition(" ")[2].rpartition(":")[0]
        if given or not request.header("content-type").startswith("application/x-www-form-urlencoded"):
            return desk.by_key(given)
        form = {name.lower(): value for name, value in request.form().items()}
        return desk.by_key(form.get("api_key", "")) or desk.by_user(form.get("username", ""))

    def preflight(self, desk: Desk, request: Request) -> Reply | None:
        """Every call names the version; without it the answer has no type (TXT, confirmed), its status unconfirmed."""
        if request.header("x-mirae-version") == "1":
            return None
        return json_reply({"status": "error", "message": "Please provide valid api version.", "data": None}, 400)

    def refuse(self, refusal: Refusal, desk: Desk, request: Request) -> Reply:
        if refusal is Refusal.NO_SESSION:  # 401 by the documents, where the SDK looks for 403
            return error("TokenException", "Invalid request. Please try again.", 401)
        if refusal in (Refusal.RATE, Refusal.CAP):  # not documented: unconfirmed
            return error("GeneralException", "Too many requests", 429)
        if refusal is Refusal.ADDRESS:  # unconfirmed in all but that it names the IP
            return error("MiraeException", f"IP {request.peer} is not registered for this API key.", 403)
        status = 405 if refusal is Refusal.WRONG_METHOD else 404
        return error("GeneralException", "There is no such resource.", status)

    def fail(self, status: int) -> Reply:
        return failure(status)

    def unacknowledged(self) -> Reply:
        return failure(504)

    def login_address(self, desk: Desk, account: SandboxAccount) -> str | None:
        return None


GATEWAY = MStock()
