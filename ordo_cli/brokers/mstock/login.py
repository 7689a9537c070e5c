"""Logging in to m.Stock: user and password, then the code that comes to the telephone or from an authenticator.

Quirks. A refused password is counted down to a lock-out (one client, unconfirmed), so nothing is ever tried again by
itself. A wrong code is told apart by its text alone (TXT, confirmed); that it leaves the first step alive is
unconfirmed. The checksum beside a one-time password is no hash but a constant, `L` or `W`: sources disagree, so it is
a setting. An account with an authenticator is sent no code, and nothing in the first answer is documented to tell so:
`[brokers.mstock] totp` names such accounts. There is no refresh; a session ends at midnight in India (INTRO, UB:
confirmed) or after 12 hours, as others say, and is not used after 23:55.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, time, timedelta

from ordo_cli.brokers.base import BrokerSession, Challenge, ChallengeKind, Tools
from ordo_cli.brokers.http import Classify, Http
from ordo_cli.brokers.mstock.envelope import HOME, PREFIX, VERSION, data_of, headers_for, judge, judge_login, rows_of
from ordo_cli.brokers.opening import line_of
from ordo_cli.brokers.wire import Ungated
from ordo_cli.domain.accounts import Account
from ordo_cli.domain.errors import Invalid, NoAnswer, SessionExpired
from ordo_cli.domain.market import IST

CODE_LIFE = timedelta(minutes=5)  # ordo's own: how long a code lasts is not documented
LONGEST = timedelta(hours=12)
LAST_USE = time(23, 55)
CHECKSUMS = ("L", "W")
TOKEN = re.compile(r"[\x21-\x7e]{8,8000}", re.ASCII)

PROMPTS = {
    ChallengeKind.OTP: "the one-time password that m.Stock sent to the telephone of {account}",
    ChallengeKind.TOTP: "the code that the authenticator of {account} shows for m.Stock",
}


class MStockLogin:
    async def start(self, account: Account, credentials: Mapping[str, str], tools: Tools) -> Challenge:
        """Send user and password (UA, SDKA: confirmed), with an authenticator too, and ask for the code."""
        kind = ChallengeKind.TOTP if account.id in named(tools.options.get("totp", "")) else ChallengeKind.OTP
        checksum_of(tools.options)  # a setting that is none is told before anything is sent
        form = {"username": credentials["client_id"], "password": credentials["password"]}
        async with _line(account, tools, credentials) as http:
            body = await http.post(f"{PREFIX}/connect/login", permit=Ungated(), form=form)
        data_of(body, credentials.values())
        prompt = PROMPTS[kind].format(account=account.id)
        return Challenge(kind, prompt, tools.clock.now() + CODE_LIFE, kind.encode())

    async def answer(
        self, account: Account, credentials: Mapping[str, str], tools: Tools, state: bytes, text: str
    ) -> BrokerSession:
        """Give the code for a session. Raises Rejected with WRONG_ANSWER where m.Stock says that the code was wrong."""
        if state == ChallengeKind.TOTP.encode():
            path, form = "/session/verifytotp", {"api_key": credentials["api_key"], "totp": text}
        else:
            path = "/session/token"
            checksum = checksum_of(tools.options)
            form = {"api_key": credentials["api_key"], "request_token": text, "checksum": checksum}
        async with _line(account, tools, credentials, text) as http:
            body = await http.post(PREFIX + path, permit=Ungated(), form=form)
        data = data_of(body, (*credentials.values(), text))
        token = data.get("access_token") if isinstance(data, dict) else None
        if not isinstance(token, str) or not TOKEN.fullmatch(token):
            raise NoAnswer("m.Stock took the code and gave no session that can be used")
        return BrokerSession({"access_token": token}, expiry(tools.clock.now()))

    async def probe(
        self, account: Account, credentials: Mapping[str, str], tools: Tools, session: BrokerSession
    ) -> None:
        """Read the funds, the smallest answer that needs a session."""
        async with _session_line(account, tools, credentials, session) as http:
            body = await http.get(f"{PREFIX}/user/fundsummary")
        rows_of(data_of(body, (*credentials.values(), *session.token.values())))

    async def logout(
        self, account: Account, credentials: Mapping[str, str], tools: Tools, session: BrokerSession
    ) -> None:
        """End the session (SDKA, confirmed); one that m.Stock does not know any more is over."""
        async with _session_line(account, tools, credentials, session) as http:
            with suppress(SessionExpired):
                data_of(await http.get(f"{PREFIX}/logout"), (*credentials.values(), *session.token.values()))


def expiry(now: datetime) -> datetime:
    """When a session that begins now is not used any more: 23:55 in India or after 12 hours; after 23:55 midnight."""
    local = now.astimezone(IST)
    end = datetime.combine(local.date(), LAST_USE, IST)
    if local >= end:
        end = datetime.combine(local.date() + timedelta(days=1), time(0), IST)
    return min(end, local + LONGEST).astimezone(UTC)


def checksum_of(options: Mapping[str, str]) -> str:
    """The constant beside a one-time password. Raises Invalid for one that no source has."""
    told = options.get("checksum", CHECKSUMS[0])
    if told not in CHECKSUMS:
        raise Invalid("the checksum of m.Stock is L or W", hint="in config.toml: [brokers.mstock] checksum")
    return told


def named(text: str) -> Sequence[str]:
    """Accounts in a setting, with spaces or commas between them."""
    return text.replace(",", " ").split()


@asynccontextmanager
async def _line(account: Account, tools: Tools, credentials: Mapping[str, str], *more: str) -> AsyncIterator[Http]:
    classify = judge_login((*credentials.values(), *more))
    async with _opened(account, tools, classify, VERSION) as http:
        yield http


@asynccontextmanager
async def _session_line(
    account: Account, tools: Tools, credentials: Mapping[str, str], session: BrokerSession
) -> AsyncIterator[Http]:
    headers = headers_for(credentials["api_key"], session.token["access_token"])
    classify = judge((*credentials.values(), *session.token.values()))
    async with _opened(account, tools, classify, headers) as http:
        yield http


def _opened(account: Account, tools: Tools, classify: Classify, headers: Mapping[str, str]) -> Http:
    return line_of(account, tools, HOME, classify=classify, headers=headers, lines=1)
