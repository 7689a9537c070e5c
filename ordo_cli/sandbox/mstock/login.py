"""m.Stock's Type A login: password, then the code that was sent or an authenticator's; the session ends at midnight.

UA, SDKA (confirmed). That step one is needed before a TOTP is unconfirmed, and asked for here; of the two bounds of a
session, midnight (INTRO, confirmed) and twelve hours (unconfirmed), the first is kept.
"""

from __future__ import annotations

from datetime import time, timedelta

from ordo_cli.sandbox.accounts import SandboxAccount
from ordo_cli.sandbox.codes import is_totp
from ordo_cli.sandbox.gateway import Call
from ordo_cli.sandbox.mstock.answers import Refused, bad_input, stamp, success
from ordo_cli.sandbox.sessions import next_at
from ordo_cli.sandbox.wire import Reply

TRIES = 5  # wrong passwords before the account is locked; how many is unconfirmed
CHECKSUMS = ("L", "W")  # a constant, not a hash; sources disagree on which
WAITS = timedelta(minutes=10)  # between the two steps; unconfirmed


def password(call: Call) -> Reply:
    """`POST /connect/login`: `username` and `password`, which the Python SDK writes with capitals."""
    form = {name.lower(): value for name, value in call.request.form().items()}
    account = call.desk.by_user(form.get("username", ""))
    if account is None:
        raise Refused("MiraeException", "Invalid username or password.")
    wrong = call.desk.wrong
    if wrong[account.user] >= TRIES:
        raise Refused("MiraeException", "Your account is locked. Please reset your password.")
    if form.get("password") != account.password:
        wrong[account.user] += 1
        left = TRIES - wrong[account.user]
        raise Refused("MiraeException", f"Invalid username or password. {left} attempts remaining")
    del wrong[account.user]
    call.desk.opened[account.user] = call.now + WAITS
    if not account.has_totp:
        call.desk.telephone.send(account, call.now)
    return success(
        {
            "ugid": call.desk.token(),
            "is_kyc": True,
            "is_activate": True,
            "is_password_reset": False,
            "is_error": False,
            "cid": account.user,
            "nm": account.name,
            "flag": 0,
        }
    )


def sent_code(call: Call) -> Reply:
    """`POST /session/token`: `request_token` is the code that was sent, `checksum` a constant."""
    form = call.request.form()
    account = _account(call, form)
    if form.get("checksum") not in CHECKSUMS:
        raise bad_input("Invalid checksum.")
    if not call.desk.telephone.take(account, form.get("request_token", ""), call.now):
        raise Refused("MiraeException", "Please enter a valid OTP (-MACM60)")
    return _session(call, account)


def authenticator(call: Call) -> Reply:
    """`POST /session/verifytotp`. A wrong code is told with HTTP 200 here; one client notes 400: unconfirmed."""
    form = call.request.form()
    account = _account(call, form)
    if not account.has_totp or not is_totp(account.totp_secret, form.get("totp", ""), call.now):
        raise Refused("MiraeException", "Please enter correct TOTP")
    return _session(call, account)


def _account(call: Call, form: dict[str, str]) -> SandboxAccount:
    """Whose key it is, and who has given the password a moment ago."""
    account = call.desk.by_key(form.get("api_key", ""))
    if account is None:
        raise Refused("APIKeyException", "API is suspended/expired for use.", 403)
    until = call.desk.opened.get(account.user)
    if until is None or call.now >= until:
        raise Refused("MiraeException", "Please login first.")
    return account


def _session(call: Call, account: SandboxAccount) -> Reply:
    del call.desk.opened[account.user]
    session = call.desk.begin(account, next_at(time(0), call.now))
    return success(
        {
            "user_id": account.user,
            "user_name": account.user,
            "broker": "MIRAE",
            "api_key": account.api_key,
            "access_token": session.token,
            "refresh_token": call.desk.token(),
            "public_token": call.desk.token(),
            "enctoken": call.desk.token(),
            "login_time": stamp(call.now),
            "exchanges": ["NSE", "NFO", "BSE"],
            "products": ["CNC", "NRML", "MIS"],
            "order_types": ["MARKET", "LIMIT", "SL", "SL-M"],
        }
    )


def logout(call: Call) -> Reply:
    """`GET /logout`; what it answers beside its status is unconfirmed."""
    assert call.session is not None
    call.desk.sessions.end(call.session.token)
    return success(None)


def health(call: Call) -> Reply:
    """`GET /Health/GetHealthStatistics`; the fields of the answer are unconfirmed."""
    return success({"health": "ok"})
