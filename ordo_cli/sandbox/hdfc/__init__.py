"""HDFC Securities' gateway: the InvestRight Open API as far as it is known, at one address of this machine."""

from __future__ import annotations

from urllib.parse import urlencode

from ordo_cli.sandbox.accounts import SandboxAccount
from ordo_cli.sandbox.desk import Desk
from ordo_cli.sandbox.gateway import Refusal, Route
from ordo_cli.sandbox.hdfc import login, orders, portfolio
from ordo_cli.sandbox.hdfc.answers import error, failure
from ordo_cli.sandbox.rates import SECOND, Limit
from ordo_cli.sandbox.sessions import Session
from ordo_cli.sandbox.wire import Reply, Request, json_reply

API = "/oapi/v1"
# None is documented; ten orders a second is everybody's rule.
LIMITS = (Limit("orders", frozenset({"place", "modify", "cancel"}), 10, SECOND),)


class Hdfc:
    name = "hdfc"
    title = "HDFC Securities InvestRight Open API"
    limits = LIMITS
    echoes = True  # hoped for: unconfirmed
    routes = (
        Route("GET", f"{API}/login", "login", login.start, open=True),
        Route("POST", f"{API}/login", "login", login.submit, open=True),
        Route("POST", f"{API}/login/validate", "login", login.password, open=True),
        Route("GET", f"{API}/twofa/resend", "login", login.resend, open=True),
        Route("POST", f"{API}/twofa/validate", "login", login.code, open=True),
        Route("GET", f"{API}/authorise", "login", login.consent, open=True),
        Route("POST", f"{API}/access-token", "login", login.exchange, open=True),
        Route("GET", "/oapi/v3/user/profile", "profile", login.profile),
        Route("POST", f"{API}/orders/regular", "place", orders.place),
        Route("PUT", f"{API}/orders/regular/{{order_id}}", "modify", orders.modify),
        Route("DELETE", f"{API}/orders/regular/{{order_id}}", "cancel", orders.cancel),
        Route("GET", f"{API}/orders", "book", orders.book),
        Route("GET", f"{API}/orders/{{order_id}}", "order", orders.one),
        Route("GET", f"{API}/orders/{{order_id}}/trades", "trades", orders.trades_of_order),
        Route("GET", f"{API}/trades", "trades", orders.trades),
        Route("GET", f"{API}/portfolio/cumulative-positions", "positions", portfolio.positions),
        Route("GET", f"{API}/portfolio/holdings", "holdings", portfolio.holdings),
        Route("GET", f"{API}/user/margins", "funds", portfolio.funds),
        Route("PUT", f"{API}/fetch-ltp", "quotes", portfolio.last_prices),
        Route("GET", f"{API}/security-master", "instruments", portfolio.master, open=True),
    )

    def session_of(self, desk: Desk, request: Request) -> Session | None:
        """`Authorization: <access token>`, raw, and the key in the query (DOC, OA; confirmed)."""
        session = desk.sessions.find(request.header("authorization"), desk.clock.now())
        return session if session is not None and session.account.api_key == request.asked("api_key") else None

    def claimant(self, desk: Desk, request: Request) -> SandboxAccount | None:
        return desk.by_key(request.asked("api_key"))

    def preflight(self, desk: Desk, request: Request) -> Reply | None:
        """Calls without a User-Agent are refused (DOC, OA; confirmed); how is unconfirmed. Any value will do here."""
        return None if request.header("user-agent") else json_reply({"message": "Forbidden"}, 403)

    def refuse(self, refusal: Refusal, desk: Desk, request: Request) -> Reply:
        if refusal is Refusal.NO_SESSION:
            return json_reply({"status": "failed", "message": "session expired"}, 401)
        if refusal in (Refusal.RATE, Refusal.CAP):  # the body is unconfirmed
            return error("20100: throttle limit exceeded", 429)
        if refusal is Refusal.ADDRESS:  # unconfirmed: other brokers' rule, this one's words are not known
            return error(f"Access denied for IP {request.peer}", 403)
        return error("Not Found", 405 if refusal is Refusal.WRONG_METHOD else 404)

    def fail(self, status: int) -> Reply:
        return failure(status)

    def unacknowledged(self) -> Reply:
        return failure(504)

    def login_address(self, desk: Desk, account: SandboxAccount) -> str | None:
        return f"{API}/login?{urlencode({'api_key': account.api_key})}"


GATEWAY = Hdfc()
