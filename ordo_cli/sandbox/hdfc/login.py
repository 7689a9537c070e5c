"""HDFC Securities' login: five calls one after another, or the same in a browser (DOC, ORDO, OA).

A session lasts eight hours, as the claims of the documents' sample say; other statements differ: unconfirmed.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from datetime import timedelta
from html import escape
from urllib.parse import urlencode, urlsplit, urlunsplit

from ordo_cli.sandbox.accounts import SandboxAccount
from ordo_cli.sandbox.gateway import Call
from ordo_cli.sandbox.hdfc.answers import Refused, success
from ordo_cli.sandbox.sessions import Session
from ordo_cli.sandbox.wire import Reply, html_reply, json_reply, redirect_reply

LASTS = timedelta(hours=8)
HANDLE_LIVES = timedelta(minutes=10)  # unconfirmed, as of the next
REQUEST_TOKEN_LIVES = timedelta(minutes=5)
CONSENT = frozenset({"true", "True", "Y"})  # "True or False" by the documents; clients send `true` and `Y`
TRIES = 5
TERMS = {"version": 1, "content": ["This is a sandbox: no order reaches an exchange."]}


def start(call: Call) -> Reply:
    """`GET /oapi/v1/login?api_key=…`: JSON for programs, a page for browsers (OA, confirmed)."""
    account = call.desk.by_key(call.request.asked("api_key"))
    if account is None:
        raise Refused({"error": "invalid api_key"}, 401)
    token = call.desk.lend(account, HANDLE_LIVES)
    if "text/html" in call.request.header("accept"):
        return _form(account, token)
    return json_reply({"tokenId": token})


def _handle(call: Call) -> SandboxAccount:
    """Whose login this is, by key and token id."""
    ticket = call.desk.sessions.look(call.request.asked("token_id"), call.now)
    if ticket is None or ticket.account.api_key != call.request.asked("api_key"):
        raise Refused({"message": "Invalid token id"}, 401)
    return ticket.account


def password(call: Call) -> Reply:
    """`POST /oapi/v1/login/validate`: a right password sends a code."""
    account, given = _handle(call), call.request.json_object()
    if not _knows_password(call, account, str(given.get("username", "")), str(given.get("password", ""))):
        raise Refused({"error": "invalid credentials"}, 401)
    return json_reply(
        {
            "recaptcha": False,
            "loginId": account.user,
            "twofa": {"questions": [{"question": "Enter the OTP sent to your mobile"}]},
            "twoFAEnabled": True,
        }
    )


def _knows_password(call: Call, account: SandboxAccount, user: str, text: str) -> bool:
    wrong = call.desk.wrong
    if wrong[account.user] >= TRIES:
        raise Refused({"error": "account locked"}, 403)
    if user != account.user or text != account.password:
        wrong[account.user] += 1
        return False
    del wrong[account.user]
    call.desk.opened[account.user] = call.now + HANDLE_LIVES
    call.desk.telephone.send(account, call.now)
    return True


def _is_opened(call: Call, account: SandboxAccount) -> bool:
    until = call.desk.opened.get(account.user)
    return until is not None and call.now < until


def resend(call: Call) -> Reply:
    """`GET /oapi/v1/twofa/resend`; its answer is unconfirmed."""
    account = _handle(call)
    if not _is_opened(call, account):
        raise Refused({"message": "Please login first"}, 401)
    call.desk.telephone.send(account, call.now)
    return success("OTP sent")


def code(call: Call) -> Reply:
    """`POST /oapi/v1/twofa/validate`: the code for a request token, which still wants consent."""
    account = _handle(call)
    answer = str(call.request.json_object().get("answer", ""))
    if not _is_opened(call, account) or not call.desk.telephone.take(account, answer, call.now):
        raise Refused({"error": "invalid otp"}, 401)
    del call.desk.opened[account.user]
    token = call.desk.lend(account, REQUEST_TOKEN_LIVES)
    return json_reply({"requestToken": token, "termsAndConditions": TERMS, "authorised": False})


def consent(call: Call) -> Reply:
    """`GET /oapi/v1/authorise`: the request token for another, and where a browser would be sent."""
    account = _handle(call)
    if call.request.asked("consent") not in CONSENT:
        raise Refused({"message": "Consent is needed"}, 403)
    ticket = call.desk.sessions.redeem(call.request.asked("request_token"), call.now)
    if ticket is None or ticket.account != account:
        raise Refused({"message": "Invalid request token"}, 401)
    return json_reply(_agreed(call, account))


def _agreed(call: Call, account: SandboxAccount) -> dict[str, object]:
    token = call.desk.lend(account, REQUEST_TOKEN_LIVES)
    where = urlsplit(call.desk.redirect)
    query = "&".join(filter(None, (where.query, urlencode({"request_token": token}))))  # its name is unconfirmed
    there = urlunsplit((where.scheme, where.netloc, where.path or "/", query, ""))
    return {"callbackUrl": there, "requestToken": token}


def exchange(call: Call) -> Reply:
    """`POST /oapi/v1/access-token`: the second request token and the secret, in clear (DOC sample, OA, ORDO)."""
    account = call.desk.by_key(call.request.asked("api_key"))
    if account is None or call.request.json_object().get("apiSecret") != account.api_secret:
        raise Refused({"error": "invalid credentials"}, 401)
    ticket = call.desk.sessions.redeem(call.request.asked("request_token"), call.now)
    if ticket is None or ticket.account != account:
        raise Refused({"message": "Invalid request token"}, 401)
    token = _jwt(call, account)
    call.desk.sessions.begin(Session(account, token, call.now, call.now + LASTS))
    return json_reply({"accessToken": token})


def _jwt(call: Call, account: SandboxAccount) -> str:
    """The documented claims, and a signature that is none."""
    now = int(call.now.timestamp())
    claims = {
        "sub": account.user,
        "exp": now + int(LASTS.total_seconds()),
        "iat": now,
        "merchant": "sandbox",
        "merchant_api_key": account.api_key,
    }
    parts = [json.dumps(part).encode() for part in ({"alg": "HS512"}, claims)] + [call.desk.token().encode()]
    return ".".join(urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


# The same in a browser. What the pages' own forms are called is this sandbox's choice.


def _form(account: SandboxAccount, token: str, problem: str = "", *, coded: bool = False, status: int = 200) -> Reply:
    names = (
        (("answer", "Code that was sent to you", "text"),)
        if coded
        else (
            ("username", "User id", "text"),
            ("password", "Password", "password"),
        )
    )
    fields = "".join(
        f"<p><label>{label} <input name={name} type={kind} autocomplete=off></label></p>" for name, label, kind in names
    )
    body = (
        f"<h1>HDFC Securities (sandbox)</h1><p role=alert>{escape(problem)}</p><form method=post"
        f' action="/oapi/v1/login?{escape(urlencode({"api_key": account.api_key, "token_id": token}))}">'
        f"{fields}<button>Continue</button></form>"
    )
    return html_reply("HDFC Securities", body, status)


def submit(call: Call) -> Reply:
    """A page's form comes back: first the password, then the code, which is taken for consent too."""
    account, form = _handle(call), call.request.form()
    token = call.request.asked("token_id")
    if "answer" in form:
        if not _is_opened(call, account) or not call.desk.telephone.take(account, form["answer"], call.now):
            return _form(account, token, "Invalid OTP.", coded=True, status=403)
        del call.desk.opened[account.user]
        call.desk.sessions.redeem(token, call.now)
        return redirect_reply(str(_agreed(call, account)["callbackUrl"]))
    if not _knows_password(call, account, form.get("username", ""), form.get("password", "")):
        return _form(account, token, "Invalid credentials.", status=403)
    return _form(account, token, coded=True)


def profile(call: Call) -> Reply:
    """`GET /oapi/v3/user/profile`; POST by the heading of the documents: unconfirmed, refused here."""
    account = call.account
    return success(
        [
            {
                "user_id": account.user,
                "user_type": "individual",
                "user_name": account.name,
                "broker": "HDFCSEC",
                "accountSettlementType": "",
                "products": ["DELIVERY", "OVERNIGHT", "INTRADAY"],
                "order_types": ["MARKET", "LIMIT", "SL", "SL-M"],
                "exchanges:NSE": ["EQUITY", "FUTIDX", "OPTIDX"],
                "depository_details": [{"edis_flag": "N", "ddpi_flag": "Y"}],
                "bank_details": [],
            }
        ]
    )
