"""Kite's login: the page, the exchange of its request token, who one is, and the end of a session.

Page and exchange: PY, DOC/04; fields of the session: MOCK generate_session.json (confirmed). What the exchange says to
anything but a stale token, and the status with which it refuses a wrong checksum, are unconfirmed.
"""

from __future__ import annotations

from datetime import time, timedelta
from hashlib import sha256
from html import escape
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from ordo_cli.sandbox.accounts import SandboxAccount
from ordo_cli.sandbox.codes import is_totp
from ordo_cli.sandbox.gateway import Call
from ordo_cli.sandbox.sessions import next_at
from ordo_cli.sandbox.wire import Reply, html_reply, redirect_reply
from ordo_cli.sandbox.zerodha.answers import Refused, bad_input, stamp, success

REQUEST_TOKEN_LIVES = timedelta(minutes=5)  # "minutes only" (FORUM, confirmed); how many is unconfirmed
ENDS = time(6)  # in India, the next day (DOC/04, confirmed)
EXCHANGES = ["NSE", "BSE", "NFO"]
PRODUCTS = ["CNC", "NRML", "MIS"]
ORDER_TYPES = ["MARKET", "LIMIT", "SL", "SL-M"]


def page(call: Call) -> Reply:
    """`GET /connect/login?v=3&api_key=…`: a form for whoever sits at the browser."""
    api_key = call.request.asked("api_key")
    if call.desk.by_key(api_key) is None:
        return html_reply("Kite", "<p>Invalid api_key.</p>", 400)
    return _form(api_key, call.request.asked("redirect_params"))


def _form(api_key: str, redirect_params: str, problem: str = "", status: int = 200) -> Reply:
    fields = "".join(
        f"<p><label>{label} <input name={name} type={kind} autocomplete=off></label></p>"
        for name, label, kind in (
            ("user_id", "User id", "text"),
            ("password", "Password", "password"),
            ("totp", "Code of your authenticator", "text"),
        )
    )
    body = (
        f"<h1>Kite (sandbox)</h1><p role=alert>{escape(problem)}</p>"
        f'<form method=post action="/connect/login"><input type=hidden name=api_key value="{escape(api_key)}">'
        f'<input type=hidden name=redirect_params value="{escape(redirect_params)}">'
        f"{fields}<button>Login</button></form>"
    )
    return html_reply("Kite", body, status)


def submit(call: Call) -> Reply:
    """The form comes back: the browser is sent to the registered address with a request token, or asked again."""
    form = call.request.form()
    api_key, params = form.get("api_key", ""), form.get("redirect_params", "")
    account = call.desk.by_key(api_key)
    if account is None:
        return html_reply("Kite", "<p>Invalid api_key.</p>", 400)
    if form.get("user_id", "").upper() != account.user or form.get("password") != account.password:
        return _form(api_key, params, "Invalid username or password.", 403)
    if not is_totp(account.totp_secret, form.get("totp", ""), call.now):
        return _form(api_key, params, "Invalid TOTP.", 403)
    told = {
        "action": "login",  # this and `type` are seen, not documented: unconfirmed
        "type": "login",
        "status": "success",
        "request_token": call.desk.lend(account, REQUEST_TOKEN_LIVES),
        **dict(parse_qsl(params)),
    }
    where = urlsplit(call.desk.redirect)
    query = "&".join(filter(None, (where.query, urlencode(told))))
    return redirect_reply(urlunsplit((where.scheme, where.netloc, where.path or "/", query, "")))


def exchange(call: Call) -> Reply:
    """`POST /session/token`: the request token, once, with the checksum of key, token and secret."""
    form = call.request.form()
    for name in ("api_key", "request_token", "checksum"):
        if not form.get(name):
            raise bad_input(f"`{name}` is a required field.")
    account = call.desk.by_key(form["api_key"])
    if account is None:
        raise Refused("TokenException", "Invalid `api_key`.", 403)
    expected = sha256(f"{account.api_key}{form['request_token']}{account.api_secret}".encode()).hexdigest()
    if form["checksum"] != expected:
        raise Refused("TokenException", "Invalid `checksum`.", 403)
    ticket = call.desk.sessions.redeem(form["request_token"], call.now)
    if ticket is None or ticket.account != account:
        raise Refused("TokenException", "Token is invalid or has expired.", 403)
    session = call.desk.begin(account, next_at(ENDS, call.now))
    return success(
        {
            **_person(account),
            "user_type": "individual",
            "api_key": account.api_key,
            "access_token": session.token,
            "public_token": call.desk.token(),
            "enctoken": call.desk.token(),
            "refresh_token": "",
            "silo": "",
            "login_time": stamp(call.now),
            "meta": {"demat_consent": "consent"},
        }
    )


def _person(account: SandboxAccount) -> dict[str, object]:
    return {
        "user_id": account.user,
        "user_name": account.name,
        "user_shortname": account.name.partition(" ")[0],
        "email": f"{account.user.lower()}@example.in",
        "broker": "ZERODHA",
        "exchanges": EXCHANGES,
        "products": PRODUCTS,
        "order_types": ORDER_TYPES,
        "avatar_url": None,
    }


def profile(call: Call) -> Reply:
    """`GET /user/profile` (MOCK profile.json, confirmed)."""
    return success({**_person(call.account), "user_type": "individual", "meta": {"demat_consent": "consent"}})


def refresh(call: Call) -> Reply:
    """`POST /session/refresh_token`: individuals were never given one to refresh with (PY, MOCK; confirmed)."""
    raise Refused("TokenException", "Token is invalid or has expired.", 403)


def logout(call: Call) -> Reply:
    """`DELETE /session/token?api_key=…&access_token=…` (MOCK session_logout.json, confirmed)."""
    request = call.request
    session = call.desk.sessions.find(request.asked("access_token"), call.now)
    if session is not None and session.account.api_key == request.asked("api_key"):
        call.desk.sessions.end(session.token)
    elif not request.asked("refresh_token"):
        raise Refused("TokenException", "Incorrect `api_key` or `access_token`.", 403)
    return success(True)
