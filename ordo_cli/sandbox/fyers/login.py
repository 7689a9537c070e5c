"""Fyers' login: the page, the exchange of its authorisation code, the end of a session (DOC, SDK, GO).

A session is taken to end at 06:00 in India: the hour is unconfirmed, this is the earliest that anybody names.
"""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64encode
from datetime import time, timedelta
from hashlib import sha256
from html import escape
from urllib.parse import urlencode, urlsplit, urlunsplit

from ordo_cli.sandbox.accounts import SandboxAccount
from ordo_cli.sandbox.codes import is_totp
from ordo_cli.sandbox.fyers.answers import (
    BAD_CODE,
    BAD_HASH,
    BAD_REFRESH,
    NO_CODE,
    Refused,
    bad_input,
    error,
    ok,
)
from ordo_cli.sandbox.gateway import Call
from ordo_cli.sandbox.sessions import Session, next_at
from ordo_cli.sandbox.wire import Reply, html_reply, redirect_reply

ENDS = time(6)
CODE_LIVES = timedelta(minutes=1)  # single-use and short-lived by one report: unconfirmed
HIDDEN = ("client_id", "redirect_uri", "response_type", "state")


def page(call: Call) -> Reply:
    """`GET /api/v3/generate-authcode`: the address to come back to must be the registered one, exactly."""
    asked = {name: call.request.asked(name) for name in HIDDEN}
    problem = _problem(call, asked)
    return _form(asked) if problem is None else problem


def _problem(call: Call, asked: dict[str, str]) -> Reply | None:
    if call.desk.by_key(asked.get("client_id", "")) is None:
        return error(-352, "Invalid app id")
    if asked.get("redirect_uri") != call.desk.redirect:
        return error(-50, "Invalid redirect_uri")
    if asked.get("response_type") != "code":
        return error(-50, "Invalid response_type")
    return None


def _form(asked: dict[str, str], problem: str = "", status: int = 200) -> Reply:
    hidden = "".join(f'<input type=hidden name={name} value="{escape(asked.get(name, ""))}">' for name in HIDDEN)
    fields = "".join(
        f"<p><label>{label} <input name={name} type={kind} autocomplete=off></label></p>"
        for name, label, kind in (
            ("fy_id", "Client id", "text"),
            ("totp", "Code of your authenticator", "text"),
            ("pin", "PIN", "password"),
        )
    )
    body = (
        f"<h1>Fyers (sandbox)</h1><p role=alert>{escape(problem)}</p>"
        f'<form method=post action="/api/v3/generate-authcode">{hidden}{fields}<button>Login</button></form>'
    )
    return html_reply("Fyers", body, status)


def submit(call: Call) -> Reply:
    """The form comes back. The query's `code` is a result; what is exchanged is `auth_code` (DOC, confirmed)."""
    form = call.request.form()
    problem = _problem(call, form)
    account = call.desk.by_key(form.get("client_id", ""))
    if problem is not None or account is None:
        return problem or error(-352, "Invalid app id")
    if form.get("fy_id", "").upper() != account.user or form.get("pin") != account.pin:
        return _form(form, "Invalid client id or PIN.", 403)
    if not is_totp(account.totp_secret, form.get("totp", ""), call.now):
        return _form(form, "Invalid code.", 403)
    told = {
        "s": "ok",
        "code": "200",
        "message": "",
        "auth_code": call.desk.lend(account, CODE_LIVES),
        "state": form.get("state", ""),
    }
    where = urlsplit(call.desk.redirect)
    query = "&".join(filter(None, (where.query, urlencode(told))))
    return redirect_reply(urlunsplit((where.scheme, where.netloc, where.path or "/", query, "")))


def exchange(call: Call) -> Reply:
    """`POST /api/v3/validate-authcode`: `appIdHash` is SHA-256 of app id, colon, secret (SDK, GO, SAMPLE)."""
    given = call.request.json_object()
    if given.get("grant_type") != "authorization_code":
        raise bad_input("Invalid grant_type")
    account = _by_hash(call, str(given.get("appIdHash", "")))
    if account is None:
        raise Refused(BAD_HASH, "Invalid app id hash")
    if not given.get("code"):
        raise Refused(NO_CODE, "Please provide the auth code")
    ticket = call.desk.sessions.redeem(str(given["code"]), call.now)
    if ticket is None or ticket.account != account:
        raise Refused(BAD_CODE, "invalid auth code")
    token = _jwt(call, account)
    call.desk.sessions.begin(Session(account, token, call.now, next_at(ENDS, call.now)))
    # A refresh token is still there, though nothing takes it any more (REG, KB).
    return ok(access_token=token, refresh_token=_jwt(call, account))


def _by_hash(call: Call, text: str) -> SandboxAccount | None:
    for account in call.desk.accounts:
        right = sha256(f"{account.api_key}:{account.api_secret}".encode()).hexdigest()
        if hmac.compare_digest(right.encode(), text.encode()):
            return account
    return None


def _jwt(call: Call, account: SandboxAccount) -> str:
    """A token with the claims of a JWT and a signature that is none: nobody here checks it."""
    head = {"alg": "HS256", "typ": "JWT"}
    claims = {
        "iss": "api.login.fyers.in",
        "iat": int(call.now.timestamp()),
        "exp": int(next_at(ENDS, call.now).timestamp()),
        "sub": "access_token",
        "fy_id": account.user,
    }
    parts = [json.dumps(part).encode() for part in (head, claims)] + [call.desk.token().encode()]
    return ".".join(urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def refresh(call: Call) -> Reply:
    """`POST /api/v3/validate-refresh-token`: over since 1 April 2026 (REG, KB); what it says now is unconfirmed."""
    raise Refused(BAD_REFRESH, "Please provide valid refresh token")


def logout(call: Call) -> Reply:
    """`POST /api/v3/logout` ends the token of this app."""
    assert call.session is not None
    call.desk.sessions.end(call.session.token)
    return ok(message="you are successfully logged out")


def profile(call: Call) -> Reply:
    """`GET /api/v3/profile`, with what is personal masked (DOC, confirmed)."""
    account = call.account
    return ok(
        data={
            "fy_id": account.user,
            "name": account.name,
            "display_name": None,
            "email_id": "t***@e***.in",
            "PAN": "XXXXX0000X",
            "mobile_number": "XXXXXX0000",
            "image": None,
            "pin_change_date": "01-01-2026 09:00:00",
            "pwd_change_date": None,
            "pwd_to_expire": 42,
            "totp": True,
            "ddpi_enabled": True,
            "mtf_enabled": False,
        }
    )
