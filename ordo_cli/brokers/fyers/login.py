"""Logging in at Fyers: its own page in a browser, then an auth code for a token, once each trading day.

The only way since April 2026 (confirmed, REG, KB, DOC). A refresh token comes along and is not kept: nothing takes it
any more. A session is counted to last until 06:00 in India, the earliest that anybody has reported (unconfirmed), or to
the token's own end if that is sooner; that the broker knows it no more is learnt by asking.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from ordo_cli.brokers.answers import classify
from ordo_cli.brokers.base import WRONG_ANSWER, BrokerSession, Challenge, ChallengeKind, Tools
from ordo_cli.brokers.fyers.broker import HOST, bearer
from ordo_cli.brokers.fyers.told import fine, nothing_of_a_login, telling
from ordo_cli.brokers.http import Http, decode_json
from ordo_cli.brokers.opening import address_of, line_of
from ordo_cli.brokers.wire import Ungated
from ordo_cli.domain.accounts import Account
from ordo_cli.domain.errors import NoAnswer, Rejected, SessionExpired
from ordo_cli.domain.market import IST
from ordo_cli.domain.text import LIMIT

DIES_AT = time(6, 0)
PATIENCE = timedelta(minutes=15)  # for a person to log in; the auth code itself is said to live briefly (unconfirmed)
STATE_LENGTH = 32
_TOKEN = re.compile(r"[\x21-\x7e]{8,4000}")
_BARE_CODE = re.compile(r"[A-Za-z0-9._~+/=-]{16,4000}", re.ASCII)  # a result code such as 200 is none


class FyersLogin:
    async def start(self, account: Account, credentials: Mapping[str, str], tools: Tools) -> Challenge:
        state = tools.chance.token(STATE_LENGTH)
        query = {
            "client_id": credentials["app_id"],
            "redirect_uri": credentials["redirect_uri"],
            "response_type": "code",
            "state": state,
        }
        page = f"{address_of(account, HOST)}/api/v3/generate-authcode?{urlencode(query)}"
        prompt = f"log in there, then give the whole address where your browser ends, or its auth_code: {page}"
        if len(prompt) > LIMIT:  # it would be shown cut, and a cut address is no address
            raise Rejected("redirect_uri is too long", hint="register a shorter one", code="REDIRECT_URI")
        return Challenge(ChallengeKind.REDIRECT, prompt, tools.clock.now() + PATIENCE, state.encode())

    async def answer(
        self, account: Account, credentials: Mapping[str, str], tools: Tools, state: bytes, text: str
    ) -> BrokerSession:
        code = auth_code(text.strip(), state)
        body = {"grant_type": "authorization_code", "appIdHash": app_hash(credentials), "code": code}
        async with line_of(account, tools, HOST, classify=classify("fyers", nothing_of_a_login), lines=1) as http:
            answer = await http.post("/api/v3/validate-authcode", permit=Ungated(), json=body)
        return session_of(answer, tools.clock.now())

    async def probe(
        self, account: Account, credentials: Mapping[str, str], tools: Tools, session: BrokerSession
    ) -> None:
        async with _line(account, credentials, tools, session, writing=False) as http:
            fine(await http.get("/api/v3/profile"), "profile")

    async def logout(
        self, account: Account, credentials: Mapping[str, str], tools: Tools, session: BrokerSession
    ) -> None:
        """Ends the token of this app alone; sessions in Fyers' own apps live on (confirmed, DOC)."""
        async with _line(account, credentials, tools, session, writing=True) as http:
            with suppress(SessionExpired):
                fine(await http.post("/api/v3/logout", permit=Ungated()), "answer to the logout")


def app_hash(credentials: Mapping[str, str]) -> str:
    """SHA-256 of `app_id:app_secret`, with the colon that the prose leaves out: confirmed (SDK, GO, SAMPLE)."""
    return sha256(f"{credentials['app_id']}:{credentials['app_secret']}".encode()).hexdigest()


def auth_code(text: str, state: bytes) -> str:
    """The code in what the browser ended at, whose state must be that of this login; a bare code is taken as it is.

    Raises Rejected, with WRONG_ANSWER for what is no such address or is that of another login.
    """
    if "auth_code=" not in text and "state=" not in text:
        if not _BARE_CODE.fullmatch(text):
            raise Rejected("that is neither the address nor its auth_code", code=WRONG_ANSWER)
        return text
    try:
        query = urlsplit(text).query if "://" in text or "?" in text else text
        found = parse_qs(query, keep_blank_values=True, max_num_fields=50)
    except ValueError:
        raise Rejected("that address cannot be read", code=WRONG_ANSWER) from None
    if not hmac.compare_digest(_only(found, "state").encode(), state):
        raise Rejected(
            "that address belongs to another login: its state is not the one that was given", code=WRONG_ANSWER
        )
    if _only(found, "s") != "ok":
        raise Rejected("fyers' page did not let you in", hint="start again: ordo login", code="NOT_LET_IN")
    code = _only(found, "auth_code")
    if not _BARE_CODE.fullmatch(code):
        raise Rejected("that address has no auth_code", code=WRONG_ANSWER)
    return code


def session_of(answer: Any, now: datetime) -> BrokerSession:
    """The session that an exchange gave. Raises NoAnswer for an answer that is not one."""
    token = fine(answer, "session").get("access_token")
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise NoAnswer("fyers let in and gave no token that can be used")
    until = min(next_end(now), _end_told(token) or next_end(now))
    if until <= now:
        hint = "look at this machine's clock, then start again: ordo login"
        raise Rejected("fyers gave a session that is over already", hint=hint, code="SESSION_OVER")
    return BrokerSession({"access_token": token}, until)


def next_end(now: datetime) -> datetime:
    """The next 06:00 in India."""
    local = now.astimezone(IST)
    day = local.date() if local.time() < DIES_AT else local.date() + timedelta(days=1)
    return datetime.combine(day, DIES_AT, IST).astimezone(UTC)


def _end_told(token: str) -> datetime | None:
    """What the token says of its own end, if it is one that says so. Proves nothing: the broker may end it sooner."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        told = decode_json(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        end = told.get("exp") if isinstance(told, Mapping) else None
        return datetime.fromtimestamp(int(end), UTC) if isinstance(end, int | Decimal) else None
    except (ValueError, binascii.Error, OverflowError, OSError):
        return None


def _only(found: Mapping[str, list[str]], name: str) -> str:
    values = found.get(name, [])
    return values[0] if len(values) == 1 else ""


def _line(
    account: Account, credentials: Mapping[str, str], tools: Tools, session: BrokerSession, *, writing: bool
) -> Http:
    token = session.token["access_token"]
    told = telling(token, credentials["app_secret"], writing=writing)
    return line_of(account, tools, HOST, classify=classify("fyers", told), headers=bearer(credentials, token), lines=1)
