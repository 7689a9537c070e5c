"""Logging in at HDFC Securities: a token id, the password, the OTP, the consent, and an access token for a day.

Quirks. Nothing is hashed: the password and the secret go out as they are, inside TLS (confirmed, DOC). A wrong password
or OTP may lock the account, so every step goes out once and is repeated by nobody. No words are documented by which a
wrong OTP could be told from other trouble, so a login ends with the first OTP that is not taken. A captcha can only be
solved in a browser. There is no call that ends a session.
"""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, time, timedelta
from typing import Any

from ordo_cli.brokers.base import WRONG_ANSWER, BrokerSession, Challenge, ChallengeKind, Tools
from ordo_cli.brokers.hdfc import line
from ordo_cli.brokers.hdfc.broker import ACCESS_TOKEN
from ordo_cli.brokers.hdfc.line import Unlisted, credential, data_of, open_line
from ordo_cli.brokers.http import Http, decode_json, encode_json
from ordo_cli.brokers.wire import Ungated
from ordo_cli.domain.accounts import Account
from ordo_cli.domain.errors import NoAnswer, Rejected, SessionExpired
from ordo_cli.domain.market import IST
from ordo_cli.domain.text import clean

OTP_LIFE = timedelta(minutes=10)  # that HDFC's own is so long is unconfirmed; a later answer would only be refused
TOKEN_LIFE = timedelta(hours=8)  # of the documentation's sample (confirmed, DOC); for a token that tells no `exp`
DIES_AT = time(3, 0)  # in India; the latest that anybody reports (unconfirmed)
OTP = re.compile(r"[0-9]{4,8}", re.ASCII)
JWT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*", re.ASCII)
LOCKS = "start again with care, for HDFC locks an account after some wrong ones: ordo login"


class HdfcLogin:
    async def start(self, account: Account, credentials: Mapping[str, str], tools: Tools) -> Challenge:
        """Ask for the OTP. Raises Rejected when the password is not taken or a captcha is demanded."""
        async with _door(account, credentials, tools) as door:
            token_id = door.told(await door.ask("the key", "GET", line.LOGIN), "tokenId")
            asked = await door.ask(
                "the user id and password",
                "POST",
                line.VALIDATE,
                {"username": door.credential("user_id"), "password": door.credential("password")},
                token_id=token_id,
            )
        question = _question(asked)
        state = encode_json({"token_id": token_id}).encode()
        prompt = f"OTP from HDFC Securities for {account.id}: {question}"
        return Challenge(ChallengeKind.OTP, prompt, tools.clock.now() + OTP_LIFE, state)

    async def answer(
        self, account: Account, credentials: Mapping[str, str], tools: Tools, state: bytes, text: str
    ) -> BrokerSession:
        """Give the OTP, agree to the terms, fetch the access token. Raises WRONG_ANSWER only before anything left."""
        if not OTP.fullmatch(text):
            raise Rejected("an OTP of HDFC is four to eight digits; nothing was sent", code=WRONG_ANSWER)
        token_id = str(decode_json(state)["token_id"])
        async with _door(account, credentials, tools) as door:
            door.secrets += [token_id, text]
            taken = await door.ask("the OTP", "POST", line.TWOFA, {"answer": text}, token_id=token_id)
            agreed = await door.ask(
                "the consent",
                "GET",
                line.AUTHORISE,
                token_id=token_id,
                consent=tools.options.get("consent", "true"),  # `true` or `Y`: unconfirmed
                request_token=door.told(taken, "requestToken"),
            )
            handed = await door.ask(
                "the secret",
                "POST",
                line.ACCESS_TOKEN,
                {"apiSecret": door.credential("api_secret")},
                request_token=door.told(agreed, "requestToken"),
            )
            inner = handed.get("data")  # where some have seen it (unconfirmed, OA)
            access_token = door.told(inner if isinstance(inner, dict) else handed, "accessToken")
        if not JWT.fullmatch(access_token):
            raise NoAnswer("HDFC gave an access token that is no token")
        return BrokerSession({ACCESS_TOKEN: access_token}, _expiry(access_token, tools.clock.now()))

    async def probe(
        self, account: Account, credentials: Mapping[str, str], tools: Tools, session: BrokerSession
    ) -> None:
        """Read the funds. A 403 is NoAnswer with both its readings: this machine's address may be what is refused."""
        token, api_key = session.token[ACCESS_TOKEN], credential(account, credentials, "api_key")
        async with open_line(account, tools, [*credentials.values(), token], token) as http:
            data_of(await http.get(line.FUNDS, params={"api_key": api_key}), "funds")

    async def logout(
        self, account: Account, credentials: Mapping[str, str], tools: Tools, session: BrokerSession
    ) -> None:
        """Nothing is sent: HDFC documents no such call (confirmed absent, DOC). Ordo forgets the token; at the broker
        it lives until it expires."""


class _Door:
    """The steps of one login, each asked once. `secrets` are what no error may repeat."""

    def __init__(self, account: Account, credentials: Mapping[str, str], http: Http, secrets: list[str]) -> None:
        self._account = account
        self._credentials = credentials
        self._http = http
        self.secrets = secrets

    def credential(self, name: str) -> str:
        return credential(self._account, self._credentials, name)

    async def ask(
        self, what: str, method: str, path: str, json: Mapping[str, str] | None = None, **params: str
    ) -> dict[str, Any]:
        """One step. Written and never read, even where it is a GET, since a read would be repeated.

        Raises Rejected for every refusal by its form: whatever it meant, this login is over.
        """
        every = {"api_key": self.credential("api_key"), **params}
        try:
            body = await self._http.write(method, path, permit=Ungated(), json=json, params=every)
        except SessionExpired as error:
            raise Rejected(f"HDFC did not take {what}: {error.message}", hint=LOCKS, code="LOGIN_REFUSED") from None
        except Unlisted as error:
            hint = error.hint or LOCKS
            raise Rejected(f"HDFC did not take {what}: {error.message}", hint=hint, code="LOGIN_REFUSED") from None
        if not isinstance(body, dict):
            raise NoAnswer(f"HDFC's answer to {what} is not understood")
        return body

    def told(self, body: Mapping[str, Any], name: str) -> str:
        """A token that an answer must hold; kept out of every error from here on."""
        value = body.get(name)
        if not isinstance(value, str) or not value:
            raise NoAnswer(f"HDFC's answer has no {name}", hint="start again: ordo login")
        self.secrets.append(value)
        return value


@asynccontextmanager
async def _door(account: Account, credentials: Mapping[str, str], tools: Tools) -> AsyncIterator[_Door]:
    secrets = [*credentials.values()]
    async with open_line(account, tools, secrets) as http:
        yield _Door(account, credentials, http, secrets)


def _question(asked: Mapping[str, Any]) -> str:
    """What HDFC asks after the password. Raises Rejected where it wants what cannot be given here."""
    if asked.get("recaptcha") not in (False, None):
        raise Rejected(
            "HDFC demands a captcha, which can only be solved in a browser",
            hint="log in once at HDFC's own site or app with this user id, then again: ordo login",
            code="CAPTCHA",
        )
    if asked.get("twoFAEnabled") is False:
        raise Rejected(
            "HDFC asked for no OTP, and how a login goes on then is not documented",
            hint="turn the OTP on for this user id at HDFC, then: ordo login",
            code="NO_SECOND_FACTOR",
        )
    twofa = asked.get("twofa")
    questions = twofa.get("questions") if isinstance(twofa, dict) else None
    if not isinstance(questions, list) or len(questions) != 1 or not isinstance(questions[0], dict):
        raise NoAnswer("HDFC's answer to the password asks nothing that is understood", hint="start again: ordo login")
    return clean(str(questions[0].get("question", "")), 120)


def _expiry(access_token: str, now: datetime) -> datetime:
    """When the token says that it dies, and never after the next 03:00 in India. Raises Rejected for one that is dead.

    `exp` is read without a proof of it, to be told in time to log in again; what ends a session is the broker's word.
    """
    told = _exp(access_token)
    ends = now + TOKEN_LIFE if told is None else told
    if ends <= now:
        hint = "see whether the clock of this machine is right: ordo doctor"
        raise Rejected("HDFC gave an access token that is over already", hint=hint, code="TOKEN_OVER")
    local = now.astimezone(IST)
    night = datetime.combine(local.date(), DIES_AT, IST)
    if night <= local:
        night += timedelta(days=1)
    return min(ends, night).astimezone(UTC)


def _exp(access_token: str) -> datetime | None:
    payload = access_token.split(".")[1]
    try:
        claims = decode_json(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        told = claims.get("exp") if isinstance(claims, dict) else None
        return datetime.fromtimestamp(told, UTC) if type(told) is int else None
    except (ValueError, OverflowError, OSError):
        return None
