"""Logging in at Zerodha: the user signs in on Kite's own page, and the address where that ends is worth a session.

Quirks. The page asks for user id, password and second factor, none of which ordo sees (FORUM, confirmed). What it ends
in works once and for minutes (FORUM, confirmed). The session dies at 06:00 in India (DOC/04, confirmed), and a new one
of the same account ends it (FORUM, confirmed). One app may serve a whole family (SUP, confirmed), so that whoever is
signed in to Kite in that browser is who logs in: the user id of the answer must be the account's own.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, time, timedelta
from hashlib import sha256
from urllib.parse import parse_qsl, urlencode

from ordo_cli.brokers.base import WRONG_ANSWER, BrokerSession, Challenge, ChallengeKind, Tools
from ordo_cli.brokers.http import Http
from ordo_cli.brokers.opening import address_of
from ordo_cli.brokers.wire import Ungated
from ordo_cli.brokers.zerodha.envelope import VERSION, authorization, data_of, line_to
from ordo_cli.brokers.zerodha.reading import inner, text
from ordo_cli.domain.accounts import Account
from ordo_cli.domain.errors import Rejected, SessionExpired
from ordo_cli.domain.market import IST

PAGE = "https://kite.zerodha.com"  # (PY, DOC/04, confirmed)
DIES_AT = time(6)  # in India (DOC/04, confirmed)
PATIENCE = timedelta(minutes=30)  # ours: the page itself waits as long as one likes
REQUEST_TOKEN = re.compile(r"[A-Za-z0-9]{6,128}", re.ASCII)


class ZerodhaLogin:
    async def start(self, account: Account, credentials: Mapping[str, str], tools: Tools) -> Challenge:
        """Nothing is sent: the challenge carries the address of Kite's page, with a state that must come back."""
        state = tools.chance.token(26)
        query = {"v": "3", "api_key": credentials["api_key"], "redirect_params": urlencode({"state": state})}
        page = f"{address_of(account, PAGE)}/connect/login?{urlencode(query)}"
        prompt = f"sign in as {credentials['user_id']} at {page} and paste the whole address where the browser ends"
        return Challenge(ChallengeKind.REDIRECT, prompt, tools.clock.now() + PATIENCE, state.encode())

    async def answer(
        self, account: Account, credentials: Mapping[str, str], tools: Tools, state: bytes, text: str
    ) -> BrokerSession:
        """Exchange what the browser ended at, its whole address or the bare request_token, for a session."""
        request_token = request_token_in(text, state.decode())
        api_key, api_secret = credentials["api_key"], credentials["api_secret"]
        form = {
            "api_key": api_key,
            "request_token": request_token,
            "checksum": sha256(f"{api_key}{request_token}{api_secret}".encode()).hexdigest(),
        }
        secrets = request_token, form["checksum"], api_secret, api_key
        async with line_to(account, tools, VERSION, *secrets, step="login", lines=1) as http:
            body = await http.post("/session/token", form=form, permit=Ungated())
        return session_of(body, credentials["user_id"], tools.clock.now())

    async def probe(
        self, account: Account, credentials: Mapping[str, str], tools: Tools, session: BrokerSession
    ) -> None:
        async with _line(account, credentials, tools, session) as http:
            data_of(await http.get("/user/profile"))

    async def logout(
        self, account: Account, credentials: Mapping[str, str], tools: Tools, session: BrokerSession
    ) -> None:
        query = {"api_key": credentials["api_key"], "access_token": session.token["access_token"]}
        async with _line(account, credentials, tools, session) as http:
            with suppress(SessionExpired):
                data_of(await http.write("DELETE", "/session/token", params=query, permit=Ungated()))


def request_token_in(answer: str, state: str) -> str:
    """The request_token of a landing address whose state is ours, or the answer itself when it can be nothing else.

    Raises Rejected with WRONG_ANSWER, without repeating any of it: Kite's page may be opened again.
    """
    if REQUEST_TOKEN.fullmatch(answer):
        return answer
    query = parse_qsl(answer.partition("?")[2].partition("#")[0], keep_blank_values=True)
    given = {name: [value for key, value in query if key == name] for name in ("request_token", "status", "state")}
    if given["status"] not in ([], ["success"]):
        raise _wrong("Kite's page says that the login did not succeed")
    if len(given["request_token"]) != 1 or not REQUEST_TOKEN.fullmatch(given["request_token"][0]):
        raise _wrong("that is neither the address where Kite's page ends nor a request_token")
    if len(given["state"]) != 1 or not hmac.compare_digest(given["state"][0].encode(), state.encode()):
        raise _wrong("that address does not come from the login that ordo started")
    return given["request_token"][0]


def session_of(body: object, user_id: str, now: datetime) -> BrokerSession:
    """The session in the answer. Raises Rejected when it is somebody else's: every order would go to that account."""
    data = inner({"session": data_of(body)}, "session")
    access_token, whose = text(data, "access_token"), text(data, "user_id")
    if whose.upper() != user_id.upper():
        raise Rejected(
            "another Zerodha account than this one was signed in; its login was thrown away",
            hint="sign out of Kite in that browser, then start again; who was signed in may have to log in again too",
            code="WRONG_ACCOUNT",
        )
    return BrokerSession({"access_token": access_token, "user_id": whose}, dies_at(now))


def dies_at(now: datetime) -> datetime:
    """The next 06:00 in India. Of a login between midnight and six the sheet says no more than "next day"; the earlier
    of the two readings costs one login at the worst."""
    local = now.astimezone(IST)
    today = datetime.combine(local.date(), DIES_AT, IST)
    return (today if local < today else today + timedelta(days=1)).astimezone(UTC)


def _line(account: Account, credentials: Mapping[str, str], tools: Tools, session: BrokerSession) -> Http:
    api_key, access_token = credentials["api_key"], session.token["access_token"]
    headers = authorization(api_key, access_token)
    return line_to(account, tools, headers, access_token, api_key, credentials["api_secret"], lines=1)


def _wrong(message: str) -> Rejected:
    return Rejected(message, hint="open the login page again and paste the new address", code=WRONG_ANSWER)
