"""Logging in on paper: a code is sent to the account's telephone, which is a file, and is worth a session until 06:00.

Quirks. A new login ends the session before it. A code lives five minutes, dies with the first right answer and after
five wrong ones. The exchange keeps digests only.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256

from ordo_cli.brokers.base import WRONG_ANSWER, BrokerSession, Challenge, ChallengeKind, Tools
from ordo_cli.brokers.paper.amounts import SECOND, day_of, midnight, moment_of
from ordo_cli.brokers.paper.behaviours import behaviour_of
from ordo_cli.brokers.paper.door import TRIES
from ordo_cli.brokers.paper.exchange import Exchange
from ordo_cli.brokers.paper.line import answered, line
from ordo_cli.domain.accounts import Account
from ordo_cli.domain.errors import Rejected, SessionExpired, Unreachable

DIGITS = 6
CODE_LIFE = 5 * 60 * SECOND
DIES_AT = 6 * 3600 * SECOND  # after midnight in India: when brokers end the sessions of the day before


class PaperLogin:
    async def start(self, account: Account, credentials: Mapping[str, str], tools: Tools) -> Challenge:
        _reachable(account)
        code, number = _code(tools), tools.chance.token(16)
        async with line(tools) as shared:
            until = await shared.run(answered, _expect, shared.exchange, account.id, number, code)
        path = phone(tools, account.id)
        _write(path, f"Paper exchange: the login code of {account.id}. Nobody will ever ask you for it.\n{code}\n")
        prompt = f"code sent to the paper telephone of {account.id}: the last line of {path}"
        return Challenge(ChallengeKind.OTP, prompt, moment_of(until), number.encode())

    async def answer(
        self, account: Account, credentials: Mapping[str, str], tools: Tools, state: bytes, text: str
    ) -> BrokerSession:
        _reachable(account)
        token, lives = tools.chance.token(32), behaviour_of(account).otp
        async with line(tools) as shared:
            until = await shared.run(answered, _admit, shared.exchange, account.id, state.decode(), text, token, lives)
        with suppress(OSError):
            os.unlink(phone(tools, account.id))
        return BrokerSession({"token": token}, moment_of(until))

    async def probe(
        self, account: Account, credentials: Mapping[str, str], tools: Tools, session: BrokerSession
    ) -> None:
        _reachable(account)
        async with line(tools) as shared:
            if not await shared.run(answered, knows, shared.exchange, account.id, digest_of(session)):
                raise SessionExpired(f"the session of {account.id} has expired", code="SESSION")

    async def logout(
        self, account: Account, credentials: Mapping[str, str], tools: Tools, session: BrokerSession
    ) -> None:
        _reachable(account)
        async with line(tools) as shared:
            await shared.run(answered, _end, shared.exchange, account.id, digest_of(session))


def phone(tools: Tools, account: str) -> str:
    """Where the messages to an account's telephone arrive."""
    return str(tools.data / "paper-phone" / f"{account}.txt")


def digest_of(session: BrokerSession) -> str:
    """What the exchange knows a session by."""
    return _digest(session.token["token"])


def knows(exchange: Exchange, account: str, digest: str) -> bool:
    """Whether this session of the account lives at this moment."""
    with exchange.moment() as now:
        return exchange.door.admits(account, digest, now)


def _expect(exchange: Exchange, account: str, number: str, code: str) -> int:
    with exchange.moment() as now:
        exchange.door.expect(account, number, _digest(number + code), now + CODE_LIFE)
    return now + CODE_LIFE


def _admit(exchange: Exchange, account: str, number: str, code: str, token: str, lives: float | None) -> int:
    with exchange.moment() as now:
        known = exchange.door.expected(account, number, now)
        right = known is not None and hmac.compare_digest(known.digest, _digest(number + code))
        if right:
            until = _morning(now) if lives is None else now + round(lives * SECOND)
            exchange.door.admit(account, _digest(token), until)
        elif known is not None:
            exchange.door.refuse(account)
    if known is None:
        raise Rejected("the paper exchange waits for no code any more", code="CODE_EXPIRED")
    if not right:
        last = known.tries + 1 >= TRIES
        raise Rejected("that is not the code", code="CODE_LOCKED" if last else WRONG_ANSWER)
    return until


def _end(exchange: Exchange, account: str, digest: str) -> None:
    with exchange.moment():
        exchange.door.end(account, digest)


def _morning(now: int) -> int:
    """The next 06:00 in India."""
    today = midnight(day_of(now)) + DIES_AT
    return today if now < today else midnight(day_of(now) + 1) + DIES_AT


def _reachable(account: Account) -> None:
    if behaviour_of(account).down:
        raise Unreachable("the paper exchange is down, as this account was told to find it")


def _code(tools: Tools) -> str:
    return str(int(_digest(tools.chance.token(26)), 16) % 10**DIGITS).zfill(DIGITS)


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _write(path: str, text: str) -> None:
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    beside = f"{path}.new-{os.getpid()}"
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(beside, path)
